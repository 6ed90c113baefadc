"""The file tells the truth also when the thread that probes does not come back."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from exporter import background, settings
from exporter.live_settings import LiveSettings
from exporter.model import Probe
from exporter.own import OwnMetrics
from exporter.service_manager import ServiceManager
from exporter.settings import InvalidSettings, Settings
from exporter.textfile import TextFile
from exporter.textfile_writer import NOT_ONLINE, NOT_WRITTEN, TextfileWriter
from tests.exporter_program import key
from tests.quiet_client import QuietClient
from tests.snapshots import failure, jail, success
from tests.textfile_program import read
from tests.waiting import DEADLINE, wait_until

PROBE = settings.Probe(interval=0.05, timeout=0.05)
UP = key("fail2ban_up")
UNKNOWN = key("fail2ban_state", fail2ban_state="unknown")


class Client(QuietClient):
    """A client whose probes are what a test says; the first is good."""

    def __init__(self) -> None:
        self.probes = 0
        self.answer: Callable[[], Probe] = lambda: success(jail())
        self.open = threading.Event()
        """Unset, it holds every probe up."""
        self.open.set()
        self.asked = threading.Event()
        """Set with the first probe."""

    def probe(self, timeout: float) -> Probe:
        """Answer when it is open."""
        del timeout
        self.asked.set()
        self.open.wait(DEADLINE)
        self.probes += 1
        return self.answer()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The client of every writer in the test."""
    client = Client()
    monkeypatch.setattr(background, "Client", lambda *_: client)
    yield client
    client.open.set()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "files" / "fail2ban.prom"


def writer(output: Path, probe: settings.Probe = PROBE) -> TextfileWriter:
    """A writer of the file, whose folder is made."""
    output.parent.mkdir(exist_ok=True)

    def reload() -> Settings:
        raise InvalidSettings(["a: fault"])

    given = Settings(probe=probe, fail2ban=settings.Fail2ban(config_dir=None))
    own = OwnMetrics(of_process=False)
    return TextfileWriter(LiveSettings(given, reload, own, ()), own, ServiceManager(None, None), output)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition while the writer runs."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a file
            await asyncio.sleep(0.005)


async def turns() -> None:
    """Let the writer do whatever it has to do now."""
    for _ in range(1000):
        await asyncio.sleep(0)


def run(written: TextfileWriter, story: Callable[[], Awaitable[None]]) -> int:
    """Run a writer and a story beside it, then end it by SIGTERM if it still runs; its exit status."""

    async def both() -> int:
        running = asyncio.ensure_future(written.run())
        try:
            await story()
        finally:
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
        return await running

    # The program itself goes on to heed no signal once it has stopped.
    heeded = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        with structlog.testing.capture_logs():
            return asyncio.run(both())
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def test_a_probe_that_does_not_come_back_leaves_no_figures_that_look_alive(client: Client, output: Path) -> None:
    async def story() -> None:
        await until(lambda: read(output).get(UP) == 1)
        client.open.clear()
        await until(lambda: read(output).get(UNKNOWN) == 1)
        stale = read(output)
        assert stale[UP] == 0
        assert key("fail2ban_jails") not in stale
        assert stale[key("fail2ban_probe_last_timestamp_seconds")] > 0
        client.open.set()
        await until(lambda: read(output).get(UP) == 1)

    assert run(writer(output), story) == 0


def test_what_is_stale_is_written_once_and_not_again_and_again(
    client: Client, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    written = writer(output)
    whole = TextFile.write

    def write(file: TextFile, content: bytes) -> bool:
        writes.append(content)
        return whole(file, content)

    monkeypatch.setattr(TextFile, "write", write)

    async def story() -> None:
        await until(lambda: read(output).get(UP) == 1)
        client.open.clear()
        await until(lambda: read(output).get(UNKNOWN) == 1)
        before = len(writes)
        await turns()
        assert len(writes) == before

    assert run(written, story) == 0


def test_what_becomes_stale_while_it_is_written_is_not_left_to_look_alive(
    client: Client, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is slow: nothing that comes later would have it written anew."""
    whole = TextFile.write

    def write(file: TextFile, content: bytes) -> bool:
        client.open.clear()
        end = time.monotonic() + 10 * (PROBE.interval + PROBE.timeout)
        wait_until(lambda: time.monotonic() > end, "the figures are old")
        return whole(file, content)

    monkeypatch.setattr(TextFile, "write", write)

    async def story() -> None:
        await until(lambda: read(output).get(UNKNOWN) == 1)
        client.open.set()

    assert run(writer(output), story) == 0


def test_a_prober_that_dies_ends_the_process_and_takes_the_file_away(client: Client, output: Path) -> None:
    def die() -> Probe:
        raise RuntimeError("a fault of the program")

    async def story() -> None:
        await until(lambda: read(output).get(UP) == 1)
        client.answer = die
        await until(lambda: not output.exists())

    assert run(writer(output), story) == 1
    assert list(output.parent.iterdir()) == []


def test_before_the_first_probe_has_ended_nothing_is_written_over_what_an_earlier_run_left(
    client: Client, output: Path
) -> None:
    client.open.clear()
    written = writer(output, settings.Probe(interval=60, timeout=60))
    output.write_text("fail2ban_recoveries_total 5\n")

    async def story() -> None:
        await until(client.asked.is_set)
        await turns()
        assert read(output) == {key("fail2ban_recoveries_total"): 5}
        client.open.set()
        await until(lambda: read(output).get(UP) == 1)

    assert run(written, story) == 0


@pytest.mark.parametrize(
    ("probe", "writable", "status"),
    [
        pytest.param(success(jail()), True, 0, id="online"),
        pytest.param(failure(), True, NOT_ONLINE, id="offline"),
        pytest.param(success(jail()), False, NOT_WRITTEN, id="online, not written"),
        pytest.param(failure(), False, NOT_WRITTEN, id="offline, not written"),
    ],
)
def test_once_the_status_is_the_outcome(
    client: Client, output: Path, probe: Probe, *, writable: bool, status: int
) -> None:
    client.answer = lambda: probe
    written = writer(output)
    if not writable:
        output.parent.rmdir()

    with structlog.testing.capture_logs():
        assert written.write_once() == status

    assert client.probes == 1
    assert output.exists() is writable
