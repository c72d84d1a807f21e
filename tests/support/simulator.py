"""The SCM simulator as a process, and its admin API in a test's words."""

import contextlib
import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from tests.support.waiting import until

DOMAIN, USER, PASSWORD, PROJECT = "acme", "cert-bot", "canary-password-7f3a", "cn-north-4"
STATIC_TOKEN = "canary-static-token-5d21".ljust(32, "x")  # as short as the contract allows


@dataclasses.dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator at ``url``."""

    url: str
    admin: httpx.Client

    def requests(self, *, operation: str = "UploadCsr", name: str | None = None) -> list[dict[str, Any]]:
        """Return the requests that arrived, of one operation and, if given, for one CSR name."""
        answer = self._get("requests", params={"operation": operation})
        return [
            request for request in answer["requests"] if name is None or (request["body"] or {}).get("name") == name
        ]

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the requests of all operations that came after the one of that number."""
        requests: list[dict[str, Any]] = self._get("requests", params={"after": str(number)})["requests"]
        return requests

    def entries(self, *, name: str | None = None) -> list[dict[str, Any]]:
        """Return the CSRs that are stored, oldest first."""
        entries = [entry for entry in self._get("csrs")["csrs"] if name is None or entry["name"] == name]
        return sorted(entries, key=lambda entry: entry["createTime"])

    def faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        """Put these faults in force in place of all others."""
        self.admin.put("faults", json={"seed": seed, "rules": list(rules)}).raise_for_status()

    def held(self, *, rule: str) -> None:
        """Return when a request is held by that rule."""
        until(lambda: self._rule(rule)["held"] > 0, what=f"a request held by rule {rule}")

    def release(self) -> None:
        """Let all held requests go on."""
        self.admin.post("release").raise_for_status()

    def credentials(self, **changes: object) -> None:
        """Change what the simulator accepts: password, staticToken, revokeTokens, …."""
        self.admin.put("credentials", json=changes).raise_for_status()

    def _rule(self, name: str) -> dict[str, Any]:
        rules: list[dict[str, Any]] = self._get("faults")["rules"]
        return next(rule for rule in rules if rule["name"] == name)

    def _get(self, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        answer: dict[str, Any] = self.admin.get(path, **arguments).raise_for_status().json()
        return answer


@contextlib.contextmanager
def running(folder: pathlib.Path, *flags: str) -> Iterator[Simulator]:
    """Start a simulator on a free port and end it afterwards."""
    password, token = folder / "password", folder / "static-token"
    password.write_text(PASSWORD)
    token.write_text(STATIC_TOKEN)
    command: Sequence[str] = (
        *(sys.executable, "-m", "scm_simulator"),
        *("--domain", DOMAIN, "--user", USER, "--project", PROJECT),
        *("--password-file", str(password), "--static-token-file", str(token)),
        *flags,
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=f"{url}/_simulator/", timeout=10) as admin:
            yield Simulator(url, admin)
    finally:
        process.terminate()
        process.communicate(timeout=20)
