"""What the exporter costs by being there: memory, CPU, threads, descriptors, its start; and the same after load."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import command, process
from benchmarks.figures import Notebook
from benchmarks.load import scrape
from benchmarks.programs import exporting, simulated
from tests.exporter_program import ExporterProgram
from tests.programs import program

JAILS: Final = 50
_STARTS: Final = 10
_SETTLING_SECONDS: Final = 5.0
_CLIENTS: Final = 4
_ROUND_SECONDS: Final = 5.0
_AS_PROMETHEUS: Final = ("Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip")


def main(notebook: Notebook, *, full: bool) -> None:
    """Start it, watch it idle, and load it."""
    with simulated(JAILS) as socket:
        _start(notebook, socket)
        _idle(notebook, socket, 120.0 if full else 60.0)
        if full:
            _load(notebook, socket, probes=100_000, scrapes=1_000_000)
        else:
            _load(notebook, socket, probes=20_000, scrapes=100_000)


def _start(notebook: Notebook, socket: Path) -> None:
    seconds, cpu = [], []
    for _ in range(_STARTS):
        with exporting(socket) as exporter:
            seconds.append(exporter.seconds_to_first_answer)
            cpu.append(process.cpu_seconds(exporter.pid))
    notebook.note("standing.start", "ms", *(each * 1000 for each in seconds))
    notebook.note("standing.start cpu", "ms", *(each * 1000 for each in cpu))


def _idle(notebook: Notebook, socket: Path, seconds: float) -> None:
    """Watch it at default settings, with Debian's configuration of fail2ban to look at."""
    configuration = program("fail2ban-1.1.1") / "etc/fail2ban"
    with exporting(socket, config_dir=str(configuration)) as exporter:
        time.sleep(_SETTLING_SECONDS)
        cpu, began = process.cpu_seconds(exporter.pid), time.perf_counter()
        time.sleep(seconds)
        share = (process.cpu_seconds(exporter.pid) - cpu) / (time.perf_counter() - began)
        notebook.note("standing.cpu", "% of a core", share * 100)
        notebook.note("standing.cpu an hour", "s", share * 3600)
        notebook.note("standing.memory.idle", "MB", process.resident_mb(exporter.pid))
        notebook.note("standing.threads", "", process.threads(exporter.pid))
        notebook.note("standing.descriptors", "", process.descriptors(exporter.pid))


def _load(notebook: Notebook, socket: Path, probes: int, scrapes: int) -> None:
    """Probe back to back and scrape meanwhile, then scrape on, and see what that leaves behind."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as settings:
        settings.write("[probe]\ninterval = 0\n")
        settings.flush()
        with exporting(socket, f"--config.file={settings.name}") as exporter:
            done = _Progress(notebook, exporter)
            done.until(probes // 20, scrapes // 20)
            before = process.resident_mb(exporter.pid)
            done.until(probes, scrapes // 20)
            settings.truncate(0)
            exporter.hang_up()
            done.until(probes, scrapes)
            after = process.resident_mb(exporter.pid)
            notebook.note("standing.load.probes", "", done.probes)
            notebook.note("standing.load.scrapes", "", done.scrapes)
            notebook.note("standing.memory.before", "MB", before)
            notebook.note("standing.memory.after", "MB", after)
            notebook.note("standing.memory.growth", "MB", after - before)
            notebook.note("standing.threads after", "", process.threads(exporter.pid))
            notebook.note("standing.descriptors after", "", process.descriptors(exporter.pid))


class _Progress:
    """Scrapes and probes of one exporter so far."""

    def __init__(self, notebook: Notebook, exporter: ExporterProgram) -> None:
        self._notebook = notebook
        self._exporter = exporter
        self.probes = 0
        self.scrapes = 0

    def until(self, probes: int, scrapes: int) -> None:
        """Go on until there have been so many of both."""
        while self.probes < probes or self.scrapes < scrapes:
            if self.scrapes < scrapes:
                self.scrapes += scrape(self._exporter.port, _CLIENTS, _ROUND_SECONDS, _AS_PROMETHEUS).requests
            else:
                time.sleep(_ROUND_SECONDS)
            self.probes = int(self._exporter.value("fail2ban_probes_total", result="success") or 0)
            self._notebook.progress(f"standing: {self.probes} probes, {self.scrapes} scrapes")


if __name__ == "__main__":
    command.run("standing", __doc__, main)
