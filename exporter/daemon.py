"""What every way to serve has in common: signals, the service manager, settings that are read again, the background."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from exporter import __version__
from exporter.background import Background
from exporter.live_settings import LiveSettings
from exporter.own import OwnMetrics
from exporter.service_manager import ServiceManager
from exporter.settings import Settings, effective


def _nothing() -> None:
    """Do nothing."""


class Daemon:
    """Runs the background until SIGTERM or SIGINT, or until the prober dies. Belongs to the main thread's event loop.

    Attributes:
        background: The prober, and what is watched beside it.
        stopping: Set when the program is to end.
        status: The exit status: 0 when asked to end, 1 when the prober failed.
    """

    def __init__(
        self,
        settings: LiveSettings,
        own: OwnMetrics,
        manager: ServiceManager,
        *,
        on_news: Callable[[], None] = _nothing,
        on_end: Callable[[], None] = _nothing,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            settings: what to do.
            own: the exporter's own metrics.
            manager: what started the program.
            on_news: called on the event loop when there may be something new to show.
            on_end: called on the event loop when the program is to end.
        """
        self._settings = settings
        self._manager = manager
        self._on_news = on_news
        self._on_end = on_end
        self._log = structlog.get_logger()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stopping = asyncio.Event()
        self.status = 0
        self.background = Background(
            settings.current,
            own,
            self._fail,
            # The manager is to hear of a beat only while both threads live.
            on_beat=lambda: self._call(self._manager.beat),
            on_publish=lambda: self._call(self._on_news),
        )

    def start(self, reconfigure: Callable[[], object]) -> None:
        """Heed signals from now on, and start the background.

        Args:
            reconfigure: what SIGHUP calls.
        """
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        self._loop.add_signal_handler(signal.SIGHUP, reconfigure)
        settings = self._settings.current
        self._log.info("started", version=__version__, **effective(settings))
        self._manager.allow_for(settings.probe.timeout)
        self.background.start()

    def stop(self) -> None:
        """Stop the background; a signal changes nothing any more."""
        self.background.stop()
        self._log.info("stopped", status=self.status)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if self._loop is not None:
                # The loop, which is closed next, would give them back what they do by default: another exit status.
                self._loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def reconfigure(self, adopt: Callable[[Settings], None]) -> Sequence[str]:
        """Read the settings again, and have the background work by them; see `LiveSettings.read_again`."""
        if self.stopping.is_set():
            return ("the exporter is about to end",)

        def adopt_all(settings: Settings) -> None:
            adopt(settings)
            self._manager.allow_for(settings.probe.timeout)
            self.background.reconfigure(settings)

        self._manager.reloading()
        is_done = False
        try:
            faults = self._settings.read_again(adopt_all)
            is_done = not faults
        finally:
            self._manager.reloaded(successfully=is_done)
            self._on_news()
        return faults

    def _end(self) -> None:
        self._manager.stopping()
        self.stopping.set()
        self._on_end()

    def _fail(self) -> None:
        """End the program, from the prober's thread."""
        self.status = 1
        self._call(self._end)

    def _call(self, what: Callable[[], object]) -> None:
        """Call something on the event loop, from another thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
                self._loop.call_soon_threadsafe(what)
