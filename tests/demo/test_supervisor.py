"""The demo's server is there from the start, comes back after each end, and is gone with the exporter."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import structlog

from exporter.demo import Demo
from exporter.demo.world import plan_end
from exporter.fail2ban import Client
from exporter.model import Probe, Result
from tests.waiting import DEADLINE, wait_until

# Of those whose first life is followed by a short pause.
SEED = min(range(200), key=lambda seed: plan_end(seed, 0).pause)

PARENT = """\
import sys, time
from exporter.demo import Demo
with Demo() as demo:
    print(demo.socket, flush=True)
    sys.stdin.read()
"""


def probe(path: Path) -> Probe:
    with closing(Client(str(path))) as client:
        return client.probe(DEADLINE)


def pid_of(path: Path) -> int:
    """The process that answers there; 0 for none."""
    found = probe(path)
    return found.server.pid or 0 if found.server else 0


@contextmanager
def held(pid: int) -> Iterator[int]:
    """A descriptor of a process, so that its end can be seen even when its number is used again."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def ends(process: int) -> bool:
    """Wait for the end of a process."""
    return bool(select.select([process], [], [], DEADLINE)[0])


def test_the_very_first_probe_finds_it_online() -> None:
    with Demo() as demo:
        assert probe(demo.socket).result is Result.SUCCESS


def test_after_the_block_neither_process_nor_thread_nor_folder_is_left() -> None:
    with Demo() as demo:
        folder = demo.socket.parent
        process = os.pidfd_open(pid_of(demo.socket))
    try:
        assert ends(process)
    finally:
        os.close(process)

    assert not folder.exists()
    assert all(thread.name != "demo" for thread in threading.enumerate())


def test_a_killed_server_is_followed_by_another() -> None:
    with Demo(SEED) as demo:
        first = pid_of(demo.socket)
        os.kill(first, signal.SIGKILL)

        wait_until(lambda: pid_of(demo.socket) not in {0, first}, "another one answers")


def test_the_end_does_not_wait_for_a_pause_between_two_lives() -> None:
    longest = max(range(200), key=lambda seed: plan_end(seed, 0).pause)
    with structlog.testing.capture_logs() as lines:
        with Demo(longest) as demo:
            os.kill(pid_of(demo.socket), signal.SIGKILL)
            wait_until(lambda: bool(lines), "the pause begins")
            started = time.monotonic()
        seconds = time.monotonic() - started

    assert [(line["event"], line["status"]) for line in lines] == [("demo_server_ended", -signal.SIGKILL)]
    assert seconds < plan_end(longest, 0).pause / 2


@contextmanager
def parent() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that runs a demo, and the demo's socket; killed with the block."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            path = Path(process.stdout.readline().decode().strip())
            try:
                yield process, path
            finally:
                shutil.rmtree(path.parent, ignore_errors=True)
        finally:
            process.kill()


def test_it_does_not_outlive_a_parent_that_is_killed() -> None:
    with parent() as (process, path), held(pid_of(path)) as simulated:
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE)

        assert ends(simulated)
        assert not path.parent.exists()


def test_ctrl_c_on_a_terminal_is_not_for_it() -> None:
    """The terminal signals the whole group: the server would end first, and the exporter log an outage."""
    with parent() as (process, path):
        assert os.getpgid(pid_of(path)) != os.getpgid(process.pid)
