"""The exporter without HTTP: the same prober, and a file in place of the web server."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from exporter import __version__
from exporter.background import Background
from exporter.compat import exposed
from exporter.exposition import Exposition
from exporter.live_settings import LiveSettings
from exporter.model import State
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.settings import Settings, effective
from exporter.textfile import TextFile

NOT_ONLINE: Final = 1
NOT_WRITTEN: Final = 3
"""Exit status of a single run whose file could not be written: another one, since fail2ban may be well."""


class TextfileWriter:
    """Writes the metrics after each probe, and at once when fail2ban ends. Belongs to the main thread."""

    def __init__(self, settings: LiveSettings, own: OwnMetrics, output: Path) -> None:
        """Prepare; nothing is probed or written yet.

        Args:
            settings: what to do.
            own: the exporter's own metrics.
            output: the file.
        """
        self._settings = settings
        self._own = own
        self._log = structlog.get_logger()
        self._file = TextFile(output)
        self._background = Background(settings.current, own, self._fail, on_publish=self._pass_on_news)
        self._exposition = self._make_exposition(settings.current)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._status = 0

    def write_once(self) -> int:
        """Probe once, write, and return the exit status: 0 online, else `NOT_ONLINE` or `NOT_WRITTEN`."""
        snapshot = self._background.prober.probe_once()
        if not self._write():
            return NOT_WRITTEN
        return 0 if snapshot.health.state is State.ONLINE else NOT_ONLINE

    async def run(self) -> int:
        """Write until SIGTERM or SIGINT, then take the file away; return the exit status."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reconfigure)
        self._log.info("started", version=__version__, **effective(self._settings.current))
        self._background.start()
        try:
            await self._wait()
            while not self._stopping:
                self._write()
                await self._wait()
        finally:
            self._background.stop()
            self._file.remove()
        self._log.info("stopped", status=self._status)
        return self._status

    async def _wait(self) -> None:
        """Wait until there is news, or what was written is too old to be taken for live."""
        left = self._background.prober.snapshot.stale_at() - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(left if left > 0 else None):
                await self._news.wait()
        self._news.clear()

    def _write(self) -> bool:
        return self._file.write(self._exposition.render(Format.TEXT_0_0_4))

    def _make_exposition(self, settings: Settings) -> Exposition:
        return Exposition(
            self._background.snapshot,
            self._own.registry,
            definitions=exposed(settings.metrics.compat),
            own_max_age=0,  # the next time may be a whole interval away
        )

    def _pass_on_news(self) -> None:
        """Wake the main thread, from the prober's."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._news.set)

    def _stop(self) -> None:
        self._stopping = True
        self._news.set()

    def _reconfigure(self) -> None:
        self._news.set()
        self._settings.read_again(self._adopt)

    def _adopt(self, settings: Settings) -> None:
        self._exposition = self._make_exposition(settings)
        self._background.reconfigure(settings)

    def _fail(self) -> None:
        """End the process, from the prober's thread."""
        self._status = 1
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
                self._loop.call_soon_threadsafe(self._stop)
