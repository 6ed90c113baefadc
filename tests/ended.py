"""What a test starts, and what is ended with its block, whatever happened in that."""

import os
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.waiting import DEADLINE


class Ended(ABC):
    """Something that is closed when its block is left."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End it at once, if it has not ended."""


class ChildProcess(Ended):
    """A process that is told what to do on its standard input, and answers on its standard output, in text.

    Args:
        argv: Its words.
    """

    def __init__(self, argv: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(
            argv, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()
        self._process.communicate()


class LoggedProgram(Ended):
    """A process whose output is a log of events in logfmt.

    Args:
        argv: Its words.
        log: Where what it prints goes.
        environment: Its whole environment.
    """

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log_path = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        # Reaped at once, so that its exit status and its end can be waited for.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def close(self) -> None:
        """End it at once, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def log(self) -> str:
        """Everything that it has printed."""
        return self.log_path.read_text(encoding="utf-8")

    def events(self, name: str) -> list[str]:
        """The log lines of one event."""
        return [line for line in self.log().splitlines() if f" event={name}" in line]

    def hang_up(self) -> None:
        """Tell it to read its settings again."""
        self.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.send_signal(signal.SIGKILL)
        self.wait_end()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; an error if it has ended."""
        os.kill(self.pid, number)

    def wait_end(self) -> int:
        """Wait for the end; return the exit status."""
        return self._process.wait(DEADLINE)
