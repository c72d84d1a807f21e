"""What the decision table looks at, for tests: each builder makes a valid one; a test names only what it is about."""

import dataclasses
from typing import Any

from scm_operator.domain import attempt as attempts
from scm_operator.domain import observation, upload
from tests.support import builders


def make_journaled(
    attempt: attempts.Attempt | None = None,
    wanted: observation.Wanted | None = None,
    *,
    generation: int = 1,
    begin_by: float = 15.0,
    end_by: float = 30.0,
) -> observation.Journaled:
    """Make an attempt that is to be sent, and in time at the clock of `make_observed`."""
    return observation.Journaled(
        attempt or builders.make_attempt(), wanted or builders.make_wanted(), generation, begin_by, end_by
    )


def make_claimed(
    attempt: attempts.Attempt | None = None,
    wanted: observation.Wanted | None = None,
    *,
    about: upload.Upload | None = None,
    scm_id: str = builders.OTHER_SCM_ID,
    **of_record: Any,  # noqa: ANN401 - what make_record takes
) -> observation.Claimed:
    """Make the id that an attempt's answer gave; without ``wanted`` one that a look-up found."""
    made_by = attempt or builders.make_attempt()
    record = builders.make_record(
        scm_id=scm_id,
        scm_name=made_by.scm_name,
        tenant=made_by.tenant,
        content_hash=made_by.content_hash,
        attempt_id=made_by.id,
        **of_record,
    )
    return observation.Claimed(about or builders.make_upload(), dataclasses.replace(record, csr=None), made_by, wanted)


def make_groups(*members: attempts.Attempt, **state: Any) -> dict[attempts.Group, observation.GroupView]:  # noqa: ANN401 - GroupView's fields
    """Make how the group of some attempts stands; ``state`` is all of it but the attempts."""
    groups = {member.group for member in members}
    return {
        group: observation.GroupView(tuple(one for one in members if one.group == group), **state) for group in groups
    }


def make_observed(
    wanted: observation.Reading | None = None,
    *,
    of: upload.Upload | None = None,
    memory: observation.Remembered | None = None,
    account: observation.AccountView | None = None,
    seen: tuple[upload.ObservedSecret | None, ...] | None = None,
    **more: Any,  # noqa: ANN401 - the other fields of Observed
) -> observation.Observed:
    """Make what the decision table looks at: by default a new upload whose Secrets are there and not read yet.

    ``seen`` is by default version 1 of each Secret that the upload names. ``reach`` is by default what reaches
    `make_tenant`.
    """
    chosen = of or builders.make_upload()
    observed = observation.Observed(
        upload=chosen,
        memory=memory,
        account=account or builders.make_view(),
        seen=tuple(builders.make_secret(name) for name in chosen.secret_names) if seen is None else seen,
        wanted=wanted or observation.NotRead(),
        reach={builders.make_tenant(): builders.make_view()},
    )
    return dataclasses.replace(observed, **more)
