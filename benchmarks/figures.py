"""Figures: measured, printed a line each, and kept in ``results.json``."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

RESULTS: Final = Path(__file__).parent / "results.json"
_GIB: Final = 1024**3
_MEMORY_UNIT_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one run.

    Attributes:
        name: Such as ``scrape.500 jails.4 clients.rate``; what stands before the first dot is the benchmark.
        value: The median, or what was measured once.
        unit: Such as ``ms``.
        low: The smallest of the measurements.
        p95: That which 95 % of them don't exceed.
        high: The largest.
        measurements: How many there were.
    """

    name: str
    value: float
    unit: str
    low: float
    p95: float
    high: float
    measurements: int

    @classmethod
    def of(cls, name: str, unit: str, measured: Sequence[float]) -> Self:
        """Return the figure of one or more measurements."""
        ordered = sorted(measured)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        value, low, p95, high = map(_rounded, (statistics.median(ordered), ordered[0], p95, ordered[-1]))
        return cls(name, value, unit, low, p95, high, len(ordered))

    def line(self) -> str:
        """Return it as it is printed: name, value, unit, and the spread where there is one."""
        spread = f"  ({self.low:g} to {self.high:g}, 95 % up to {self.p95:g}, n={self.measurements})"
        return f"{self.name} {self.value:g} {self.unit}{spread if self.measurements > 1 else ''}"


def _rounded(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


class Notebook:
    """Prints figures as they come, and keeps those of one benchmark."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}

    def note(self, name: str, unit: str, *measured: float) -> Figure:
        """Take down a figure of one or more measurements."""
        figure = self.figures[name] = Figure.of(name, unit, measured)
        print(figure.line(), flush=True)
        return figure

    def progress(self, text: str) -> None:
        """Print where it is, as a comment among the figures."""
        print(f"# {text}", flush=True)

    def save(self, benchmark: str, path: Path = RESULTS) -> None:
        """Put the figures in the place of the benchmark's former ones."""
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"figures": {}}
        kept = {name: one for name, one in document["figures"].items() if not name.startswith(f"{benchmark}.")}
        figures = {**kept, **{name: _without_name(figure) for name, figure in self.figures.items()}}
        text = json.dumps({"machine": machine(), "figures": dict(sorted(figures.items()))}, indent=1)
        path.write_text(f"{text}\n", encoding="utf-8")


def _without_name(figure: Figure) -> dict[str, Any]:
    return {key: value for key, value in asdict(figure).items() if key != "name"}


def load(path: Path = RESULTS) -> tuple[dict[str, int], dict[str, Figure]]:
    """Return the machine and the figures of the latest run."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["machine"], {name: Figure(name=name, **rest) for name, rest in document["figures"].items()}


def exponent(by_size: Mapping[int, float]) -> float:
    """Return the exponent of the growth, by least squares of the logarithms: 0 is constant, 1 linear."""
    points = [(math.log(size), math.log(value)) for size, value in by_size.items() if size > 0 and value > 0]
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points))


def machine() -> dict[str, int]:
    """Return what of the machine is told: how many cores, and GiB of memory."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:"))
    return {"cores": len(os.sched_getaffinity(0)), "memory_gib": round(kib * _MEMORY_UNIT_KIB / _GIB)}
