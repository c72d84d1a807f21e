import configparser
import stat
from pathlib import Path

from dev.image import pip_settings


def test_pips_answer_is_read_as_pip_means_it() -> None:
    """The environment wins over a command's section, that over the global one; other commands don't count."""
    listed = (
        ":env:.index-url='https://env.example/simple'\n"
        "download.timeout='1'\n"
        "global.index-url='https://global.example/simple'\n"
        "global.timeout='60'\n"
        "install.timeout='90'\n"
    )
    assert pip_settings.parse(listed) == {"index-url": "https://env.example/simple", "timeout": "90"}


def test_a_build_is_told_the_index_and_the_authority_and_nothing_of_this_machines_folders(tmp_path: Path) -> None:
    """What pip reads in the container is what is in force here, several values included."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    options = {
        "index-url": "https://me:secret@index.example/simple",
        "extra-index-url": "https://one.example\nhttps://two.example",
        "find-links": "/opt/wheels",
        "cert": str(bundle),
    }
    secrets = pip_settings.write_secrets(tmp_path, options=options, environ={})
    assert secrets[pip_settings.AUTHORITY] == bundle
    written = configparser.RawConfigParser()
    written.read(secrets[pip_settings.CONFIGURATION])
    assert dict(written["global"]) == {
        "index-url": options["index-url"],
        "extra-index-url": options["extra-index-url"],
        "cert": f"/run/secrets/{pip_settings.AUTHORITY}",
    }
    assert stat.S_IMODE(secrets[pip_settings.CONFIGURATION].stat().st_mode) == 0o600


def test_a_machine_without_anything_special_hands_nothing_over(tmp_path: Path) -> None:
    """The build then is the one that everybody has; an authority that isn't there is none."""
    environ = {"SSL_CERT_FILE": str(tmp_path / "missing")}
    assert pip_settings.write_secrets(tmp_path, options={"find-links": "/opt/wheels"}, environ=environ) == {}


def test_an_authority_in_the_environment_is_handed_over(tmp_path: Path) -> None:
    """These are variables that pip itself looks at, and that a container doesn't have."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    secrets = pip_settings.write_secrets(tmp_path, options={}, environ={"REQUESTS_CA_BUNDLE": str(bundle)})
    assert secrets[pip_settings.AUTHORITY] == bundle
    assert f"cert = /run/secrets/{pip_settings.AUTHORITY}" in secrets[pip_settings.CONFIGURATION].read_text()
