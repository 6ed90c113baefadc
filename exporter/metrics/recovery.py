"""The metrics of activations, and of outages that are blamed on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.health import Remembered
from exporter.metrics.rows import JAIL, by_key, one
from exporter.snapshot import Snapshot


def _by_remembered(read: Callable[[Remembered], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for jail, kept in snapshot.health.recovery.remembered.items():
            value = read(kept)
            if value is not None:
                yield (jail,), value

    return rows


def _failures(snapshot: Snapshot) -> Iterator[Row]:
    # A series born at 1 never shows in increase(): they begin before anybody is blamed.
    recovery = snapshot.health.recovery
    for jail, kept in recovery.remembered.items():
        yield (jail,), kept.failures
    for jail in sorted(recovery.known_jails() - recovery.remembered.keys()):
        yield (jail,), 0


RECOVERY: Final = (
    Definition(
        "fail2ban_pending_recovery",
        Kind.GAUGE,
        "1 while fail2ban is down and this jail's activation is blamed for it; 0 again once it is online.",
        _by_remembered(lambda kept: kept.pending),
        JAIL,
    ),
    Definition(
        "fail2ban_pending_recovery_detected_timestamp_seconds",
        Kind.GAUGE,
        "When an outage was last blamed on this jail's activation, in seconds since the epoch; stays after recovery.",
        _by_remembered(lambda kept: kept.detected),
        JAIL,
    ),
    Definition(
        "fail2ban_pending_recoveries",
        Kind.GAUGE,
        "Jails whose activation is blamed for the outage under way.",
        one(lambda snapshot: len(snapshot.health.recovery.pending())),
    ),
    Definition(
        "fail2ban_jail_activation_timestamp_seconds",
        Kind.GAUGE,
        "When the jail was last activated, as far as is known, in seconds since the epoch.",
        _by_remembered(lambda kept: kept.activated),
        JAIL,
    ),
    Definition(
        "fail2ban_activations_total",
        Kind.COUNTER,
        "Activations of jails, each counted once, by who told first: observed (it began to run), "
        "configured (the configuration began to enable it), reported (a tool said so).",
        by_key(lambda snapshot: snapshot.health.recovery.told.items()),
        ("source",),
    ),
    Definition(
        "fail2ban_activation_failures_total",
        Kind.COUNTER,
        "Outages blamed on this jail's activation: crash, start refused, hang; 0 from when the jail is first known.",
        _failures,
        JAIL,
    ),
    Definition(
        "fail2ban_recoveries_total",
        Kind.COUNTER,
        "Blamed outages that ended with fail2ban online.",
        one(lambda snapshot: snapshot.health.recovery.recoveries),
    ),
)
"""In the order in which they are served."""
