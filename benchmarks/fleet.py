"""What a fleet costs one Prometheus: scrapes, series, all our rules, the fleet dashboard, with a week behind them."""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import command, process
from benchmarks.figures import Notebook, exponent
from benchmarks.fleet_table import GROWING, MEASURED
from tests.dashboards import queries
from tests.dashboards.queries import Choice, PanelQuery
from tests.fleet.hosts import name_of
from tests.fleet.program import Fleet
from tests.monitoring import rules
from tests.monitoring.history import Past, write_blocks
from tests.monitoring.prometheus import JOB, Prometheus
from tests.waiting import wait_until

PROMETHEUS: Final = "prometheus-3.5"
INTERVAL: Final = 30
"""Seconds from scrape to scrape, and from evaluation to evaluation."""

_MORE: Final = 3_000
_EVALUATIONS: Final = 3
_HOUR: Final = 3_600.0
_WEEK: Final = 8 * 24 * _HOUR
_WINDOWED: Final = (
    *("fail2ban_up", "fail2ban_jail_bans_total", "fail2ban_jail_failures_total", "fail2ban_server_exits_total"),
    *("fail2ban_server_restarts_total", "fail2ban_probe_duration_seconds_bucket"),
    "fail2ban_exporter_state_file_errors_total",
)
"""What rules look back on for minutes and more."""
_RECORDED_HOURLY: Final = {
    "fail2ban_jail_bans_total": "jail:fail2ban_jail_bans:increase1h",
    "fail2ban_jail_failures_total": "jail:fail2ban_jail_failures:increase1h",
}
_SECONDS: Final = 300.0


def main(notebook: Notebook, *, full: bool) -> None:
    """Measure at each size, and fit."""
    by_size: dict[str, dict[int, float]] = defaultdict(dict)
    for hosts in (*MEASURED, _MORE) if full else MEASURED:
        with tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder, Fleet(hosts) as fleet:
            _measure(notebook, fleet, Path(folder))
        for what in GROWING:
            by_size[what][hosts] = notebook.figures[f"fleet.{hosts} hosts.{what}"].value
    for what, sizes in by_size.items():
        notebook.note(f"fleet.{what}.exponent", "", exponent(sizes))


def _measure(notebook: Notebook, fleet: Fleet, folder: Path) -> None:
    name = f"fleet.{fleet.size} hosts"
    history = _history(fleet, folder)
    loaded, intervals = _rules()
    prometheus = Prometheus(
        PROMETHEUS, folder / "prometheus", loaded, None, history, interval=f"{INTERVAL}s", job=fleet.discovery()
    )
    with prometheus:
        wait_until(lambda: _number(prometheus, "count(up == 1)") == fleet.size, "every host is up", _SECONDS)
        fleet.begin_trouble()
        _scrapes(notebook, name, fleet)
        before, began = process.cpu_seconds(prometheus.pid), time.monotonic()
        seconds = _evaluations(prometheus, set(intervals))
        used = (process.cpu_seconds(prometheus.pid) - before) / (time.monotonic() - began)
        for group, measured in sorted(seconds.items()):
            notebook.note(f"{name}.rules.{group}", "ms", *(1000 * each for each in measured))
        share = sum(statistics.median(measured) / intervals[group] for group, measured in seconds.items())
        notebook.note(f"{name}.rules", "% of a core", 100 * share)
        notebook.note(f"{name}.cpu", "% of a core", 100 * used)
        notebook.note(f"{name}.memory", "MB", process.resident_mb(prometheus.pid))
        notebook.note(f"{name}.series", "", _own(prometheus, "prometheus_tsdb_head_series"))
        durations = [value for _, value in prometheus.query("scrape_duration_seconds and on (instance) up == 1")]
        notebook.note(f"{name}.scrape", "ms", *(1000 * each for each in durations))
        _dashboard(notebook, name, prometheus)


def _scrapes(notebook: Notebook, name: str, fleet: Fleet) -> None:
    healthy = [fleet.scraped(number) for number in range(5)]  # of three to seven jails
    samples = [sum(1 for line in body.splitlines() if not line.startswith(b"#")) for body in healthy]
    notebook.note(f"{name}.scrape samples", "", statistics.mean(samples))
    notebook.note(f"{name}.scrape size", "kB", statistics.mean(len(body) / 1000 for body in healthy))
    packed = statistics.mean(len(gzip.compress(body, 1)) / 1000 for body in healthy)
    notebook.note(f"{name}.scrape size, gzip", "kB", packed)


def _rules() -> tuple[dict[str, Any], Mapping[str, int]]:
    """Our rules, with every group evaluated as often as the usual ones, and how often each really is, in seconds."""
    loaded = rules.ours()
    intervals = {group["name"]: rules.seconds(group.pop("interval", f"{INTERVAL}s")) for group in loaded["groups"]}
    return loaded, intervals


def _evaluations(prometheus: Prometheus, groups: set[str]) -> Mapping[str, list[float]]:
    """Wait for some evaluations of each group; how long each took, in seconds."""
    seen: dict[str, dict[float, float]] = defaultdict(dict)

    def enough() -> bool:
        samples = prometheus.samples()
        for (name, labels), moment in samples.items():
            if name == "prometheus_rule_group_last_evaluation_timestamp_seconds" and moment > 0:
                group = dict(labels)["rule_group"].rpartition(";")[2]
                seen[group][moment] = samples["prometheus_rule_group_last_duration_seconds", labels]
        time.sleep(1)  # each look costs it time
        # the first one came while not all hosts had been scraped
        return set(seen) == groups and all(len(found) > _EVALUATIONS for found in seen.values())

    wait_until(enough, lambda: f"{_EVALUATIONS} evaluations of each group: {dict(seen)}", 2 * _SECONDS)
    return {group: [found[moment] for moment in sorted(found)[1:]] for group, found in seen.items()}


def _dashboard(notebook: Notebook, name: str, prometheus: Prometheus) -> None:
    """Ask what the fleet dashboard asks for one look at the last hour."""
    choice = Choice(rate_interval="2m")
    asked = [one for one in queries.panel_queries(choice) if one.dashboard == "fleet"]
    answers = [_ask(prometheus, one) for one in asked]
    notebook.note(f"{name}.dashboard query", "ms", *(1000 * seconds for seconds, _, _ in answers))
    notebook.note(f"{name}.dashboard", "ms", 1000 * sum(seconds for seconds, _, _ in answers))
    notebook.note(f"{name}.dashboard answer", "kB", max(size for _, size, _ in answers) / 1000)
    notebook.note(f"{name}.dashboard series", "", max(series for _, _, series in answers))


def _ask(prometheus: Prometheus, asked: PanelQuery) -> tuple[float, int, int]:
    """How long a query of a panel took, in seconds, the size of its answer, and how many series are in it."""
    end = time.time()
    span = {"start": f"{end - _HOUR:.0f}", "end": f"{end:.0f}", "step": "36"}
    began = time.perf_counter()
    if asked.instant:
        answer = prometheus.post("/api/v1/query", query=asked.expr)
    else:
        answer = prometheus.post("/api/v1/query_range", query=asked.expr, **span)
    seconds = time.perf_counter() - began
    return seconds, len(json.dumps(answer, separators=(",", ":"))), len(answer["data"]["result"])


def _history(fleet: Fleet, folder: Path) -> Path:
    """Blocks with an hour of what rules look back on, and before it a week of what they record every hour."""
    now = time.time()
    series = [one for number in range(fleet.size) for one in _series(fleet, number, now)]
    hourly = [Past(_RECORDED_HOURLY[one.name], one.labels, _few) for one in series if one.name in _RECORDED_HOURLY]
    hour, week = folder / "hour", folder / "week"
    write_blocks(hour, series, now - _HOUR, now - 1, INTERVAL)
    write_blocks(week, hourly, now - _WEEK, now - 2 * _HOUR, _HOUR)
    for block in week.iterdir():
        shutil.move(block, hour / block.name)
    return hour


def _series(fleet: Fleet, number: int, now: float) -> Iterator[Past]:
    labels = {"job": JOB, "instance": f"{name_of(number)}.example:9191"}
    for family in text_string_to_metric_families(fleet.scraped(number).decode()):
        for sample in family.samples:
            if sample.name in _WINDOWED:
                value = _growing(now) if family.type in ("counter", "histogram") else _one
                yield Past(sample.name, {**sample.labels, **labels}, value)


def _growing(now: float) -> Callable[[float], float]:
    return lambda moment: float(round((moment - now + _WEEK) / 60))


def _one(_moment: float) -> float:
    return 1.0


def _few(moment: float) -> float:
    return float(moment // _HOUR % 7)


def _number(prometheus: Prometheus, expression: str) -> float:
    found = prometheus.query(expression)
    return found[0][1] if found else 0.0


def _own(prometheus: Prometheus, name: str) -> float:
    return next(value for (found, _), value in prometheus.samples().items() if found == name)


if __name__ == "__main__":
    command.run("fleet", __doc__, main)
