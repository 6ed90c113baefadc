"""The exporter without HTTP: the same prober, and a file in place of the web server."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from exporter import __version__, log
from exporter.compat import exposed
from exporter.configured_jails import ConfiguredJails
from exporter.exposition import Exposition
from exporter.fail2ban import Client
from exporter.model import State
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.prober import Prober
from exporter.settings import InvalidSettings, Settings, effective
from exporter.snapshot import ProbeOptions
from exporter.state_file import StateFile
from exporter.textfile import TextFile

NOT_ONLINE: Final = 1
NOT_WRITTEN: Final = 3
"""Exit status of a single run whose file could not be written: another one, since fail2ban may be well."""


class TextfileWriter:
    """Writes the metrics after each probe, and at once when fail2ban ends. Belongs to the main thread."""

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        output: Path,
        options: Callable[[Settings], ProbeOptions],
    ) -> None:
        """Prepare; nothing is probed or written yet.

        Args:
            settings: what to do.
            reload: reads the settings again; raises `InvalidSettings`.
            output: the file.
            options: what the settings ask of the prober.
        """
        self._settings = settings
        self._reload = reload
        self._options = options
        self._state_file = settings.recovery.state_file
        self._log = structlog.get_logger()
        self._file = TextFile(output)
        # node_exporter has process_* and python_* of its own.
        self._own = OwnMetrics(of_process=False)
        self._prober = Prober(
            options(settings),
            Client,
            self._prober_failed,
            configuration=ConfiguredJails(options(settings).config_dir),
            memory=StateFile(str(self._state_file), self._own.state_file_failed) if self._state_file else None,
            on_publish=self._pass_on_news,
        )
        self._exposition = self._make_exposition()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._status = 0

    def write_once(self) -> int:
        """Probe once, write, and return the exit status: 0 online, else `NOT_ONLINE` or `NOT_WRITTEN`."""
        snapshot = self._prober.probe_once()
        if not self._write():
            return NOT_WRITTEN
        return 0 if snapshot.health.state is State.ONLINE else NOT_ONLINE

    async def run(self) -> int:
        """Write until SIGTERM or SIGINT, then take the file away; return the exit status."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reconfigure)
        self._log.info("started", version=__version__, **effective(self._settings))
        self._prober.start()
        try:
            await self._wait()
            while not self._stopping:
                self._write()
                await self._wait()
        finally:
            self._prober.stop()
            self._file.remove()
        self._log.info("stopped", status=self._status)
        return self._status

    async def _wait(self) -> None:
        """Wait until there is news, or what was written is too old to be taken for live."""
        left = self._prober.snapshot.stale_at() - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(left if left > 0 else None):
                await self._news.wait()
        self._news.clear()

    def _write(self) -> bool:
        return self._file.write(self._exposition.render(Format.TEXT_0_0_4))

    def _make_exposition(self) -> Exposition:
        return Exposition(
            lambda: self._prober.snapshot,
            self._own.registry,
            definitions=exposed(self._settings.metrics.compat),
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
        """Read the settings again, as SIGHUP asks: all that can change does; if any is faulty, the old ones stay."""
        self._news.set()
        try:
            settings = self._reload()
        except InvalidSettings as error:
            self._own.reloaded(successfully=False)
            self._log.error("reload_failed", faults=error.faults, settings="the old ones stay in force")
            return
        if settings.recovery.state_file != self._state_file:
            self._log.warning("reload_incomplete", setting="recovery.state-file", takes_effect="at the next start")
        self._settings = settings
        log.configure(settings.log.level, settings.log.format)
        self._exposition = self._make_exposition()
        self._prober.reconfigure(self._options(settings))
        self._own.reloaded(successfully=True)
        self._log.info("reloaded", **effective(settings))

    def _prober_failed(self, error: BaseException) -> None:
        """End the process, from the prober's thread: a file that looks alive is the worst that could be."""
        self._status = 1
        try:
            self._log.error("prober_failed", exc_info=error, exit_status=1)
        finally:
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
                    self._loop.call_soon_threadsafe(self._stop)
