"""The metrics of jails, as fail2ban and its configuration tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.metrics.rows import JAIL, by_jail, one
from exporter.model import JailSettings
from exporter.snapshot import Snapshot


def _by_jail_setting(read: Callable[[JailSettings], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    return by_jail(lambda jail: None if jail.settings is None else read(jail.settings))


def _jail_info(snapshot: Snapshot) -> Iterator[Row]:
    for jail in snapshot.probe.jails if snapshot.probe else ():
        if jail.backend is not None:
            yield (jail.name, jail.backend), 1


def _bans(snapshot: Snapshot) -> Iterator[Row]:
    for jail in snapshot.probe.jails if snapshot.probe else ():
        bans = snapshot.health.bans.of(jail.name)
        if bans is not None:
            yield (jail.name,), bans


def _jail_up(snapshot: Snapshot) -> Iterator[Row]:
    for jail in snapshot.probe.jails if snapshot.probe else ():
        yield (jail.name,), 1
    for name in snapshot.missing_jails():
        yield (name,), 0


JAILS: Final = (
    Definition(
        "fail2ban_jails",
        Kind.GAUGE,
        "Running jails.",
        one(lambda snapshot: None if snapshot.probe is None else snapshot.probe.jail_count),
    ),
    Definition(
        "fail2ban_jail_up",
        Kind.GAUGE,
        "1 for a running jail; 0 for one that the configuration enables, or that is expected, and that does not run, "
        "also while fail2ban is offline.",
        _jail_up,
        JAIL,
    ),
    Definition(
        "fail2ban_jail_banned_ips", Kind.GAUGE, "Addresses banned now.", by_jail(lambda jail: jail.banned), JAIL
    ),
    Definition(
        "fail2ban_jail_bans_total",
        Kind.COUNTER,
        "Bans since the jail was started. Those that fail2ban restored from its database are not counted again; "
        "absent until it is known which those are.",
        _bans,
        JAIL,
    ),
    Definition(
        "fail2ban_jail_failed_ips",
        Kind.GAUGE,
        "Addresses with failures inside the find time.",
        by_jail(lambda jail: jail.failed),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_failures_total",
        Kind.COUNTER,
        "Failures since the jail was started.",
        by_jail(lambda jail: jail.failures),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_ban_time_seconds",
        Kind.GAUGE,
        "The jail's ban time, in seconds; +Inf for permanent bans. Settings are up to a minute old.",
        _by_jail_setting(lambda settings: settings.ban_time),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_find_time_seconds",
        Kind.GAUGE,
        "The jail's find time, in seconds: how long failures of an address add up.",
        _by_jail_setting(lambda settings: settings.find_time),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_max_retries",
        Kind.GAUGE,
        "Failures inside the find time that get an address banned.",
        _by_jail_setting(lambda settings: settings.max_retries),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_info",
        Kind.INFO,
        "A running jail's backend, where the fail2ban version tells it (1.1.0 and later).",
        _jail_info,
        ("jail", "backend"),
    ),
    Definition(
        "fail2ban_jail_actions",
        Kind.GAUGE,
        "Actions that the jail has; with 0 it bans nobody.",
        _by_jail_setting(lambda settings: settings.actions),
        JAIL,
    ),
    Definition(
        "fail2ban_exporter_jail_config_errors",
        Kind.GAUGE,
        "Files of fail2ban's jail configuration that could not be read or parsed.",
        one(lambda snapshot: snapshot.config_faults),
    ),
)
"""In the order in which they are served."""
