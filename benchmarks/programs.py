"""Programs of this project, each in a process of its own that ends with its block."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.exporter_program import ExporterProgram
from tests.waiting import wait_until

_RUNTIME: Final = Path(__file__).parents[1] / ".cache/runtime/bin/python"


def python() -> str:
    """Return the Python that has the exporter alone, as users have it, if `make bench` has set one up."""
    return str(_RUNTIME) if _RUNTIME.exists() else sys.executable


@contextmanager
def simulated(jails: int) -> Iterator[Path]:
    """Run a simulated fail2ban with so many jails; gives its socket."""
    with tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder:
        path = Path(folder, "fail2ban.sock")
        with _module("benchmarks.simulator", str(path), f"--jails={jails}"):
            wait_until(path.exists, "the simulated fail2ban listens")
            yield path


@contextmanager
def exporting(socket: Path, *flags: str, config_dir: str = "") -> Iterator[ExporterProgram]:
    """Run the exporter, by default with no configuration of fail2ban's to look at, until fail2ban is online."""
    with tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder:
        given = (f"--fail2ban.socket={socket}", f"--fail2ban.config-dir={config_dir}", *flags)
        with ExporterProgram(*given, log=Path(folder, "exporter.log"), python=python()) as exporter:
            exporter.wait_state("online")
            yield exporter


@contextmanager
def rival(kind: str, exposition: bytes) -> Iterator[int]:
    """Run what scrapes are compared with; gives its port."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(exposition)
        file.flush()
        with _module("benchmarks.rivals", kind, file.name) as process:
            assert process.stdout is not None  # noqa: S101  # it is a pipe
            yield int(process.stdout.readline())


@contextmanager
def _module(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module that ends with its standard input."""
    with subprocess.Popen([sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()
