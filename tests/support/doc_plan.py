"""How the commands of the documentation are tried: by which test, and which can't be run where the tests run."""

import dataclasses

from tests.support import markdown

TESTS = {
    "docs/getting-started.md": "test_getting_started.py",
    "docs/operations.md": "test_operations.py",
    "docs/troubleshooting.md": "test_troubleshooting.py",
    "docs/security.md": "test_other_pages.py",
    "docs/guarantees.md": "test_other_pages.py",
    "README.md": "test_other_pages.py",
    "CONTRIBUTING.md": "test_other_pages.py",
    "deploy/chart/README.md": "test_other_pages.py",
}
"""Which module runs all commands of a page; each goes through all sections of its pages that have any."""


@dataclasses.dataclass(frozen=True, slots=True)
class NotHere:
    """A command that isn't run, by how its lines begin; why, and how it is checked instead (test_not_run.py)."""

    command: str
    why: str
    checked_by: str


NOT_HERE = (
    NotHere("make ", "each target has tests of its own, and some take an hour", "make -n knows the target"),
    NotHere("kubectl -n scm-csr-operator logs ", "the node serves no logs", "kubectl knows the options"),
    NotHere("kubectl -n scm-csr-operator port-forward ", "the node forwards no port", "kubectl knows the options"),
    NotHere("cosign ", "needs a published image and Sigstore", "the identity is the release workflow's"),
    NotHere("velero ", "needs Velero and its storage", "the resource is ours; the option is in Velero's reference"),
)


def not_here(block: markdown.Block) -> NotHere | None:
    """Return why a block can't be run, None if it can."""
    return next((each for each in NOT_HERE if block.text.startswith(each.command)), None)


def runnable(page: str) -> dict[str, list[markdown.Block]]:
    """Return the blocks of a page that must be run, by heading; headings without any are left out."""
    sections = markdown.read(page).sections("sh")
    kept = {heading: [each for each in blocks if not not_here(each)] for heading, blocks in sections.items()}
    return {heading: blocks for heading, blocks in kept.items() if blocks}
