"""The commands that probe: each is put together here, and nowhere else, of settings and parts."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from exporter import log, options
from exporter.demo import Demo
from exporter.fail2ban import BanLists, Client
from exporter.files import FilesMonitor
from exporter.health import BansRecounted, Health, ProbeEnded, Recount, reduce, reduce_all
from exporter.live_settings import LiveSettings
from exporter.model import Probe, Result
from exporter.own import OwnMetrics
from exporter.recounter import Recounter
from exporter.service_manager import ServiceManager
from exporter.serving import Exporter
from exporter.settings import ONLY_AT_START, InvalidSettings, Settings
from exporter.snapshot import Snapshot
from exporter.status import status_document
from exporter.textfile_writer import TextfileWriter
from exporter.web.config.live import LiveConfig
from exporter.web.config.model import InvalidWebConfig
from exporter.web.inherited import inherit, take_passed
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
    live = LiveSettings(settings, reload, own, only_at_start=ONLY_AT_START)
    return asyncio.run(Exporter(live, sockets, own, web_config, manager).run())


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
    asked = options.of_prober(settings)
    log.configure(settings.log.level, settings.log.format)
    health, recounts = Health.initial(asked.timeout), list[Recount]()
    client = Client(asked.socket)
    result, health = _probe(client, health, asked.timeout)
    Recounter(lambda: BanLists(asked.socket, asked.timeout), recounts.append).answer(health.bans.questions())
    now = time.monotonic()
    health = reduce_all(health, [BansRecounted(recount, at=now, timestamp=time.time()) for recount in recounts])
    if recounts:  # figures of one moment
        result, health = _probe(client, health, asked.timeout)
    client.close()
    snapshot = Snapshot(asked, health, beat=now, probe=result)
    document = status_document(replace(snapshot, files=FilesMonitor(lambda: snapshot).look_once()))
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0 if result.result is Result.SUCCESS else 1


def _probe(client: Client, health: Health, timeout: float) -> tuple[Probe, Health]:
    found = client.probe(timeout)
    return found, reduce(health, ProbeEnded(found, at=time.monotonic(), timestamp=time.time()))


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
    # node_exporter has process_* and python_* of its own.
    own = OwnMetrics(of_process=False)
    live = LiveSettings(settings, reload, own, only_at_start=("recovery.state-file",))
    writer = TextfileWriter(live, own, ServiceManager.of_environment(os.environ), output)
    return writer.write_once() if once else asyncio.run(writer.run())


def _web_config(settings: Settings, own: OwnMetrics) -> LiveConfig:
    try:
        return LiveConfig(settings.web.config.file, own.web_config_reread)
    except InvalidWebConfig as error:
        raise InvalidSettings(error.faults) from None


def _listening(settings: Settings) -> list[socket.socket]:
    """Return the sockets to serve on: those that systemd passed, if that is wanted, else those of the addresses."""
    passed = take_passed(os.environ)
    if settings.web.systemd_socket:
        return inherit(passed)
    for descriptor, name in passed:
        structlog.get_logger().warning("passed_socket_unused", name=name, turned_on_by="--web.systemd-socket")
        os.close(descriptor)
    return bind(settings.web.listen_address)
