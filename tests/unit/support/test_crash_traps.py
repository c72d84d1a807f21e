import json

from tests.support import crash_traps
from tests.support.api_proxy_rules import Asked

LEASE = "/apis/coordination.k8s.io/v1/namespaces/scm-csr-operator/leases/scm-csr-operator"
UPLOAD = "/apis/scm.certops.dev/v1alpha1/namespaces/shop/certificaterequestuploads/shop-tls"


def _asked(method: str, path: str, body: object) -> Asked:
    return Asked(at=0.0, method=method, path=path, query={}, body=json.dumps(body).encode())


def _lease(*attempts: object) -> Asked:
    journal = json.dumps({"v": 1, "tenants": [], "attempts": attempts})
    return _asked("PUT", LEASE, {"metadata": {"annotations": {crash_traps.JOURNAL: journal}}})


def test_a_journal_write_is_one_that_adds_an_attempt() -> None:
    """A renewal and a write that takes attempts out are none; an attempt is known by its id."""
    journal = crash_traps.Journal()

    assert journal.gains(_lease(["x1", "uid"]))
    assert not journal.gains(_lease(["x1", "uid", "more"]))
    assert journal.gains(_lease(["x1"], ["x2"]))
    assert not journal.gains(_lease(["x2"]))
    assert journal.gains(_lease({"id": "x3"}))
    assert not journal.gains(_lease({"id": "x3", "at": 1}))


def test_other_requests_are_no_journal_writes() -> None:
    """A read, a Lease without a journal and another kind don't count."""
    journal = crash_traps.Journal()

    assert not journal.gains(_asked("GET", LEASE, None))
    assert not journal.gains(_asked("PUT", LEASE, {"metadata": {}}))
    assert not journal.gains(_asked("PUT", UPLOAD, {}))


def test_an_id_is_written_into_a_status() -> None:
    """A status with an id is the write that is meant, one without or a finalizer's is not."""
    with_id = [{"op": "add", "path": "/status", "value": {"scmID": "1"}}]

    assert crash_traps.writes_an_id(_asked("PATCH", f"{UPLOAD}/status", with_id))
    assert not crash_traps.writes_an_id(_asked("PATCH", f"{UPLOAD}/status", []))
    assert not crash_traps.writes_an_id(_asked("GET", f"{UPLOAD}/status", with_id))


def test_a_finalizer_is_written_into_the_metadata() -> None:
    """A patch of finalizers is meant, a status is not."""
    patch = [{"op": "add", "path": "/metadata/finalizers", "value": ["scm.certops.dev/entries"]}]

    assert crash_traps.writes_finalizers(_asked("PATCH", UPLOAD, patch))
    assert not crash_traps.writes_finalizers(_asked("PATCH", f"{UPLOAD}/status", patch))
