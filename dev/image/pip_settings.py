"""How pip reaches its packages on this machine, handed to a build as secrets: they stay out of every layer.

A machine may have a package index, a proxy or a certificate authority of its own, in pip's configuration or in its
environment. In a container, pip sees none of that: https://pip.pypa.io/en/stable/topics/configuration/.
"""

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CONFIGURATION, AUTHORITY = "pip-conf", "pip-cert"
"""The ids of the secrets, as the Dockerfile mounts them: a pip.conf, and a bundle of certificates in PEM."""

_HANDED_OVER = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
_SECTIONS = ("global", "install", ":env:")  # the later one wins, as in pip
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # what pip looks at where it has no `cert`


def parse(listed: str) -> dict[str, str]:
    """Read the answer of ``pip config list``: what is in force, by option, whichever file or variable it is from."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in _SECTIONS for option, value in found[section].items()}


def in_force(*, environ: Mapping[str, str]) -> dict[str, str]:
    """Ask the pip of this virtual environment what it is configured to."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=True)
    return parse(done.stdout)


def write_secrets(folder: Path, *, options: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Path]:
    """Write what a build needs of these options into the folder; return the files by the id of their secret.

    Options that name something else on this machine (``find-links``, ``cache-dir``, ``user``) are left out.
    """
    settings = {option: options[option] for option in _HANDED_OVER if option in options}
    bundle = _bundle(options, environ=environ)
    if bundle:
        settings["cert"] = f"/run/secrets/{AUTHORITY}"
    if not settings:
        return {}
    configuration = folder / "pip.conf"
    configuration.touch(mode=0o600)  # an index's address may hold a password
    lines = (f"{option} = {_one_value(value)}" for option, value in settings.items())
    configuration.write_text("\n".join(("[global]", *lines, "")))
    return {CONFIGURATION: configuration} | ({AUTHORITY: bundle} if bundle else {})


def _bundle(options: Mapping[str, str], *, environ: Mapping[str, str]) -> Path | None:
    named = [options.get("cert"), *(environ.get(name) for name in _BUNDLES)]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def _one_value(value: str) -> str:
    """Indent the further lines of a value, which makes them part of it."""
    return "\n    ".join(value.split("\n"))
