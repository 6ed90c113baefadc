"""The reference of the metrics, generated from the code that it describes, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric

from exporter.compat import F2B
from exporter.families import Definition
from exporter.metrics import DEFINITIONS
from exporter.own import OwnMetrics

_HEAD = """\
# Metrics

All figures are those of the latest probe of fail2ban, which a background thread makes on its own interval. A value
that is not known is no sample: while fail2ban is not online, what is read from its socket or its process is absent.
Counters with a closed set of labels are there at 0 from the start. Types are those of OpenMetrics; in the older text
format, info and stateset are gauges, and unknown is untyped.

## fail2ban and the probes of it

"""

_OWN = """
## The exporter itself

At most a second old, whatever the probe interval.

"""

_F2B = """
## The names of the older Go exporter

Only with `--metrics.compat=f2b`, beside the others. Names, labels, types and values are those of fail2ban_exporter
(hctrdev/fail2ban-prometheus-exporter); [migration.md](migration.md) says how to move on from them.

"""


def metrics() -> str:
    """Return the reference of every metric: name, type, labels, meaning."""
    own = map(_own_row, OwnMetrics().registry.collect())
    return _HEAD + _table(map(_row, DEFINITIONS)) + _OWN + _table(own) + _F2B + _table(map(_row, F2B))


def _row(definition: Definition) -> tuple[str, str, tuple[str, ...], str]:
    return definition.name, str(definition.kind), definition.labels, definition.help


def _own_row(metric: Metric) -> tuple[str, str, tuple[str, ...], str]:
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    labels = dict.fromkeys(label for sample in metric.samples for label in sample.labels)
    return metric.name + suffix, metric.type, tuple(labels), metric.documentation


def _table(rows: Iterable[tuple[str, str, tuple[str, ...], str]]) -> str:
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for name, kind, labels, meaning in rows:
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"
