"""The metrics of the files that fail2ban names: its jails' log files, and its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.metrics.rows import JAIL
from exporter.model import Files, JailLogFiles
from exporter.snapshot import Snapshot


def _of_database(read: Callable[[Files], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        is_online = snapshot.probe is not None and snapshot.probe.server is not None
        value = read(snapshot.files) if is_online and snapshot.files is not None else None
        if value is not None:
            yield (), value

    return rows


def _watched(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.probe is not None and snapshot.probe.server is not None:
        for jail in snapshot.probe.jails:
            if jail.log_files is not None:
                yield (jail.name,), len(jail.log_files)
    else:
        for found in snapshot.log_files():
            yield (found.jail,), found.watched


def _by_jail(read: Callable[[JailLogFiles], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for found in snapshot.log_files():
            value = read(found)
            if value is not None:
                yield (found.jail,), value

    return rows


FILES: Final = (
    Definition(
        "fail2ban_database_size_bytes",
        Kind.GAUGE,
        "Size of the file of fail2ban's database, in bytes, where it can be seen from here.",
        _of_database(lambda files: files.database_bytes),
    ),
    Definition(
        "fail2ban_database_bans",
        Kind.GAUGE,
        "Bans in fail2ban's database, those that have ended included until it purges them (dbpurgeage); up to a minute "
        "old. Read without any lock; absent where that can't be done.",
        _of_database(lambda files: files.database_bans),
    ),
    Definition(
        "fail2ban_jail_log_files",
        Kind.GAUGE,
        "Log files that the jail watches; absent for a jail that reads the journal. While fail2ban is not online, of "
        "the jails that ran before, as are the other figures of log files.",
        _watched,
        JAIL,
    ),
    Definition(
        "fail2ban_jail_log_files_missing",
        Kind.GAUGE,
        "Log files of the jail that are not there, or of which a folder, FIFO or socket is in the place. Files that "
        "can't be looked at are not counted, so the true number may be higher; no sample if there are such and no "
        "other is missing.",
        _by_jail(lambda found: found.missing),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_log_last_modified_timestamp_seconds",
        Kind.GAUGE,
        "When one of the jail's log files was last written, in seconds since the epoch; of those that can be looked "
        "at.",
        _by_jail(lambda found: found.last_modified),
        JAIL,
    ),
)
"""In the order in which they are served."""
