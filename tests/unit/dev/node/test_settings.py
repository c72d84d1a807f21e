from pathlib import Path

import pytest

from dev.node.settings import Settings

IMAGES = {"ghcr.io/acme/web": ["web"], "localhost:5000/tool:2": ["tool", "--two"], "localhost:5000/tool": ["tool"]}
SETTINGS = Settings(kubeconfig=Path("config"), folder=Path("folder"), images=IMAGES, renewal=0.5)


@pytest.mark.parametrize(
    ("image", "entrypoint"),
    [
        ("ghcr.io/acme/web", ["web"]),
        ("ghcr.io/acme/web:1.2.3", ["web"]),
        ("ghcr.io/acme/web@sha256:0123abcd", ["web"]),
        ("ghcr.io/acme/web:1.2.3@sha256:0123abcd", ["web"]),
        ("localhost:5000/tool:2", ["tool", "--two"]),
        ("localhost:5000/tool:3", ["tool"]),
        ("ghcr.io/acme/web/other", None),
        ("web", None),
    ],
)
def test_an_image_is_known_by_its_repository_or_its_whole_reference(image: str, entrypoint: list[str] | None) -> None:
    """The whole reference wins; tag and digest don't matter otherwise, and a registry's port is no tag."""
    assert SETTINGS.entrypoint(image) == entrypoint


def test_settings_survive_the_way_through_a_file(tmp_path: Path) -> None:
    """The node's process reads what was chosen for it."""
    assert Settings.load(SETTINGS.save(tmp_path / "settings")) == SETTINGS
