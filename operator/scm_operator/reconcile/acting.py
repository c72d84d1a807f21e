"""Act: who takes which step, and with which connection."""

from scm_operator.domain import actions, errors, reasons
from scm_operator.reconcile import groups, standing, visit
from scm_operator.reconcile.changing import Changing
from scm_operator.reconcile.connection import Connection
from scm_operator.reconcile.looking import Looking
from scm_operator.reconcile.memory import Memory
from scm_operator.reconcile.observing import Observation
from scm_operator.reconcile.report import Reporter
from scm_operator.reconcile.sending import Sending


class Acting:
    """Takes the steps that the table answers."""

    def __init__(  # noqa: PLR0913 - rooms
        self,
        *,
        sending: Sending,
        looking: Looking,
        changing: Changing,
        reporter: Reporter,
        groups: groups.Groups,
        memory: Memory,
        standing: standing.Standing,
    ) -> None:
        self._sending = sending
        self._looking = looking
        self._changing = changing
        self._reporter = reporter
        self._groups = groups
        self._memory = memory
        self._standing = standing

    def connection_for(self, action: actions.Action, at: Observation) -> Connection | None:
        """Return the connection with which a step calls SCM, or None if it doesn't."""
        match action:
            case actions.Journal() | actions.Post() | actions.LookForAdoption() | actions.Show() | actions.Rename():
                return at.own()
            case actions.LookUp(attempt):
                return at.reached[attempt.tenant]
            case actions.Delete(record):
                return at.reached[record.tenant]
            case _:
                return None

    async def take(self, action: actions.Action, at: Observation, seen: visit.Visit) -> None:
        """Take a step. Raises: Obstacle, ApiServerError."""
        if not isinstance(action, actions.Claim):
            self._looking.give_up(seen)
        match action:
            case actions.Journal():
                await self._sending.journal(action, at)
            case actions.Post():
                seen.failed = not await self._sending.post(action, at) or seen.failed
                at.own().admission.leave(seen.key)  # writing the status takes no turn
            case actions.LookUp():
                await self._looking.look_up(action, at, seen)
            case actions.LookForAdoption():
                await self._looking.look_for_adoption(action, at, seen)
            case actions.Show():
                await self._looking.show(action, at, seen)
            case actions.Claim():
                self._looking.claim(action, at)
            case actions.Conclude():
                self._conclude(action, seen)
            case actions.Fence():
                await self._reporter.fence(at.observed.upload)
            case _:
                await self._changing.take(action, at, seen)

    def _conclude(self, action: actions.Conclude, seen: visit.Visit) -> None:
        """Let an attempt go, or an adopted entry that is recorded; what was read may have changed since."""
        self._memory.remembered.pop(seen.key, None)
        if action.attempt:
            self._groups.conclude(action.attempt)
            self._memory.notes.pop(action.attempt.id, None)
        seen.read_again()

    def resync_failed(
        self, action: actions.Action, at: Observation, seen: visit.Visit, obstacle: errors.Obstacle
    ) -> bool:
        """Note on the account that an entry can't be looked at, which changes nothing about its upload.

        Return False if it was another call that failed.
        """
        record = at.observed.upload.status.record
        if not isinstance(action, actions.Show) or record is None or record.scm_id != action.record.scm_id:
            return False
        seen.resync = False
        message = f"entries can't be looked at: {obstacle.message}"
        self._standing.degrade(record.account, reasons.AccountReason.RESYNC_FAILED, message)
        return True
