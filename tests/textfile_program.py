"""``fail2ban-exporter textfile`` as its users run it: a process of its own that writes a file."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.exporter_program import Samples, key, parse
from tests.waiting import DEADLINE, wait_until


def _argv(output: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "exporter", "textfile", "--output", str(output), *flags]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("FAIL2BAN_EXPORTER_")}


def write_once(output: Path, *flags: str) -> tuple[int, str]:
    """Run it with ``--once``; the exit status, and what it logs."""
    done = subprocess.run(
        _argv(output, "--once", *flags),
        env=_environment(),
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


class TextfileProgram:
    """It runs until its block is left, whatever happens in that."""

    def __init__(self, output: Path, *flags: str, log: Path) -> None:
        self.output = output
        self._log = log
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                _argv(output, *flags), env=_environment(), stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            )
        # Reaped at once, so that its exit status can be waited for.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """Everything that it has printed."""
        return self._log.read_text(encoding="utf-8")

    def events(self, name: str) -> list[str]:
        """The log lines of one event."""
        return [line for line in self.log().splitlines() if f" event={name}" in line]

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
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, -1))

    def hang_up(self) -> None:
        """Tell it to read its settings again."""
        os.kill(self._process.pid, signal.SIGHUP)

    def stop(self) -> int:
        """Send SIGTERM; return the exit status."""
        os.kill(self._process.pid, signal.SIGTERM)
        return self._process.wait(DEADLINE)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE)
