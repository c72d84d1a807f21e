"""Settings: flags and variables of the same name, validated, and told apart when wrong."""

import os

import pydantic
import pytest

from scm_operator import settings

FIELDS = sorted(settings.Settings.model_fields)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment of the tests sets."""
    for name in [name for name in os.environ if name.startswith("SCM_OPERATOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return "SCM_OPERATOR_" + name.upper()


def _arguments(name: str, value: str) -> list[str]:
    """Return the flag with its value; a switch has none."""
    switches = {"true": [_flag(name)], "false": ["--no-" + name.replace("_", "-")]}
    return switches.get(value) or [f"{_flag(name)}={value}"]


def _other(name: str) -> str:
    """Return a valid value that isn't the default."""
    return {
        "namespace": "elsewhere",
        "watch_namespaces": "shop,web",
        "cluster_accounts": "false",
        "secrets_watch": "false",
        "lease_name": "uploads",
        "workers": "7",
        "call_timeout": "5",
        "retry_first": "2",
        "retry_slow": "20",
        "retry_longest": "200",
        "shutdown_timeout": "60",
        "lease_duration": "16",
        "renew_deadline": "11",
        "retry_period": "3",
        "settle_time": "31",
        "resync_interval": "0",
        "deletion_deadline": "60",
        "listen": "127.0.0.1:0",
        "stall_timeout": "200",
        "allow_insecure_loopback": "true",
        "log_level": "debug",
        "log_format": "text",
    }[name]


def _complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        settings.load(arguments)
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert "Traceback" not in err
    assert "pydantic" not in err
    assert out == ""
    return err


def test_defaults_are_valid() -> None:
    """Without a flag or a variable everything has a value that works."""
    loaded = settings.load([])
    assert loaded.namespace
    assert (loaded.workers, loaded.log_level, loaded.log_format) == (32, "info", "json")
    assert not loaded.allow_insecure_loopback


@pytest.mark.parametrize("name", FIELDS)
def test_each_setting_has_a_description(name: str) -> None:
    """A setting says what it is for, in a sentence."""
    description = settings.Settings.model_fields[name].description
    assert description
    assert description.endswith((".", ")"))


@pytest.mark.parametrize("name", FIELDS)
def test_each_setting_has_a_variable_and_a_flag(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting is taken from its variable and from its flag alike."""
    default = getattr(settings.load([]), name)
    by_flag = getattr(settings.load(_arguments(name, _other(name))), name)
    monkeypatch.setenv(_variable(name), _other(name))
    by_variable = getattr(settings.load([]), name)
    assert by_flag == by_variable != default


def test_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both are given the flag is taken."""
    monkeypatch.setenv("SCM_OPERATOR_WORKERS", "7")
    assert settings.load(["--workers", "9"]).workers == 9


def test_switch_needs_no_value() -> None:
    """A switch is turned on, and off again, by its bare flag."""
    assert settings.load(["--allow-insecure-loopback"]).allow_insecure_loopback
    assert not settings.load(["--no-allow-insecure-loopback"]).allow_insecure_loopback


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [("", ()), ("shop", ("shop",)), (" shop, web ,", ("shop", "web")), ("shop,web,shop", ("shop", "web"))],
    ids=["none", "one", "two", "twice"],
)
def test_namespaces_are_a_comma_separated_list(text: str, namespaces: tuple[str, ...]) -> None:
    """Names of namespaces are separated by commas, each counts once, and none means all."""
    assert settings.load([f"--watch-namespaces={text}"]).watch_namespaces == namespaces


BAD = [
    ("watch_namespaces", "shop,*"),
    ("watch_namespaces", "Shop"),
    ("workers", "0"),
    ("workers", "257"),
    ("workers", "many"),
    ("call_timeout", "0"),
    ("call_timeout", "30.5"),
    ("call_timeout", "nan"),
    ("retry_first", "-1"),
    ("retry_slow", "0"),
    ("retry_longest", "0"),
    ("shutdown_timeout", "soon"),
    ("lease_duration", "0"),
    ("renew_deadline", "-1"),
    ("retry_period", "0"),
    ("settle_time", "0"),
    ("resync_interval", "-1"),
    ("resync_interval", "inf"),
    ("deletion_deadline", "0"),
    ("listen", "8080"),
    ("listen", ":http"),
    ("listen", "127.0.0.1:65536"),
    ("listen", "127.0.0.1:-1"),
    ("listen", "::1:8080"),
    ("listen", "http://127.0.0.1:8080"),
    ("stall_timeout", "0"),
    ("allow_insecure_loopback", "perhaps"),
    ("log_level", "loud"),
    ("log_format", "xml"),
]


@pytest.mark.parametrize(
    ("name", "value", "by"),
    [(*bad, by) for bad in BAD for by in ("flag", "variable") if (bad[0], by) != ("allow_insecure_loopback", "flag")],
)
def test_bad_value_ends_the_process_and_is_named(
    name: str, value: str, by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that is no good is exit code 2 and one line that names flag, variable and what was found."""
    if by == "variable":
        monkeypatch.setenv(_variable(name), value)
    complaint = _complaint([] if by == "variable" else [f"{_flag(name)}={value}"], capsys)
    (line,) = complaint.splitlines()
    for part in (_flag(name), _variable(name), value):
        assert part in line


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8080", (None, 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9090", ("::1", 9090)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_address_is_host_and_port(text: str, address: tuple[str | None, int]) -> None:
    """An address is a host, in brackets if it is IPv6, or none for all interfaces; and a port, 0 for any."""
    assert settings.load([f"--listen={text}"]).listen_on == address


def test_each_mistake_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Two mistakes are two lines."""
    complaint = _complaint(["--workers=0", "--log-level=loud"], capsys)
    assert ["--workers" in line for line in complaint.splitlines()] == [True, False]


@pytest.mark.parametrize(
    "arguments", [["--unknown=1"], ["stray"], ["--workers"]], ids=["unknown flag", "argument", "no value"]
)
def test_bad_command_line_ends_the_process(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What isn't a setting is exit code 2, and the message says what it was."""
    assert arguments[0].split("=")[0].lstrip("-") in _complaint(arguments, capsys)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--shutdown-timeout=10", "--call-timeout=10"], ["--shutdown-timeout", "SCM_OPERATOR_CALL_TIMEOUT"]),
        (["--retry-longest=1", "--retry-first=2"], ["--retry-longest", "SCM_OPERATOR_RETRY_FIRST"]),
        (["--retry-longest=1", "--retry-first=1"], ["--retry-longest", "SCM_OPERATOR_RETRY_SLOW"]),
        (["--lease-duration=10", "--renew-deadline=10"], ["--lease-duration", "SCM_OPERATOR_RENEW_DEADLINE"]),
        (["--renew-deadline=2", "--retry-period=2"], ["--renew-deadline", "SCM_OPERATOR_RETRY_PERIOD"]),
        (["--settle-time=5"], ["--settle-time", "SCM_OPERATOR_LEASE_DURATION"]),
    ],
    ids=["shutdown", "retry", "slow retry", "lease", "renewal", "settle time"],
)
def test_settings_that_contradict_each_other_are_named(
    arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two values that don't go together are exit code 2, and both are named."""
    complaint = _complaint(arguments, capsys)
    assert all(name in complaint for name in named)


def test_values_on_the_edge_go_together() -> None:
    """A shutdown a little longer than a call, a longest backoff as long as the first, no resync: all are valid."""
    loaded = settings.load(
        [
            "--shutdown-timeout=10.5",
            "--call-timeout=10",
            "--retry-longest=2",
            "--retry-first=2",
            "--retry-slow=2",
            "--settle-time=5.5",
            "--resync-interval=0",
        ]
    )
    assert (loaded.shutdown_timeout, loaded.retry_longest) == (10.5, 2.0)
    assert (loaded.settle_time, loaded.resync_interval) == (5.5, 0.0)


def test_help_mentions_each_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """--help ends the process well, and shows each flag with its description."""
    with pytest.raises(SystemExit) as caught:
        settings.load(["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, field in settings.Settings.model_fields.items():
        assert _flag(name) in text
        assert " ".join(str(field.description).split()) in text
    assert "SCM_OPERATOR_LOG_LEVEL" in text
    assert "KUBECONFIG" in text


def test_settings_do_not_change() -> None:
    """Once read a setting stays as it is."""
    loaded = settings.load([])
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        loaded.workers = 3  # type: ignore[misc]  # that is what is tested


def test_other_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without the prefix is none of ours."""
    before = settings.load([])
    monkeypatch.setenv("WORKERS", "0")
    monkeypatch.setenv("NAMESPACE", "elsewhere")
    assert settings.load([]) == before
