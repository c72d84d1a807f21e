"""The alerts and the dashboard, tried with Prometheus' own promtool: ``python -m dev.alerts``.

The rules must be valid and pass their unit tests in tests/alerts; each query of the dashboard must be valid.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
RULES = CHECKOUT / "deploy" / "chart" / "files" / "rules.yaml"
DASHBOARD = CHECKOUT / "deploy" / "chart" / "files" / "dashboard.json"
TESTS = CHECKOUT / "tests" / "alerts"

_VARIABLES = {"__rate_interval": "5m", "namespace": "scm-csr-operator", "job": "scm-csr-operator"}
_MISSING = (
    "promtool is not there, so the alerts are not tried. It is in Debian's package prometheus: "
    "apt-get install prometheus"
)


def queries(dashboard: Mapping[str, object]) -> list[str]:
    """Return the queries of a dashboard's panels, as Grafana sends them."""
    return [_filled(target["expr"]) for panel in _list(dashboard, "panels") for target in _list(panel, "targets")]


def as_rules(expressions: list[str]) -> str:
    """Return a file of recording rules, as JSON (which is YAML), that promtool can check in place of the queries."""
    rules = [{"record": f"query_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    return json.dumps({"groups": [{"name": "queries", "rules": rules}]})


def _list(holder: Mapping[str, object], name: str) -> list[dict[str, str]]:
    found = holder.get(name)
    return found if isinstance(found, list) else []


def _filled(expression: str) -> str:
    return re.sub(r"\$(\w+)", lambda match: _VARIABLES[match[1]], expression)


def check(promtool: str) -> int:
    """Run promtool on all of it; return the first exit code that isn't 0."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder, "queries-of-the-dashboard.yaml")
        recorded.write_text(as_rules(queries(json.loads(DASHBOARD.read_text()))))
        commands = (
            ["check", "rules", str(RULES), str(recorded)],
            ["test", "rules", *map(str, sorted(TESTS.glob("*.yaml")))],
        )
        codes = [subprocess.run([promtool, *command], check=False).returncode for command in commands]
    return next(filter(None, codes), 0)


def main() -> int:
    """Check everything; without promtool nothing is checked, and that is a failure."""
    promtool = shutil.which("promtool")
    if promtool is None:
        print(_MISSING, file=sys.stderr)
        return 1
    return check(promtool)


if __name__ == "__main__":
    sys.exit(main())
