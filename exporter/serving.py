"""One exporter that serves HTTP: it holds together the background, the web server and the settings in force."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter import __version__
from exporter.background import Background
from exporter.compat import exposed
from exporter.exposition import Exposition
from exporter.live_settings import LiveSettings
from exporter.own import OwnMetrics
from exporter.service_manager import ServiceManager
from exporter.settings import InvalidSettings, Settings, effective
from exporter.web.config.live import LiveConfig
from exporter.web.config.model import InvalidWebConfig
from exporter.web.config.passwords import Passwords
from exporter.web.guard import Guard
from exporter.web.lifecycle import Lifecycle
from exporter.web.server import serve as serve_http
from exporter.web.site import Site
from exporter.web.sockets import is_loopback, shown_address


class Exporter:
    """One serving exporter, on the main thread's event loop."""

    def __init__(
        self,
        settings: LiveSettings,
        sockets: Sequence[socket.socket],
        own: OwnMetrics,
        web_config: LiveConfig,
        manager: ServiceManager,
    ) -> None:
        """Prepare; nothing runs before `run`.

        Args:
            settings: what to do.
            sockets: bound and listening.
            own: the exporter's own metrics.
            web_config: who may come in.
            manager: what started the exporter.
        """
        self._settings = settings
        self._sockets = sockets
        self._own = own
        self._web_config = web_config
        self._manager = manager
        self._log = structlog.get_logger()
        self._background = Background(settings.current, own, self._fail, on_beat=self._pass_on_beat)
        self._site = self._make_site(settings.current)
        self._passwords = Passwords()
        self._application = Guard(self._current_site, lambda: web_config.current, own.auth_failed, self._passwords)
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._status = 0

    async def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit status: 0 when asked to end, 1 when the prober failed.
        """
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        self._loop.add_signal_handler(signal.SIGHUP, self._reconfigure)
        listening = [shown_address(sock) for sock in self._sockets]
        settings = self._settings.current
        self._log.info("started", version=__version__, **effective(settings))
        self._warn_if_open(settings)
        self._manager.allow_for(settings.probe.timeout)
        self._background.start()
        self._web_config.start()
        scheme = "http" if self._web_config.current.security is None else "https"
        self._log.info("listening", addresses=listening, telemetry_path=settings.web.telemetry_path, scheme=scheme)
        await serve_http(
            self._application, self._sockets, self._stop, security=lambda: self._web_config.current.security
        )
        self._web_config.stop()
        self._background.stop()
        self._log.info("stopped", status=self._status)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # The loop, which is closed next, would give them back what they do by default: a status other than this.
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        return self._status

    def _end(self) -> None:
        self._manager.stopping()
        self._stop.set()
        self._passwords.close()

    def _fail(self) -> None:
        """End the process, from the prober's thread."""
        self._status = 1
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
                self._loop.call_soon_threadsafe(self._stop.set)

    async def _current_site(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def _make_site(self, settings: Settings) -> ASGIApp:
        web, prober, snapshot = settings.web, self._background.prober, self._background.snapshot
        lifecycle = Lifecycle(
            is_enabled=web.enable_lifecycle,
            probe=prober.probe_now,
            shown=snapshot.of,
            report=prober.report_activation,
            reload=self._reconfigure,
            probe_timeout=settings.probe.timeout,
        )
        exposition = Exposition(snapshot, self._own.registry, definitions=exposed(settings.metrics.compat))
        return Site(snapshot, exposition, web.telemetry_path, lifecycle).application()

    def _pass_on_beat(self) -> None:
        """Tell the service manager by way of the event loop: it is to hear of a beat only while both threads live."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._manager.beat)

    def _reconfigure(self) -> Sequence[str]:
        """Read the settings again, and return the faults; see `LiveSettings.read_again`."""
        if self._stop.is_set():
            return ("the exporter is about to end",)
        self._manager.reloading()
        is_done = False
        try:
            faults = self._settings.read_again(self._adopt)
            is_done = not faults
        finally:
            self._manager.reloaded(successfully=is_done)
        return faults

    def _adopt(self, settings: Settings) -> None:
        try:
            self._web_config.reload(settings.web.config.file)
        except InvalidWebConfig as error:
            raise InvalidSettings(error.faults) from None
        self._site = self._make_site(settings)
        self._manager.allow_for(settings.probe.timeout)
        self._background.reconfigure(settings)
        self._warn_if_open(settings)

    def _warn_if_open(self, settings: Settings) -> None:
        """Say what anybody who can reach the exporter can do, if that is not this machine alone."""
        addresses = [shown_address(sock) for sock in self._sockets if not is_loopback(sock)]
        if not addresses or self._web_config.current.is_guarded:
            return
        can = "read, probe, reload and report activations" if settings.web.enable_lifecycle else "read"
        advice = "users or client certificates in --web.config.file, or a loopback --web.listen-address"
        self._log.warning("open_to_anybody", addresses=addresses, they_can=can, advice=advice)
