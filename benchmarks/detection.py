"""How soon ``/metrics`` says that a real fail2ban crashed, was stopped, or is back."""

from __future__ import annotations

import http.client
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import command
from benchmarks.figures import Notebook
from benchmarks.programs import exporting
from tests.programs import FAIL2BAN_VERSIONS, fail2ban
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import DEADLINE

_LOOK_EVERY: Final = 0.001
_ONLINE: Final = b'fail2ban_state{fail2ban_state="online"} 1.0'
_OFFLINE: Final = b'fail2ban_state{fail2ban_state="offline"} 1.0'
_ROUNDS: Final = 10
_FULL_ROUNDS: Final = 50
_TELL_EVERY: Final = 10


def main(notebook: Notebook, *, full: bool) -> None:
    """Kill and stop in turns, at random moments of a server's life, and start again."""
    seen: dict[str, list[float]] = {"crash": [], "stop": [], "online": []}
    version = FAIL2BAN_VERSIONS[-1]
    with tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder:
        jails = [Jail(f"jail-{number}") for number in range(5)]
        with RealFail2ban(fail2ban(version), Path(folder, "fail2ban"), jails) as server:
            server.start()
            with exporting(server.socket, config_dir=str(server.config)) as exporter:
                _rounds(notebook, server, exporter.port, seen, 2 * (_FULL_ROUNDS if full else _ROUNDS))
    for what, seconds in seen.items():
        notebook.note(f"detection.{what}", "ms", *(each * 1000 for each in seconds))


def _rounds(notebook: Notebook, server: RealFail2ban, port: int, seen: dict[str, list[float]], count: int) -> None:
    metrics = _Metrics(port)
    metrics.wait(_ONLINE)
    chance = random.Random(1)  # noqa: S311  # moments, not secrets
    for number in range(count):
        time.sleep(chance.uniform(0.1, 1.0))
        if number % 2:
            seen["stop"].append(_after_end(server, metrics))
        else:
            began = time.perf_counter()
            server.signal(signal.SIGKILL)
            seen["crash"].append(metrics.wait(_OFFLINE) - began)
            server.wait_exit()
        time.sleep(chance.uniform(0.0, 1.0))
        server.start(wait=False)
        began = _answering(server)
        seen["online"].append(metrics.wait(_ONLINE) - began)
        if (number + 1) % _TELL_EVERY == 0:
            notebook.progress(f"detection: {number + 1} of {count} ends and starts")


def _after_end(server: RealFail2ban, metrics: _Metrics) -> float:
    """Stop the server; return how long after the end of its process that shows, 0 if it does before."""
    ended: list[float] = []

    def note() -> None:
        server.stop()
        ended.append(time.perf_counter())

    thread = threading.Thread(target=note)
    thread.start()
    shown = metrics.wait(_OFFLINE)
    thread.join()
    return max(0.0, shown - ended[0])


def _answering(server: RealFail2ban) -> float:
    """Wait until the server answers; return that moment."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            if server.ask(["ping"], 1.0) == (0, "pong"):
                return time.perf_counter()
        except (OSError, EOFError):
            time.sleep(_LOOK_EVERY)
    raise RuntimeError(f"fail2ban does not start: {server.tail()}")


class _Metrics:
    """Scrapes the state over and over, on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)

    def wait(self, line: bytes) -> float:
        """Wait until a scrape has this line; return the moment at which it was there."""
        return _until(lambda: line in self._scrape(), line)

    def _scrape(self) -> bytes:
        self._connection.request("GET", "/metrics?name[]=fail2ban_state")
        return self._connection.getresponse().read()


def _until(condition: Callable[[], bool], what: bytes) -> float:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not in time: {what.decode()}")
        time.sleep(_LOOK_EVERY)
    return time.perf_counter()


if __name__ == "__main__":
    command.run("detection", __doc__, main)
