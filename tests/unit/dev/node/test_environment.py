import pytest

from dev.node import environment, fields, objects
from tests.unit.dev.node.stored import FakeObjects

POD = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"}, "spec": {"containers": [{"name": "web"}]}}
FACTS = fields.Facts(POD, address="127.18.0.2", host="127.18.0.1", allocatable={"cpu": "4"})
STORED_PASSWORD = "hidden"  # noqa: S105 - a made-up one
STORED = FakeObjects(
    {
        (objects.CONFIG_MAP, "settings"): {"level": b"info", "host": b"config"},
        (objects.SECRET, "password"): {"password": STORED_PASSWORD.encode(), "raw": b"\xff\x00"},
    }
)


async def variables(**container: object) -> dict[str, str]:
    """Return the variables of a container with these fields."""
    return await environment.variables({"name": "web", **container}, facts=FACTS, reader=STORED)


async def test_values_refer_to_what_was_defined_before() -> None:
    """A reference sees variables above it, those of envFrom included; one to a variable below stays as it is."""
    found = await variables(
        envFrom=[{"configMapRef": {"name": "settings"}}],
        env=[
            {"name": "FIRST", "value": "$(level) $(SECOND)"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "SECOND", "value": "$(IP):8080"},
            {"name": "EMPTY"},
        ],
    )
    assert found["FIRST"] == "info $(SECOND)"
    assert found["SECOND"] == "127.18.0.2:8080"
    assert found["EMPTY"] == ""


async def test_env_wins_over_env_from_and_a_later_source_over_an_earlier() -> None:
    """Of two variables of the same name the last defined counts, and a single one more than a whole object's."""
    found = await variables(
        envFrom=[{"configMapRef": {"name": "settings"}}, {"prefix": "S_", "secretRef": {"name": "password"}}],
        env=[{"name": "host", "value": "own"}],
    )
    assert found["host"] == "own"
    assert found["S_password"] == STORED_PASSWORD


async def test_keys_of_config_maps_and_secrets_become_variables() -> None:
    """A key's value is the variable's, bytes that are no text included; what a value says is not expanded."""
    found = await variables(
        env=[
            {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
            {"name": "RAW", "valueFrom": {"secretKeyRef": {"name": "password", "key": "raw"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
    )
    assert found["LEVEL"] == "info"
    assert found["RAW"].encode(errors="surrogateescape") == b"\xff\x00"
    assert found["CPU"] == "4"


@pytest.mark.parametrize("missing", [{"name": "settings", "key": "no"}, {"name": "no", "key": "level"}])
async def test_what_is_optional_may_be_missing(missing: dict[str, str]) -> None:
    """Without the key or the object there is no variable; that is an error only where it isn't optional."""
    source = {"configMapKeyRef": {**missing, "optional": True}}
    assert await variables(env=[{"name": "A", "valueFrom": source}]) == {}
    with pytest.raises(objects.MissingError):
        await variables(env=[{"name": "A", "valueFrom": {"configMapKeyRef": missing}}])


async def test_a_whole_object_may_be_missing_if_it_is_optional() -> None:
    """The same for envFrom."""
    assert await variables(envFrom=[{"secretRef": {"name": "no", "optional": True}}]) == {}
    with pytest.raises(objects.MissingError, match="Secret no not found"):
        await variables(envFrom=[{"secretRef": {"name": "no"}}])


async def test_an_unknown_source_is_named() -> None:
    """A source that this node doesn't know is an error, not an empty variable."""
    with pytest.raises(fields.UnknownFieldError, match="fileKeyRef"):
        await variables(env=[{"name": "A", "valueFrom": {"fileKeyRef": {"path": "a"}}}])
