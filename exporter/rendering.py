"""Families to bytes, in either syntax: what prometheus_client writes, in a fraction of its time where there are many.

With 500 jails the library takes some 20 ms for a snapshot, and all scrapes wait meanwhile. So gauges, counters and
infos, of which there is one sample a jail, are written here; it has the rest, and tests hold both to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from exporter.families import Definition, Kind
from exporter.health import Histogram
from exporter.snapshot import Snapshot

EOF: Final = b"# EOF\n"
"""The end of a whole body in OpenMetrics."""

_PLAIN: Final = frozenset({Kind.GAUGE, Kind.COUNTER, Kind.INFO})
_WITHOUT_EXPONENT: Final = 1_000_000
"""Go writes numbers from here on with an exponent, and so does the library."""


class Family(Protocol):
    """One metric's comments and samples, at one time."""

    @property
    def names(self) -> frozenset[str]:
        """Its own name and those of its samples: what ``name[]`` may ask for."""
        ...

    def text(self, *, openmetrics: bool) -> bytes:
        """Return its lines."""
        ...


def of_snapshot(definitions: Iterable[Definition], snapshot: Snapshot) -> list[Family]:
    """Return the families that have a sample: comment lines of one without would say nothing."""
    labels: _Labels = {}
    found: list[Family] = []
    for definition in definitions:
        if definition.kind in _PLAIN:
            lines = _lines(definition, snapshot, labels)
            if lines:
                found.append(_Plain(definition, lines))
        else:
            found += of_library([definition.family(snapshot)])
    return found


def of_library(metrics: Iterable[Metric]) -> list[Family]:
    """Return the same of the library's own families."""
    return [_OfLibrary(metric) for metric in metrics if metric.samples]


_Labels = dict[tuple[tuple[str, ...], tuple[str, ...]], str]
"""Labels as they are written, by names and values: most families of a snapshot have the same."""


class _Plain:
    """A gauge, a counter or an info: its samples are the same lines in both syntaxes."""

    def __init__(self, definition: Definition, lines: list[str]) -> None:
        self.names = frozenset({definition.family_name, definition.name})
        self._definition = definition
        self._lines = "".join(lines).encode()

    def text(self, *, openmetrics: bool) -> bytes:
        of = self._definition
        meaning = of.help.replace("\\", r"\\").replace("\n", r"\n")
        if openmetrics:
            name, kind, meaning = of.family_name, of.kind.value, meaning.replace('"', r"\"")
        else:
            name, kind = of.name, "gauge" if of.kind is Kind.INFO else of.kind.value
        return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n".encode() + self._lines


def _lines(definition: Definition, snapshot: Snapshot, labels: _Labels) -> list[str]:
    name, names = definition.name, definition.labels
    lines = []
    for values, value in definition.read(snapshot):
        key = (names, values)
        written = labels.get(key)
        if written is None:
            written = labels[key] = _written(names, values)
        if type(value) is int and 0 <= value < _WITHOUT_EXPONENT:
            lines.append(f"{name}{written} {value}.0\n")
        elif not isinstance(value, Histogram):
            number = floatToGoString(value)  # type: ignore[no-untyped-call]  # the library's
            lines.append(f"{name}{written} {number}\n")
    return lines


def _written(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class _OfLibrary:
    def __init__(self, metric: Metric) -> None:
        self.names = frozenset({metric.name, *(sample.name for sample in metric.samples)})
        self._metric = metric

    def text(self, *, openmetrics: bool) -> bytes:
        registry: Any = self  # one of one family, which is what the library renders
        if openmetrics:
            text: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # the library's
            return text.removesuffix(EOF)
        return generate_latest(registry)

    def collect(self) -> list[Metric]:
        return [self._metric]
