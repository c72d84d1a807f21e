"""What the containers of one Pod share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from dev.node.environment import Reader
from dev.node.events import Events
from dev.node.fields import Facts
from dev.node.settings import Settings
from dev.node.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A Pod on this node; ``folder`` is the Pod's own."""

    settings: Settings
    session: aiohttp.ClientSession
    """For probes."""
    facts: Facts
    reader: Reader
    volumes: Volumes
    events: Events
    folder: Path
    changed: Callable[[], None]
    """Called whenever there is something new to report."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the Pod's ServiceAccount."""
        return self.folder / "kubeconfig"

    @property
    def grace(self) -> float:
        """The seconds between SIGTERM and SIGKILL, as the Pod has them."""
        return float(self.facts.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def logs(self, container: str) -> Path:
        """Return the folder with a log of each run of a container."""
        return self.folder / "logs" / container
