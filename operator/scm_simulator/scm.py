"""The CSR endpoints of SCM, with the real service's quirks.

Source: Upload CSR and its sibling pages in the SCM/CCM API reference. Where they are silent: a missing id is 400 with
SCM.0707 (as the vendor's Terraform provider expects it), the list's name filter finds substrings, names aren't unique,
the order of the list is anybody's guess (here: newest first), an entry without a key has an empty one.
"""

import uuid
from collections.abc import Callable, Collection
from typing import Final, NoReturn

from aiohttp import web

from scm_simulator import csr, errors, iam, requests_log, settings, shapes, store

NAME_LENGTH: Final = 63
RENAMED_LENGTH: Final = 255
CSR_LENGTH: Final = 2_555
FILTER_LENGTH: Final = 32
PAGE_SIZES: Final = (10, 20, 50)
LARGEST_OFFSET: Final = 100
ALGORITHMS: Final = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_P256", "EC_P384", "SM2")

STALE_SECONDS: Final = web.RequestKey("stale-seconds", float)
"""Where a list finds how many seconds old its answer is to be."""

_ID_LENGTHS: Final = range(16, 41)
_KEY_CODES: Final[dict[type[ValueError], str]] = {
    csr.KeyNotPemError: errors.KEY_NOT_PEM,
    csr.KeyUnreadableError: errors.KEY_UNREADABLE,
    csr.KeyMismatchError: errors.KEY_MISMATCH,
}


class Scm:
    """The service's handlers, one an operation."""

    def __init__(
        self,
        entries: store.Store,
        *,
        identity: iam.Iam,
        clock: Callable[[], float],
        offset: settings.OffsetCounts = "rows",
    ) -> None:
        """Serve what is in the store to those whom IAM knows; `clock` tells seconds since the epoch."""
        self._entries = entries
        self._iam = identity
        self._clock = clock
        self._offset: settings.OffsetCounts = offset

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints; each route's name is its operation's."""
        return [
            web.post("/v3/scm/csr/upload", self.upload, name="UploadCsr"),
            web.get("/v3/scm/csr", self.list_entries, name="ListCsr", allow_head=False),
            web.get("/v3/scm/csr/{id}", self.show, name="ShowCsr", allow_head=False),
            web.put("/v3/scm/csr/{id}", self.rename, name="UpdateCsr"),
            web.delete("/v3/scm/csr/{id}", self.delete, name="DeleteCsr"),
            web.get("/v3/scm/csr/{id}/private-key", self.private_key, name="ShowCsrPrivateKey", allow_head=False),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """Store a CSR: `{name, csr, private_key?}` → 200 `{id, name, create_time}`."""
        caller, tenant = self._caller(request)
        body = await _body(request, required=["name", "csr"], optional=["private_key"])
        name = _text(body["name"], at="name", most=NAME_LENGTH)
        parsed = _csr(_text(body["csr"], at="csr", most=CSR_LENGTH))
        private_key = _private_key(body["private_key"], of=parsed) if "private_key" in body else None
        now = self._now()
        entry = store.Entry(
            id=uuid.uuid4().hex,
            name=name,
            csr=parsed,
            private_key=private_key,
            create_time=now,
            update_time=now,
            uploaded_by=caller.who,
        )
        self._entries.put(entry, tenant=tenant)
        return web.json_response({"id": entry.id, "name": entry.name, "create_time": entry.create_time})

    async def list_entries(self, request: web.Request) -> web.Response:
        """Return a page of the entries whose name contains `name`."""
        _, tenant = self._caller(request)
        query = _query(request)
        limit = _number(query.get("limit", "10"), at="limit")
        offset = _number(query.get("offset", "0"), at="offset")
        if limit not in PAGE_SIZES:
            _refuse("limit must be one of 10, 20, 50")
        if offset > LARGEST_OFFSET:
            _refuse(f"offset must be at most {LARGEST_OFFSET}")
        if (algorithm := query.get("private_key_algo")) not in (None, *ALGORITHMS):
            _refuse(f"private_key_algo must be one of {', '.join(ALGORITHMS)}")
        fragment = query.get("name", "")[:FILTER_LENGTH]
        seen = self._now() - int(request.get(STALE_SECONDS, 0.0) * 1000)
        found = [
            entry
            for entry in self._entries.of(tenant)
            if fragment in entry.name and algorithm in (None, entry.csr.algorithm) and entry.create_time <= seen
        ]
        start = {"rows": offset, "pages": offset * limit, "ignored": 0}[self._offset]
        page = [_document(entry) for entry in found[start : start + limit]]
        return web.json_response({"csr_list": page, "total": len(found)})

    async def show(self, request: web.Request) -> web.Response:
        """Return an entry, without its key."""
        return web.json_response(_document(self._find(request)[1]))

    async def private_key(self, request: web.Request) -> web.Response:
        """Return an entry's key."""
        return web.json_response({"private_key": self._find(request)[1].private_key or ""})

    async def rename(self, request: web.Request) -> web.Response:
        """Give an entry another name: `{name}` → 200 and the entry."""
        self._caller(request)
        body = await _body(request, required=["name"])
        name = _text(body["name"], at="name", most=RENAMED_LENGTH)
        tenant, entry = self._find(request)
        renamed = entry.renamed(name, at=self._now())
        self._entries.put(renamed, tenant=tenant)
        return web.json_response(_document(renamed))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove an entry for good."""
        tenant, entry = self._find(request)
        self._entries.remove(entry.id, tenant=tenant)
        return web.Response(status=204)

    def _caller(self, request: web.Request) -> tuple[iam.Caller, store.Tenant]:
        tokens = request.headers.getall("X-Auth-Token", [])
        caller = self._iam.caller_of(tokens[0] if len(tokens) == 1 else None)
        request[requests_log.RECORD].who = caller.who
        if caller.project is None:
            raise errors.RefusedError(
                "tenant id error: the token must be of a project", status=403, code=errors.TENANT_MISMATCH
            )
        return caller, store.Tenant(caller.domain, caller.project)

    def _find(self, request: web.Request) -> tuple[store.Tenant, store.Entry]:
        _, tenant = self._caller(request)
        entry_id = request.match_info["id"]
        if len(entry_id) not in _ID_LENGTHS:
            _refuse("id must have 16 to 40 characters")
        entry = self._entries.find(entry_id, tenant=tenant)
        if entry is None:
            _refuse("the CSR does not exist", code=errors.CSR_MISSING)
        return tenant, entry

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _document(entry: store.Entry) -> dict[str, object]:
    """Return an entry as show and list give it (CSRResponseBody); the service derives most of it from the CSR."""
    parsed = entry.csr
    return {
        "id": entry.id,
        "name": entry.name,
        "csr": parsed.pem,
        "domain_name": parsed.common_name,
        "sans": ",".join(parsed.sans),
        "private_key_algo": parsed.algorithm,
        "usage": "ENTERPRISE" if parsed.company else "PERSONAL",
        "company_country": parsed.country,
        "company_province": parsed.province,
        "company_city": parsed.city,
        "company_name": parsed.company,
        "create_time": entry.create_time,
        "update_time": entry.update_time,
    }


async def _body(
    request: web.Request, *, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, object]:
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        _refuse("Content-Type must be application/json, in UTF-8")
    try:
        return shapes.mapping(shapes.decode(await request.read()), at="the body", required=required, optional=optional)
    except shapes.ShapeError as error:
        _refuse(str(error))


def _text(value: object, *, at: str, most: int | None = None) -> str:
    try:
        return shapes.text(value, at=at, most=most)
    except shapes.ShapeError as error:
        _refuse(str(error))


def _csr(pem: str) -> csr.Csr:
    try:
        return csr.parse(pem)
    except csr.CsrError as error:
        _refuse(str(error))


def _private_key(value: object, *, of: csr.Csr) -> str:
    pem = _text(value, at="private_key")
    if not pem:
        _refuse("private_key is empty", code=errors.KEY_EMPTY)
    try:
        csr.check_key(pem, of=of)
    except tuple(_KEY_CODES) as error:
        _refuse(str(error), code=_KEY_CODES[type(error)])
    return pem


def _query(request: web.Request) -> dict[str, str]:
    known = ("limit", "offset", "name", "private_key_algo")
    for key in request.query:
        if key not in known or len(request.query.getall(key)) > 1:
            _refuse(f"query parameter {key} is unknown or there twice")
    return dict(request.query)


def _number(digits: str, *, at: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        _refuse(f"{at} must be a whole number")
    return int(digits)


def _refuse(message: str, *, code: str = errors.BAD_PARAMETER) -> NoReturn:
    raise errors.RefusedError(message, status=400, code=code)
