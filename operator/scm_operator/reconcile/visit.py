"""One visit to an upload: what was read and asked in it, and the turns that it holds; nothing of it is kept."""

import dataclasses

from scm_operator.domain import account, attempt, entry, lookup, observation, upload
from scm_operator.reconcile import admission, lanes


@dataclasses.dataclass(slots=True)
class Visit:
    """What a pass over an upload has gathered; ``failed`` says that a call did not go well in it.

    ``due`` says that a resync had come round to it when the visit began, ``resync`` that its entry is to be looked at.
    ``found`` is the entry that the last look-up has found and reserved.
    """

    key: upload.UploadKey
    due: bool = False
    resync: bool = False
    wanted: observation.Reading = dataclasses.field(default_factory=observation.NotRead)
    lookups: dict[attempt.Attempt, lookup.Answer] = dataclasses.field(default_factory=dict)
    adoption: lookup.Answer | None = None
    found: str | None = None
    shown: dict[str, entry.ListedEntry | None] = dataclasses.field(default_factory=dict)
    unverified: set[str] = dataclasses.field(default_factory=set)
    deleted: set[str] = dataclasses.field(default_factory=set)
    failed: bool = False
    lines: list[admission.Admission[upload.UploadKey]] = dataclasses.field(default_factory=list)
    waits_in: admission.Admission[upload.UploadKey] | None = None
    _read_for: tuple[str, int] | None = None
    _requested: tuple[str, str | None] | None = None
    _tenant: account.Tenant | None = None

    @property
    def answers(self) -> observation.Answers:
        """Return what was asked, as the table looks at it."""
        return observation.Answers(
            lookups=dict(self.lookups),
            adoption=self.adoption,
            shown=dict(self.shown),
            unverified=frozenset(self.unverified),
            deleted=frozenset(self.deleted),
        )

    def look_at(self, current: upload.Upload) -> None:
        """Forget what was read for another spec, or for a namesake: it may name other Secrets.

        A request for a fresh look isn't met by what was shown before it came.
        """
        if self._requested != (current.uid, current.reconcile_requested_at):
            self._requested = (current.uid, current.reconcile_requested_at)
            if current.reconcile_requested:
                self.resync = True
                self.shown.clear()
        if self._read_for != (current.uid, current.generation):
            self.read_again()
            self._read_for = (current.uid, current.generation)

    def look_in(self, tenant: account.Tenant | None) -> None:
        """Forget what was looked for in another tenant: the account may lead elsewhere since."""
        if tenant != self._tenant:
            self.adoption, self._tenant = None, tenant

    def read_again(self) -> None:
        """Forget what was read, and what was asked because of it."""
        self.wanted, self.adoption = observation.NotRead(), None

    def forget_found(self) -> None:
        """Forget the entry that the last look-up has found, with all that was looked for."""
        self.found = self.adoption = None
        self.lookups.clear()

    def ask_for_turn(self, line: admission.Admission[upload.UploadKey], lane: lanes.Lane) -> admission.Waiting | None:
        """Ask for a turn in an account's line; if there is none yet, the visit ends, and the turn wakes the upload."""
        if line not in self.lines:
            self.lines.append(line)
        answer = line.admit(self.key, lane)
        if isinstance(answer, admission.Waiting):
            self.waits_in = line
            return answer
        return None

    def end(self) -> None:
        """Give the turns back; a place in a line is kept."""
        for line in self.lines:
            line.leave(self.key)
