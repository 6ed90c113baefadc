"""The metrics: one table of what each is called, what it means, and how it is read from a snapshot.

The exposition and the generated reference both come from this table. A value that is not known is no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter.canary_metrics import CANARY
from exporter.families import Definition, Kind, Row
from exporter.health import Remembered
from exporter.model import Enforcement, Jail, JailSettings, ProcessUsage, State
from exporter.snapshot import Snapshot


def _one(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    """Make a reader of one sample without labels, or of none where the value is not known."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        value = read(snapshot)
        if value is not None:
            yield (), value

    return rows


def _of_server_process(read: Callable[[ProcessUsage], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def value(snapshot: Snapshot) -> float | None:
        server = None if snapshot.probe is None else snapshot.probe.server
        return None if server is None or server.usage is None else read(server.usage)

    return _one(value)


def _by_jail(read: Callable[[Jail], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for jail in snapshot.probe.jails if snapshot.probe else ():
            value = read(jail)
            if value is not None:
                yield (jail.name,), value

    return rows


def _by_jail_setting(read: Callable[[JailSettings], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    return _by_jail(lambda jail: None if jail.settings is None else read(jail.settings))


def _by_remembered(read: Callable[[Remembered], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for jail, kept in snapshot.health.recovery.remembered.items():
            value = read(kept)
            if value is not None:
                yield (jail,), value

    return rows


def _by_key(read: Callable[[Snapshot], Iterable[tuple[str, float]]]) -> Callable[[Snapshot], Iterator[Row]]:
    return lambda snapshot: (((str(key),), value) for key, value in read(snapshot))


def _server_info(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.probe is not None and snapshot.probe.server is not None:
        yield (snapshot.probe.server.version,), 1


def _server_start_time(snapshot: Snapshot) -> float | None:
    server = None if snapshot.probe is None else snapshot.probe.server
    return None if server is None else server.start_time


def _jail_info(snapshot: Snapshot) -> Iterator[Row]:
    for jail in snapshot.probe.jails if snapshot.probe else ():
        if jail.backend is not None:
            yield (jail.name, jail.backend), 1


def _by_enforcement(read: Callable[[Enforcement], float]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        running = {jail.name for jail in snapshot.probe.jails} if snapshot.probe else set()
        for jail in snapshot.firewall.jails if snapshot.firewall else ():
            if jail.jail in running:
                yield (jail.jail,), read(jail)

    return rows


def _firewall_check_success(snapshot: Snapshot) -> float | None:
    return None if snapshot.firewall is None else snapshot.firewall.fault is None


def _jail_up(snapshot: Snapshot) -> Iterator[Row]:
    for jail in snapshot.probe.jails if snapshot.probe else ():
        yield (jail.name,), 1
    for name in snapshot.missing_jails():
        yield (name,), 0


_COUNTER, _GAUGE, _INFO = Kind.COUNTER, Kind.GAUGE, Kind.INFO
_JAIL: Final = ("jail",)

DEFINITIONS: Final = (
    Definition(
        "fail2ban_up",
        _GAUGE,
        "1 when the latest probe got a complete answer from fail2ban, else 0. "
        "All figures are those of the latest probe, which a background thread makes on its own interval; "
        "fail2ban_probe_last_timestamp_seconds says when that was.",
        _one(lambda snapshot: snapshot.health.state is State.ONLINE),
    ),
    Definition(
        "fail2ban_state",
        Kind.STATESET,
        "What is known of fail2ban: unknown (no probe yet, or none for too long), online, "
        "unresponsive (it runs or accepts, and gave no valid answer in time), offline (nothing listens), "
        "inaccessible (no permission: says nothing about fail2ban).",
        _by_key(lambda snapshot: [(state, state is snapshot.health.state) for state in State]),
        ("fail2ban_state",),
    ),
    Definition("fail2ban_server_info", _INFO, "The fail2ban server that answers.", _server_info, ("version",)),
    Definition(
        "fail2ban_server_start_time_seconds",
        _GAUGE,
        "When the fail2ban server's process started, in seconds since the epoch.",
        _one(_server_start_time),
    ),
    Definition(
        "fail2ban_server_exits_total",
        _COUNTER,
        "Ends of a fail2ban server process, by how it ended: clean, crash, or unknown where neither can be shown.",
        _by_key(lambda snapshot: snapshot.health.exits.items()),
        ("kind",),
    ),
    Definition(
        "fail2ban_server_restarts_total",
        _COUNTER,
        "How often a new fail2ban server process was seen in place of an earlier one.",
        _one(lambda snapshot: snapshot.health.restarts),
    ),
    Definition(
        "fail2ban_process_cpu_seconds_total",
        _COUNTER,
        "User and system CPU time that the fail2ban process has spent, in seconds.",
        _of_server_process(lambda usage: usage.cpu_seconds),
    ),
    Definition(
        "fail2ban_process_resident_memory_bytes",
        _GAUGE,
        "Resident memory of the fail2ban process, in bytes.",
        _of_server_process(lambda usage: usage.resident_bytes),
    ),
    Definition(
        "fail2ban_process_virtual_memory_bytes",
        _GAUGE,
        "Virtual memory of the fail2ban process, in bytes.",
        _of_server_process(lambda usage: usage.virtual_bytes),
    ),
    Definition(
        "fail2ban_process_start_time_seconds",
        _GAUGE,
        "When the fail2ban process started, in seconds since the epoch.",
        _one(_server_start_time),
    ),
    Definition(
        "fail2ban_process_open_fds",
        _GAUGE,
        "Open file descriptors of the fail2ban process; only its owner with the same rights may count them.",
        _of_server_process(lambda usage: usage.open_fds),
    ),
    Definition(
        "fail2ban_process_max_fds",
        _GAUGE,
        "How many file descriptors the fail2ban process may have open.",
        _of_server_process(lambda usage: usage.max_fds),
    ),
    Definition(
        "fail2ban_database_size_bytes",
        _GAUGE,
        "Size of the file of fail2ban's database, in bytes, where it can be seen from here.",
        _one(lambda snapshot: None if snapshot.probe is None else snapshot.probe.database_bytes),
    ),
    Definition(
        "fail2ban_jails",
        _GAUGE,
        "Running jails.",
        _one(lambda snapshot: None if snapshot.probe is None else snapshot.probe.jail_count),
    ),
    Definition(
        "fail2ban_jail_up",
        _GAUGE,
        "1 for a running jail; 0 for one that the configuration enables, or that is expected, and that does not run, "
        "also while fail2ban is offline.",
        _jail_up,
        _JAIL,
    ),
    Definition("fail2ban_jail_banned_ips", _GAUGE, "Addresses banned now.", _by_jail(lambda jail: jail.banned), _JAIL),
    Definition(
        "fail2ban_jail_bans_total",
        _COUNTER,
        "Bans since the jail was started, as fail2ban counts them: bans restored from its database are among them.",
        _by_jail(lambda jail: jail.bans),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_failed_ips",
        _GAUGE,
        "Addresses with failures inside the find time.",
        _by_jail(lambda jail: jail.failed),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_failures_total",
        _COUNTER,
        "Failures since the jail was started.",
        _by_jail(lambda jail: jail.failures),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_ban_time_seconds",
        _GAUGE,
        "The jail's ban time, in seconds; +Inf for permanent bans. Settings are up to a minute old.",
        _by_jail_setting(lambda settings: settings.ban_time),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_find_time_seconds",
        _GAUGE,
        "The jail's find time, in seconds: how long failures of an address add up.",
        _by_jail_setting(lambda settings: settings.find_time),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_max_retries",
        _GAUGE,
        "Failures inside the find time that get an address banned.",
        _by_jail_setting(lambda settings: settings.max_retries),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_info",
        _INFO,
        "A running jail's backend, where the fail2ban version tells it (1.1.0 and later).",
        _jail_info,
        ("jail", "backend"),
    ),
    Definition(
        "fail2ban_jail_actions",
        _GAUGE,
        "Actions that the jail has; with 0 it bans nobody.",
        _by_jail_setting(lambda settings: settings.actions),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_log_files",
        _GAUGE,
        "Log files that the jail watches; absent for a jail that reads the journal.",
        _by_jail(lambda jail: None if jail.log_files is None else len(jail.log_files)),
        _JAIL,
    ),
    Definition(
        "fail2ban_probes_total",
        _COUNTER,
        "Probes, by how they ended.",
        _by_key(lambda snapshot: snapshot.health.probes.items()),
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
        _GAUGE,
        "How long the latest probe took, in seconds.",
        _one(lambda snapshot: None if snapshot.probe is None else snapshot.probe.duration),
    ),
    Definition(
        "fail2ban_probe_last_timestamp_seconds",
        _GAUGE,
        "When the latest probe ended, in seconds since the epoch.",
        _one(lambda snapshot: snapshot.health.last_probe),
    ),
    Definition(
        "fail2ban_probe_last_success_timestamp_seconds",
        _GAUGE,
        "When the latest successful probe ended, in seconds since the epoch.",
        _one(lambda snapshot: snapshot.health.last_success),
    ),
    Definition(
        "fail2ban_probe_consecutive_failures",
        _GAUGE,
        "Probes that failed since the latest success.",
        _one(lambda snapshot: snapshot.health.consecutive_failures),
    ),
    Definition(
        "fail2ban_probe_interval_seconds",
        _GAUGE,
        "The probe interval in force, in seconds.",
        _one(lambda snapshot: snapshot.options.interval),
    ),
    Definition(
        "fail2ban_probe_timeout_seconds",
        _GAUGE,
        "The probe timeout in force, in seconds.",
        _one(lambda snapshot: snapshot.options.timeout),
    ),
    Definition(
        "fail2ban_pending_recovery",
        _GAUGE,
        "1 while fail2ban is down and this jail's activation is blamed for it; 0 again once it is online.",
        _by_remembered(lambda kept: kept.pending),
        _JAIL,
    ),
    Definition(
        "fail2ban_pending_recovery_detected_timestamp_seconds",
        _GAUGE,
        "When an outage was last blamed on this jail's activation, in seconds since the epoch; stays after recovery.",
        _by_remembered(lambda kept: kept.detected),
        _JAIL,
    ),
    Definition(
        "fail2ban_pending_recoveries",
        _GAUGE,
        "Jails whose activation is blamed for the outage under way.",
        _one(lambda snapshot: len(snapshot.health.recovery.pending())),
    ),
    Definition(
        "fail2ban_jail_activation_timestamp_seconds",
        _GAUGE,
        "When the jail was last activated, as far as is known, in seconds since the epoch.",
        _by_remembered(lambda kept: kept.activated),
        _JAIL,
    ),
    Definition(
        "fail2ban_activations_total",
        _COUNTER,
        "Activations of jails, each counted once, by who told first: observed (it began to run), "
        "configured (the configuration began to enable it), reported (a tool said so).",
        _by_key(lambda snapshot: snapshot.health.recovery.told.items()),
        ("source",),
    ),
    Definition(
        "fail2ban_activation_failures_total",
        _COUNTER,
        "Outages blamed on this jail's activation: crash, start refused, hang.",
        _by_remembered(lambda kept: kept.failures),
        _JAIL,
    ),
    Definition(
        "fail2ban_recoveries_total",
        _COUNTER,
        "Blamed outages that ended with fail2ban online.",
        _one(lambda snapshot: snapshot.health.recovery.recoveries),
    ),
    *CANARY,
    Definition(
        "fail2ban_jail_enforced_ips",
        _GAUGE,
        "Banned addresses that are in the firewall, as of the latest check (--firewall.check); "
        "of jails whose actions put them there in a way that is known.",
        _by_enforcement(lambda jail: jail.enforced),
        _JAIL,
    ),
    Definition(
        "fail2ban_jail_unenforced_ips",
        _GAUGE,
        "Addresses that were banned at the latest check and at the one before, and are not in the firewall.",
        _by_enforcement(lambda jail: jail.unenforced),
        _JAIL,
    ),
    Definition(
        "fail2ban_firewall_check_success",
        _GAUGE,
        "1 when the latest comparison of the bans with the firewall could be made for every jail, else 0.",
        _one(_firewall_check_success),
    ),
    Definition(
        "fail2ban_exporter_jail_config_errors",
        _GAUGE,
        "Files of fail2ban's jail configuration that could not be read or parsed.",
        _one(lambda snapshot: snapshot.config_faults),
    ),
)
"""The metrics of fail2ban and of its probes, in the order in which they are served."""
