"""The metrics of other exporters, for those who come from one: its names, labels, types and values, made of ours.

They are the older Go exporter's (fail2ban_exporter, hctrdev/fail2ban-prometheus-exporter): what its dashboard and its
users' alerts ask for. Each is read from a metric of ours, so the two can't differ but in what that exporter writes
otherwise: a permanent ban as -1, errors by two types, restored bans among the total.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter import __version__
from exporter.families import Definition, Kind, Row
from exporter.health import Histogram
from exporter.metrics import DEFINITIONS
from exporter.metrics.rows import JAIL, by_jail
from exporter.model import Result
from exporter.snapshot import Snapshot

_OURS: Final = {definition.name: definition for definition in DEFINITIONS}
_PERMANENT: Final = -1.0
_TYPE_OF: Final = {
    Result.SOCKET_MISSING: "socket_conn",
    Result.CONNECTION_REFUSED: "socket_conn",
    Result.PERMISSION_DENIED: "socket_conn",
    Result.TIMEOUT: "socket_req",
    Result.PROTOCOL_ERROR: "socket_req",
    Result.SERVER_ERROR: "socket_req",
}
"""Which error of that exporter a failed probe is: no connection, or no good answer."""


def _gauge(
    name: str, successor: str, meaning: str, *, note: str = "", convert: Callable[[float], float] = float
) -> Definition:
    """Define a gauge that has the samples of one of our metrics, under that one's labels."""
    ours = _OURS[successor]

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for labels, value in ours.read(snapshot):
            if not isinstance(value, Histogram):
                yield labels, convert(value)

    return Definition(name, Kind.GAUGE, _help(meaning, successor + note), rows, ours.labels)


def _help(meaning: str, successor: str) -> str:
    return f"{meaning} A name of the older Go exporter: move to {successor}."


def _errors(snapshot: Snapshot) -> Iterable[Row]:
    counts = dict.fromkeys(_TYPE_OF.values(), 0)
    for result, number in snapshot.health.probes.items():
        if result in _TYPE_OF:
            counts[_TYPE_OF[result]] += number
    return [((kind,), number) for kind, number in counts.items()]


def _version(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.probe is not None and snapshot.probe.server is not None:
        yield (__version__, snapshot.probe.server.version), 1


F2B: Final = (
    _gauge("f2b_up", "fail2ban_up", "1 when fail2ban answers, else 0."),
    Definition(
        "f2b_errors",
        Kind.UNKNOWN,
        _help(
            "Probes that failed: socket_conn without a connection, socket_req without a good answer.",
            "fail2ban_probes_total, whose result tells more",
        ),
        _errors,
        ("type",),
    ),
    _gauge("f2b_jail_count", "fail2ban_jails", "Running jails."),
    _gauge("f2b_jail_banned_current", "fail2ban_jail_banned_ips", "Addresses banned now."),
    Definition(
        "f2b_jail_banned_total",
        Kind.GAUGE,
        _help(
            "Bans since the jail was started, those included that fail2ban restored from its database.",
            "fail2ban_jail_bans_total, which leaves these out",
        ),
        by_jail(lambda jail: jail.bans),
        JAIL,
    ),
    _gauge("f2b_jail_failed_current", "fail2ban_jail_failed_ips", "Addresses with failures inside the find time."),
    _gauge("f2b_jail_failed_total", "fail2ban_jail_failures_total", "Failures since the jail was started."),
    _gauge(
        "f2b_config_jail_ban_time",
        "fail2ban_jail_ban_time_seconds",
        "The jail's ban time, in seconds; -1 for permanent bans.",
        note=", where these are +Inf",
        convert=lambda seconds: _PERMANENT if math.isinf(seconds) else seconds,
    ),
    _gauge("f2b_config_jail_find_time", "fail2ban_jail_find_time_seconds", "The jail's find time, in seconds."),
    _gauge(
        "f2b_config_jail_max_retries",
        "fail2ban_jail_max_retries",
        "Failures inside the find time that get an address banned.",
    ),
    Definition(
        "f2b_version",
        Kind.GAUGE,
        _help("Always 1.", "fail2ban_server_info and fail2ban_exporter_build_info"),
        _version,
        ("exporter", "fail2ban"),
    ),
)
"""The metrics of the older Go exporter, in the order of its documentation."""


def exposed(compat: str | None) -> tuple[Definition, ...]:
    """Return the metrics to export: ours, and with ``f2b`` the older Go exporter's after them."""
    return (*DEFINITIONS, *F2B) if compat == "f2b" else DEFINITIONS
