"""What persons do in the model, with resources, Secrets and entries, and what is noted of it as the truth."""

import dataclasses
import itertools
from collections.abc import Iterator

from scm_operator.domain import conditions, lookup, upload
from scm_operator.domain.account import SecretKey
from tests.support import model_api, model_scm, model_wiring
from tests.support.model_process import Outside, Process


class Persons(Outside):
    """All that happens outside of the operator; each ``_do_`` is a step, and returns False if it can't be taken."""

    def __init__(self, rules: model_wiring.Rules = model_wiring.ALL) -> None:
        super().__init__(rules)
        self.processes: list[Process] = []
        self.api.told = self._tell
        self._requests = itertools.count(1)

    @property
    def living(self) -> list[Process]:
        """Return the processes that haven't ended, frozen ones among them."""
        return [process for process in self.processes if process.alive]

    def name_of(self, name: str) -> upload.Upload | None:
        """Return the upload of a name, as it stands."""
        return self.api.uploads.get(model_api.upload_key(name))

    def _tell(self, name: str, event: model_api.Event) -> None:
        for process in self.living:
            process.events[name].append(event)
        self._note(name)

    def _note(self, name: str) -> None:
        found, secret = self.name_of(name), self.api.secrets.get(model_api.secret_name(name))
        attention = self.attention
        if secret:
            for uid in self._uids_believed(name):
                attention.digests[uid].add(model_scm.digest(secret[1]))
        if found is None:
            return
        assert found.account
        attention.places[found.uid].add(model_scm.place_of(self.api.accounts[found.account].tenant))
        attention.keys[found.uid].add(found.private_key is not None)
        if found.adoption_policy is upload.AdoptionPolicy.IF_IDENTICAL:
            attention.adopts.add(found.uid)
            attention.keys[found.uid] |= {False, True}  # whether an entry has one can't be seen
        if not found.deletes_entries:
            attention.deletes.discard(found.uid)

        for record in found.status.records:
            if self._is_predecessors(found, record):
                attention.kept.discard(record.scm_id)
                entry = self.scm.ever[record.scm_id]
                if record.content_hash.endswith("+key") != entry.with_key:
                    attention.mixed_up.add(entry.digest)

    def _is_predecessors(self, about: upload.Upload, record: upload.Record) -> bool:
        """Say whether docs/guarantees.md leaves it open that this entry is taken for its own.

        It was made for a resource that is gone by now and of which this process has never heard, with the same name
        and CSR, up to 5 s before this one's attempt.
        """
        entry = self.scm.ever[record.scm_id]
        attempt = next((one for one in self.lease.journal if one.id == record.attempt_id), None)
        if attempt is None or record.origin != upload.Origin.RECOVERED or entry.maker in {None, about.uid}:
            return False
        writer = next(one for one in self.processes if one.journal.term == about.status.term)
        at = conditions.moment(attempt.at) + model_scm.SKEW
        return (
            entry.maker not in {one.uid for one in self.api.uploads.values()}
            and entry.sender < writer.number
            and entry.created >= at - lookup.SKEW
        )

    def _uids_believed(self, name: str) -> Iterator[str]:
        """Return those that some process takes for living: a Secret is read as it is, whoever is meant by it."""
        key = model_api.upload_key(name)
        for process in self.living:
            if known := process.known.get(key):
                yield known.uid
            yield from (one.resource.uid for one in process.events[name] if isinstance(one, model_api.Seen))
        if found := self.name_of(name):
            yield found.uid

    def _do_create(self, name: str, content: str, scm_name: str, *options: str) -> bool:
        """``options``: key, two, alias, delete, adopt."""
        if self.name_of(name):
            return False
        secret = self.api.secrets.get(model_api.secret_name(name))
        if secret is None or secret[1] != content:
            self.api.put_secret(name, content)
        account = next((one for one in options if one in model_api.ACCOUNTS), "one")
        deletes, adopts = "delete" in options, "adopt" in options
        made = self.api.create(
            name,
            scm_name=scm_name,
            with_key="key" in options,
            account=account,
            deletion_policy=upload.DeletionPolicy.DELETE if deletes else upload.DeletionPolicy.RETAIN,
            adoption_policy=upload.AdoptionPolicy.IF_IDENTICAL if adopts else upload.AdoptionPolicy.NEVER,
        )
        if deletes:
            self.attention.deletes.add(made.uid)
        if adopts:
            place = model_scm.place_of(self.api.accounts[model_api.account_key(account)].tenant)
            foreign = (one for one in self.scm.named(place, scm_name) if one.maker is None and one.name == scm_name)
            for one in foreign:
                if one.digest == model_scm.digest(content):
                    self.attention.adoptable[made.uid] = one.scm_id
        return True

    def _do_content(self, name: str, content: str) -> bool:
        secret = self.api.secrets.get(model_api.secret_name(name))
        if secret is None or secret[1] == content:
            return False
        self.api.put_secret(name, content)
        return True

    def _do_key(self, name: str) -> bool:
        found = self.name_of(name)
        key = SecretKey(f"{name}-csr", "tls.key") if found and not found.private_key else None
        return self._edit(name, private_key=key)

    def _do_rename(self, name: str, scm_name: str) -> bool:
        found = self.name_of(name)
        if found and found.status.record and found.status.record.scm_name == scm_name:
            self.attention.renamed_back.add(found.uid)
        return self._edit(name, scm_name=scm_name)

    def _do_suspend(self, name: str) -> bool:
        found = self.name_of(name)
        return self._edit(name, suspend=not (found and found.suspend))

    def _do_move(self, name: str, account: str) -> bool:
        return self._edit(name, account=model_api.account_key(account))

    def _do_policy(self, name: str) -> bool:
        found = self.name_of(name)
        policy = upload.DeletionPolicy
        return self._edit(name, deletion_policy=policy.RETAIN if found and found.deletes_entries else policy.DELETE)

    def _edit(self, name: str, **changes: object) -> bool:
        found = self.name_of(name)
        if found is None or found.deleting:
            return False
        changed = dataclasses.replace(found, **changes)  # type: ignore[arg-type]
        if changed == found:
            return False
        self.api.edit(changed)
        return True

    def _do_touch(self, name: str) -> bool:
        found = self.name_of(name)
        if found is None:
            return False
        self.api.annotate(found)
        return True

    def _do_request(self, name: str) -> bool:
        found = self.name_of(name)
        if found is None:
            return False
        self.api.annotate(dataclasses.replace(found, reconcile_requested_at=f"{next(self._requests)}"))
        return True

    def _do_confirm(self, name: str) -> bool:
        """Look in SCM, delete what has that name and nobody has, and say so: once an outcome is said to be unknown."""
        found = self.name_of(name)
        ready = found.status.ready if found else None
        if found is None or ready is None or ready.reason != "OutcomeUnknown" or "confirm-upload=" not in ready.message:
            return False
        attempt = ready.message.rpartition("=")[2]
        recorded = {record.scm_id for one in self.api.uploads.values() for record in one.status.records}
        sent = next((one for one in self.lease.journal if one.id == attempt), None)
        if sent is None or found.confirm_upload == attempt:
            return False
        for one in self.scm.named(model_scm.place_of(sent.tenant), sent.scm_name):
            if one.scm_id not in recorded and one.maker is not None and one.name == sent.scm_name:
                del self.scm.entries[one.scm_id]
                self.attention.kept.discard(one.scm_id)
        self.attention.confirmed.add(found.uid)
        self.api.annotate(dataclasses.replace(found, confirm_upload=attempt))
        return True

    def _do_delete(self, name: str) -> bool:
        found = self.name_of(name)
        if found is None or found.deleting:
            return False
        if found.status.record and not found.deletes_entries and found.status.record.scm_id in self.scm.entries:
            self.attention.kept.add(found.status.record.scm_id)
        self.api.delete(found.key)
        return True

    def _do_foreign(self, place: str, scm_name: str, content: str) -> bool:
        """Somebody made an entry by hand, an hour ago."""
        tenant = self.api.accounts[model_api.account_key(place)].tenant
        digest = model_scm.digest(content)
        self.scm.put(scm_name, model_scm.place_of(tenant), digest=digest, with_key=True, maker=None, age=3_600.0)
        return True

    def _do_vanish(self, name: str) -> bool:
        """Somebody deletes the recorded entry by hand."""
        found = self.name_of(name)
        if found is None or found.status.record is None:
            return False
        self.attention.kept.discard(found.status.record.scm_id)
        return self.scm.entries.pop(found.status.record.scm_id, None) is not None

    def _do_tokens(self, what: str) -> bool:
        changed = self.scm.slow_tokens != (what == "slow")
        self.scm.slow_tokens = what == "slow"
        return changed

    def _do_permission(self, what: str) -> bool:
        changed = self.scm.forbidden != (what == "off")
        self.scm.forbidden = what == "off"
        return changed
