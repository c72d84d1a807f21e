"""What the tests of all rows of the decision table begin with."""

import dataclasses
from typing import Any

from scm_operator.domain import actions, attempt, lookup, observation, plan, upload
from scm_operator.domain.conditions import Verdict
from scm_operator.domain.reasons import Reason
from tests.support import builders, observations

FAULT = Verdict(Reason.ACCOUNT_NOT_READY, "the token is empty")
INVALID = Verdict(Reason.INVALID_CSR, "not PEM")
WAITING = Verdict(Reason.WAITING_FOR_SECRET, "no Secret")
UPLOADED = Verdict(Reason.UPLOADED, f"uploaded to SCM as {builders.SCM_ID}.")

TENANT = builders.make_tenant()
OTHER_TENANT = builders.make_tenant(domain="umbrella")
USABLE = builders.make_view()
AT_FAULT = builders.make_view(fault=FAULT)
ELSEWHERE = dataclasses.replace(USABLE, tenant=OTHER_TENANT)
MISSING = observation.AccountView(builders.CLUSTER_DEFAULT, None, Verdict(Reason.ACCOUNT_NOT_FOUND, "none"))

NOT_READ = observation.NotRead()
WANTED = builders.make_wanted()
OTHER_WANTED = builders.make_wanted(
    builders.make_content(digest=builders.OTHER_DIGEST), secrets=(builders.make_secret(version="2"),)
)
WITHOUT_KEY = builders.make_content(key=False)
GONE = observation.Unreadable(WAITING, (), secret_gone=True)
INVALID_READING = observation.Unreadable(INVALID, (builders.make_secret(version="2"),))

RECORD = builders.make_record()
NEW = builders.make_upload()
DONE = builders.make_upload(status=builders.make_status())
DELETE = upload.DeletionPolicy.DELETE

ATTEMPT = builders.make_attempt()
RIVAL = builders.make_attempt(id="7c2d", uid="uid-of-twin", content_hash=WITHOUT_KEY.hash)
TWIN = builders.make_attempt(id="8e3f", uid="uid-of-twin")
GROUP = ATTEMPT.group
ENTRY = builders.make_entry()
JOURNALED = observations.make_journaled()
IN_FLIGHT = observation.InFlight(ATTEMPT)
CLAIMED = observations.make_claimed(wanted=WANTED)
MISSING_ENTRY = observation.Missing(builders.SCM_ID)


def change(base: upload.Upload, **changes: Any) -> upload.Upload:  # noqa: ANN401 - the fields have various types
    """Copy an upload with some fields changed."""
    return dataclasses.replace(base, **changes)


def with_history(*history: upload.Replaced, **spec: Any) -> upload.Upload:  # noqa: ANN401 - what make_upload takes
    """Make an upload that is done and had other entries before."""
    return builders.make_upload(status=builders.make_status(history=history), **spec)


def planned(
    wanted: observation.Reading = NOT_READ,
    *,
    of: upload.Upload = NEW,
    memory: observation.Remembered | None = None,
    account: observation.AccountView = USABLE,
    seen: tuple[upload.ObservedSecret | None, ...] | None = None,
    **more: Any,  # noqa: ANN401 - the other fields of Observed
) -> actions.Action:
    """Return what has to be done next; everything that isn't given is as for a new upload."""
    return plan.plan(observations.make_observed(wanted, of=of, memory=memory, account=account, seen=seen, **more))


def looked_up(answer: lookup.Answer, *, of: attempt.Attempt = ATTEMPT) -> observation.Answers:
    """Make the answers of a pass in which an attempt was looked up."""
    return observation.Answers(lookups={of: answer})


def shown(**entries: Any) -> observation.Answers:  # noqa: ANN401 - entries, or None
    """Make the answers of a pass in which entries were shown: ``current`` and ``old``, None for one that is gone."""
    ids = {"current": builders.SCM_ID, "old": builders.OTHER_SCM_ID}
    return observation.Answers(shown={ids[name]: entry for name, entry in entries.items()})


def report_of(action: actions.Action) -> Verdict:
    """Return the verdict that an action reports."""
    assert isinstance(action, actions.Report)
    return action.verdict
