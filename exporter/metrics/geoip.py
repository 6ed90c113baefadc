"""The metrics of bans by where they come from, of which there is none while they are not counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.model import GeoipDatabase
from exporter.snapshot import Snapshot


def _by(table: str) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        counts = {} if snapshot.geoip is None else snapshot.geoip.tables.get(table, {})
        if not counts or snapshot.probe is None:
            return
        for jail in snapshot.probe.jails:
            for label, number in counts.get(jail.name, {}).items():
                yield (jail.name, label), number

    return rows


def _success(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.geoip is not None:
        yield (), snapshot.geoip.fault is None


def _by_database(read: Callable[[GeoipDatabase], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for database in snapshot.geoip.databases if snapshot.geoip else ():
            value = read(database)
            if value is not None:
                yield (database.kind,), value

    return rows


GEOIP: Final = (
    Definition(
        "fail2ban_jail_banned_ips_by_family",
        Kind.GAUGE,
        "Bans as of the latest count (--geoip.interval) of addresses and networks of ipv4 and of ipv6, and other: of "
        "host names, users and whatever else a filter finds.",
        _by("family"),
        ("jail", "family"),
    ),
    Definition(
        "fail2ban_jail_banned_ips_by_country",
        Kind.GAUGE,
        "Bans as of the latest count by country (--geoip.database): its two letters as in ISO 3166, unknown where the "
        "database names none, or other for the rarest where there are more than 10,000 series. A country without bans "
        "has no series.",
        _by("country"),
        ("jail", "country"),
    ),
    Definition(
        "fail2ban_jail_banned_ips_by_asn",
        Kind.GAUGE,
        "Bans as of the latest count by autonomous system (--geoip.asn-database): AS64500, unknown where the database "
        "names none, or other for all but those that have the most bans in all jails together (--geoip.asn-limit).",
        _by("asn"),
        ("jail", "asn"),
    ),
    Definition(
        "fail2ban_geoip_count_success",
        Kind.GAUGE,
        "1 when bans could be counted by where they come from at the latest attempt, else 0; absent while that is off.",
        _success,
    ),
    Definition(
        "fail2ban_geoip_database_reload_success",
        Kind.GAUGE,
        "1 when the database in use is what its file holds; 0 when the file is missing or can't be used, in which case "
        "an older one stays in use, if there was one.",
        _by_database(lambda database: database.is_current),
        ("database",),
    ),
    Definition(
        "fail2ban_geoip_database_build_timestamp_seconds",
        Kind.GAUGE,
        "When the database in use was built, as it says, in seconds since the epoch.",
        _by_database(lambda database: database.built_at),
        ("database",),
    ),
)
"""In the order in which they are served."""
