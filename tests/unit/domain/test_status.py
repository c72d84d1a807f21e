"""What a CertificateRequestUpload's status says, as the API server takes and gives it."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scm_operator.domain import upload
from tests.support import builders
from tests.unit.domain import schemas, strategies

STATUS_SCHEMA = schemas.schema_of("certificaterequestuploads")["properties"]["status"]
FULL_STATUS = builders.make_status(
    last_handled_reconcile_at="2026-01-01",
    history=(builders.make_replaced(), builders.make_replaced(scm_id="2", deleting=True)),
    term=3,
    concluded_attempt_id="5e0f",
)


def test_the_origins_are_those_of_the_crd() -> None:
    """What a record says of its origin is what the CRD allows."""
    assert STATUS_SCHEMA["properties"]["origin"]["enum"] == list(upload.Origin)


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
        builders.make_status(record=builders.make_record(origin="Adopted", attempt_id=None)),
    ],
    ids=["empty", "full", "token", "adopted"],
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


# The records of a status


def test_all_entries_are_records_the_current_one_first() -> None:
    """What a resource has in SCM is its current entry and those of its history."""
    old = builders.make_replaced()
    assert builders.make_status(history=(old,)).records == (builders.make_record(), old.record)
    assert upload.Status(history=(old,)).records == (old.record,)


def test_the_attempts_that_are_over_are_known() -> None:
    """Counterexample 3: each record says which attempt made it, and one more may be concluded by its id alone."""
    adopted = builders.make_replaced(scm_id="3", origin="Adopted", attempt_id=None)
    status = builders.make_status(
        history=(builders.make_replaced(attempt_id="6a1b"), adopted), concluded_attempt_id="5e0f"
    )
    assert status.concluded_attempts == {"4d1e", "6a1b", "5e0f"}
    assert upload.Status().concluded_attempts == frozenset()


def test_an_entry_of_an_older_version_is_read() -> None:
    """A status from before there was a journal has neither attempt, history nor term."""
    older = builders.make_status(record=builders.make_record(attempt_id=None))
    written = older.to_json()
    assert {"attemptID", "history", "term", "concludedAttemptID"} & set(written) == set()
    assert upload.parse_upload(builders.upload_body(status=written)).status == older
