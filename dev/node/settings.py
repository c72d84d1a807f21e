"""What the node is told when it starts, and how it gets from the process that wants a node to the node's own."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

_TAG_OR_DIGEST = re.compile(r"(:[\w.-]+)?(@[\w:+.-]+)?$")


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds; the defaults are the kubelet's."""

    kubeconfig: Path
    """Whose identity the node has: the administrator's."""
    folder: Path
    """For the Pods' folders and logs."""
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What stands for an image's entrypoint, by the image's repository or its whole reference."""
    name: str = "local"
    server: str = ""
    """The URL at which Pods reach the API server, if that is not the control plane's own: a proxy's."""
    capacity: Mapping[str, str] = field(default_factory=lambda: {"cpu": "64", "memory": "256Gi", "pods": "250"})
    first_back_off: float = 10.0
    """Before the second restart of a container; it doubles with each further one. The first restart is at once."""
    longest_back_off: float = 300.0
    renewal: float = 0.8
    """The share of its lifetime after which a ServiceAccount's token is replaced."""
    retry: float = 1.0
    """Between two tries of what may come right: a missing ConfigMap, an API server that doesn't answer."""
    stop_grace: float = 5.0
    """Between SIGTERM and SIGKILL when the node itself is stopped."""

    def entrypoint(self, image: str) -> Sequence[str] | None:
        """Return what to run for an image, None for an unknown one."""
        return self.images.get(image) or self.images.get(_TAG_OR_DIGEST.sub("", image))

    def save(self, path: Path) -> Path:
        """Write these settings into a file, and return its path."""
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads(path.read_text())
        return cls(**values | {name: Path(values[name]) for name in ("kubeconfig", "folder")})
