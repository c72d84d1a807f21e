import pathlib
import re

import pytest

from tests.support import doc_plan, markdown, pem
from tests.support.doc_shell import Shell
from tests.support.installation import Stage
from tests.support.world import Namespace

PAGE = "docs/troubleshooting.md"
_BLOCKS = doc_plan.runnable(PAGE)
_BEGIN = doc_plan.runnable("docs/getting-started.md")
_QUOTING = ("The Pods don't start", "Helm refuses")
SAYS = {
    "Look here first": r"(?s)Uploaded.*scm-csr-operator-",
    "Overlap": r"(?m)^scm-csr-operator/scm-csr-operator$",
    "Permissions": r"\Ayes\nyes\n\Z",
    "SecretKeyMissing": r"tls\.csr: +\d+ bytes",
    "InvalidCSR": r"subject=CN ?= ?shop\.example\.com",
    "KeyMismatch": r"\A(.+)\n\1\n\Z",
    "Throttled": r"patched",
}
"""What is to be seen in what the commands of a section print, besides that they end well."""


@pytest.fixture(scope="module")
def shop(shell: Shell, stage: Stage, folder: pathlib.Path) -> Namespace:
    """An installation, and a Ready upload, as Getting started makes them; and a key with a passphrase."""
    for heading in ("With Helm", *(heading for heading in _BEGIN if heading[0] in "234")):
        shell.run_all(_BEGIN[heading])
    (folder / "encrypted.key").write_bytes(pem.private_key(pem.ec_key(), passphrase=b"open sesame"))
    return Namespace("shop", stage.plane, stage.simulator)


@pytest.mark.parametrize("heading", _BLOCKS)
def test_a_section(shell: Shell, shop: Namespace, heading: str) -> None:
    """The commands of each section work on a live installation, show what it says, and leave the upload Ready."""
    shown = shell.run_all(_BLOCKS[heading], ("openssl pkey -in", "openssl pkey -passin 'pass:open sesame' -in"))

    assert re.search(SAYS.get(heading, ""), shown)
    shop.ready("shop-tls")
    assert len(shop.simulator.requests(name="shop-tls")) == 1


def test_nothing_is_left_over() -> None:
    """A section that gets another name takes along what is to be seen in it."""
    assert sorted(SAYS.keys() - _BLOCKS.keys()) == []


@pytest.mark.parametrize("heading", _QUOTING)
def test_quoted_messages_are_the_programs_own(heading: str) -> None:
    """What the tables quote of a log or of Helm stands so in the code or in the chart."""
    text = (markdown.ROOT / PAGE).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    quoted = [part for line in text.splitlines() if line.startswith("| `") for part in re.findall("`([^`]+)`", line)]
    pieces = {
        piece.strip(" :…") for part in quoted for piece in part.split("…") if len(piece.strip(" :…")) > len("list")
    }
    of_helm = {"additional properties", "not allowed"}

    assert {piece for piece in pieces - of_helm - _OF_THE_READER if piece not in _sources()} == set()


_OF_THE_READER = {
    "kubectl apply --server-side -f crds/",
    "crds.install: true",
    "SCM_OPERATOR_LISTEN",
    "secrets.watch: false",
    "automountServiceAccountToken",
}


def _sources() -> str:
    files = [
        *(markdown.ROOT / "operator" / "scm_operator").rglob("*.py"),
        *(markdown.ROOT / "deploy" / "chart" / "templates").glob("*.tpl"),
    ]
    text = "\n".join(path.read_text() for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", text)  # messages of several lines in one
