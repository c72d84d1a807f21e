import pytest

from dev.node import fields, quantities

POD = {
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"app.kubernetes.io/name": "web", "tier": "front"},
        "annotations": {"note": 'two\n"lines"'},
    },
    "spec": {
        "nodeName": "local",
        "serviceAccountName": "web",
        "containers": [
            {"name": "web", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}},
            {"name": "log"},
        ],
    },
}
FACTS = fields.Facts(POD, address="127.18.0.2", host="127.18.0.1", allocatable={"cpu": "4", "memory": "1Gi"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app.kubernetes.io/name']", "web"),
        ("metadata.labels['other']", ""),
        ("metadata.annotations['note']", 'two\n"lines"'),
        ("metadata.labels", 'app.kubernetes.io/name="web"\ntier="front"'),
        ("spec.nodeName", "local"),
        ("spec.serviceAccountName", "web"),
        ("status.podIP", "127.18.0.2"),
        ("status.hostIP", "127.18.0.1"),
    ],
)
def test_a_field_has_its_value(path: str, value: str) -> None:
    """Each field of the downward API is what the Pod says; the addresses are those to listen at."""
    assert fields.field(path, facts=FACTS) == value


def test_an_unknown_field_is_named() -> None:
    """A field that there is none of is no empty value but an error that names it."""
    with pytest.raises(fields.UnknownFieldError, match=r"fieldRef spec\.color"):
        fields.field("spec.color", facts=FACTS)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "2"),  # rounded up
        ({"resource": "limits.cpu", "divisor": "1m"}, "1500"),
        ({"resource": "requests.memory"}, "67108864"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "1024"),  # no limit: all that the node has
        ({"resource": "requests.cpu"}, "0"),
        ({"resource": "limits.cpu", "containerName": "log"}, "4"),
    ],
)
def test_a_resource_is_counted_in_its_divisor(reference: dict[str, str], value: str) -> None:
    """What a container may use is told in units of the divisor, and the node's own capacity where there is no limit."""
    assert fields.resource(reference, container="web", facts=FACTS) == value


@pytest.mark.parametrize("reference", [{"resource": "limits.cpu", "containerName": "no"}, {"resource": "wishes.cpu"}])
def test_an_unknown_resource_is_named(reference: dict[str, str]) -> None:
    """A container or kind that isn't there is an error."""
    with pytest.raises(fields.UnknownFieldError, match=reference["resource"]):
        fields.resource(reference, container="web", facts=FACTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", 0.1), ("1.5", 1.5), ("2e3", 2000), ("2E", 2e18), ("64Mi", 64 * 2**20), (".5k", 500), ("1e-1", 0.1)],
)
def test_quantities_are_numbers_with_suffixes(text: str, value: float) -> None:
    """Decimal, binary and exponent notation are read as the API has them."""
    assert float(quantities.parse(text)) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "m", "1 Mi", "1Xi", "one"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """The message says what was found and what is wanted."""
    with pytest.raises(ValueError, match="is no quantity"):
        quantities.parse(text)
