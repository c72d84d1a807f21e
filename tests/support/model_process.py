"""One process of the operator in the model: its caches, its queues and its reconcilers, on an event loop of its own."""

import asyncio
import collections
import contextlib
import traceback
from collections.abc import Callable

from scm_operator.domain import account as accounts
from scm_operator.domain import attempt as attempts
from scm_operator.domain import csr, observation, ports, upload
from scm_operator.reconcile import account, cache, connection, queue, report, standing, triggers, wiring
from tests.support import model_api, model_lease, model_ops, model_scm, model_wiring
from tests.support.model_attention import Attention
from tests.support.model_loop import Clock, VirtualLoop


class Outside:
    """What all processes share."""

    def __init__(self, rules: model_wiring.Rules) -> None:
        self.rules = rules
        self.clock = Clock()
        self.wire = model_ops.Wire()
        self.api = model_api.FakeApi(self.wire, self.clock, checks=rules.checks)
        self.scm = model_scm.FakeScm(self.wire, self.clock)
        self.lease = model_lease.Lease()
        self.attention = Attention(self.wire)


class Process(model_scm.Sender):
    """A process from its election to its death; ``events`` by upload: what its watches have yet to tell it."""

    def __init__(self, number: int, outside: Outside) -> None:
        self.number = number
        self.alive = True
        self.frozen = False
        self.stopping = False
        self.caller = self
        self.events: dict[str, collections.deque[model_api.Event]] = collections.defaultdict(collections.deque)
        self._outside = outside
        self._handled: dict[asyncio.Task[object], str] = {}
        self.loop = VirtualLoop(outside.clock)
        self._build(outside.rules)
        self._begin()

    def _build(self, rules: model_wiring.Rules) -> None:
        outside, clock = self._outside, self._outside.clock
        backoff = queue.Backoff(first=1.0, slow=5.0, longest=20.0, uniform=lambda low, high: max(low, high / 2))
        self.known: report.UploadCache = cache.Cache(
            key=lambda one: one.key,
            secrets=lambda one: [accounts.SecretName(one.key.namespace, name) for name in one.secret_names],
        )
        known_accounts: account.AccountCache = cache.Cache(key=lambda one: one.key, secrets=lambda _: ())
        self._uploads: queue.WorkQueue[upload.UploadKey] = queue.WorkQueue(workers=8, backoff=backoff)
        self._accounts: queue.WorkQueue[accounts.AccountKey] = queue.WorkQueue(workers=1, backoff=backoff)
        self.triggers = triggers.Triggers(
            uploads=self.known, accounts=known_accounts, upload_queue=self._uploads, account_queue=self._accounts
        )
        self.memory = rules.memory(self.known)
        self.known.on_gone = self.memory.departed
        stands = standing.Standing(clock=clock, hold=5.0)
        writer = model_api.FakeWriter(outside.api, self)
        self.secrets = model_api.FakeSecrets(outside.api)
        highest = max((one.status.term for one in outside.api.uploads.values()), default=0)
        self.journal = model_lease.FakeJournal(
            outside.lease,
            caller=self,
            wire=outside.wire,
            clock=clock,
            highest_term=highest,
            keeps_concluded=rules.keeps_concluded,
        )
        events = _Events(self, outside.attention)
        reached = account.AccountReconciler(
            known=known_accounts,
            uploads=self.known,
            connector=connection.Connector(self.secrets, self._connect, "scm-system", model_scm.DEADLINE),
            standing=stands,
            status=writer,
            events=events,
            clock=clock,
            backoff=backoff,
        )
        reporter = rules.reporter(known=self.known, status=writer, events=events, journal=self.journal)
        self.triggers.unsure = reporter.unsure
        self.triggers.term = lambda: self.journal.term
        self.reconciler = model_wiring.reconciler(
            wiring.Parts(
                ports=wiring.Ports(secrets=self.secrets, reader=writer, journal=self.journal, clock=clock),
                known=self.known,
                accounts=reached,
                memory=self.memory,
                standing=stands,
                reporter=reporter,
                outside=self._uploads.outside,
                settle_after=model_wiring.SETTLE_AFTER,
                deletion_deadline=model_wiring.DELETION_DEADLINE,
            ),
            rules,
        )
        stands.on_change = self.triggers.account_verdict
        reached.on_change = self.triggers.account_changed
        reached.on_verdict = self.triggers.account_verdict
        reached.on_turn = self._uploads.add
        self.reconciler.wake = self._uploads.add
        self._reached = reached

    def _begin(self) -> None:
        """List everything, queue what stands in the journal, and work."""

        async def start() -> None:
            for each in self._outside.api.accounts.values():
                self.triggers.account_seen(each)
            listed = list(self._outside.api.uploads.values())
            self.triggers.uploads_listed(
                listed, names={(one.key.namespace, one.key.name) for one in listed}, resource_version="0"
            )
            for attempt in self.journal.attempts():
                self._uploads.add(attempt.key)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._uploads.run(self._handle))
                tasks.create_task(self._accounts.run(self._reached.reconcile))
                tasks.create_task(self.journal.run())

        self._main = self.loop.create_task(start())
        self.loop.settle()

    async def _handle(self, key: upload.UploadKey) -> queue.Answer:
        task = asyncio.current_task()
        assert task
        self._handled[task] = key.name
        try:
            return await self.reconciler.reconcile(key)
        except Exception:
            self._outside.attention.bugs.append(traceback.format_exc())
            raise
        finally:
            del self._handled[task]

    def doing(self) -> str:
        """Return the name of the upload that the running task is about."""
        task = asyncio.current_task(self.loop)
        return self._handled.get(task, "") if task else ""

    def _connect(self, account: accounts.Account, *, credential: bytes) -> ports.CsrStore:
        assert credential
        return model_scm.FakeStore(self._outside.scm, account.tenant, self)

    def posts(self, content: csr.Content, *, name: str, tenant: accounts.Tenant) -> str:
        """Return for whom this POST is made; what isn't in the Lease at this moment is noted."""
        attempt = self._in_flight()
        lease = self._outside.lease
        stands = lease.holder == self.number and attempt.id in {one.id for one in lease.journal}
        fits = (attempt.scm_name, attempt.content_hash, attempt.tenant) == (name, content.hash, tenant)
        if not (stands and fits):
            self._outside.attention.bugs.append(f"POST of {attempt.id} for {attempt.uid} is not in the Lease as sent")
        known = self.known.get(attempt.key)
        if known and known.uid == attempt.uid and (known.suspend or known.deleting):
            self._outside.attention.bugs.append(f"POST for {attempt.uid}, which is not to be sent any more")
        return attempt.uid

    def sent(self, op: model_ops.Op, uid: str) -> None:
        """Note a POST."""
        self._outside.attention.posts.append((op, uid))

    def _in_flight(self) -> attempts.Attempt:
        known = self.memory.remembered[model_api.upload_key(self.doing())]
        assert isinstance(known, observation.InFlight)
        return known.attempt

    def hear(self, name: str) -> bool:
        """Let the watches tell the oldest thing that they have of an upload; return False if there is none."""
        if not self.events[name]:
            return False
        self._within(lambda: self._take_in(self.events[name].popleft()))
        return True

    def _take_in(self, event: model_api.Event) -> None:
        match event:
            case model_api.Seen(resource):
                self.triggers.upload_seen(resource)
            case model_api.GoneEvent(key, uid):
                self.triggers.upload_gone(key, uid=uid)
            case model_api.SecretSeen(name, version):
                if self.secrets.show(version, name=name):
                    self.triggers.secret_changed(name)

    def relist(self) -> None:
        """Tell of everything once more, as a watch does that begins again."""
        listed = list(self._outside.api.uploads.values())
        if self._outside.rules.relist_is_new:
            for one in listed:
                self.memory.remembered.pop(one.key, None)
                for attempt in self.journal.of(one.uid):
                    self.journal.conclude(attempt)
                self.wake(one.key.name)

        def tell() -> None:
            for one in listed:
                self.triggers.upload_seen(one)

        self._within(tell)

    def wake(self, name: str) -> None:
        """Queue an upload for no reason."""
        self._within(lambda: self._uploads.add(model_api.upload_key(name)))

    def _within(self, call: Callable[[], object]) -> None:
        self.loop.call_soon(call)
        self.loop.settle()

    def stop(self) -> None:
        """Begin nothing more, as after SIGTERM."""
        self.stopping = True
        for part in (self._uploads, self._accounts, self.reconciler):
            part.stop()
        self.loop.settle()

    @property
    def is_done(self) -> bool:
        """Say whether it has nothing under way any more."""
        return self.stopping and not any(op.caller is self and op.waited_for for op in self._outside.wire.ops)

    def die(self) -> None:
        """End at once: nothing more is done or told, and what was sent goes its own way."""
        self.alive, self.frozen = False, False
        self._main.cancel()
        with contextlib.suppress(BaseExceptionGroup):
            while not self._main.done():
                self.loop.settle()
        self.loop.close()


class _Events:
    """Implements EventSink."""

    def __init__(self, process: Process, attention: Attention) -> None:
        self._process = process
        self._attention = attention

    def publish(self, about: object, *, reason: str, message: str, warning: bool) -> None:
        """Nobody reads it."""

    def publish_orphan(self, key: upload.UploadKey, *, uid: str, message: str) -> None:
        """Note what is left behind."""
        assert key
        if self._process.alive:
            self._attention.orphans[uid].append(message)
