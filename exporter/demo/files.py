"""The files of the simulated host: log files that are written as attackers fail, and a database of bans."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from exporter.demo.world import SimulatedJail


class DemoFiles:
    """Log files and database in one folder, which outlive a server's life as real ones do. For one thread at a time.

    Nothing stands in the log files: who wants to see when they were last written needs no more.
    """

    def __init__(self, folder: Path) -> None:
        self.database = folder / "fail2ban.sqlite3"
        self._folder = folder
        self._written: dict[Path, int] = {}
        self._bans: int | None = None
        with self._connected() as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("CREATE TABLE IF NOT EXISTS bans(jail TEXT, ip TEXT)")
            connection.commit()

    def log_file(self, path: str) -> Path:
        """Return where a log file of the simulated host really is."""
        return self._folder / path.lstrip("/").replace("/", "-")

    def keep_up(self, jails: Mapping[str, SimulatedJail]) -> None:
        """Write what has happened since the last time."""
        for jail in jails.values():
            for path in map(self.log_file, jail.plan.log_files):
                if self._written.get(path) != jail.failures:
                    self._written[path] = jail.failures
                    path.touch()
        bans = sum(jail.bans for jail in jails.values())
        if bans != self._bans:
            # Those that a new life begins with are there already, but in the first.
            self._add(bans if self._bans is None and self._is_empty() else bans - (self._bans or bans))
            self._bans = bans

    def remove(self) -> None:
        """Take all of them away."""
        for path in (self.database, *self._written):
            path.unlink(missing_ok=True)

    def _connected(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.database, check_same_thread=False))

    def _is_empty(self) -> bool:
        with self._connected() as connection:
            return connection.execute("SELECT 1 FROM bans LIMIT 1").fetchone() is None

    def _add(self, bans: int) -> None:
        with self._connected() as connection:
            connection.executemany("INSERT INTO bans VALUES ('', '')", [()] * bans)
            connection.commit()
