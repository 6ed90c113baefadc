"""What a metric is: its definition, and the family of samples that it makes of a snapshot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    UntypedMetricFamily,
)

from exporter.health import Histogram
from exporter.snapshot import Snapshot


class Kind(StrEnum):
    """The types of OpenMetrics; the older text format calls info and stateset a gauge, and unknown untyped."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"
    STATESET = "stateset"
    UNKNOWN = "unknown"


Row: TypeAlias = "tuple[tuple[str, ...], float | Histogram]"
"""Label values in the order of the labels, and the sample."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric."""

    name: str
    """As it appears in samples: with ``_total`` or ``_info``."""
    kind: Kind
    help: str
    read: Callable[[Snapshot], Iterable[Row]]
    labels: tuple[str, ...] = ()

    @property
    def family_name(self) -> str:
        """The name without the suffix that its kind adds."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")
        return self.name.removesuffix(suffix)

    def family(self, snapshot: Snapshot) -> Metric:
        """Return the metric's family with its samples."""
        rows = self.read(snapshot)
        match self.kind:
            case Kind.GAUGE:
                return _filled(GaugeMetricFamily(self.name, self.help, labels=self.labels), rows)
            case Kind.UNKNOWN:
                return _filled(UntypedMetricFamily(self.name, self.help, labels=self.labels), rows)
            case Kind.COUNTER:
                return _filled(CounterMetricFamily(self.family_name, self.help, labels=self.labels), rows)
            case Kind.INFO:
                info = InfoMetricFamily(self.family_name, self.help)
                for values, _ in rows:
                    info.add_metric([], dict(zip(self.labels, values, strict=True)))
                return info
            case Kind.STATESET:
                states = StateSetMetricFamily(self.name, self.help)
                states.add_metric([], {values[0]: bool(value) for values, value in rows})
                return states
            case Kind.HISTOGRAM:
                histogram = HistogramMetricFamily(self.name, self.help)
                for _, value in rows:
                    if isinstance(value, Histogram):
                        buckets = [(_bound(bound), count) for bound, count in value.cumulative()]
                        histogram.add_metric([], buckets=buckets, sum_value=value.total)
                return histogram


def _filled(family: GaugeMetricFamily | CounterMetricFamily | UntypedMetricFamily, rows: Iterable[Row]) -> Metric:
    for values, value in rows:
        if not isinstance(value, Histogram):
            family.add_metric(values, value)
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if math.isinf(seconds) else str(float(seconds))
