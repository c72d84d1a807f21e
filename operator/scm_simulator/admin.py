"""The simulator's own endpoints, under `/_simulator/`: look at what happened, and command what is to happen.

They ask for no token and are neither logged nor subject to faults. Errors are `{"error": message}` with status 400.
"""

import dataclasses
import uuid
from collections.abc import Callable
from typing import Final

from aiohttp import web

from scm_simulator import csr, fault_rules, faults, iam, page, requests_log, scm, settings, shapes, store

PREFIX: Final = "/_simulator/"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """The handlers of `/_simulator/`, over the parts of one simulator; `clock` tells seconds since the epoch."""

    config: settings.Settings
    identity: iam.Iam
    entries: store.Store
    log: requests_log.RequestsLog
    active_faults: faults.Faults
    clock: Callable[[], float]

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get(PREFIX, self.page),
            web.get(PREFIX + "requests", self.requests),
            web.get(PREFIX + "csrs", self.csrs),
            web.post(PREFIX + "csrs", self.add_csr),
            web.get(PREFIX + "faults", self.faults),
            web.put(PREFIX + "faults", self.replace_faults),
            web.post(PREFIX + "release", self.release),
            web.put(PREFIX + "credentials", self.change_credentials),
            web.delete(PREFIX + "state", self.clear),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """Return the page for people."""
        text = page.render(
            now=self.clock(),
            entries=list(self.entries.everything()),
            records=self.log.latest(page.REQUESTS_SHOWN),
            faults=self.active_faults.document(),
        )
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": page.POLICY})

    async def requests(self, request: web.Request) -> web.Response:
        """Return the log of requests, oldest first; `operation` and `after` (a request's n) narrow it."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise shapes.ShapeError("after must be a whole number")
        records = self.log.records(operation=request.query.get("operation"), after=int(after))
        return web.json_response({"requests": [record.document() for record in records]})

    async def csrs(self, _request: web.Request) -> web.Response:
        """Return the entries of all tenants, oldest first within each; of a key its digest only."""
        return web.json_response({"csrs": [_entry(tenant, entry) for tenant, entry in self.entries.everything()]})

    async def add_csr(self, request: web.Request) -> web.Response:
        """Put an entry there that no client uploaded; times are in milliseconds since the epoch."""
        optional = ["createTime", "domain", "project", "uploadedBy"]
        body = shapes.mapping(await _json(request), at="the body", required=["name", "csr"], optional=optional)
        created = shapes.whole(body.get("createTime", int(self.clock() * 1000)), at="createTime", least=0, most=2**53)
        entry = store.Entry(
            id=uuid.uuid4().hex,
            name=shapes.text(body["name"], at="name", most=scm.RENAMED_LENGTH),
            csr=_csr(body["csr"]),
            private_key=None,
            create_time=created,
            update_time=created,
            uploaded_by=shapes.text(body.get("uploadedBy", "somebody else"), at="uploadedBy", least=1),
        )
        tenant = store.Tenant(
            shapes.text(body.get("domain", self.config.domain), at="domain", least=1),
            shapes.text(body.get("project", self.config.projects[0]), at="project", least=1),
        )
        self.entries.put(entry, tenant=tenant)
        return web.json_response(_entry(tenant, entry), status=201)

    async def faults(self, _request: web.Request) -> web.Response:
        """Return the rules in force, with how many requests each counted, at how many it fired, how many it holds."""
        return web.json_response(self.active_faults.document())

    async def replace_faults(self, request: web.Request) -> web.Response:
        """Put other rules in force."""
        seed, rules = fault_rules.parse(await _json(request))
        self.active_faults.replace(rules, seed=seed)
        return web.json_response(self.active_faults.document())

    async def release(self, request: web.Request) -> web.Response:
        """Let held requests go on: those of `{"rule": name}`, or all if there is no body."""
        rule = None
        if await request.read():
            body = shapes.mapping(await _json(request), at="the body", required=["rule"])
            rule = shapes.text(body["rule"], at="rule", least=1)
        return web.json_response({"released": self.active_faults.release(rule)})

    async def change_credentials(self, request: web.Request) -> web.Response:
        """Change an account's password, tokens or projects, or make a further account."""
        account, revoked = self.identity.change(_change(await _json(request)))
        answer = {
            "domain": account.domain,
            "user": account.user,
            "projects": list(account.projects),
            "tokensRevoked": revoked,
        }
        return web.json_response(answer)

    async def clear(self, _request: web.Request) -> web.Response:
        """Forget entries, requests and faults; held requests are reset, tokens stay valid."""
        self.active_faults.clear()
        self.entries.clear()
        self.log.clear()
        return web.Response(status=204)


async def _json(request: web.Request) -> object:
    return shapes.decode(await request.read())


def _csr(value: object) -> csr.Csr:
    pem = shapes.text(value, at="csr")
    try:
        return csr.parse(pem)
    except csr.CsrError as error:
        raise shapes.ShapeError(str(error)) from error


def _entry(tenant: store.Tenant, entry: store.Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "name": entry.name,
        "csr": entry.csr.pem,
        "csrSha256": entry.csr.sha256,
        "commonName": entry.csr.common_name,
        "sans": list(entry.csr.sans),
        "privateKeyAlgo": entry.csr.algorithm,
        "hasPrivateKey": entry.private_key is not None,
        "privateKeySha256": entry.private_key_sha256,
        "createTime": entry.create_time,
        "updateTime": entry.update_time,
        "uploadedBy": entry.uploaded_by,
        "domain": tenant.domain,
        "project": tenant.project,
    }


def _change(document: object) -> iam.Change:
    optional = ["domain", "user", "projects", "password", "staticToken", "revokeTokens"]
    body = shapes.mapping(document, at="the body", optional=optional)
    words = {
        key: shapes.text(body[key], at=key, least=1) if key in body else None
        for key in ("domain", "user", "password", "staticToken")
    }
    if words["staticToken"] is not None:
        _check_static_token(words["staticToken"])
    return iam.Change(
        domain=words["domain"],
        user=words["user"],
        projects=_projects(body["projects"]) if "projects" in body else None,
        password=words["password"],
        static_token=words["staticToken"],
        revoke_tokens=shapes.truth(body.get("revokeTokens", False), at="revokeTokens"),
    )


def _projects(document: object) -> tuple[str, ...]:
    names = shapes.sequence(document, at="projects")
    if not names:
        raise shapes.ShapeError("projects must not be empty")
    return tuple(shapes.text(name, at=f"projects[{index}]", least=1) for index, name in enumerate(names))


def _check_static_token(token: str) -> None:
    try:
        settings.check_token(token)
    except settings.SettingsError as error:
        raise shapes.ShapeError(f"staticToken: {error}") from error
