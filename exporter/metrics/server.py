"""The metrics of the fail2ban server and its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.metrics.rows import by_key, one
from exporter.model import ProcessUsage, State
from exporter.snapshot import Snapshot


def _of_server_process(read: Callable[[ProcessUsage], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def value(snapshot: Snapshot) -> float | None:
        server = None if snapshot.probe is None else snapshot.probe.server
        return None if server is None or server.usage is None else read(server.usage)

    return one(value)


def _server_info(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.probe is not None and snapshot.probe.server is not None:
        yield (snapshot.probe.server.version,), 1


def _server_start_time(snapshot: Snapshot) -> float | None:
    server = None if snapshot.probe is None else snapshot.probe.server
    return None if server is None else server.start_time


SERVER: Final = (
    Definition(
        "fail2ban_up",
        Kind.GAUGE,
        "1 when the latest probe got a complete answer from fail2ban, else 0. "
        "All figures are those of the latest probe, which a background thread makes on its own interval; "
        "fail2ban_probe_last_timestamp_seconds says when that was.",
        one(lambda snapshot: snapshot.health.state is State.ONLINE),
    ),
    Definition(
        "fail2ban_state",
        Kind.STATESET,
        "What is known of fail2ban: unknown (no probe yet, or none for too long), online, "
        "unresponsive (it runs or accepts, and gave no valid answer in time), offline (nothing listens), "
        "inaccessible (no permission: says nothing about fail2ban).",
        by_key(lambda snapshot: [(state, state is snapshot.health.state) for state in State]),
        ("fail2ban_state",),
    ),
    Definition("fail2ban_server_info", Kind.INFO, "The fail2ban server that answers.", _server_info, ("version",)),
    Definition(
        "fail2ban_server_start_time_seconds",
        Kind.GAUGE,
        "When the fail2ban server's process started, in seconds since the epoch.",
        one(_server_start_time),
    ),
    Definition(
        "fail2ban_server_exits_total",
        Kind.COUNTER,
        "Ends of a fail2ban server process, by how it ended: clean, crash, or unknown where neither can be shown.",
        by_key(lambda snapshot: snapshot.health.exits.items()),
        ("kind",),
    ),
    Definition(
        "fail2ban_server_restarts_total",
        Kind.COUNTER,
        "How often a new fail2ban server process was seen in place of an earlier one.",
        one(lambda snapshot: snapshot.health.restarts),
    ),
    Definition(
        "fail2ban_process_cpu_seconds_total",
        Kind.COUNTER,
        "User and system CPU time that the fail2ban process has spent, in seconds.",
        _of_server_process(lambda usage: usage.cpu_seconds),
    ),
    Definition(
        "fail2ban_process_resident_memory_bytes",
        Kind.GAUGE,
        "Resident memory of the fail2ban process, in bytes.",
        _of_server_process(lambda usage: usage.resident_bytes),
    ),
    Definition(
        "fail2ban_process_virtual_memory_bytes",
        Kind.GAUGE,
        "Virtual memory of the fail2ban process, in bytes.",
        _of_server_process(lambda usage: usage.virtual_bytes),
    ),
    Definition(
        "fail2ban_process_start_time_seconds",
        Kind.GAUGE,
        "When the fail2ban process started, in seconds since the epoch.",
        one(_server_start_time),
    ),
    Definition(
        "fail2ban_process_open_fds",
        Kind.GAUGE,
        "Open file descriptors of the fail2ban process; only its owner with the same rights may count them.",
        _of_server_process(lambda usage: usage.open_fds),
    ),
    Definition(
        "fail2ban_process_max_fds",
        Kind.GAUGE,
        "How many file descriptors the fail2ban process may have open.",
        _of_server_process(lambda usage: usage.max_fds),
    ),
)
"""In the order in which they are served."""
