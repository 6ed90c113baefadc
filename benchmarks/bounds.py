"""The bounds that the exporter must keep, and whether the latest run kept them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure must not be below, or above.

    Attributes:
        figure: The figure's name.
        says: What it is, in words.
        limit: In the figure's unit.
        at_least: Whether the figure must reach the limit; else it must not exceed it.
        of: Which of the figure's numbers: ``value`` (the median) or ``high`` (the maximum).
    """

    figure: str
    says: str
    limit: float
    at_least: bool = False
    of: str = "value"

    def measured(self, figures: Mapping[str, Figure]) -> float | None:
        """Return what was measured, if it was."""
        figure = figures.get(self.figure)
        return None if figure is None else float(getattr(figure, self.of))

    def is_kept_by(self, measured: float) -> bool:
        """Tell whether this is within the bound."""
        return measured >= self.limit if self.at_least else measured <= self.limit

    def text(self, unit: str) -> str:
        """Return the bound as the table has it."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{f' {unit}' if unit else ''}"


BOUNDS: Final = (
    Bound("probe.1.1.1.50 jails.25000 bans.time ratio", "probe, reference ÷ ours, 1.1.1", 100, at_least=True),
    Bound("probe.1.0.2.50 jails.25000 bans.time ratio", "the same, 1.0.2", 25, at_least=True),
    Bound("probe.1.1.1.50 jails.25000 bans.cpu ratio", "CPU in fail2ban, reference ÷ ours, 1.1.1", 50, at_least=True),
    Bound("probe.1.0.2.50 jails.25000 bans.cpu ratio", "the same, 1.0.2", 20, at_least=True),
    Bound("probe.1.1.1.50 jails.bans ratio", "probe, 100,000 bans ÷ 0 bans, 1.1.1", 1.3),
    Bound("probe.1.0.2.50 jails.bans ratio", "the same, 1.0.2", 1.3),
    Bound("detection.crash", "crash seen, median", 100),
    Bound("detection.crash", "crash seen, maximum", 500, of="high"),
    Bound("detection.online", "back online seen, median", 1200),
    Bound("scrape.500 jails.4 clients.ours ÷ registry", "scrapes a second, ours ÷ plain registry", 30, at_least=True),
    Bound("scrape.500 jails.4 clients.ours ÷ bare", "scrapes a second, ours ÷ bare server", 0.7, at_least=True),
    Bound("scrape.500 jails.publishing every 1s.p99 ÷ bare", "99th percentile, publishing every second ÷ bare", 5),
    Bound("geoip.100000 bans.cpu of a count", "CPU of a count of 100,000 bans in 200 jails", 2),
    Bound("geoip.100000 bans.series", "series of it", 200 * (3 + 52 + 22)),
    Bound("geoip.probe.on ÷ off", "probe with that, every option on ÷ off", 1.1),
    Bound("standing.memory.after", "resident memory, 50 jails, after all of the load", 55),
    Bound("standing.memory.growth", "growth of it under that load", 1),
    Bound("standing.cpu", "CPU at default settings, 50 jails", 0.1),
    Bound("fleet.1000 hosts.rules", "all rules in Prometheus, 1,000 hosts", 20),
    Bound("fleet.1000 hosts.memory", "resident memory of Prometheus, 1,000 hosts", 1000),
    Bound("fleet.1000 hosts.dashboard query", "slowest query of the fleet dashboard, 1,000 hosts", 3000, of="high"),
    Bound("fleet.1000 hosts.dashboard series", "most series that one of them draws", 100),
    Bound("standing.start", "start to first /metrics", 600),
)


def report(figures: Mapping[str, Figure], benchmark: str = "") -> list[str]:
    """Return a line for each bound on these figures that starts with ``PASS``, ``FAIL`` or ``----`` (not measured)."""
    lines = []
    for bound in BOUNDS:
        if bound.figure.startswith(benchmark):
            measured = bound.measured(figures)
            unit = "" if measured is None else figures[bound.figure].unit
            verdict = "----" if measured is None else "PASS" if bound.is_kept_by(measured) else "FAIL"
            shown = "not measured" if measured is None else f"{measured:g} {unit}".rstrip()
            lines.append(f"{verdict} {bound.says}: {shown} ({bound.text(unit)})")
    return lines
