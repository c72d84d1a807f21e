import pathlib
from collections.abc import Iterator

import pytest

from tests.support import doc_shell, installation
from tests.support.doc_shell import Shell
from tests.support.installation import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster that runs Pods, with nothing of the operator in it."""
    with installation.running(tmp_path_factory.mktemp("stage"), first_back_off=0.5) as stage:
        yield stage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder in which the reader works."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def shell(stage: Stage, folder: pathlib.Path) -> Shell:
    """The reader's shell."""
    return doc_shell.shell(stage, folder)
