"""The table of ``docs/fleet.md``: what was measured of fleets, and what ten thousand hosts cost by how it grows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.figures import Figure

MEASURED: Final = (100, 300, 1_000)
WANTED: Final = 10_000

GROWING: Final = {
    "series": "series in Prometheus, recorded ones and alerts too",
    "memory": "resident memory of Prometheus, minutes after its start",
    "cpu": "CPU of Prometheus: scrapes and all rules",
    "rules": "of it all our rules, as often as they are evaluated",
    "rules.fail2ban.recording": "one evaluation of the recording rules (every 30 s)",
    "rules.fail2ban.guard": "one of the guard's alerts (every 30 s)",
    "rules.fail2ban.past-and-present": "one of alerts on a jail's past (every 5 minutes)",
    "rules.fail2ban.past": "one of what is recorded of it (every hour)",
    "dashboard": "all queries of the fleet dashboard, one after the other",
}
"""What grows with the fleet."""

CONSTANT: Final = {
    "scrape": "a scrape, median",
    "scrape samples": "series of a host with five jails",
    "scrape size": "size of its scrape",
    "scrape size, gzip": "the same as it is sent",
    "dashboard answer": "largest answer to a query of the fleet dashboard",
    "dashboard series": "most series in one",
}
"""What should not."""


def render(figures: Mapping[str, Figure]) -> str:
    """Return the table."""
    heads = [f"{hosts:,} hosts" for hosts in MEASURED]
    lines = [
        f"| what | {' | '.join(heads)} | grows as hosts to the power of | {WANTED:,} hosts, reckoned |",
        f"| --- {'| --- ' * len(heads)}| --- | --- |",
        *(_line(figures, what, says, grows=True) for what, says in GROWING.items()),
        *(_line(figures, what, says, grows=False) for what, says in CONSTANT.items()),
    ]
    return "\n".join([*lines, ""])


def _line(figures: Mapping[str, Figure], what: str, says: str, *, grows: bool) -> str:
    measured = [figures[f"fleet.{hosts} hosts.{what}"] for hosts in MEASURED]
    unit = measured[-1].unit
    cells = [_shown(one.value, unit) for one in measured]
    if not grows:
        return f"| {says} | {' | '.join(cells)} | | the same |"
    power = f"{figures[f'fleet.{what}.exponent'].value:.2f}"
    return f"| {says} | {' | '.join(cells)} | {power} | {_shown(reckoned(measured), unit)} |"


def reckoned(measured: Sequence[Figure]) -> float:
    """Return what the wanted number of hosts costs: on along the straight line that fits best."""
    slope, start = statistics.linear_regression(MEASURED, [one.value for one in measured])
    return float(f"{start + slope * WANTED:.2g}")


def _shown(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  # no more digits than are worth it
    return f"{number} {unit}".strip()
