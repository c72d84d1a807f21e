"""Both reconcilers of one process over fakes, and the watch that tells them of the cluster when a test says so."""

import asyncio
from collections.abc import Callable, Mapping

from scm_operator.domain import account as accounts
from scm_operator.domain import csr, upload
from scm_operator.domain.attempt import JournalLost
from scm_operator.reconcile import (
    account,
    cache,
    connection,
    memory,
    queue,
    report,
    resync,
    standing,
    triggers,
    wiring,
)
from scm_operator.reconcile.upload import Result
from tests.support import fake_cluster, fake_scm, fakes

WEB = upload.UploadKey("shop", "web")
API = upload.UploadKey("shop", "api")
DEFAULT = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "default")
CLUSTER_DEFAULT = accounts.AccountKey(accounts.AccountKind.CLUSTER, "", "default")
OPERATOR_NAMESPACE = "scm-csr-operator"
CALL, SETTLE, DELETION = 30.0, 30.0, 600.0
REQUESTED, CONFIRM = accounts.RECONCILE_REQUESTED_AT, upload.CONFIRM_UPLOAD
Key = upload.UploadKey
Record = upload.Record
Change = Callable[["World"], None]
_SHORTEST = queue.Backoff(uniform=lambda low, _: low)


class FakeQueue(queue.WorkQueue[queue.K]):
    """A queue that nobody works on: it keeps what was added, in which lane."""

    def __init__(self) -> None:
        super().__init__(workers=1, backoff=queue.Backoff())
        self.added: list[tuple[queue.K, queue.Lane]] = []
        self.added_later: list[queue.K] = []

    def add(self, key: queue.K, *, lane: queue.Lane = queue.Lane.FRESH) -> None:
        """Note it."""
        self.added.append((key, lane))

    def add_later(self, key: queue.K, *, delay: float) -> None:
        """Note it."""
        assert delay > 0
        self.added_later.append(key)


def upload_cache() -> report.UploadCache:
    """Make the cache of uploads as app does."""
    return cache.Cache(
        key=lambda known: known.key,
        secrets=lambda known: (accounts.SecretName(known.key.namespace, name) for name in known.secret_names),
    )


def account_cache() -> account.AccountCache:
    """Make the cache of accounts as app does."""
    return cache.Cache(
        key=lambda known: known.key,
        secrets=lambda known: (known.secret_name(operator_namespace=OPERATOR_NAMESPACE),),
    )


async def idle() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def sleep(seconds: float) -> None:
    """Let the loop's time pass (looptime)."""
    await asyncio.sleep(seconds)


def hash_of(number: int) -> str:
    """Return the hash of the content that a CSR alone makes."""
    return csr.content_of(csr.parse_request(fakes.csr_pem(number), source="test"), None).hash


class World:
    """A cluster and a service that outlive the process, and one process of the operator, which can be restarted.

    What is journaled outlives it too; what only its memory knows does not.
    """

    def __init__(self, log: list[str] | None = None) -> None:
        self.log: list[str] = [] if log is None else log
        self.clock = fakes.FakeClock()
        self.cluster = fake_cluster.FakeCluster(self.log)
        self.secrets = fakes.FakeSecrets()
        self.scm = fake_scm.FakeScm(self.log, clock=self.clock)
        self.events = fakes.FakeEvents()
        self.left_out: tuple[str, ...] = ()
        self.journal = fakes.FakeJournal(self.log, clock=self.clock)
        self._begin()

    async def crash(self) -> None:
        """Let the process die with web's POST stored and nothing written, and begin a new one."""
        self.cluster.unreachable = True
        await self.reconcile()
        self.cluster.unreachable = False
        self.log.clear()
        self.restart()

    def calls(self) -> list[str]:
        """Return the status writes, look-ups and POSTs, in their order."""
        return [line for line in self.log if line.startswith(("write", "list", "post"))]

    def restart(self, *, lost: JournalLost | None = None) -> None:
        """Begin a new process in a new term, which knows what it is shown and what the Lease holds, unless ``lost``."""
        self.journal = fakes.FakeJournal(self.log, clock=self.clock, before=self.journal, lost=lost)
        self._begin()

    def _begin(self) -> None:
        self.uploads = upload_cache()
        self.accounts = account_cache()
        self.upload_queue: FakeQueue[upload.UploadKey] = FakeQueue()
        self.account_queue: FakeQueue[accounts.AccountKey] = FakeQueue()
        self.memory = memory.Memory(self.uploads)
        self.uploads.on_gone = self.memory.departed
        self.standing = standing.Standing(clock=self.clock, hold=SETTLE)
        self.triggers = triggers.Triggers(
            uploads=self.uploads,
            accounts=self.accounts,
            upload_queue=self.upload_queue,
            account_queue=self.account_queue,
        )
        self.resync = resync.Resync(
            known=self.uploads, memory=self.memory, uploads=self.upload_queue, interval=1280.0, first=lambda: 0.0
        )
        self._make_reconcilers()
        self.standing.on_gone = self.resync.sample
        self.standing.on_change = self.triggers.account_verdict
        self.account_reconciler.on_change = self.triggers.account_changed
        self.account_reconciler.on_verdict = self.triggers.account_verdict
        self.account_reconciler.on_turn = self.upload_queue.add
        self.upload_reconciler.wake = self.upload_queue.add
        self.watch()

    def _make_reconcilers(self) -> None:
        connector = connection.Connector(
            secrets=self.secrets, connect=self.scm, operator_namespace=OPERATOR_NAMESPACE, timeout=CALL
        )
        self.account_reconciler = account.AccountReconciler(
            known=self.accounts,
            uploads=self.uploads,
            connector=connector,
            standing=self.standing,
            status=self.cluster,
            events=self.events,
            clock=self.clock,
            backoff=_SHORTEST,
        )
        reporter = report.Reporter(known=self.uploads, status=self.cluster, events=self.events, journal=self.journal)
        self.triggers.unsure = reporter.unsure
        parts = wiring.Parts(
            ports=wiring.Ports(secrets=self.secrets, reader=self.cluster, journal=self.journal, clock=self.clock),
            known=self.uploads,
            accounts=self.account_reconciler,
            memory=self.memory,
            standing=self.standing,
            reporter=reporter,
            outside=self.upload_queue.outside,
            settle_after=CALL + SETTLE,
            deletion_deadline=DELETION,
            left_out=self.left_out,
        )
        self.upload_reconciler = wiring.upload_reconciler(parts)

    def add_account(
        self, name: str = "default", *, namespace: str = "shop", spec: Mapping[str, object] | None = None
    ) -> None:
        """Create an account and its credential, and show them."""
        self.secrets.put("scm-token", {"token": b"a token"}, namespace=namespace or OPERATOR_NAMESPACE)
        body = fake_cluster.account_body(name, namespace=namespace)
        body["spec"] |= dict(spec or {})
        self.cluster.create(body)
        self.watch()

    def add_upload(
        self, name: str = "web", *, number: int = 0, spec: Mapping[str, object] | None = None
    ) -> upload.UploadKey:
        """Create an upload and its Secret with a CSR, and show them."""
        self.put_csr(number, name)
        self.cluster.create(fake_cluster.upload_body(name, spec=spec))
        self.watch()
        return upload.UploadKey("shop", name)

    def put_csr(self, number: int, name: str = "web") -> None:
        """Put a CSR into an upload's Secret."""
        self.secrets.put(f"{name}-csr", {"tls.csr": fakes.csr_pem(number)})

    def change(
        self,
        spec: Mapping[str, object] | None = None,
        *,
        key: fake_cluster.ResourceKey = WEB,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Change a resource, and show it."""
        self.cluster.change(key, spec, annotations=annotations)
        self.watch()

    def delete(self, key: fake_cluster.ResourceKey = WEB) -> None:
        """Delete a resource as a person does, and show it."""
        self.cluster.delete(key)
        self.watch()

    def watch(self) -> None:
        """Show all that has happened in the cluster."""
        for known in list(self.uploads):
            if known.key not in self.cluster.bodies or self.cluster.upload_of(known.key).uid != known.uid:
                self.triggers.upload_gone(known.key, uid=known.uid)
        for account_known in list(self.accounts):
            if account_known.key not in self.cluster.bodies:
                self.triggers.account_gone(account_known.key, uid=account_known.uid)
        for key in self.cluster.bodies:
            if isinstance(key, upload.UploadKey):
                self.triggers.upload_seen(self.cluster.upload_of(key))
            else:
                self.triggers.account_seen(self.cluster.account_of(key))

    async def reconcile(self, key: upload.UploadKey = WEB) -> Result:
        """Reconcile one upload once."""
        return await self.upload_reconciler.reconcile(key)

    async def settle(self, key: upload.UploadKey = WEB) -> None:
        """Reconcile until nothing is to be retried, letting the time pass that is asked for, and as the watch would."""
        for _ in range(30):
            result = await self.reconcile(key)
            self.watch()
            match result:
                case None:
                    return
                case queue.Again(after):
                    self.clock.advance(after)
                case queue.Retry(at_least):
                    self.clock.advance(at_least)
        raise AssertionError("never settled")

    async def account_says(self, key: accounts.AccountKey = DEFAULT) -> dict[str, str]:
        """Reconcile an account; return the reason of each condition that it has then."""
        await self.account_reconciler.reconcile(key)
        self.watch()
        return {found.type: found.reason for found in self.cluster.account_of(key).status.conditions}

    def status(self, key: upload.UploadKey = WEB) -> upload.Status:
        """Return an upload's status in the cluster."""
        return self.cluster.upload_of(key).status

    def reason(self, key: upload.UploadKey = WEB) -> str | None:
        """Return an upload's reason in the cluster."""
        ready = self.status(key).ready
        return ready.reason if ready else None

    def message(self, key: upload.UploadKey = WEB) -> str:
        """Return what an upload's Ready condition tells a person."""
        ready = self.status(key).ready
        return ready.message if ready else ""

    def record(self, key: upload.UploadKey = WEB) -> upload.Record:
        """Return the current record of an upload in the cluster."""
        record = self.status(key).record
        assert record is not None
        return record

    def scm_id(self, key: upload.UploadKey = WEB) -> str | None:
        """Return the id in an upload's status."""
        record = self.status(key).record
        return record.scm_id if record else None

    def once(self, then: Callable[[], None]) -> Callable[[], None]:
        """Return what does something the first time that it is called, and shows it."""
        left = [then]

        def do() -> None:
            if left:
                left.pop()()
                self.watch()

        return do
