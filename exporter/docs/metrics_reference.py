"""The reference of the metrics, generated from the code that it describes, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric

from exporter.metrics import DEFINITIONS
from exporter.own import OwnMetrics

_HEAD = """\
# Metrics

All figures are those of the latest probe of fail2ban, which a background thread makes on its own interval. A value
that is not known is no sample: while fail2ban is not online, what is read from its socket or its process is absent.
Counters with a closed set of labels are there at 0 from the start. Types are those of OpenMetrics; in the older text
format, info and stateset are gauges.

## fail2ban and the probes of it

"""

_OWN = """
## The exporter itself

At most a second old, whatever the probe interval.

"""


def metrics() -> str:
    """Return the reference of every metric: name, type, labels, meaning."""
    of_fail2ban = [(one.name, str(one.kind), one.labels, one.help) for one in DEFINITIONS]
    return _HEAD + _table(of_fail2ban) + _OWN + _table(map(_own_row, OwnMetrics().registry.collect()))


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
