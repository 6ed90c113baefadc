"""Queries put to Prometheus's own engine (promtool), over series as scrapes of the exporter give them."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import Snapshot
from tests.dashboards.queries import Choice
from tests.programs import promtool

JOB: Final = "fail2ban"
CHOICE: Final = Choice(rate_interval="4m", range="5m")
_MINUTES: Final = 6
_SECONDS: Final = 120

Series = dict[str, str]
"""The values minute by minute, as promtool writes them, by the series."""


class Expected(NamedTuple):
    """What a query should return five minutes after the first scrape.

    Attributes:
        expr: The query.
        values: Each value by its labels, both as PromQL writes them.
    """

    expr: str
    values: Mapping[str, float]


def scraped(shown: Snapshot, *instances: str, metrics: Collection[str]) -> Series:
    """Scrapes of exporters that show the same all the time, but for counters, which grow by one a minute.

    Args:
        shown: What each of them shows.
        instances: The exporters.
        metrics: The names to keep, as they stand in samples.
    """
    text = Exposition(lambda: shown, OwnMetrics().registry, lambda: 0.0).render(Format.TEXT_0_0_4).decode()
    series: Series = {}
    for instance in instances:
        series |= target(instance)
    for family in text_string_to_metric_families(text):
        step = 1 if family.type in {"counter", "histogram"} else 0
        for sample in family.samples:
            if sample.name in metrics:
                values = _values(sample.value, step)
                for instance in instances:
                    series[_written(sample.name, sample.labels | {"job": JOB, "instance": instance})] = values
    return series


def target(instance: str) -> Series:
    """What Prometheus adds to each scrape that succeeds."""
    return {_written("up", {"job": JOB, "instance": instance}): _values(1, 0)}


def gone(instance: str) -> Series:
    """An exporter that was scraped at first and then no longer."""
    labels = {"job": JOB, "instance": instance}
    later = " ".join(["0"] * (_MINUTES - 2))
    return {
        _written("up", labels): f"1 1 {later}",
        _written("fail2ban_up", labels): "1 1 stale",
        _written("fail2ban_state", labels | {"fail2ban_state": "online"}): "1 1 stale",
    }


def disagreements(series: Series, expected: Iterable[Expected], folder: Path) -> str:
    """What promtool prints where a query returns anything else than expected; nothing if all is as expected."""
    tests = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": one.expr,
                "eval_time": f"{_MINUTES - 1}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in one.values.items()],
            }
            for one in expected
        ],
    }
    test_file = folder / "queries.json"
    test_file.write_text(json.dumps({"evaluation_interval": "1m", "tests": [tests]}), encoding="utf-8")
    run = subprocess.run(
        [promtool(), "test", "rules", test_file], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert (run.returncode == 0) is ("SUCCESS" in run.stdout)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def _written(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels.items())
    return f"{name}{{{inside}}}"


def _values(first: float, step: int) -> str:
    return " ".join(f"{first + step * minute:+.17g}".replace("inf", "Inf") for minute in range(_MINUTES))
