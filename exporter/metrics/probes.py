"""The metrics of the probes themselves."""

from __future__ import annotations

from typing import Final

from exporter.families import Definition, Kind
from exporter.metrics.rows import by_key, one

PROBES: Final = (
    Definition(
        "fail2ban_probes_total",
        Kind.COUNTER,
        "Probes, by how they ended.",
        by_key(lambda snapshot: snapshot.health.probes.items()),
        ("result",),
    ),
    Definition(
        "fail2ban_probe_duration_seconds",
        Kind.HISTOGRAM,
        "How long whole probes took, in seconds: connect, every request and every reply.",
        lambda snapshot: [((), snapshot.health.durations)],
    ),
    Definition(
        "fail2ban_probe_last_duration_seconds",
        Kind.GAUGE,
        "How long the latest probe took, in seconds.",
        one(lambda snapshot: None if snapshot.probe is None else snapshot.probe.duration),
    ),
    Definition(
        "fail2ban_probe_last_timestamp_seconds",
        Kind.GAUGE,
        "When the latest probe ended, in seconds since the epoch.",
        one(lambda snapshot: snapshot.health.last_probe),
    ),
    Definition(
        "fail2ban_probe_last_success_timestamp_seconds",
        Kind.GAUGE,
        "When the latest successful probe ended, in seconds since the epoch.",
        one(lambda snapshot: snapshot.health.last_success),
    ),
    Definition(
        "fail2ban_probe_consecutive_failures",
        Kind.GAUGE,
        "Probes that failed since the latest success.",
        one(lambda snapshot: snapshot.health.consecutive_failures),
    ),
    Definition(
        "fail2ban_probe_interval_seconds",
        Kind.GAUGE,
        "The probe interval in force, in seconds.",
        one(lambda snapshot: snapshot.options.interval),
    ),
    Definition(
        "fail2ban_probe_timeout_seconds",
        Kind.GAUGE,
        "The probe timeout in force, in seconds.",
        one(lambda snapshot: snapshot.options.timeout),
    ),
)
"""In the order in which they are served."""
