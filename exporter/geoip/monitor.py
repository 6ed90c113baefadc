"""The thread that has bans counted on an interval of its own, and keeps the latest counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog

from exporter.geoip.database import DatabaseFile
from exporter.geoip.helper import SECONDS
from exporter.geoip.process import Asks, Helper, HelperError
from exporter.model import BanCounts, GeoipDatabase
from exporter.rounds import Rounds

RETRY_SECONDS: Final = 60.0
"""After fail2ban could not be asked, the next count is at most this late."""
_STALE_INTERVALS: Final = 3


@dataclass(frozen=True, slots=True)
class GeoipOptions:
    """The settings that the monitor works by, all of which a reload may change."""

    is_on: bool
    socket: str
    timeout: float
    """Seconds that fail2ban has to answer."""
    interval: float
    """Seconds from the start of one count to that of the next."""
    databases: Mapping[str, Path]
    """Files by what is taken from them: ``country``, ``asn``."""
    asn_limit: int
    """How many autonomous systems are told by their number."""


class GeoipMonitor:
    """Has bans counted while that is switched on, away from the prober: neither ever waits for the other.

    The thread is a daemon, and the process that it waits for is ended with it. `latest` may be read from any thread.
    """

    def __init__(
        self, options: GeoipOptions, helper: Asks | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: whether, what, and how often to count.
            helper: counts, and reads databases.
            clock: monotonic seconds.
        """
        self._wanted = options
        self._helper: Asks = Helper() if helper is None else helper
        self._clock = clock
        self._log = structlog.get_logger()
        self._files: dict[str, DatabaseFile] = {}
        self._fault: str | None = None
        self._faulty_lookups: dict[str, bool] = {}
        self.latest: BanCounts | None = None
        """The latest counts, replaced by a single assignment; None while it is off, or before the first."""
        self._rounds = Rounds("geoip", self._turn)

    def start(self) -> None:
        """Start the thread, if bans are to be counted."""
        if self._wanted.is_on:
            self._rounds.start()

    def reconfigure(self, options: GeoipOptions) -> None:
        """Work by other options from now on, and count at once. From the thread that started it."""
        if options != self._wanted:
            self._wanted = options
            self._rounds.wake()
            self.start()

    def stop(self, patience: float = 0.1) -> None:
        """End the count that is under way, ask the thread to end, and wait for it that many seconds."""
        self._rounds.is_stopping = True
        self._helper.end()
        self._rounds.stop(patience)

    def _turn(self) -> float | None:
        """Count once, while that is on; return the seconds until the next count is due."""
        options = self._wanted
        self._choose(options.databases if options.is_on else {})
        if not options.is_on:
            self.latest = None
            return None
        return self._count(options)

    def _choose(self, paths: Mapping[str, Path]) -> None:
        """Have the databases at these paths, and no others."""
        for kind, file in list(self._files.items()):
            if paths.get(kind) != file.path:
                self._files.pop(kind).close()
        for kind, path in paths.items():
            if kind not in self._files:
                self._files[kind] = DatabaseFile(kind, path, self._helper)

    def _count(self, options: GeoipOptions) -> float:
        """Count once and publish; return the seconds until the next count is due."""
        started = self._clock()
        tables: dict[str, Any] = {}
        try:
            for file in self._files.values():
                self._look(file)
            reply = self._ask(options)
            tables, fault = reply.get("tables", {}), reply.get("reason")
            self._report_lookups(reply.get("faulty_lookups", {}))
        except HelperError as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001  # figures that no count stands behind must not stay
            self._log.exception("geoip_count_broken")
            fault = f"the count broke: {type(error).__name__}"
        if self._rounds.is_stopping:
            return 0.0
        if self._wanted is options:
            self.latest = BanCounts(
                stale_at=started + _STALE_INTERVALS * options.interval + options.timeout + SECONDS["count"],
                fault=fault,
                tables=tables,
                databases=tuple(
                    GeoipDatabase(file.kind, is_current=file.fault is None, built_at=file.built_at)
                    for file in self._files.values()
                ),
            )
        self._report(fault)
        due = started + (options.interval if fault is None else min(options.interval, RETRY_SECONDS))
        return max(0.0, due - self._clock())

    def _ask(self, options: GeoipOptions) -> dict[str, Any]:
        request = {
            "task": "count",
            "socket": options.socket,
            "asn_limit": options.asn_limit,
            "databases": {kind: file.descriptor for kind, file in self._files.items() if file.descriptor is not None},
        }
        return self._helper.ask(request, options.timeout)

    def _look(self, file: DatabaseFile) -> None:
        if not file.look():
            return
        if file.fault is None:
            built = None if file.built_at is None else datetime.fromtimestamp(file.built_at, UTC).date().isoformat()
            self._log.info("geoip_database_loaded", database=file.kind, file=str(file.path), built=built)
        else:
            in_use = "none" if file.descriptor is None else "the old one stays in use"
            self._log.error("geoip_database_faulty", database=file.kind, reason=file.fault, in_use=in_use)

    def _report(self, fault: str | None) -> None:
        """Log what differs from the count before."""
        before, self._fault = self._fault, fault
        if fault is not None and fault != before:
            self._log.error("geoip_count_failed", reason=fault)
        elif fault is None and before is not None:
            self._log.info("geoip_count_works")

    def _report_lookups(self, faulty: Mapping[str, int]) -> None:
        """Log once when a database can't tell of some addresses, for being corrupt in places."""
        for kind, number in faulty.items():
            if number and not self._faulty_lookups.get(kind):
                self._log.error("geoip_lookups_failed", database=kind, lookups=number, counted_as="unknown")
            self._faulty_lookups[kind] = number > 0
