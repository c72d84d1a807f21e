"""The demo's steps, one after the other: what is applied, what comes of it, and how it ended."""

import contextlib
import datetime
import json
import time
from collections.abc import Sequence
from pathlib import Path

from dev import demo_changes, demo_cluster, demo_manifests, demo_screen, demo_verdict, helm

_TIMEOUT = 60.0
_WAIT = f"--timeout={_TIMEOUT:g}s"
_POLL = 0.02


class StepError(Exception):
    """A step did not go as it should; what follows it is left out."""


class Story:
    """The steps, each shown as it happens; between them, the uploads' conditions as they change."""

    def __init__(self, cluster: demo_cluster.Cluster, screen: demo_screen.Screen) -> None:
        self._cluster = cluster
        self._screen = screen
        self._changes = demo_changes.Changes()
        self._watched: demo_cluster.NewLines | None = None
        self._expected: dict[str, str] = {}
        self.url = ""
        """The simulator's."""

    def play(self) -> None:
        """Show everything but the end.

        Raises:
            StepError: A command failed, or an upload did not get to where it should in time.

        """
        self._start_simulator()
        self._install()
        self._create_accounts()
        self._upload_before_its_secrets()
        self._upload_examples()
        self._upload_with_wrong_key()

    def _start_simulator(self) -> None:
        self._screen.step("SCM and IAM, simulated: nothing leaves this machine")
        self._screen.command(*self._cluster.simulator)
        self.url = self._cluster.start_simulator()
        self._screen.say(f"scm-simulator listening on {self.url}")

    def _install(self) -> None:
        self._screen.step("The operator, installed with Helm: custom resources, permissions, and two replicas")
        self._screen.explain(
            "Pods are processes here. The values let the operator call the simulator by plain http, and each Pod "
            "listen at its own address; all else is as in any cluster."
        )
        values = self._cluster.write("values.yaml", demo_manifests.VALUES)
        place = ("--namespace", helm.NAMESPACE)
        wait = ("--wait", f"--timeout={_TIMEOUT:g}s")
        self._run("helm", "install", helm.RELEASE, helm.CHART, *place, "--create-namespace", "--values", values, *wait)
        self._kubectl("get", "pods,leases", *place)
        self._watched = self._cluster.start_watch(*demo_changes.WATCH)

    def _create_accounts(self) -> None:
        self._screen.step("Accounts: where to upload to, and as whom")
        self._screen.explain(
            f"{demo_screen.as_typed(demo_manifests.ACCOUNT)} leads to the cloud: it is applied with the simulator's "
            f"address in place of the region, under the two names that the uploads of the examples use."
        )
        secret = ("create", "secret", "generic", "scm-iam", "-n", helm.NAMESPACE)
        self._kubectl(*secret, f"--from-file=password={self._cluster.password}")
        names = ("default", "production")
        for name in names:
            text = demo_manifests.account(demo_manifests.ACCOUNT.read_text(), name=name, url=self.url)
            self._kubectl("apply", "-f", self._cluster.write(f"account-{name}.yaml", text))
        self._kubectl("wait", "--for=condition=Ready", *(f"cscma/{name}" for name in names), _WAIT)

    def _upload_before_its_secrets(self) -> None:
        self._screen.step("An upload before its Secrets: it waits, and goes on when they come")
        example = demo_manifests.KEY_IN_OWN_SECRET
        alone = demo_manifests.upload_alone(example.read_text())
        self._expected["payments"] = demo_verdict.UPLOADED
        self._kubectl("apply", "-f", self._cluster.write("payments-upload.yaml", alone))
        self._wait_until("payments", reason="WaitingForSecret")
        self._kubectl("apply", "-f", example)
        self._wait_for("Ready", "payments")

    def _upload_examples(self) -> None:
        self._screen.step("A CSR alone, and a CSR with its private key from the same Secret")
        self._screen.explain("kubectl warns of the empty tls.crt that Kubernetes wants: there is no certificate yet.")
        names = ("www-shop-tls", "shop-tls")
        self._expected |= dict.fromkeys(names, demo_verdict.UPLOADED)
        self._kubectl("apply", "-f", demo_manifests.CSR_ONLY)
        self._kubectl("apply", "-f", demo_manifests.KEY_IN_SAME_SECRET)
        self._wait_for("Ready", *names)

    def _upload_with_wrong_key(self) -> None:
        self._screen.step("A CSR with the private key of another, on purpose: it is refused before anything is sent")
        csr_of, key_of = demo_manifests.KEY_IN_SAME_SECRET, demo_manifests.KEY_IN_OWN_SECRET
        text = demo_manifests.wrong_key(csr_of=csr_of.read_text(), key_of=key_of.read_text())
        name = demo_manifests.WRONG_KEY
        self._expected[name] = "KeyMismatch"
        self._kubectl("apply", "-f", self._cluster.write(f"{name}.yaml", text))
        self._wait_for("Stalled", name)

    def end(self) -> demo_verdict.Verdict:
        """Show how all uploads ended, and what is said about the one that had to fail."""
        self._screen.step("How it ended")
        commands = [("get", "cru", "-A"), ("describe", "cru", demo_manifests.WRONG_KEY)]
        # After a step that failed, there may not be everything to see; the verdict tells.
        with contextlib.suppress(StepError):
            for command in commands if demo_manifests.WRONG_KEY in self._expected else commands[:1]:
                self._kubectl(*command)
        uploads = json.loads(self._cluster.plane.kubectl("get", "cru", "-o", "json").stdout)["items"]
        return demo_verdict.Verdict.on(uploads, expected=self._expected)

    def stay(self) -> None:
        """Show what changes, until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                self._cluster.check()
                self._say_all(self._news())
                time.sleep(_POLL)

    def _wait_for(self, condition: str, *names: str) -> None:
        self._kubectl("wait", f"--for=condition={condition}", *(f"cru/{name}" for name in names), _WAIT, live=True)
        for name in names:  # kubectl wait has a watch of its own, which may be ahead of ours
            self._wait_until(name, reason=self._expected[name])

    def _wait_until(self, name: str, *, reason: str) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while self._changes.reason(f"default/{name}") != reason:
            self._cluster.check()
            self._say_all(self._news())
            if time.monotonic() > deadline:
                raise StepError(
                    f"{name} was not seen as {reason} in {_TIMEOUT:g} s; what would have followed was left out."
                )
            time.sleep(_POLL)

    def _kubectl(self, *arguments: str | Path, live: bool = False) -> None:
        self._run("kubectl", *arguments, live=live)

    def _run(self, tool: str, *arguments: str | Path, live: bool = False) -> None:
        """Run a command; what changes meanwhile is shown at once if live is true, else below the command's output."""
        self._screen.command(tool, *arguments)
        news: list[str] = []
        with self._cluster.start_tool(tool, *arguments) as child:
            while (code := child.wait(seconds=_POLL)) is None:
                self._cluster.check()
                news += self._news()
                if live:
                    self._say_all(news)
                    news.clear()
        self._screen.say(child.log.read_text(errors="replace").strip())
        self._say_all(news)
        if code:
            raise StepError(f"`{tool} {arguments[0]}` failed; what would have followed was left out.")

    def _news(self) -> list[str]:
        now = datetime.datetime.now().astimezone()
        lines = self._watched.read() if self._watched else []
        return [text for line in lines for text in self._changes.take(line, now=now)]

    def _say_all(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._screen.say(line)
