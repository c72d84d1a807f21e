"""Commands of the documentation, run as they stand, in a shell whose cluster and cloud are a test's."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from dev import toolchain
from tests.support import installation
from tests.support import simulator as simulators
from tests.support.installation import Stage
from tests.support.markdown import ROOT, Block

_TIMEOUT = 90.0
_OVERLAY = "deploy/kustomize/overlays/cluster-wide"
_RELEASED = r"https://github\.com/certops/scm-csr-operator/releases/download/v[0-9.]+/install\.yaml"
_CHART = r"(oci://ghcr\.io/certops/charts/scm-csr-operator --version [0-9.]+|(?<= )deploy/chart(?= ))"


@dataclasses.dataclass(frozen=True, slots=True)
class Shell:
    """Bash in a folder with what a reader has there: kubectl and helm, the files of a checkout, password.txt."""

    folder: pathlib.Path
    environ: Mapping[str, str]
    replaced: Sequence[tuple[str, str]]
    """What leads elsewhere here: patterns and replacements."""

    def run(self, block: Block, *more: tuple[str, str]) -> str:
        """Run a block and return what it prints; ``more`` is replaced in it too. Fails with all that it said."""
        return self.command(self.as_here(block.text, *more), what=str(block))

    def run_all(self, blocks: Sequence[Block], *more: tuple[str, str]) -> str:
        """Run blocks, one after the other, and return what they print."""
        return "".join(self.run(block, *more) for block in blocks)

    def command(self, text: str, *, what: str) -> str:
        """Run commands and return what they print; the first that fails ends them, and the test."""
        script = f"set -euo pipefail\n{text}"
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.folder,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{what} ended with {done.returncode}:\n{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def as_here(self, text: str, *more: tuple[str, str]) -> str:
        """Return commands with everything replaced that leads elsewhere here."""
        for pattern, replacement in (*more, *self.replaced):
            text = re.sub(pattern, replacement, text)
        return text


def shell(stage: Stage, folder: pathlib.Path) -> Shell:
    """Make a shell on a stage: its cluster, and its simulator in place of SCM and IAM."""
    _link(folder / "bin", {"kubectl": stage.plane.programs["kubectl"], "helm": toolchain.obtain(["helm"])["helm"]})
    _link(folder, {"deploy": ROOT / "deploy", "crds": ROOT / "crds"})
    (folder / "password.txt").write_text(simulators.PASSWORD + "\n")
    (folder / "node.yaml").write_text(json.dumps(installation.values()))
    (folder / "install.yaml").write_text(_install_yaml())
    _write_overlay(folder / "overlay")
    url = stage.simulator.url
    return Shell(
        folder=folder,
        environ={
            "PATH": f"{folder / 'bin'}:{os.defpath}",
            "HOME": str(folder),
            "KUBECONFIG": str(stage.plane.kubeconfig),
            "TOKEN": simulators.STATIC_TOKEN,
        },
        replaced=(
            (_CHART, "deploy/chart --values node.yaml"),
            (_RELEASED, "install.yaml"),
            (_OVERLAY, "overlay"),
            (r"( +)region: cn-north-4\n", rf"\1endpoint: {url}\n"),
            (r"( +)password:\n", rf"\1password:\n\1  iamEndpoint: {url}\n"),
            (r"https://scm\.cn-north-4\.myhuaweicloud\.com", url),
        ),
    )


def _link(folder: pathlib.Path, targets: Mapping[str, pathlib.Path]) -> None:
    folder.mkdir(exist_ok=True)
    for name, target in targets.items():
        (folder / name).symlink_to(target)


def _for_the_node() -> dict[str, Any]:
    """Return the fields of a container that let it run on the node, as the chart's values for it do."""
    values = installation.values()
    env = values.pop("extraEnv")
    return {"env": env, **values}


def _install_yaml() -> str:
    """Return deploy/install.yaml with Pods that run on the node."""
    manifests = [found for found in yaml.safe_load_all((ROOT / "deploy" / "install.yaml").read_text()) if found]
    (deployment,) = (found for found in manifests if found["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    fields = _for_the_node()
    variables = {each["name"]: each for each in (*container["env"], *fields.pop("env"))}
    container["env"] = list(variables.values())
    for name, field in fields.items():
        container[name] |= field
    return yaml.safe_dump_all(manifests)


def _write_overlay(folder: pathlib.Path) -> None:
    """Write a kustomization on top of the cluster-wide one, with Pods that run on the node."""
    folder.mkdir()
    container = {"name": "operator", **_for_the_node()}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "scm-csr-operator", "namespace": "scm-csr-operator"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    (folder / "patch.yaml").write_text(yaml.safe_dump(patch))
    base = os.path.relpath(ROOT / _OVERLAY, folder)
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": [base], "patches": [{"path": "patch.yaml"}]})
    )
