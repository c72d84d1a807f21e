import dataclasses
from typing import Any

import pytest
from hypothesis import given

from scm_operator.domain import account, errors, upload
from tests.support import builders
from tests.unit.domain import schemas, strategies

FULL_STATUS = builders.make_status(
    last_handled_reconcile_at="2026-01-01",
    history=(builders.make_replaced(), builders.make_replaced(scm_id="2", deleting=True)),
    term=3,
    concluded_attempt_id="5e0f",
)
FILLED = builders.upload_body(
    spec={
        "name": "my-csr",
        "csrSecretRef": {"name": "shop-tls", "key": "a.csr"},
        "privateKeySecretRef": {"name": "shop-key", "key": "a.key"},
        "accountRef": {"kind": "ClusterScmAccount", "name": "production"},
        "suspend": True,
        "deletionPolicy": "Delete",
        "adoptionPolicy": "IfIdentical",
    },
    metadata={
        "annotations": {upload.RECONCILE_REQUESTED_AT: "2026-02-02", upload.CONFIRM_UPLOAD: "5e0f"},
        "creationTimestamp": "2026-02-03T04:05:00Z",
        "finalizers": ["somebody-elses", upload.FINALIZER],
    },
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
    assert (parsed.deletion_policy, parsed.adoption_policy) == ("Delete", "IfIdentical")
    assert parsed.status == FULL_STATUS


def test_what_is_said_beside_the_spec_is_parsed() -> None:
    """What a person asks by annotation, the finalizers and the time of creation are known."""
    parsed = upload.parse_upload(FILLED)
    assert (parsed.reconcile_requested_at, parsed.confirm_upload) == ("2026-02-02", "5e0f")
    assert (parsed.created, parsed.finalizers) == ("2026-02-03T04:05:00Z", ("somebody-elses", upload.FINALIZER))
    assert parsed.deleting is False


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
    assert (parsed.deletion_policy, parsed.adoption_policy) == ("Retain", "Never")
    assert (parsed.confirm_upload, parsed.created, parsed.finalizers) == (None, "", ())
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
        deletionPolicy=spec["deletionPolicy"]["default"],
        adoptionPolicy=spec["adoptionPolicy"]["default"],
    )
    assert filled == parse(privateKeySecretRef={"name": "shop-tls"}, accountRef={"name": "a"})


@pytest.mark.parametrize(
    ("field", "values"), [("deletionPolicy", upload.DeletionPolicy), ("adoptionPolicy", upload.AdoptionPolicy)]
)
def test_the_policies_are_those_of_the_crd(field: str, values: list[str]) -> None:
    """A policy that the CRD allows is known, and no other."""
    spec = schemas.schema_of("certificaterequestuploads")["properties"]["spec"]["properties"]
    assert spec[field]["enum"] == list(values)


@pytest.mark.parametrize(
    ("finalizers", "has"),
    [((), False), (("another",), False), ((upload.FINALIZER,), True), (("another", upload.FINALIZER), True)],
    ids=["none", "another's", "its own", "both"],
)
def test_its_own_finalizer_is_known(finalizers: tuple[str, ...], has: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whether a deletion waits for the operator is told by its own finalizer, among any others."""
    assert builders.make_upload(finalizers=finalizers).has_finalizer is has


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"uid": "another"}, True),
        ({"generation": 2}, True),
        ({"deleting": True}, True),
        ({"reconcile_requested_at": "1"}, True),
        ({"confirm_upload": "5e0f"}, True),
        ({"resource_version": "2"}, False),
        ({"status": FULL_STATUS}, False),
        ({"finalizers": (upload.FINALIZER,)}, False),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_others_ask_is_told_from_what_the_operator_writes(changed: dict[str, Any], differs: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only what others change about a resource is a reason to think again."""
    of = builders.make_upload()
    assert (dataclasses.replace(of, **changed).asked != of.asked) is differs


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
        (builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "deletionPolicy": "Keep"}), "spec.deletionPolicy"),
        (builders.upload_body(spec={"csrSecretRef": {"name": "a"}, "adoptionPolicy": True}), "spec.adoptionPolicy"),
        (builders.upload_body(status={"scmID": "a"}), "status.account"),
        (builders.upload_body(status={"history": [{}]}), "status.history[0].account"),
        (builders.upload_body(status={"history": {}}), "status.history"),
        (builders.upload_body(status={"term": "1"}), "status.term"),
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


def test_a_keys_text_is_what_people_write() -> None:
    """Messages name an upload by namespace and name."""
    assert str(builders.make_upload().key) == "shop/shop-tls"
