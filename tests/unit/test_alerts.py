"""The alerts and the dashboard ask for what the operator shows, by the table that a cluster test holds it to."""

import json
import re
from typing import Any

import pytest
import yaml

from dev import alerts
from scm_operator.domain.reasons import Reason
from scm_operator.reconcile import census, lanes
from tests.support import metrics_table, promql

SERIES = metrics_table.series()
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(alerts.RULES.read_text())["groups"] for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = [
    case
    for path in sorted(alerts.TESTS.glob("*.yaml"))
    for test in yaml.safe_load(path.read_text())["tests"]
    for case in test["alert_rule_test"]
]
DASHBOARD: dict[str, Any] = json.loads(alerts.DASHBOARD.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
OPERATIONS = alerts.CHECKOUT / "docs" / "operations.md"
EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]
VALUES = {
    "probe": {"livez", "readyz"},
    "queue": {"uploads", "accounts"},
    "lane": {lane.name.lower() for lane in lanes.Lane},
    "reason": {reason.value for reason in Reason} | {census.NEW},
}


def _ids(expressions: list[tuple[str, str]]) -> list[str]:
    return [f"{number}-{name}" for number, (name, _) in enumerate(expressions)]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=_ids(EXPRESSIONS))
def test_query_asks_for_what_is_shown(name: str, expression: str) -> None:
    """Each series exists, has the labels that it is selected by, and the values that it is compared to can occur."""
    found = list(promql.selectors(expression))
    assert found, name
    for selector in found:
        assert selector.name in SERIES or selector.name in PROCESS
        labels = SERIES.get(selector.name, frozenset()) | promql.TARGET
        for label, value in selector.matchers:
            assert label in labels
            assert label not in VALUES or set(promql.alternatives(value)) <= VALUES[label]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=_ids(EXPRESSIONS))
def test_query_groups_by_labels_that_are_there(name: str, expression: str) -> None:
    """Whatever is summed or joined by is a label of one of the series, or Prometheus' own."""
    shown = {label for selector in promql.selectors(expression) for label in SERIES.get(selector.name, ())}
    assert promql.grouped_by(expression) <= shown | promql.TARGET, name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_says_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    """An alert has a severity, a summary, a description, and a page whose heading is its name."""
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    notes = rule["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith((".", ")."))
    url, _, anchor = notes["runbook_url"].partition("#")
    assert url == "https://github.com/certops/scm-csr-operator/blob/main/docs/operations.md"
    assert anchor == rule["alert"].lower()
    assert re.search(rf"^#+ {rule['alert']}$", OPERATIONS.read_text(), re.MULTILINE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_shows_labels_that_it_has(rule: dict[str, Any]) -> None:
    """A label in a text is one that the expression keeps."""
    kept = promql.grouped_by(rule["expr"]) | set(re.findall(r'label_replace\([^"]*"(\w+)"', rule["expr"]))
    assert set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))) <= kept


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_is_seen_to_fire_and_not_to_fire(rule: dict[str, Any]) -> None:
    """For promtool each alert has a case in which it fires, and one in which it doesn't."""
    cases = [case["exp_alerts"] for case in TESTS if case["alertname"] == rule["alert"]]
    assert any(cases)
    assert not all(cases)


def test_every_metric_is_on_the_dashboard() -> None:
    """What is measured can be looked at; only the build has no panel."""
    shown = {selector.name for query in alerts.queries(DASHBOARD) for selector in promql.selectors(query)}
    missing = {name for name, metric in metrics_table.documented().items() if not shown & metric.series.keys()}
    assert missing == {"scm_operator_build_info", "scm_operator_check_passing", "scm_operator_token_age_seconds"} | {
        "scm_operator_account_degraded",
        "scm_operator_account_calls",
    }


def test_dashboard_lets_its_source_be_chosen() -> None:
    """The data source is a variable, and nothing else is asked; namespace and job are chosen of what there is."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "job"]
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    source = {"type": "prometheus", "uid": "${datasource}"}
    asking = [*PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert [each["datasource"] for each in asking] == [source] * len(asking)
    assert [variables[name]["datasource"] for name in ("namespace", "job")] == [source] * 2


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_panel_is_one_that_grafana_has(panel: dict[str, Any]) -> None:
    """A panel of a kind that Grafana 10 brings along, with a title, a word on what it shows, and its queries' names."""
    assert panel["type"] in {"stat", "timeseries", "table"}
    assert panel["description"].endswith(".")
    assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]
    queried = {target["refId"] for target in panel["targets"]}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["options"] in queried
    for target in panel["targets"]:
        used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert used <= promql.grouped_by(target["expr"])
        assert 'namespace="$namespace", job="$job"' in target["expr"]


def test_panels_have_their_places() -> None:
    """Ids are unique, and no panel lies on another or beyond the grid of 24 columns."""
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    taken: dict[tuple[int, int], str] = {}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def test_queries_are_what_grafana_sends() -> None:
    """For promtool each variable of a query is filled in."""
    queries = alerts.queries(DASHBOARD)
    assert len(queries) == sum(len(panel["targets"]) for panel in PANELS)
    assert not any("$" in query for query in queries)
    rules = json.loads(alerts.as_rules(queries))["groups"][0]["rules"]
    assert [rule["expr"] for rule in rules] == queries
