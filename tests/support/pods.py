"""Pods that tests write: each container runs a Python program, given as text."""

import dataclasses
import json
from typing import Any

import httpx

from dev.node import launch
from dev.node.launch import Node
from tests.support import installation
from tests.support.installation import Object
from tests.support.waiting import until
from tests.support.world import Namespace

SLEEP = "import signal; print('up'); signal.pause()"
"""A program that runs until it is ended."""

# GET /NAME says 200 or, after a POST /NAME, 503; the next POST turns it again.
SERVE = """
import http.server, os
broken = set()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path in broken else 200)
        self.end_headers()
    def do_POST(self):
        broken.symmetric_difference_update({self.path})
        self.do_GET()
http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8080), Handler).serve_forever()
"""
"""A program that serves HTTP at port 8080 of its own address."""

POD_IP: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
PORT: Object = {"name": "http", "containerPort": 8080}


def container(program: str, **fields: object) -> Object:
    """Return a container that runs a program, called main unless the fields say otherwise."""
    return {"name": "main", "image": f"{installation.PYTHON}:3", "args": ["-c", program], **fields}


def server(**fields: object) -> Object:
    """Return a container that serves HTTP, at a port named http."""
    return container(SERVE, env=[POD_IP], ports=[PORT], **fields)


@dataclasses.dataclass(frozen=True, slots=True)
class Pods:
    """The Pods of one namespace, on one node."""

    namespace: Namespace
    node: Node

    def run(self, name: str, *containers: Object, **spec: object) -> None:
        """Make a Pod of these containers; what it is asked to do at its end, it does quickly."""
        selected = {"kubernetes.io/hostname": self.node.settings.name}
        defaults = {"terminationGracePeriodSeconds": 10, "nodeSelector": selected}
        self.namespace.apply("Pod", name, spec={"containers": list(containers), **defaults, **spec})

    def get(self, name: str) -> Object:
        """Return a Pod as it is now."""
        return self.namespace.get(name, kind="pod")

    def container(self, name: str) -> Object:
        """Return the status of a Pod's only container, empty before there is one."""
        found: list[Object] = self.get(name)["status"].get("containerStatuses", [])
        return found[0] if found else {}

    def restarts(self, name: str) -> int:
        """Return how often the only container was started again."""
        count: int = self.container(name).get("restartCount", 0)
        return count

    def wait(self, name: str, condition: str = "condition=Ready") -> None:
        """Wait for what `kubectl wait` can wait for."""
        self.namespace.kubectl("wait", f"--for={condition}", "--timeout=20s", f"pod/{name}")

    def waits_with(self, name: str, reason: str) -> str:
        """Wait until the only container waits with a reason; return the message."""

        def look() -> str | None:
            waiting: dict[str, str] = self.container(name).get("state", {}).get("waiting", {})
            return waiting.get("message", "-") if waiting.get("reason") == reason else None

        return until(look, what=f"Pod {name} to wait with {reason}")

    def said(self, name: str, text: str) -> str:
        """Wait until the only container has written a text; return all that it has written."""
        return until(lambda: self._log(name) if text in self._log(name) else None, what=f"Pod {name} to say {text!r}")

    def _log(self, name: str) -> str:
        try:
            return self.node.logs(self.namespace.name, name)
        except launch.NodeError:  # it has not been started yet
            return ""

    def url(self, name: str, path: str) -> str:
        """Return where a Pod that serves really is."""
        return f"http://{launch.reached_at(self.get(name)['status']['podIP'])}:8080{path}"

    def turn(self, name: str, path: str) -> None:
        """Let a server say no where it has said yes, or yes again."""
        httpx.post(self.url(name, path), timeout=10)

    def events(self, name: str, reason: str) -> list[str]:
        """Wait for Events about a Pod with a reason; return their messages."""
        return [event["message"] for event in self.namespace.events(name, reason=reason)]

    def endpoints(self, service: str) -> dict[str, bool]:
        """Return the addresses behind a Service, and which of them are ready."""
        shown = self.namespace.kubectl(
            "get", "endpointslices", "-l", f"kubernetes.io/service-name={service}", "-o", "json"
        )
        slices: list[dict[str, Any]] = json.loads(shown)["items"]
        return {
            address: endpoint["conditions"]["ready"]
            for each in slices
            for endpoint in each["endpoints"] or []
            for address in endpoint["addresses"]
        }
