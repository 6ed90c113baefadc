"""The exporter without HTTP: the same prober, and a file in place of the web server."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from exporter.compat import exposed
from exporter.daemon import Daemon
from exporter.exposition import Exposition
from exporter.live_settings import LiveSettings
from exporter.model import State
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.service_manager import ServiceManager
from exporter.settings import Settings
from exporter.textfile import TextFile

NOT_ONLINE: Final = 1
NOT_WRITTEN: Final = 3
"""Exit status of a single run whose file could not be written: another one, since fail2ban may be well."""


class TextfileWriter:
    """Writes the metrics after each probe, and at once when fail2ban ends. Belongs to the main thread."""

    def __init__(self, settings: LiveSettings, own: OwnMetrics, manager: ServiceManager, output: Path) -> None:
        """Prepare; nothing is probed or written yet.

        Args:
            settings: what to do.
            own: the exporter's own metrics.
            manager: what started the exporter.
            output: the file.
        """
        self._own = own
        self._file = TextFile(output)
        self._news = asyncio.Event()
        self._daemon = Daemon(settings, own, manager, on_news=self._news.set, on_end=self._news.set)
        self._exposition = self._make_exposition(settings.current)

    def write_once(self) -> int:
        """Probe once, write, and return the exit status: 0 online, else `NOT_ONLINE` or `NOT_WRITTEN`."""
        snapshot = self._daemon.background.probe_once()
        self._daemon.background.files.look_once()
        if not self._write():
            return NOT_WRITTEN
        return 0 if snapshot.health.state is State.ONLINE else NOT_ONLINE

    async def run(self) -> int:
        """Write until SIGTERM or SIGINT, then take the file away; return the exit status."""
        self._daemon.start(lambda: self._daemon.reconfigure(self._adopt))
        try:
            await self._wait(time.monotonic())
            while not self._daemon.stopping.is_set():
                rendered = time.monotonic()
                self._write()
                await self._wait(rendered)
        finally:
            self._daemon.stop()
            self._file.remove()
        return self._daemon.status

    async def _wait(self, rendered: float) -> None:
        """Wait until there is news, or what was rendered at this moment is too old to be taken for live.

        That may be so already: a disk can be slow.
        """
        stale_at = self._daemon.background.prober.snapshot.stale_at()
        left = max(0.0, stale_at - time.monotonic()) if rendered < stale_at else None
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._news.wait()
        self._news.clear()

    def _write(self) -> bool:
        return self._file.write(self._exposition.render(Format.TEXT_0_0_4))

    def _make_exposition(self, settings: Settings) -> Exposition:
        return Exposition(
            self._daemon.background.snapshot,
            self._own.registry,
            definitions=exposed(settings.metrics.compat),
            own_max_age=0,  # the next time may be a whole interval away
        )

    def _adopt(self, settings: Settings) -> None:
        self._exposition = self._make_exposition(settings)
