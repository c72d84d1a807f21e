"""When the entries of an account that are gone are many."""

from scm_operator.reconcile import standing
from tests.support import builders, fakes


def test_entries_of_uploads_that_are_gone_do_not_make_the_others_look_few() -> None:
    """Of the entries that resources still name all are gone: that is many, however many were there once."""
    stands = standing.Standing(clock=fakes.FakeClock(), hold=30.0)
    for number in range(100):
        record = builders.make_record(scm_id=f"former-{number}")
        stands.present(record.account, record.scm_id)
        stands.departed(builders.make_upload(status=builders.make_status(record=record)))
    account = builders.make_record().account
    found = [stands.missing(account, f"present-{number}") for number in range(6)]
    assert found[-1].many
    verdict = stands.verdict(account)
    assert verdict
    assert verdict.message.startswith("6 of 6 entries")
