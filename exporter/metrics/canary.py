"""The metrics of the canary, of which there is none while it is off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.health import Canary, Histogram
from exporter.snapshot import Snapshot


def _one(read: Callable[[Canary], float | Histogram | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        value = None if snapshot.canary is None else read(snapshot.canary)
        if value is not None:
            yield (), value

    return rows


def _runs(snapshot: Snapshot) -> Iterator[Row]:
    for result, number in snapshot.canary.runs.items() if snapshot.canary else ():
        yield (str(result),), number


CANARY: Final = (
    Definition(
        "fail2ban_canary_up",
        Kind.GAUGE,
        "1 when the canary's latest attacker was banned in time, 0 when it was not, for whatever reason; absent before "
        "the first attack, and while the canary is off, as are all metrics of the canary.",
        _one(lambda canary: canary.is_up),
    ),
    Definition(
        "fail2ban_canary_ban_delay_seconds",
        Kind.HISTOGRAM,
        "How long it took from a failure written to the ban seen, in seconds, where it was banned in time.",
        _one(lambda canary: canary.delays),
    ),
    Definition(
        "fail2ban_canary_last_ban_delay_seconds",
        Kind.GAUGE,
        "How long the latest ban of the canary took, in seconds.",
        _one(lambda canary: canary.last_delay),
    ),
    Definition(
        "fail2ban_canary_runs_total",
        Kind.COUNTER,
        "Attacks of the canary, by how they ended: success (banned in time), timeout (not banned, though fail2ban "
        "answered all the while), jail_missing (its jail does not run), log_file_error (its failures could not be "
        "written), interrupted (fail2ban or the jail ended or did not answer meanwhile: says nothing), "
        "internal_error (the exporter failed at it).",
        _runs,
        ("result",),
    ),
    Definition(
        "fail2ban_canary_last_success_timestamp_seconds",
        Kind.GAUGE,
        "When the canary was last banned in time, in seconds since the epoch.",
        _one(lambda canary: canary.last_success),
    ),
    Definition(
        "fail2ban_canary_interval_seconds",
        Kind.GAUGE,
        "The canary's interval in force, in seconds.",
        _one(lambda canary: canary.interval),
    ),
    Definition(
        "fail2ban_canary_timeout_seconds",
        Kind.GAUGE,
        "The canary's timeout in force, in seconds.",
        _one(lambda canary: canary.timeout),
    ),
)
"""In the order in which they are served."""
