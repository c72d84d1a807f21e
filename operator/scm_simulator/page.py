"""The page for people: what was uploaded, by whom, when; the last requests; the faults in force.

It stands alone: no script, nothing fetched from elsewhere; the browser loads it anew every few seconds.
"""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from scm_simulator import requests_log, store

REQUESTS_SHOWN: Final = 50
ENTRIES_SHOWN: Final = 500
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's Content-Security-Policy: even if something unescaped got in, it could do nothing."""

_REFRESH_SECONDS: Final = 5
_STYLE: Final = """\
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6575; --line: #dde2ea; --card: #fff; --ground: #f3f5f8;
  --good: #17703c; --bad: #b3261e; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --soft: #9aa5b5; --line: #303846; --card: #1b212b;
  --ground: #12161d; --good: #6fcf97; --bad: #ff8a80; --warn: #f2c46d; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--ground); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2rem 0 .6rem; font-size: 1.05rem; }
h2 span, header p, .empty { color: var(--soft); font-weight: normal; }
header p { margin: .2rem 0 0; }
section > div { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .45rem .8rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
th { border-top: 0; color: var(--soft); font-size: .8rem; font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.wide { min-width: 12rem; white-space: normal; overflow-wrap: anywhere; }
td.code { font-family: ui-monospace, monospace; font-size: .85rem; }
td.good { color: var(--good); } td.bad { color: var(--bad); } td.warn { color: var(--warn); }
.empty { margin: 0; padding: .8rem; }
"""


def render(
    *,
    now: float,
    entries: Sequence[tuple[store.Tenant, store.Entry]],
    records: Sequence[requests_log.Record],
    faults: Mapping[str, object],
) -> str:
    """Return the page as HTML; `now` is in seconds since the epoch, requests come newest first."""
    rules = cast("Sequence[Mapping[str, object]]", faults["rules"])
    newest = sorted(entries, key=lambda found: found[1].create_time, reverse=True)[:ENTRIES_SHOWN]
    shown = "" if len(entries) == len(newest) else f", the newest {ENTRIES_SHOWN} shown"
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{_REFRESH_SECONDS}">
<title>SCM simulator</title>
<style>
{_STYLE}</style>
</head>
<body>
<header>
<h1>SCM simulator</h1>
<p>As of {_time(now)}, loaded anew every {_REFRESH_SECONDS} seconds. Times are UTC.</p>
</header>
{_section("Uploaded CSRs", note=f"{len(entries)}{shown}", head=_ENTRY_HEAD, rows=map(_entry, newest))}
{_section("Faults in force", note=str(len(rules)), head=_FAULT_HEAD, rows=map(_fault, rules))}
{_section("Requests", note=f"the last {REQUESTS_SHOWN}, newest first", head=_RECORD_HEAD, rows=map(_record, records))}
</body>
</html>
"""


_ENTRY_HEAD: Final = ("Name", "Common name", "Algorithm", "Key", "By", "Tenant", "Created", "Id")
_FAULT_HEAD: Final = ("Rule", "Matches", "Does", "Calls", "Fired", "Held")
_RECORD_HEAD: Final = ("n", "Time", "Method", "Path", "Who", "Status", "Fault", "CSR name")


def _section(title: str, *, note: str, head: Iterable[str], rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    columns = "".join(f"<th>{name}</th>" for name in head)
    table = f"<table><thead><tr>{columns}</tr></thead><tbody>\n{body}\n</tbody></table>"
    content = table if body else '<p class="empty">None so far.</p>'
    return f"<section><h2>{title} <span>({note})</span></h2><div>{content}</div></section>"


def _entry(found: tuple[store.Tenant, store.Entry]) -> str:
    tenant, entry = found
    return _row(
        _cell(entry.name, kind="wide"),
        _cell(entry.csr.common_name, kind="wide"),
        _cell(entry.csr.algorithm),
        _cell("no" if entry.private_key is None else "yes"),
        _cell(entry.uploaded_by),
        _cell(f"{tenant.domain} / {tenant.project}"),
        _cell(_time(entry.create_time / 1000)),
        _cell(entry.id, kind="code"),
    )


def _fault(rule: Mapping[str, object]) -> str:
    action = {key: rule[key] for key in ("do", "hold") if key in rule}
    return _row(
        _cell(rule["name"], kind="wide"),
        _cell(_json(rule.get("match", {})), kind="wide code"),
        _cell(_json(action.get("do", action) if "hold" not in action else action), kind="wide code"),
        _cell(rule["calls"]),
        _cell(rule["fired"]),
        _cell(rule["held"]),
    )


def _record(record: requests_log.Record) -> str:
    name = record.body.get("name", "") if isinstance(record.body, dict) else ""
    target = f"{record.path}?{record.query}" if record.query else record.path
    return _row(
        _cell(record.n),
        _cell(_time(record.time)),
        _cell(record.method),
        _cell(target, kind="wide code"),
        _cell(record.who or ""),
        _cell(record.status or "under way", kind=_colour(record.status)),
        _cell(", ".join(record.faults), kind="wide"),
        _cell(name, kind="wide"),
    )


def _colour(status: int | str | None) -> str:
    match status:
        case None:
            return "warn"
        case int() if status < 400:
            return "good"
        case _:
            return "bad"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: object, *, kind: str = "") -> str:
    """Return a table cell; everything shown goes through here, and so is escaped."""
    marked = f' class="{kind}"' if kind else ""
    return f"<td{marked}>{html.escape(str(value))}</td>"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _time(seconds: float) -> str:
    return requests_log.rfc3339(seconds).replace("T", " ").removesuffix("Z")
