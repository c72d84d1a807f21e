import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import account, errors, upload
from tests.support import builders
from tests.unit.domain import schemas, strategies

STATUS_SCHEMA = schemas.schema_of("certificaterequestuploads")["properties"]["status"]
FULL_STATUS = builders.make_status(last_handled_reconcile_at="2026-01-01")
FILLED = builders.upload_body(
    spec={
        "name": "my-csr",
        "csrSecretRef": {"name": "shop-tls", "key": "a.csr"},
        "privateKeySecretRef": {"name": "shop-key", "key": "a.key"},
        "accountRef": {"kind": "ClusterScmAccount", "name": "production"},
        "suspend": True,
    },
    metadata={"annotations": {upload.RECONCILE_REQUESTED_AT: "2026-02-02"}},
    status=FULL_STATUS.to_json(),
)


def parse(**spec: object) -> upload.Upload:
    """Parse an upload with that spec beside its csrSecretRef."""
    return upload.parse_upload(builders.upload_body(spec={"csrSecretRef": {"name": "shop-tls"}} | spec))


def refusal_of(body: dict[str, Any]) -> str:
    """Return the field that a resource is refused for."""
    with pytest.raises(errors.InvalidResource) as refused:
        upload.parse_upload(body)
    return refused.value.field


def test_every_field_of_the_spec_is_parsed() -> None:
    """What a user may write is known to the operator."""
    parsed = upload.parse_upload(FILLED)
    assert (parsed.key, parsed.uid, parsed.generation) == (upload.UploadKey("shop", "shop-tls"), "uid-of-shop-tls", 1)
    assert (parsed.scm_name, parsed.suspend) == ("my-csr", True)
    assert parsed.csr == account.SecretKey("shop-tls", "a.csr")
    assert parsed.private_key == account.SecretKey("shop-key", "a.key")
    assert parsed.account == account.AccountKey(account.AccountKind.CLUSTER, "", "production")
    assert parsed.reconcile_requested_at == "2026-02-02"
    assert parsed.status == FULL_STATUS


def test_every_field_of_the_spec_has_a_place() -> None:
    """The body that the test before parses has each field that the CRD declares."""
    spec = schemas.schema_of("certificaterequestuploads")["properties"]["spec"]
    assert set(schemas.paths_of_schema(spec)) == set(schemas.paths_of(FILLED["spec"]))


def test_the_smallest_spec_is_parsed() -> None:
    """Only the CSR's Secret must be named; the rest has defaults."""
    parsed = parse()
    assert (parsed.scm_name, parsed.csr, parsed.private_key) == (
        "shop-tls",
        account.SecretKey("shop-tls", "tls.csr"),
        None,
    )
    assert (parsed.account, parsed.suspend, parsed.reconcile_requested_at) == (None, False, None)
    assert parsed.status == upload.Status(observed_generation=-1)


def test_the_keys_default_is_tls_key() -> None:
    """A private key's Secret is enough to find the key."""
    parsed = parse(privateKeySecretRef={"name": "shop-key"})
    assert parsed.private_key == account.SecretKey("shop-key", "tls.key")


def test_the_code_has_the_crds_defaults() -> None:
    """A resource that the API server filled in means the same as one that it did not."""
    spec = schemas.schema_of("certificaterequestuploads")["properties"]["spec"]["properties"]
    filled = parse(
        csrSecretRef={"name": "shop-tls", "key": spec["csrSecretRef"]["properties"]["key"]["default"]},
        privateKeySecretRef={"name": "shop-tls", "key": spec["privateKeySecretRef"]["properties"]["key"]["default"]},
        accountRef={"name": "a", "kind": spec["accountRef"]["properties"]["kind"]["default"]},
        suspend=spec["suspend"]["default"],
    )
    assert filled == parse(privateKeySecretRef={"name": "shop-tls"}, accountRef={"name": "a"})


def test_an_account_is_of_the_same_namespace() -> None:
    """An accountRef without kind names an account of the upload's own namespace."""
    assert parse(accountRef={"name": "a"}).account == account.AccountKey(account.AccountKind.NAMESPACED, "shop", "a")


@pytest.mark.parametrize(
    ("csr", "key", "names"),
    [("a", None, ("a",)), ("a", "a", ("a",)), ("a", "b", ("a", "b")), ("b", "a", ("b", "a"))],
    ids=["no key", "one Secret", "two Secrets", "the CSR's first"],
)
def test_each_secret_is_named_once(csr: str, key: str | None, names: tuple[str, ...]) -> None:
    """A Secret that holds both the CSR and the key is read once."""
    private_key = account.SecretKey(key, "tls.key") if key else None
    named = builders.make_upload(csr=account.SecretKey(csr, "tls.csr"), private_key=private_key)
    assert named.secret_names == names


@pytest.mark.parametrize(
    ("requested", "handled", "expected"),
    [
        (None, None, False),
        (None, "1", False),
        ("1", None, True),
        ("1", "1", False),
        ("2", "1", True),
        ("", None, True),
        ("", "", False),
    ],
    ids=["never", "taken away", "first", "handled", "again", "empty", "empty and handled"],
)
def test_a_request_is_open_until_it_is_handled(requested: str | None, handled: str | None, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A person asks by giving the annotation a value that the status doesn't have yet."""
    asked = builders.make_upload(
        reconcile_requested_at=requested, status=builders.make_status(last_handled_reconcile_at=handled)
    )
    assert asked.reconcile_requested is expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "metadata"),
        (builders.upload_body(metadata={"uid": None}), "metadata.uid"),
        (builders.upload_body(spec={}), "spec.csrSecretRef"),
        (builders.upload_body(spec={"csrSecretRef": {}}), "spec.csrSecretRef.name"),
        (builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "name": ""}), "spec.name"),
        (builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "suspend": "no"}), "spec.suspend"),
        (
            builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "accountRef": {"kind": "Account", "name": "a"}}),
            "spec.accountRef.kind",
        ),
        (
            builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "privateKeySecretRef": {"name": "a", "key": ""}}),
            "spec.privateKeySecretRef.key",
        ),
        (builders.upload_body(status={"scmID": "a"}), "status.account"),
        (builders.upload_body(status={"conditions": [{}]}), "status.conditions[0].type"),
        (builders.upload_body(status={"observedSecrets": [{"name": "a"}]}), "status.observedSecrets[0].uid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_resource_is_refused(body: dict[str, Any], field: str) -> None:
    """What the CRD's schema should have refused is refused with the field's path."""
    assert refusal_of(body) == field


@given(strategies.damaged(FILLED))
def test_any_object_is_parsed_or_refused(body: dict[str, Any]) -> None:
    """No JSON in the place of any field leads to another failure than a refusal that names a field."""
    try:
        upload.parse_upload(body)
    except errors.InvalidResource as refusal:
        assert refusal.field.split(".")[0] in {"metadata", "spec", "status"}  # noqa: PT017 - it may also be parsed


@given(strategies.statuses())
def test_a_status_is_read_as_it_was_written(status: upload.Status) -> None:
    """What the operator writes, it reads back unchanged: nothing is lost in a restart."""
    assert upload.parse_upload(builders.upload_body(status=status.to_json())).status == status


@given(st.text("a0 \n\x00é\U0001f512", max_size=5))
def test_a_request_of_any_text_is_read_back(requested: str) -> None:
    """Whatever a person writes into the annotation is echoed and read back, the empty text too."""
    status = dataclasses.replace(builders.make_status(), last_handled_reconcile_at=requested)
    assert upload.parse_upload(builders.upload_body(status=status.to_json())).status == status


def test_the_status_has_each_field_of_the_crd_and_no_other() -> None:
    """No field is written that the API server would drop, and none is declared that nobody writes."""
    assert set(schemas.paths_of(FULL_STATUS.to_json())) == set(schemas.paths_of_schema(STATUS_SCHEMA))


@pytest.mark.parametrize(
    "status",
    [
        upload.Status(),
        FULL_STATUS,
        builders.make_status(record=builders.make_record(tenant=builders.make_tenant(domain=None))),
    ],
    ids=["empty", "full", "token"],
)
def test_what_the_crd_requires_is_written(status: upload.Status) -> None:
    """A status is never refused by the API server for a field that is missing."""
    assert missing_from(status.to_json(), STATUS_SCHEMA) == []


def missing_from(value: dict[str, Any], schema: dict[str, Any], path: str = "") -> list[str]:
    """Return the paths of required fields that an object lacks."""
    missing = [f"{path}.{name}" for name in schema.get("required", []) if name not in value]
    for name, field in value.items():
        declared = schema["properties"][name]
        items = [field] if isinstance(field, dict) else field if isinstance(field, list) else []
        for item in items:
            missing += missing_from(item, declared.get("items", declared), f"{path}.{name}")
    return missing


def test_what_is_not_known_is_left_out() -> None:
    """An upload that was never made has no id, no Secrets and no account in its status."""
    assert upload.Status().to_json() == {"observedGeneration": -1, "conditions": []}


def test_a_keys_text_is_what_people_write() -> None:
    """Messages name an upload by namespace and name."""
    assert str(builders.make_upload().key) == "shop/shop-tls"
