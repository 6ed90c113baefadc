"""What a probe costs: time, CPU in fail2ban, bytes; ours, and the sequence that other exporters use, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import command, process, reference
from benchmarks.figures import Notebook
from benchmarks.guarded import Guarded, guarded
from benchmarks.relay import relay
from exporter.fail2ban import Client
from exporter.model import Result

VERSIONS: Final = ("1.1.1", "1.0.2")
BANS: Final = (0, 1_000, 25_000, 100_000)
JAILS: Final = (1, 10, 50, 500)
FOCUS: Final = 50
"""The number of jails that the bounds are about."""
_BLOCKS: Final = 10
_AT_ONCE: Final = 20
_TIMEOUT: Final = 60.0
_IDLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of many probes: seconds of each, and CPU seconds of fail2ban's process in all."""

    seconds: list[float]
    cpu: list[float]
    """For each probe, as the mean of its block."""


def main(notebook: Notebook, *, full: bool) -> None:
    """Measure the whole grid, or of it the focus and its edges."""
    for version in VERSIONS:
        for jails in JAILS if full else (1, FOCUS):
            with guarded(version, jails) as server:
                medians = {}
                for bans in BANS if full or jails == FOCUS else BANS[:1]:
                    notebook.progress(f"probe: fail2ban {version} with {jails} jails and {bans} bans")
                    server.ban(bans)
                    is_focus = jails == FOCUS and bans in (0, 25_000, 100_000)
                    medians[bans] = _measure(
                        notebook, server, f"probe.{version}.{jails} jails.{bans} bans", 4 if is_focus else 1
                    )
                if BANS[-1] in medians:
                    notebook.note(f"probe.{version}.{jails} jails.bans ratio", "", medians[BANS[-1]] / medians[0])


def _measure(notebook: Notebook, server: Guarded, name: str, references: int) -> float:
    """Measure both in turns, ours twenty at a time and the other so many; return the median of ours."""
    path, pid = server.server.socket, server.server.pid
    client = Client(str(path))

    def ours() -> None:
        probe = client.probe(_TIMEOUT)
        if probe.result is not Result.SUCCESS:
            raise RuntimeError(probe.reason)

    started = time.perf_counter()
    ours()
    first = time.perf_counter() - started
    idle = _idle_rate(pid)
    mine, others = Cost([], []), Cost([], [])
    for _ in range(_BLOCKS):
        _block(mine, ours, _AT_ONCE, pid, idle)
        _block(others, lambda: reference.probe(path), references, pid, idle)
    client.close()
    notebook.note(f"{name}.first", "ms", first * 1000)
    time_ours = notebook.note(f"{name}.ours", "ms", *(seconds * 1000 for seconds in mine.seconds))
    time_theirs = notebook.note(f"{name}.reference", "ms", *(seconds * 1000 for seconds in others.seconds))
    cpu_ours = notebook.note(f"{name}.cpu ours", "ms", *(seconds * 1000 for seconds in mine.cpu))
    cpu_theirs = notebook.note(f"{name}.cpu reference", "ms", *(seconds * 1000 for seconds in others.cpu))
    notebook.note(f"{name}.time ratio", "", time_theirs.value / time_ours.value)
    notebook.note(f"{name}.cpu ratio", "", cpu_theirs.value / cpu_ours.value)
    _bytes(notebook, server, name)
    return time_ours.value


def _block(cost: Cost, probe: Callable[[], object], count: int, pid: int, idle: float) -> None:
    """Probe back to back, without what fail2ban uses by itself meanwhile."""
    cpu, began = process.cpu_seconds(pid), time.perf_counter()
    for _ in range(count):
        started = time.perf_counter()
        probe()
        cost.seconds.append(time.perf_counter() - started)
    elapsed = time.perf_counter() - began
    cost.cpu.append(max(0.0, process.cpu_seconds(pid) - cpu - idle * elapsed) / count)


def _idle_rate(pid: int) -> float:
    """Return the CPU seconds a second that fail2ban uses when nobody asks: it polls its log files."""
    cpu, began = process.cpu_seconds(pid), time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    return (process.cpu_seconds(pid) - cpu) / (time.perf_counter() - began)


def _bytes(notebook: Notebook, server: Guarded, name: str) -> None:
    with relay(server.server.socket) as between:
        client = Client(str(between.path))
        client.probe(_TIMEOUT)  # asks for the settings too, as it does once a minute
        before = between.sent + between.received
        client.probe(_TIMEOUT)
        notebook.note(f"{name}.bytes ours", "B", between.sent + between.received - before)
        client.close()
        before = between.sent + between.received
        reference.probe(between.path)
        notebook.note(f"{name}.bytes reference", "B", between.sent + between.received - before)


if __name__ == "__main__":
    command.run("probe", __doc__, main)
