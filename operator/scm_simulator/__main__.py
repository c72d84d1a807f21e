"""The command `scm-simulator`: flags, start, and an orderly end at SIGTERM or SIGINT."""

import argparse
import asyncio
import ipaddress
import pathlib
import re
import signal
import sys
from collections.abc import Sequence
from typing import Final

from scm_simulator import app, settings

_LARGEST_PORT: Final = 65_535
_DEFAULTS: Final = settings.Settings()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to end; return the exit status (2 for flags that don't fit)."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    try:
        host, port = _address(flags.listen)
        config = _settings(flags)
    except settings.SettingsError as error:
        parser.error(str(error))
    try:
        asyncio.run(_run(app.Simulator(config), host=host, port=port))
    except OSError as error:
        sys.stderr.write(f"scm-simulator: can't listen on {flags.listen}: {error.strerror or error}\n")
        return 1
    return 0


async def _run(simulator: app.Simulator, *, host: str, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with simulator.serve(host=host, port=port) as url:
        # A parent process reads the port from this line, so it must not stay in a buffer.
        print(f"scm-simulator listening on {url}", flush=True)
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scm-simulator",
        description="Simulates the SSL Certificate Manager (SCM) and its identity service (IAM) on one loopback port.",
        epilog="Look at GET /_simulator/ in a browser; requests, csrs and faults are below that path.",
    )
    flag = parser.add_argument
    flag(
        "--listen",
        metavar="HOST:PORT",
        default="127.0.0.1:0",
        help="loopback address to listen on; port 0 picks a free one, which is printed (default: %(default)s)",
    )
    flag("--domain", default=_DEFAULTS.domain, help="the account's domain (default: %(default)s)")
    flag("--user", default=_DEFAULTS.user, help="the user who may ask for tokens (default: %(default)s)")
    flag(
        "--password-file",
        metavar="FILE",
        type=pathlib.Path,
        help="file with the user's password; without it nobody can ask for a token",
    )
    flag(
        "--project",
        metavar="NAME",
        action="append",
        help=f"project of the domain; may be given several times (default: {_DEFAULTS.projects[0]})",
    )
    flag(
        "--token-ttl",
        metavar="SECONDS",
        type=float,
        default=_DEFAULTS.token_ttl,
        help="how long an issued token is valid (default: %(default)g)",
    )
    flag(
        "--token-length",
        metavar="N",
        type=int,
        default=_DEFAULTS.token_length,
        help=f"characters of an issued token, {settings.SHORTEST_TOKEN} to {settings.LONGEST_TOKEN}"
        " (default: %(default)s)",
    )
    flag(
        "--static-token-file",
        metavar="FILE",
        type=pathlib.Path,
        help="file with a token that is valid for ever, for the first project",
    )
    flag(
        "--offset",
        choices=("rows", "pages", "ignored"),
        default=_DEFAULTS.offset,
        help="what the list's offset counts; the real one is known to be broken, but not how (default: %(default)s)",
    )
    return parser


def _settings(flags: argparse.Namespace) -> settings.Settings:
    if flags.password_file is None and flags.static_token_file is None:
        raise settings.SettingsError("--password-file or --static-token-file is needed, else no request gets in")
    return settings.Settings(
        domain=flags.domain,
        user=flags.user,
        password=_secret(flags.password_file, flag="--password-file"),
        projects=tuple(flags.project or _DEFAULTS.projects),
        token_ttl=flags.token_ttl,
        token_length=flags.token_length,
        static_token=_secret(flags.static_token_file, flag="--static-token-file"),
        offset=flags.offset,
    )


def _secret(file: pathlib.Path | None, *, flag: str) -> str | None:
    """Read a file's text without the line break at its end."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise settings.SettingsError(f"{flag} {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise settings.SettingsError(f"{flag} {file}: not UTF-8 text") from error


def _address(listen: str) -> tuple[str, int]:
    """Read HOST:PORT. Only loopback will do: private keys that are uploaded lie in clear in this process' memory.

    Raises:
        SettingsError: it is no address, or one that other machines can reach.

    """
    found = re.fullmatch(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:]+)):(?P<port>[0-9]{1,5})", listen)
    if found is None or int(found["port"]) > _LARGEST_PORT:
        raise settings.SettingsError(f"--listen must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:0, not {listen}")
    host = "127.0.0.1" if found["host"] == "localhost" else found["v6"] or found["host"]
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise settings.SettingsError(
            f"--listen must be a loopback address, not {host}: uploaded private keys lie in clear in memory"
        )
    return host, int(found["port"])


if __name__ == "__main__":
    sys.exit(main())
