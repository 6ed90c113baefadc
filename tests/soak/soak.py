"""A soak, from the start of both programs to the report."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.real_fail2ban import RealFail2ban
from tests.soak.faults import STAY, Mischief
from tests.soak.scrapers import CLIENTS, Client
from tests.soak.trend import Reading, growth
from tests.soak.truth import Truth
from tests.waiting import wait_until

MOST_GROWTH = 1_000_000
"""Bytes that the memory may have grown after the warm-up, by the trend."""
WARM_UP = 0.25
"""Of the whole time: caches fill, and the allocator finds its size."""
FAULT_SECONDS = 1.0


@dataclass
class Report:
    """What a soak came to.

    Attributes:
        faults: How often each was done.
        wrong: All that must not be.
        calm: What the exporter took before the first fault, with fail2ban online and nobody connected.
        after: The same after the last.
        readings: In between, each second.
        took: The seconds that each answer took.
        most_growth: Bytes that the memory may have grown after the warm-up.
    """

    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    calm: Reading | None = None
    after: Reading | None = None
    readings: list[Reading] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    most_growth: int = MOST_GROWTH

    def warm(self) -> list[Reading]:
        """The readings after the warm-up."""
        return self.readings[round(len(self.readings) * WARM_UP) :]

    def judge(self) -> None:
        """Add what the figures say to what is wrong."""
        memory = growth(self.warm(), lambda reading: reading.memory)
        if memory > self.most_growth:
            self.wrong.append(f"the memory grew by {memory / 1e6:.2f} MB")
        assert self.calm
        assert self.after
        for name in ("descriptors", "threads"):
            before, after = getattr(self.calm, name), getattr(self.after, name)
            if after > before:
                self.wrong.append(f"{after} {name} at the end, {before} before")

    def text(self) -> str:
        """For people: the table of what it took over time, then the sums."""
        assert self.calm
        assert self.after
        *_, p99 = statistics.quantiles(self.took, n=100)
        faults = ", ".join(f"{number} {name}" for name, number in self.faults.most_common())
        calm = (
            f"{name} {getattr(self.calm, name)} before and {getattr(self.after, name)} after"
            for name in ("descriptors", "threads")
        )
        median, slowest = statistics.median(self.took) * 1000, max(self.took) * 1000
        lines = [
            *self._table(),
            f"trend after the warm-up: {', '.join(self._trends())}",
            f"calm: {', '.join(calm)}",
            f"{len(self.took)} answers, median {median:.1f} ms, 99 % {p99 * 1000:.0f} ms, slowest {slowest:.0f} ms",
            f"{self.faults.total()} faults: {faults}",
        ]
        return "\n".join([*lines, *(f"WRONG: {fault}" for fault in self.wrong)])

    def _table(self) -> Iterator[str]:
        yield "  time  memory   descriptors  threads"
        for reading in self.readings[:: max(1, len(self.readings) // 20)]:
            at, memory = reading.at - self.readings[0].at, reading.memory / 1e6
            yield f"{at:4.0f} s  {memory:4.1f} MB  {reading.descriptors:11}  {reading.threads:7}"

    def _trends(self) -> Iterator[str]:
        yield f"MB {growth(self.warm(), lambda reading: reading.memory / 1e6):+.2f}"
        yield f"descriptors {growth(self.warm(), lambda reading: reading.descriptors):+.2f}"
        yield f"threads {growth(self.warm(), lambda reading: reading.threads):+.2f}"


class Regular:
    """Does something again and again in a thread, until its block ends; its error is raised then."""

    def __init__(self, seconds: float, work: Callable[[], object]) -> None:
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._seconds = seconds
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._seconds):
                self._work()
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._error = error


def soak(seconds: float, seed: int, folder: Path, version: str = "1.1.1", *, most_growth: int = MOST_GROWTH) -> Report:
    """Run one; every process is ended, whatever happened."""
    with ExitStack() as stack:
        server = stack.enter_context(RealFail2ban(programs.fail2ban(version), folder, STAY))
        server.start()
        settings = folder / "settings.toml"
        settings.write_text(_settings(server, folder), encoding="utf-8")
        exporter = stack.enter_context(ExporterProgram(f"--config.file={settings}", log=folder / "exporter.log"))
        exporter.wait_for("fail2ban_jails", len(STAY))
        truth, report = Truth(), Report(most_growth=most_growth)
        report.calm = Reading.of(exporter.pid)
        clients = [kind(exporter.port, truth) for kind in CLIENTS]
        with (
            Regular(0.1, _Attackers(server)),
            Regular(min(1.0, seconds / 100), lambda: report.readings.append(Reading.of(exporter.pid))),
        ):
            _run(Mischief(server, exporter, truth, settings, seed), clients, seconds, report)
        report.after = _calm_again(exporter, report.calm)
        report.wrong += [] if "Traceback" not in exporter.log() else ["a traceback is in the exporter's log"]
        status, took = exporter.stop()
        if status or took > 2:
            report.wrong.append(f"it ended with status {status} after {took:.1f} s")
    report.judge()
    return report


class _Attackers:
    """Somebody always fails somewhere."""

    def __init__(self, server: RealFail2ban) -> None:
        self._server = server
        self._number = 0

    def __call__(self) -> None:
        self._number += 1
        self._server.fail(STAY[self._number % len(STAY)].name, f"192.0.2.{self._number % 250 + 1}")


def _run(mischief: Mischief, clients: list[Client], seconds: float, report: Report) -> None:
    for client in clients:
        client.start()
    end = time.monotonic() + seconds
    due = time.monotonic()
    try:
        while (now := time.monotonic()) < end:
            # Ends and starts take longer than a second: quick faults make up for them.
            report.faults[mischief.any(quick=now > due + FAULT_SECONDS)] += 1
            due += FAULT_SECONDS
            time.sleep(max(0.0, min(due, end) - time.monotonic()))
    finally:
        for client in clients:
            client.finish()
            report.took += client.took
            report.wrong += client.faults


def _calm_again(exporter: ExporterProgram, calm: Reading) -> Reading:
    """Wait until all that is to be closed has been; what it takes then."""

    def is_calm() -> bool:
        now = Reading.of(exporter.pid)
        return now.descriptors <= calm.descriptors and now.threads <= calm.threads

    with suppress(AssertionError):  # the report says it, with the figures
        wait_until(is_calm, "calm again", 10.0)
    return Reading.of(exporter.pid)


def _settings(server: RealFail2ban, folder: Path) -> str:
    return f"""[fail2ban]
socket = "{server.socket}"
config-dir = "{server.config}"
[probe]
interval = "200ms"
timeout = "500ms"
[recovery]
grace = "500ms"
window = "5s"
state-file = "{folder}/state.json"
[web]
listen-address = "127.0.0.1:0"
enable-lifecycle = true
"""
