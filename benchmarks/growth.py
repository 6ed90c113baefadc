"""How what the exporter costs grows with jails, and with bans: constant, linear, or worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from benchmarks import command, process
from benchmarks.figures import Notebook, exponent
from benchmarks.guarded import guarded
from benchmarks.programs import exporting, simulated
from exporter.exposition import Exposition
from exporter.fail2ban import Client
from exporter.health import Health, ProbeEnded, reduce
from exporter.model import Probe
from exporter.negotiation import Format
from exporter.snapshot import ProbeOptions, Snapshot

JAILS: Final = (50, 500, 1_000, 2_000, 5_000)
BANS: Final = (0, 1_000, 25_000, 100_000)
_TIMEOUT: Final = 60.0
_TIMES: Final = 15
_BANNING_JAILS: Final = 10


def main(notebook: Notebook, *, full: bool) -> None:
    """Measure at each size, and fit."""
    times = _TIMES * (4 if full else 1)
    by_jails: dict[str, dict[int, float]] = {"probe": {}, "rendering": {}, "scrape": {}, "memory": {}}
    for jails in JAILS:
        name = f"growth.{jails} jails"
        with simulated(jails) as socket:
            probe, seconds = _probe(socket, times)
            by_jails["probe"][jails] = notebook.note(f"{name}.probe", "ms", *seconds).value
            by_jails["rendering"][jails] = notebook.note(f"{name}.rendering", "ms", *_render(probe, times)).value
            with exporting(socket) as exporter:
                body = len(exporter.get("/metrics").body)
                by_jails["scrape"][jails] = notebook.note(f"{name}.scrape", "kB", body / 1000).value
                memory = process.resident_mb(exporter.pid)
                by_jails["memory"][jails] = notebook.note(f"{name}.memory", "MB", memory).value
    by_bans = {}
    with guarded("1.1.1", _BANNING_JAILS) as server:
        for bans in BANS:
            server.ban(bans)
            _, seconds = _probe(server.server.socket, 10 * times)
            by_bans[bans] = notebook.note(f"growth.{bans} bans.probe", "ms", *seconds).value
    for what, sizes in by_jails.items():
        notebook.note(f"growth.by jails.{what}.exponent", "", exponent(sizes))
    notebook.note("growth.by bans.probe.exponent", "", exponent(by_bans))


def _probe(socket: Path, times: int) -> tuple[Probe, Sequence[float]]:
    client = Client(str(socket))
    found = [client.probe(_TIMEOUT)]  # the first asks for the settings too
    milliseconds = _timed(lambda: found.append(client.probe(_TIMEOUT)), times)
    client.close()
    return found[-1], milliseconds


def _render(probe: Probe, times: int) -> Sequence[float]:
    health = reduce(Health.initial(_TIMEOUT), ProbeEnded(probe, at=0, timestamp=0))
    snapshot = Snapshot(ProbeOptions("", interval=30, timeout=_TIMEOUT), health, beat=0, probe=probe)

    def render() -> None:
        Exposition(lambda: snapshot, CollectorRegistry(), lambda: 0).render(Format.TEXT_0_0_4)

    return _timed(render, times)


def _timed(action: Callable[[], None], times: int) -> Sequence[float]:
    milliseconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds


if __name__ == "__main__":
    command.run("growth", __doc__, main)
