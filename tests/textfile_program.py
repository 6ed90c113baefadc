"""``fail2ban-exporter textfile`` as its users run it: a process of its own that writes a file."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.ended import LoggedProgram
from tests.exporter_program import Samples, key, parse, unset_environment
from tests.waiting import DEADLINE, wait_until


def _argv(output: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "exporter", "textfile", "--output", str(output), *flags]


def write_once(output: Path, *flags: str) -> tuple[int, str]:
    """Run it with ``--once``; the exit status, and what it logs."""
    done = subprocess.run(
        _argv(output, "--once", *flags),
        env=unset_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def read(output: Path) -> Samples:
    """The samples in a file, by name and sorted labels; none if there is no file."""
    try:
        return parse(output.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


class TextfileProgram(LoggedProgram):
    """It runs until its block is left, whatever happens in that."""

    def __init__(self, output: Path, *flags: str, log: Path) -> None:
        self.output = output
        super().__init__(_argv(output, *flags), log, unset_environment())

    def wait_event(self, name: str, number: int = 1) -> None:
        """Wait until an event was logged so often."""
        wait_until(lambda: len(self.events(name)) >= number, lambda: f"{name} is logged: {self.log()}")

    def value(self, name: str, **labels: str) -> float | None:
        """One sample's value in the file, None where there is none."""
        return read(self.output).get(key(name, **labels))

    def wait_for(self, name: str, value: float | None, seconds: float = DEADLINE, **labels: str) -> None:
        """Wait until a sample in the file has a value."""
        wait_until(
            lambda: self.value(name, **labels) == value,
            lambda: f"{name}{labels} is {value}, not {self.value(name, **labels)}: {self.log()}",
            seconds,
        )

    def limit_files(self, size: int) -> None:
        """Let it write no file that is larger, as on a disk that is full; -1 for no limit."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, -1))

    def stop(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.send_signal(signal.SIGTERM)
        return self.wait_end()
