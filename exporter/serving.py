"""One exporter that serves HTTP: a daemon with a web server."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.compat import exposed
from exporter.daemon import Daemon
from exporter.exposition import Exposition
from exporter.live_settings import LiveSettings
from exporter.own import OwnMetrics
from exporter.service_manager import ServiceManager
from exporter.settings import InvalidSettings, Settings
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
        self._log = structlog.get_logger()
        self._passwords = Passwords()
        self._daemon = Daemon(settings, own, manager, on_end=self._passwords.close)
        self._site = self._make_site(settings.current)
        self._application = Guard(self._current_site, lambda: web_config.current, own.auth_failed, self._passwords)

    async def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit status: 0 when asked to end, 1 when the prober failed.
        """
        self._daemon.start(self._reconfigure)
        settings = self._settings.current
        self._warn_if_open(settings)
        self._web_config.start()
        listening = [shown_address(sock) for sock in self._sockets]
        scheme = "http" if self._web_config.current.security is None else "https"
        self._log.info("listening", addresses=listening, telemetry_path=settings.web.telemetry_path, scheme=scheme)
        await serve_http(
            self._application, self._sockets, self._daemon.stopping, security=lambda: self._web_config.current.security
        )
        self._web_config.stop()
        self._daemon.stop()
        return self._daemon.status

    async def _current_site(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def _make_site(self, settings: Settings) -> ASGIApp:
        web, background = settings.web, self._daemon.background
        lifecycle = Lifecycle(
            is_enabled=web.enable_lifecycle,
            probe=background.prober.probe_now,
            shown=background.snapshot.of,
            report=background.prober.report_activation,
            reload=self._reconfigure,
            probe_timeout=settings.probe.timeout,
        )
        exposition = Exposition(background.snapshot, self._own.registry, definitions=exposed(settings.metrics.compat))
        return Site(background.snapshot, exposition, web.telemetry_path, lifecycle).application()

    def _reconfigure(self) -> Sequence[str]:
        return self._daemon.reconfigure(self._adopt)

    def _adopt(self, settings: Settings) -> None:
        try:
            self._web_config.reload(settings.web.config.file)
        except InvalidWebConfig as error:
            raise InvalidSettings(error.faults) from None
        self._site = self._make_site(settings)
        self._warn_if_open(settings)

    def _warn_if_open(self, settings: Settings) -> None:
        """Say what anybody who can reach the exporter can do, if that is not this machine alone."""
        addresses = [shown_address(sock) for sock in self._sockets if not is_loopback(sock)]
        if not addresses or self._web_config.current.is_guarded:
            return
        can = "read, probe, reload and report activations" if settings.web.enable_lifecycle else "read"
        advice = "users or client certificates in --web.config.file, or a loopback --web.listen-address"
        self._log.warning("open_to_anybody", addresses=addresses, they_can=can, advice=advice)
