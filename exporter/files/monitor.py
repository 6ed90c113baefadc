"""The thread that looks at the files on an interval of its own, and keeps the latest result."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from exporter.files import database, log_files
from exporter.files.database import Counted
from exporter.files.log_files import Views
from exporter.files.looker import Looker
from exporter.files.mounts import MountTable
from exporter.model import Files, Server
from exporter.rounds import Rounds
from exporter.snapshot import Snapshot

LONGEST_INTERVAL: Final = 30.0
SHORTEST_INTERVAL: Final = 1.0
"""Seconds from one look to the next: the probe interval, within these bounds."""
COUNT_INTERVAL: Final = 60.0
"""Seconds from one count of the bans in the database to the next."""
_RETRY_SECONDS: Final = 10.0
"""When the bans in the database could not be counted."""
_STALE_INTERVALS: Final = 3
_LONGEST_LOOK: Final = 60.0
"""Seconds that a look may take, all that hangs included, before the figures of the one before are too old."""


@dataclass(frozen=True, slots=True)
class _Named:
    """The files that a fail2ban server named when it was last online."""

    socket: str
    server: Server | None = None
    jails: tuple[tuple[str, tuple[str, ...]], ...] = ()
    database: str | None = None
    """None also while it is not online: then its size is nobody's."""


@dataclass(frozen=True, slots=True)
class _Count:
    """The latest count of a database's bans."""

    of: tuple[str, str | None] | None = None
    """The socket of the server that named the database, and its path: a count is of no other."""
    counted: Counted = field(default_factory=Counted)
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Edges:
    """What the monitor looks with."""

    log_file: Callable[[str], log_files.Sight] = log_files.look
    size: Callable[[str], int | None] = database.size
    count: Callable[[str, Counted], Counted] = database.count
    mounts: Callable[[int | str], MountTable | None] = MountTable.of_process
    clock: Callable[[], float] = time.monotonic
    patience: float | None = None


class FilesMonitor:
    """Looks at the files that fail2ban names, away from the prober: neither ever waits for the other.

    What hangs is left to hang and not known meanwhile; all threads are daemons, so that it does not hold up the end of
    the process. `latest` may be read from any thread. While fail2ban is not online, the log files that it named before
    are looked at. A look that fails by a fault of the exporter's own leaves nothing known.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        on_look: Callable[[], None] | None = None,
        edges: Edges | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            snapshot: returns the latest snapshot of the prober.
            on_look: called on the monitor's thread after each look that found something else than the one before.
            edges: what to look with.
        """
        self._snapshot = snapshot
        self._on_look = on_look
        self._edges = edges or Edges()
        self._log = structlog.get_logger()
        self._looker = Looker() if self._edges.patience is None else Looker(self._edges.patience)
        self._named: _Named | None = None
        self._views = Views()
        self._count = _Count()
        self._hanging = 0
        self._due = 0.0
        self.latest: Files | None = None
        """The latest result, replaced by a single assignment; None before there is one."""
        self._rounds = Rounds("files", self._turn)

    def start(self) -> None:
        """Start the thread."""
        self._rounds.start()

    def wake(self) -> None:
        """Take note that there is a new snapshot, which may name other files. From any thread."""
        self._rounds.wake()

    def stop(self, patience: float = 0.1) -> None:
        """Ask the thread to end, and wait for it that many seconds."""
        self._rounds.stop(patience)

    def look_once(self) -> Files | None:
        """Look on the calling thread, in place of `start`, and log nothing. Takes no longer than to see what hangs."""
        self._take_over(self._snapshot())
        self._look()
        return self.latest

    def _turn(self) -> float:
        """Look, if it is time or other files are named; return the seconds until the next look is due."""
        snapshot = self._snapshot()
        now = self._edges.clock()
        if self._take_over(snapshot) or now >= self._due:
            self._due = now + _interval(snapshot)
            self._look_safely()
        return max(0.0, self._due - self._edges.clock())

    def _take_over(self, snapshot: Snapshot) -> bool:
        """Take note of what fail2ban names; tell whether that is news."""
        before = self._named
        self._named = _named(before, snapshot)
        return self._named != before

    def _look_safely(self) -> None:
        before = self.latest
        try:
            self._look()
            self._report(before, self.latest)
        except Exception:  # noqa: BLE001  # whatever it is, the probing goes on
            self._log.exception("files_look_broken")
            self.latest = None

    def _look(self) -> None:
        """Look at everything once and publish."""
        named = self._named
        if named is None:
            self.latest, self._count = None, _Count()
            return
        started = self._edges.clock()
        own = self._edges.mounts("self")
        group = functools.partial(_file_system, own)
        if named.server is not None:
            self._views.compare(own, None if named.server.pid is None else self._edges.mounts(named.server.pid))
        paths = dict.fromkeys(path for _, paths in named.jails for path in paths)
        sights = self._views.judge(self._looker.look(paths, self._edges.log_file, group))
        before, stale_at = self.latest, started + _STALE_INTERVALS * LONGEST_INTERVAL + _LONGEST_LOOK
        self.latest = Files(
            stale_at=stale_at,
            jails=tuple(log_files.of_jail(jail, paths, sights) for jail, paths in named.jails),
            database_bytes=self._size(named.database, group),
            database_bans=self._bans(named, started, group),
        )
        if self._on_look is not None and (before is None or replace(before, stale_at=stale_at) != self.latest):
            self._on_look()

    def _size(self, path: str | None, group: Callable[[str], Hashable]) -> int | None:
        return None if path is None else self._looker.look([path], self._edges.size, group).get(path)

    def _bans(self, named: _Named, now: float, group: Callable[[str], Hashable]) -> int | None:
        if self._count.of != (named.socket, named.database):
            self._count = _Count((named.socket, named.database))
        if named.database is not None and now >= self._count.due:
            path, before = named.database, self._count.counted
            found = self._looker.look([path], lambda path: self._edges.count(path, before), group)
            counted = found.get(path, Counted())
            due = now + (_RETRY_SECONDS if counted.bans is None else COUNT_INTERVAL)
            self._count = replace(self._count, counted=counted, due=due)
        return self._count.counted.bans

    def _report(self, before: Files | None, after: Files | None) -> None:
        """Log what differs from the look before."""
        missing_before = {one.jail: one.missing or 0 for one in (before.jails if before else ())}
        for one in after.jails if after else ():
            was_missing = missing_before.get(one.jail, 0)
            if one.missing and not was_missing:
                self._log.warning("log_file_missing", jail=one.jail, missing=one.missing, watched=one.watched)
            elif was_missing and one.missing == 0:
                self._log.info("log_files_there", jail=one.jail)
        hanging = self._looker.hanging()
        if hanging and not self._hanging:
            self._log.warning("file_system_hangs", looks=hanging)
        elif self._hanging and not hanging:
            self._log.info("file_system_answers")
        self._hanging = hanging


def _interval(snapshot: Snapshot) -> float:
    return min(max(snapshot.options.interval, SHORTEST_INTERVAL), LONGEST_INTERVAL)


def _named(before: _Named | None, snapshot: Snapshot) -> _Named | None:
    """Return what is named from now on: by a server that is online, else by the one that was before on that socket."""
    socket, probe = snapshot.options.socket, snapshot.probe
    if probe is None or probe.server is None:
        if before is None or before.socket != socket:
            return None
        return replace(before, server=None, database=None)
    if not probe.server.is_trusted:
        return None
    return _Named(
        socket=socket,
        server=replace(probe.server, usage=None),
        jails=tuple((jail.name, jail.log_files) for jail in probe.jails if jail.log_files is not None),
        database=probe.database,
    )


def _file_system(table: MountTable | None, path: str) -> Hashable:
    mount = None if table is None else table.covering(path)
    return path if mount is None else mount
