from collections.abc import Mapping
from typing import Any

import pytest

from dev import demo_verdict

EXPECTED = {"payments": "Uploaded", "shop-tls": "Uploaded", "wrong-key": "KeyMismatch"}


def upload(name: str, *, status: str = "True", reason: str = "Uploaded", message: str = "") -> dict[str, Any]:
    """Make an upload as kubectl gives it; one that is Ready has its place in SCM."""
    condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
    place = {"scmID": "1f0a", "createTime": "2026-05-01T12:01:03.400Z"} if status == "True" else {}
    return {"metadata": {"name": name}, "status": {"conditions": [condition], **place}}


def judge(*changed: dict[str, Any], expected: Mapping[str, str] = EXPECTED) -> demo_verdict.Verdict:
    """Judge the uploads that are as expected, some of them changed."""
    good = [upload("payments"), upload("shop-tls"), upload("wrong-key", status="False", reason="KeyMismatch")]
    names = {each["metadata"]["name"] for each in changed}
    return demo_verdict.Verdict.on(
        [*(each for each in good if each["metadata"]["name"] not in names), *changed], expected=expected
    )


def test_uploads_that_are_as_they_should_be_end_with_0() -> None:
    """The summary counts those that are Ready, and names why the others were refused."""
    verdict = judge()
    assert verdict.summary == "3 uploads: 2 Ready as they should, 1 refused as it should (KeyMismatch)"
    assert verdict.wrong == ()
    assert verdict.exit_code == 0


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (
            upload("shop-tls", status="False", reason="AuthenticationFailed", message="IAM said no."),
            "shop-tls should be True Uploaded, but is False AuthenticationFailed: IAM said no.",
        ),
        (upload("wrong-key"), "wrong-key should be False KeyMismatch, but is True Uploaded."),
        (
            upload("wrong-key", status="False", reason="InvalidCSR"),
            "wrong-key should be False KeyMismatch, but is False InvalidCSR.",
        ),
        (
            {"metadata": {"name": "payments"}, "status": {"observedGeneration": -1}},
            "payments should be True Uploaded, but is no condition yet.",
        ),
    ],
)
def test_an_upload_that_ended_otherwise_ends_with_1(changed: dict[str, Any], wrong: str) -> None:
    """The sentence says what should be, what is, and the condition's message."""
    verdict = judge(changed)
    assert verdict.wrong == (wrong,)
    assert verdict.summary == "3 uploads: 1 not as it should be"
    assert verdict.exit_code == 1


@pytest.mark.parametrize("field", ["scmID", "createTime"])
def test_ready_without_its_place_in_scm_is_not_enough(field: str) -> None:
    """What the demo is there to show is the id and the create time."""
    changed = upload("payments")
    del changed["status"][field]
    assert judge(changed).wrong == ("payments is Ready, but without its id and create time in SCM.",)


def test_an_upload_that_is_missing_ends_with_1() -> None:
    """An upload that was expected and is not there is wrong."""
    verdict = judge(expected=EXPECTED | {"www-shop-tls": "Uploaded"})
    assert verdict.wrong == ("www-shop-tls is not there.",)
    assert verdict.exit_code == 1
