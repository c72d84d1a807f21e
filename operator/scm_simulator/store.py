"""The entries, kept per tenant; as in the real service, two entries of one tenant may have the same name."""

import dataclasses
import hashlib
from collections.abc import Iterator

from scm_simulator import csr


@dataclasses.dataclass(frozen=True, slots=True)
class Tenant:
    """Whose entries: a domain (the account) and one of its projects, by name."""

    domain: str
    project: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One CSR in SCM. Times are in milliseconds since the epoch."""

    id: str
    name: str
    csr: csr.Csr
    private_key: str | None = dataclasses.field(repr=False)
    create_time: int
    update_time: int
    uploaded_by: str

    def renamed(self, name: str, *, at: int) -> "Entry":
        """Return this entry under another name; `at` is its new update time."""
        return dataclasses.replace(self, name=name, update_time=at)

    @property
    def private_key_sha256(self) -> str | None:
        """The digest of the key's PEM text, for those who must compare it without seeing it."""
        return None if self.private_key is None else hashlib.sha256(self.private_key.encode()).hexdigest()


class Store:
    """All entries of all tenants, in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[Tenant, dict[str, Entry]] = {}

    def put(self, entry: Entry, *, tenant: Tenant) -> None:
        """Add an entry, or replace the one with its id."""
        self._entries.setdefault(tenant, {})[entry.id] = entry

    def find(self, entry_id: str, *, tenant: Tenant) -> Entry | None:
        """Return an entry of this tenant."""
        return self._entries.get(tenant, {}).get(entry_id)

    def remove(self, entry_id: str, *, tenant: Tenant) -> Entry | None:
        """Remove and return an entry of this tenant."""
        return self._entries.get(tenant, {}).pop(entry_id, None)

    def of(self, tenant: Tenant) -> Iterator[Entry]:
        """Return a tenant's entries, newest first; the real order is documented nowhere."""
        return reversed(self._entries.get(tenant, {}).values())

    def everything(self) -> Iterator[tuple[Tenant, Entry]]:
        """Return the entries of all tenants, oldest first within each."""
        for tenant, entries in self._entries.items():
            for entry in entries.values():
                yield tenant, entry

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
