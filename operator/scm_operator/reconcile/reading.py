"""What an upload wants: the CSR and the key that its Secrets hold now, each Secret read once."""

from collections.abc import Mapping

from scm_operator.domain import account as accounts
from scm_operator.domain import conditions, csr, errors, observation, ports, reasons, upload

_Found = Mapping[str, ports.Secret | None]


async def read(wanted: upload.Upload, *, secrets: ports.SecretReader) -> observation.Wanted | observation.Unreadable:
    """Read and check what the spec names.

    Raises: ApiServerError; RetryLater when a Secret may not be read.
    """
    found = {
        name: await secrets.read(accounts.SecretName(wanted.key.namespace, name), keys=_keys(wanted, name))
        for name in wanted.secret_names
    }
    versions = tuple(secret.observed for secret in found.values() if secret)
    try:
        return observation.Wanted(_content(wanted, found), versions)
    except errors.Obstacle as obstacle:
        verdict = conditions.Verdict(obstacle.reason, obstacle.message)
        return observation.Unreadable(verdict, versions, secret_gone=None in found.values())


def _keys(wanted: upload.Upload, name: str) -> list[str]:
    return [reference.key for reference in (wanted.csr, wanted.private_key) if reference and reference.name == name]


def _content(wanted: upload.Upload, found: _Found) -> csr.Content:
    request = csr.parse_request(_value(found, wanted.csr, field="csrSecretRef"), source=_source(wanted.csr))
    if wanted.private_key is None:
        return csr.content_of(request, None)
    value = _value(found, wanted.private_key, field="privateKeySecretRef")
    return csr.content_of(request, csr.parse_private_key(value, source=_source(wanted.private_key)))


def _source(reference: accounts.SecretKey) -> str:
    return f"Secret {reference.name!r}, key {reference.key!r}"


def _value(found: _Found, reference: accounts.SecretKey, *, field: str) -> bytes:
    secret = found[reference.name]
    if secret is None:
        raise errors.Blocked(
            reasons.Reason.WAITING_FOR_SECRET,
            f"Secret {reference.name!r}, which spec.{field} names, does not exist in this namespace. "
            "The upload starts when it does.",
        )
    if reference.key not in secret.data:
        raise errors.Blocked(
            reasons.Reason.SECRET_KEY_MISSING,
            f"Secret {reference.name!r} has no key {reference.key!r}, which spec.{field} names. "
            "The upload starts when it has.",
        )
    return secret.data[reference.key]
