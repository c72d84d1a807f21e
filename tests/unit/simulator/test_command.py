import asyncio
import contextlib
import pathlib
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from scm_simulator import __main__ as command
from scm_simulator import app, iam, settings, store
from tests.unit.simulator import harness


@pytest.fixture
def password_file(tmp_path: pathlib.Path) -> str:
    """Return a file with a password and a line break."""
    file = tmp_path / "password"
    file.write_text(f"{harness.PASSWORD}\n", encoding="utf-8")
    return str(file)


def complaint(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """Return the last line that wrong flags give."""
    with pytest.raises(SystemExit) as ended:
        command.main(flags)
    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (2, "")
    return output.err.splitlines()[-1]


@contextlib.asynccontextmanager
async def running_process(*flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, harness.Client]]:
    """Start the command and talk to the address that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scm_simulator", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"scm-simulator listening on (http://127\.0\.0\.1:[0-9]+)\n", line)
        assert found
        async with aiohttp.ClientSession(found[1]) as session:
            clock, sleep = harness.FakeClock(), harness.FakeSleep()
            yield process, harness.Client(session, url=found[1], clock=clock, sleep=sleep)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_process_from_start_to_end(password_file: str) -> None:
    """It prints its address, issues tokens for the password in the file, and SIGTERM ends it with 0.

    It ends although a request is held, and says nothing of it.
    """
    async with running_process("--password-file", password_file, "--user", "uploader") as (process, client):
        await client.log_in()
        await client.faults({"hold": True})
        uploading = asyncio.create_task(client.upload())
        await client.until_held()
        process.send_signal(signal.SIGTERM)
        assert (await process.communicate(), process.returncode) == ((b"", b""), 0)
        with pytest.raises(aiohttp.ClientConnectionError):
            await uploading


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "example.com:80"],
)
def test_only_loopback_is_listened_on(capsys: pytest.CaptureFixture[str], password_file: str, address: str) -> None:
    """An address that other machines can reach is refused, and the message says why."""
    message = complaint(capsys, "--listen", address, "--password-file", password_file)
    assert message.endswith("uploaded private keys lie in clear in memory")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.1.2.3:8080", ("127.1.2.3", 8080)),
        ("localhost:80", ("127.0.0.1", 80)),
        ("[::1]:443", ("::1", 443)),
    ],
)
def test_loopback_addresses(address: str, expected: tuple[str, int]) -> None:
    """Any loopback address will do, of either IP version."""
    assert command._address(address) == expected  # noqa: SLF001 - listening on each would need the machine's IPv6


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "127.0.0.1:http"])
def test_malformed_addresses_are_refused(capsys: pytest.CaptureFixture[str], password_file: str, address: str) -> None:
    """What isn't HOST:PORT is refused with an example."""
    message = complaint(capsys, "--listen", address, "--password-file", password_file)
    assert f"--listen must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:0, not {address}" in message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--token-length", "31"], "the token length must be 32 to 2097152 characters, not 31"),
        (["--token-length", "2097153"], "the token length must be 32 to 2097152 characters, not 2097153"),
        (["--token-ttl", "0"], "the token's time to live must be more than 0 and at most 315360000 seconds, not 0"),
        (["--token-ttl", "nan"], "the token's time to live must be more than 0 and at most 315360000 seconds, not nan"),
        (["--token-ttl", "x"], "argument --token-ttl: invalid float value: 'x'"),
        (["--project", ""], "domain, user and project must not be empty"),
        (["--password-file", "/nonexistent"], "--password-file /nonexistent: No such file or directory"),
        (["--static-token-file", "/"], "--static-token-file /: Is a directory"),
    ],
)
def test_wrong_flags_are_explained(
    capsys: pytest.CaptureFixture[str], password_file: str, flags: list[str], message: str
) -> None:
    """A flag that can't be used ends the start with 2 and one line that says what is wrong."""
    assert complaint(capsys, "--password-file", password_file, *flags) == f"scm-simulator: error: {message}"


def test_some_credential_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without password and static token no request could ever get in."""
    assert "--password-file or --static-token-file is needed" in complaint(capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the password must not be empty"),
        (b"\xff", "--password-file {file}: not UTF-8 text"),
    ],
)
def test_unusable_password_file(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, content: bytes, message: str
) -> None:
    """A password file without a password in it is refused."""
    file = tmp_path / "empty"
    file.write_bytes(content)
    assert complaint(capsys, "--password-file", str(file)).endswith(message.format(file=file))


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("t" * 31, "the static token must have 32 to 2097152 characters, it has 31"),
        ("t" * 2_097_153, "the static token must have 32 to 2097152 characters, it has 2097153"),
        ("t" * 40 + " t", "the static token must be of visible ASCII characters, without spaces"),
    ],
    ids=["short", "long", "space"],
)
def test_unusable_static_token(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, token: str, message: str
) -> None:
    """A static token that no header could carry is refused, and not shown."""
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")
    shown = complaint(capsys, "--static-token-file", str(file))
    assert (shown, token in shown) == (f"scm-simulator: error: {message}", False)


def test_port_in_use_is_explained(capsys: pytest.CaptureFixture[str], password_file: str) -> None:
    """A port that is taken ends the start with 1 and one line, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert command.main(["--listen", address, "--password-file", password_file]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"scm-simulator: can't listen on {address}: ")
    assert error.count("\n") == 1


def test_help_documents_each_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """--help explains every flag."""
    with pytest.raises(SystemExit):
        command.main(["--help"])
    options = command._parser()._actions  # noqa: SLF001 - there is no public list of a parser's flags
    assert all(option.help for option in options)
    assert "--token-length N" in capsys.readouterr().out


def test_representations_show_no_secrets() -> None:
    """Settings, changes of accounts and entries can be printed without showing password, token or key."""
    change = iam.Change(password=harness.PASSWORD, static_token=harness.STATIC_TOKEN)
    account = iam.Account("acme", "bob", ("p",), password=harness.PASSWORD, static_token=b"digest")
    shown = f"{harness.SETTINGS!r} {change!r} {account!r}"
    assert [secret for secret in (harness.PASSWORD, harness.STATIC_TOKEN, "digest") if secret in shown] == []


async def test_the_listening_socket_is_closed_at_the_end() -> None:
    """After serving, nothing listens there any more."""
    async with app.Simulator(settings.Settings()).serve() as url:
        port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_simulator_knows_nothing_of_the_operator() -> None:
    """No module of the simulator mentions the operator's package, but to forbid it."""
    room = pathlib.Path(store.__file__).parent
    modules = [module for module in room.glob("*.py") if module.name != "__init__.py"]
    assert [module.name for module in modules if "scm_operator" in module.read_text(encoding="utf-8")] == []
