"""Starts the simulated server, and starts it again whenever it has ended: what systemd is to the real one."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from exporter.demo.world import plan_end

SEED: Final = 1
_START_SECONDS: Final = 10.0
"""How long to wait for the first server to listen; past that, the exporter shows that it does not."""
_LOOK_EVERY: Final = 0.02


class Demo:
    """A living simulated fail2ban on a socket of its own; a context manager.

    It listens by the time that the context is entered. Its process ends with this one, however this one ends.
    """

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory(prefix="fail2ban-demo-")
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name="demo", daemon=True)

    @property
    def socket(self) -> Path:
        """Where the simulated server listens."""
        return Path(self._folder.name, "fail2ban.sock")

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens() and time.monotonic() < deadline:
            self._stopping.wait(_LOOK_EVERY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join()
        self._folder.cleanup()

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket))
            except OSError:
                return False
        return True

    def _supervise(self) -> None:
        life = 0
        while not self._stopping.is_set():
            status = self._live(life)
            if self._stopping.is_set():
                return
            pause = plan_end(self._seed, life).pause
            structlog.get_logger().info("demo_server_ended", status=status, starts_again_in_seconds=round(pause, 1))
            self._stopping.wait(pause)
            life += 1

    def _live(self, life: int) -> int:
        """Run one life of the server; return its exit status."""
        arguments = [str(self.socket), str(self._seed), str(life)]
        with subprocess.Popen(  # noqa: S603  # our own module, with our own arguments
            [sys.executable, "-m", "exporter.demo.simulator", *arguments],
            stdin=subprocess.PIPE,  # its end tells the server that this process is gone
            process_group=0,  # Ctrl-C is for the exporter, which then ends the server
        ) as process:
            self._process = process
            if self._stopping.is_set():
                process.kill()
            return process.wait()
