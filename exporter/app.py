"""The composition root: the one place that wires settings, prober, metrics and web server together."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter import __version__, log
from exporter.canary import CanaryOptions, CanaryRunner
from exporter.compat import exposed
from exporter.configured_jails import ConfiguredJails
from exporter.demo import Demo
from exporter.exposition import Exposition
from exporter.fail2ban import Client
from exporter.firewall import FirewallMonitor, FirewallOptions
from exporter.health import Health, Policy, ProbeEnded, reduce
from exporter.joined import JoinedSnapshot
from exporter.model import Result
from exporter.own import OwnMetrics
from exporter.prober import Prober
from exporter.service_manager import ServiceManager
from exporter.settings import InvalidSettings, Settings, effective
from exporter.snapshot import ProbeOptions, Snapshot
from exporter.state_file import StateFile
from exporter.status import status_document
from exporter.textfile_writer import TextfileWriter
from exporter.web.config.live import LiveConfig
from exporter.web.config.model import InvalidWebConfig
from exporter.web.config.passwords import Passwords
from exporter.web.guard import Guard
from exporter.web.inherited import inherit, take_passed
from exporter.web.lifecycle import Lifecycle
from exporter.web.server import serve as serve_http
from exporter.web.site import Site
from exporter.web.sockets import bind


def serve(settings: Settings, reload: Callable[[], Settings]) -> int:
    """Probe in the background and serve HTTP, until SIGTERM or SIGINT.

    Args:
        settings: what to do.
        reload: reads the settings again; raises `InvalidSettings`.

    Returns:
        The exit status: 0 when asked to end, 1 when the prober failed.

    Raises:
        InvalidSettings: the web config file can't be used.
        ExporterError: a listen address can't be had, or no socket from systemd.
    """
    log.configure(settings.log.level, settings.log.format)
    manager = ServiceManager.of_environment(os.environ)
    own = OwnMetrics()
    web_config = _web_config(settings, own)
    sockets = _listening(settings)
    return asyncio.run(_Exporter(settings, reload, sockets, own, web_config, manager).run())


def demo(settings: Settings, reload: Callable[[], Settings]) -> int:
    """Do the same against a simulated fail2ban, whose socket stands in for the one in the settings."""
    with Demo() as simulated:

        def with_demo(read: Settings) -> Settings:
            fail2ban = read.fail2ban.model_copy(update={"socket": simulated.socket, "config_dir": None})
            return read.model_copy(update={"fail2ban": fail2ban})

        return serve(with_demo(settings), lambda: with_demo(reload()))


def probe(settings: Settings) -> int:
    """Probe once and print the status as JSON.

    Returns:
        The exit status: 0 online, 1 not online.
    """
    options = _options(settings)
    client = Client(options.socket)
    result = client.probe(options.timeout)
    client.close()
    now = time.monotonic()
    health = reduce(Health.initial(options.timeout), ProbeEnded(result, at=now, timestamp=time.time()))
    document = status_document(Snapshot(options, health, beat=now, probe=result))
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0 if result.result is Result.SUCCESS else 1


def textfile(settings: Settings, reload: Callable[[], Settings], output: Path, *, once: bool) -> int:
    """Write the metrics to a file, after each probe until SIGTERM or SIGINT, or once.

    Args:
        settings: what to do.
        reload: reads the settings again; raises `InvalidSettings`.
        output: the file.
        once: probe once, write and end.

    Returns:
        The exit status: 0 when asked to end, 1 when the prober failed; once, that of `TextfileWriter.write_once`.
    """
    log.configure(settings.log.level, settings.log.format)
    writer = TextfileWriter(settings, reload, output, _options)
    return writer.write_once() if once else asyncio.run(writer.run())


class _Exporter:
    """One serving exporter, on the main thread's event loop."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that an exporter is made of comes from the one composition root
        self,
        settings: Settings,
        reload: Callable[[], Settings],
        sockets: Sequence[socket.socket],
        own: OwnMetrics,
        web_config: LiveConfig,
        manager: ServiceManager,
    ) -> None:
        self._settings = settings
        self._reload = reload
        self._sockets = sockets
        self._manager = manager
        self._listen_address = settings.web.listen_address
        self._systemd_socket = settings.web.systemd_socket
        self._state_file = settings.recovery.state_file
        self._log = structlog.get_logger()
        self._own = own
        self._web_config = web_config
        self._prober = Prober(
            _options(settings),
            Client,
            self._prober_failed,
            configuration=ConfiguredJails(_options(settings).config_dir),
            memory=StateFile(str(self._state_file), self._own.state_file_failed) if self._state_file else None,
            on_beat=self._pass_on_beat,
        )
        self._firewall = FirewallMonitor(_firewall_options(settings))
        self._snapshot = JoinedSnapshot(lambda: self._prober.snapshot, lambda: self._firewall.latest)
        self._canary = CanaryRunner(_canary(settings), lambda: self._prober.snapshot, self._snapshot.show_canary)
        self._site = self._make_site()
        self._passwords = Passwords()
        self._application = Guard(self._current_site, lambda: web_config.current, own.auth_failed, self._passwords)
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._status = 0

    async def run(self) -> int:
        """Serve until told to stop; return the exit status."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        self._loop.add_signal_handler(signal.SIGHUP, self._reconfigure)
        listening = [_shown_address(sock) for sock in self._sockets]
        self._log.info("started", version=__version__, **effective(self._settings))
        self._warn_if_open()
        self._manager.allow_for(self._settings.probe.timeout)
        self._prober.start()
        self._canary.start()
        self._firewall.start()
        self._web_config.start()
        scheme = "http" if self._web_config.current.security is None else "https"
        path = self._settings.web.telemetry_path
        self._log.info("listening", addresses=listening, telemetry_path=path, scheme=scheme)
        await serve_http(
            self._application, self._sockets, self._stop, security=lambda: self._web_config.current.security
        )
        self._web_config.stop()
        self._canary.stop()
        self._firewall.stop()
        self._prober.stop()
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

    async def _current_site(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def _make_site(self) -> ASGIApp:
        web = self._settings.web
        lifecycle = Lifecycle(
            is_enabled=web.enable_lifecycle,
            probe=self._prober.probe_now,
            shown=self._snapshot.of,
            report=self._prober.report_activation,
            reload=self._reconfigure,
            probe_timeout=self._settings.probe.timeout,
        )
        exposition = Exposition(self._snapshot, self._own.registry, definitions=exposed(self._settings.metrics.compat))
        return Site(self._snapshot, exposition, web.telemetry_path, lifecycle).application()

    def _pass_on_beat(self) -> None:
        """Tell the service manager by way of the event loop: it is to hear of a beat only while both threads live."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._manager.beat)

    def _reconfigure(self) -> Sequence[str]:
        """Read the settings again, as SIGHUP asks: all that can change does; if any is faulty, the old ones stay.

        Returns:
            The faults; none if the new settings are in force.
        """
        if self._stop.is_set():
            return ("the exporter is about to end",)
        self._manager.reloading()
        is_done = False
        try:
            faults = self._read_again()
            is_done = not faults
        finally:
            self._manager.reloaded(successfully=is_done)
        return faults

    def _read_again(self) -> Sequence[str]:
        try:
            settings = self._reload()
            _reload_web_config(self._web_config, settings)
        except InvalidSettings as error:
            self._own.reloaded(successfully=False)
            self._log.error("reload_failed", faults=error.faults, settings="the old ones stay in force")
            return error.faults
        for name, wanted, present in (
            ("web.listen-address", settings.web.listen_address, self._listen_address),
            ("web.systemd-socket", settings.web.systemd_socket, self._systemd_socket),
            ("recovery.state-file", settings.recovery.state_file, self._state_file),
        ):
            if wanted != present:
                self._log.warning("reload_incomplete", setting=name, takes_effect="at the next start")
        self._settings = settings
        log.configure(settings.log.level, settings.log.format)
        self._site = self._make_site()
        self._manager.allow_for(settings.probe.timeout)
        self._prober.reconfigure(_options(settings))
        self._canary.reconfigure(_canary(settings))
        self._firewall.reconfigure(_firewall_options(settings))
        self._own.reloaded(successfully=True)
        self._log.info("reloaded", **effective(settings))
        self._warn_if_open()
        return ()

    def _warn_if_open(self) -> None:
        """Say what anybody who can reach the exporter can do, if that is not this machine alone."""
        addresses = [_shown_address(sock) for sock in self._sockets if not _is_loopback(sock)]
        if not addresses or self._web_config.current.is_guarded:
            return
        can = "read, probe, reload and report activations" if self._settings.web.enable_lifecycle else "read"
        advice = "users or client certificates in --web.config.file, or a loopback --web.listen-address"
        self._log.warning("open_to_anybody", addresses=addresses, they_can=can, advice=advice)

    def _prober_failed(self, error: BaseException) -> None:
        """End the process, from the prober's thread: frozen metrics that look alive are the worst that could be."""
        self._status = 1
        try:
            self._log.error("prober_failed", exc_info=error, exit_status=1)
        finally:
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
                    self._loop.call_soon_threadsafe(self._stop.set)


def _options(settings: Settings) -> ProbeOptions:
    return ProbeOptions(
        socket=str(settings.fail2ban.socket),
        interval=settings.probe.interval,
        timeout=settings.probe.timeout,
        expected=settings.jails.expected,
        config_dir=str(settings.fail2ban.config_dir or ""),
        policy=Policy(window=settings.recovery.window, grace=settings.recovery.grace),
    )


def _firewall_options(settings: Settings) -> FirewallOptions:
    return FirewallOptions(
        is_on=settings.firewall.check,
        socket=str(settings.fail2ban.socket),
        interval=settings.firewall.interval,
        timeout=settings.probe.timeout,
    )


def _web_config(settings: Settings, own: OwnMetrics) -> LiveConfig:
    try:
        return LiveConfig(settings.web.config.file, own.reloaded)
    except InvalidWebConfig as error:
        raise InvalidSettings(error.faults) from None


def _reload_web_config(web_config: LiveConfig, settings: Settings) -> None:
    try:
        web_config.reload(settings.web.config.file)
    except InvalidWebConfig as error:
        raise InvalidSettings(error.faults) from None


def _is_loopback(sock: socket.socket) -> bool:
    address = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0])
    return address.is_loopback


def _listening(settings: Settings) -> list[socket.socket]:
    """Return the sockets to serve on: those that systemd passed, if that is wanted, else those of the addresses."""
    passed = take_passed(os.environ)
    if settings.web.systemd_socket:
        return inherit(passed)
    for descriptor, name in passed:
        structlog.get_logger().warning("passed_socket_unused", name=name, turned_on_by="--web.systemd-socket")
        os.close(descriptor)
    return bind(settings.web.listen_address)


def _canary(settings: Settings) -> CanaryOptions | None:
    canary = settings.canary
    if canary.log_file is None:
        return None
    return CanaryOptions(
        log_file=canary.log_file,
        jail=canary.jail,
        interval=canary.interval,
        timeout=canary.timeout,
        socket=str(settings.fail2ban.socket),
        patience=settings.probe.timeout,
    )


def _shown_address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
