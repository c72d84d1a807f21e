"""Both reconcilers of one process over fakes, and the watch that tells them of the cluster when a test says so."""

from collections.abc import Mapping

from scm_operator.domain import account as accounts
from scm_operator.domain import upload
from scm_operator.reconcile import account, cache, queue, report, triggers
from scm_operator.reconcile import upload as uploads
from tests.support import fake_cluster, fakes

WEB = upload.UploadKey("shop", "web")
DEFAULT = accounts.AccountKey(accounts.AccountKind.NAMESPACED, "shop", "default")
CLUSTER_DEFAULT = accounts.AccountKey(accounts.AccountKind.CLUSTER, "", "default")
OPERATOR_NAMESPACE = "scm-csr-operator"


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


class World:
    """A cluster and a service that outlive the process, and one process of the operator, which can be restarted."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.clock = fakes.FakeClock()
        self.cluster = fake_cluster.FakeCluster(self.log)
        self.secrets = fakes.FakeSecrets()
        self.scm = fakes.FakeScm(self.log)
        self.events = fakes.FakeEvents()
        self.restart()

    def restart(self) -> None:
        """Begin a new process, which knows only what it is shown."""
        self.journal = fakes.FakeJournal(self.log)
        self.uploads = upload_cache()
        self.accounts = account_cache()
        self.upload_queue: FakeQueue[upload.UploadKey] = FakeQueue()
        self.account_queue: FakeQueue[accounts.AccountKey] = FakeQueue()
        self.triggers = triggers.Triggers(
            uploads=self.uploads,
            accounts=self.accounts,
            upload_queue=self.upload_queue,
            account_queue=self.account_queue,
        )
        self.account_reconciler = account.AccountReconciler(
            known=self.accounts,
            secrets=self.secrets,
            connect=self.scm,
            status=self.cluster,
            events=self.events,
            clock=self.clock,
            operator_namespace=OPERATOR_NAMESPACE,
        )
        self.account_reconciler.on_change = self.triggers.account_changed
        self.account_reconciler.on_verdict = self.triggers.account_verdict
        self.upload_reconciler = uploads.UploadReconciler(
            known=self.uploads,
            accounts=self.account_reconciler,
            reader=self.cluster,
            secrets=self.secrets,
            journal=self.journal,
            reporter=report.Reporter(known=self.uploads, status=self.cluster, events=self.events),
            clock=self.clock,
        )
        self.watch()

    def add_account(self, name: str = "default", *, namespace: str = "shop") -> None:
        """Create an account and its credential, and show them."""
        self.secrets.put("scm-token", {"token": b"a token"}, namespace=namespace or OPERATOR_NAMESPACE)
        self.cluster.create(fake_cluster.account_body(name, namespace=namespace))
        self.watch()

    def add_upload(
        self, name: str = "web", *, number: int = 0, spec: Mapping[str, object] | None = None
    ) -> upload.UploadKey:
        """Create an upload and its Secret with a CSR, and show them."""
        self.secrets.put(f"{name}-csr", {"tls.csr": fakes.csr_pem(number)})
        self.cluster.create(fake_cluster.upload_body(name, spec=spec))
        self.watch()
        return upload.UploadKey("shop", name)

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

    async def reconcile(self, key: upload.UploadKey = WEB) -> queue.Retry | None:
        """Reconcile one upload once."""
        return await self.upload_reconciler.reconcile(key)

    async def settle(self, key: upload.UploadKey = WEB) -> None:
        """Reconcile until nothing is to be retried, and then once more as the watch would."""
        for _ in range(20):
            retry = await self.reconcile(key)
            self.watch()
            if retry is None:
                return
        raise AssertionError("never settled")

    def status(self, key: upload.UploadKey = WEB) -> upload.Status:
        """Return an upload's status in the cluster."""
        return self.cluster.upload_of(key).status

    def reason(self, key: upload.UploadKey = WEB) -> str | None:
        """Return an upload's reason in the cluster."""
        ready = self.status(key).ready
        return ready.reason if ready else None

    def scm_id(self, key: upload.UploadKey = WEB) -> str | None:
        """Return the id in an upload's status."""
        record = self.status(key).record
        return record.scm_id if record else None
