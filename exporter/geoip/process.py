"""Runs the helper: one process for one question, bounded in time, memory and output, ended when nobody waits for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from exporter.errors import ExporterError
from exporter.geoip.helper import MAX_OUTPUT, SECONDS

_START: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from exporter.geoip.helper import main; main()"  # as this process has it
)
_GRACE: Final = 2.0
"""Seconds that a process has to start, and to end by itself, beside its work."""
_DIED: Final = "the process that looks addresses up died of {}: the database is corrupt, or memory is short"


class HelperError(ExporterError):
    """The helper gave no reply; the text says why, to people."""


class Asks(Protocol):
    """What others need of a `Helper`."""

    def ask(self, request: Mapping[str, Any], timeout: float = 0.0) -> dict[str, Any]: ...  # noqa: D102
    def end(self) -> None: ...  # noqa: D102


class Helper:
    """Asks the helper. One question at a time, by one thread; `end` may be called from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._has_ended = False

    def ask(self, request: Mapping[str, Any], timeout: float = 0.0) -> dict[str, Any]:
        """Have one request done, and return the reply.

        Args:
            request: see `exporter.geoip.helper`; ``databases`` names descriptors of this process.
            timeout: seconds that fail2ban has to answer.

        Raises:
            HelperError: the helper can't be run, died, or took too long.
        """
        asked = _memory_file("request", json.dumps({**request, "timeout": timeout}).encode())
        replied = _memory_file("reply")
        try:
            self._run(asked, replied, tuple(request["databases"].values()), SECONDS[request["task"]] + timeout + _GRACE)
            reply = json.loads(os.pread(replied, MAX_OUTPUT + 1, 0))
        except ValueError:
            raise HelperError("the process that counts ended without a word") from None
        finally:
            os.close(asked)
            os.close(replied)
        return dict(reply)

    def _run(self, asked: int, replied: int, descriptors: tuple[int, ...], seconds: float) -> None:
        path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109  # as sys.path has it
        with self._lock:
            if self._has_ended:
                raise HelperError("the exporter is about to end")
            try:
                self._process = process = subprocess.Popen(  # noqa: S603  # Python itself
                    [sys.executable, "-I", "-B", "-c", _START, *path],
                    stdin=asked,
                    stdout=replied,
                    # Not even a traceback: it may hold an address.
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            except OSError as error:
                raise HelperError(f"no process can be started to count: {error.strerror}") from None
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise HelperError("counting took too long: is the database corrupt?") from None
        finally:
            with self._lock:
                self._process = None
                _kill(process)
        if status < 0:
            raise HelperError(_DIED.format(_signal_name(-status)))

    def end(self) -> None:
        """End the process that runs, if one does, and start none any more."""
        with self._lock:
            self._has_ended = True
            if self._process is not None:
                _kill(self._process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def _memory_file(name: str, content: bytes = b"") -> int:
    """Return the descriptor of a file that is nowhere but in memory, at its beginning."""
    descriptor = os.memfd_create(f"geoip-{name}", os.MFD_CLOEXEC)
    os.pwrite(descriptor, content, 0)
    return descriptor


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
