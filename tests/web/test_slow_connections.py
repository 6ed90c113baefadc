"""What others notice while one machine opens 1,500 slow connections: next to nothing."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import DEADLINE, wait_until
from tests.web.attacker import CONNECTIONS
from tests.web.certificates import Certificates, write_web_config
from tests.web.serving import PAGE, Client
from tests.web.target import DESCRIPTORS

ATTACK_SECONDS = 8.0
SCRAPES_PER_SECOND = 25
MOST_GROWTH_MIB = 15.0
SLOWEST_SECONDS = 5.0  # whatever else the machine does meanwhile; how fast it can be is for a benchmark to say


class Program:
    """A Python module run as a process, ended with its block by its process id."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Wait for a line of its standard output."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def finish(self) -> dict[str, int]:
        """Close its standard input, by which it is to end; return the object that it prints then."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.stdin = None
        outcome: dict[str, int] = json.loads(self.line())
        return outcome

    def end(self) -> str:
        """End it if it has not ended; return what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.kill()
        _, errors = self.process.communicate()
        return errors


class Target(Program):
    """The server under attack."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        config = [str(write_web_config(certificates.folder))] if certificates else []
        super().__init__("tests.web.target", *config)
        self._tls = certificates.client() if certificates else None
        self.port = int(self.line() or "0")

    def resident_mib(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found.group(1)) / 1024

    def descriptors(self) -> int:
        """How many file descriptors it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def cpu_seconds(self) -> float:
        """How much processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def scrape(self) -> float:
        """Scrape it on a new connection; return how many seconds the answer took."""
        started = time.monotonic()
        with self.client() as client:
            assert PAGE == client.get("/metrics").body
        return time.monotonic() - started

    def client(self) -> Client:
        """Connect to it."""
        return Client(self.port, tls=self._tls)

    def terminate(self) -> float:
        """Send SIGTERM and wait for a clean end; return how many seconds that took."""
        started = time.monotonic()
        self.process.terminate()
        assert 0 == self.process.wait(DEADLINE)
        return time.monotonic() - started


@pytest.fixture
def target() -> Iterator[Target]:
    """The server, which must have written nothing to standard error."""
    with running(Target()) as target:
        yield target


@pytest.fixture
def tls_target(tmp_path: Path) -> Iterator[Target]:
    """The same under TLS."""
    with running(Target(Certificates(tmp_path))) as target:
        yield target


@contextmanager
def running(target: Target) -> Iterator[Target]:
    """Make sure that it started, and in the end that it was quiet."""
    try:
        assert target.port, "the server did not start"
        yield target
    finally:
        errors = target.end()
    assert "" == errors


@contextmanager
def attack(kind: str, target: Target) -> Iterator[Program]:
    """An attack in a process of its own, from when all its connections have been made."""
    attacker = Program("tests.web.attacker", kind, str(target.port))
    try:
        assert "attacking" == attacker.line()
        yield attacker
    finally:
        attacker.end()


def scrape_for(target: Target, seconds: float) -> tuple[list[float], float]:
    """Scrape at a steady rate; return the seconds that each scrape took, and the peak of memory in MiB."""
    took: list[float] = []
    memory = 0.0
    end = time.monotonic() + seconds
    while (started := time.monotonic()) < end:
        took.append(target.scrape())
        memory = max(memory, target.resident_mib())
        time.sleep(max(0.0, started + 1 / SCRAPES_PER_SECOND - time.monotonic()))
    return took, memory


@pytest.mark.parametrize("kind", ["heads", "bodies", "readers", "silent"])
def test_others_scrape_on_while_slow_connections_come_and_come_back(target: Target, kind: str) -> None:
    withstand(kind, target)


@pytest.mark.parametrize("kind", ["silent", "half hellos", "hellos", "old hellos"])
def test_others_scrape_on_while_tls_handshakes_are_begun_and_never_ended(tls_target: Target, kind: str) -> None:
    withstand(kind, tls_target)


def withstand(kind: str, target: Target) -> None:
    """Attack, and see that nobody else notices much."""
    scrape_for(target, 1.0)
    calm_memory, calm_descriptors = target.resident_mib(), target.descriptors()

    with attack(kind, target) as attacker:
        took, memory = scrape_for(target, ATTACK_SECONDS)
        outcome = attacker.finish()
    wait_until(lambda: target.descriptors() <= calm_descriptors, "the descriptors are free again")
    with attack(kind, target):
        ended_in = target.terminate()

    *_, p95, _, _, _, p99 = statistics.quantiles(took, n=100)
    print(
        f"{kind}: {outcome['made']} connections, {outcome['cut']} cut; {len(took)} scrapes, "
        f"median {statistics.median(took) * 1000:.1f} ms, 95 % {p95 * 1000:.1f} ms, 99 % {p99 * 1000:.1f} ms; "
        f"memory +{memory - calm_memory:.1f} MiB; ended in {ended_in:.2f} s"
    )
    assert outcome["cut"] > outcome["made"] - CONNECTIONS - 1
    assert p99 < SLOWEST_SECONDS
    assert memory - calm_memory < MOST_GROWTH_MIB
    assert ended_in < 2.0


def test_a_flood_of_requests_is_answered_to_the_last(target: Target) -> None:
    """5,000 requests from 200 clients at once, each of which keeps its connection."""
    clients = [Client(target.port) for _ in range(200)]
    try:
        for _ in range(25):
            for client in clients:
                client.send(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
            for client in clients:
                assert PAGE == client.answer().body
    finally:
        for client in clients:
            client.socket.close()

    assert target.terminate() < 2.0


def test_a_flood_of_requests_under_tls_is_answered_to_the_last(tls_target: Target) -> None:
    """200 clients at once, each with 25 requests on a connection, and then with five on a new one each."""

    def scrape(requests: int) -> None:
        with tls_target.client() as client:
            for _ in range(requests):
                assert PAGE == client.get("/metrics").body

    with ThreadPoolExecutor(200) as clients:
        list(clients.map(scrape, [25] * 200))
        list(clients.map(scrape, [1] * 1000))

    assert tls_target.terminate() < 2.0


def test_without_a_descriptor_left_it_serves_at_the_cost_of_idle_connections(target: Target) -> None:
    with Client(target.port) as kept, Client(target.port) as idle:
        idle.get("/metrics")
        assert int(kept.get("/exhaust").body) > 900

        for _ in range(10):
            target.scrape()

        wait_until(idle.is_closed, "the idle connection made room")
    assert target.terminate() < 2.0


def test_the_last_descriptor_serves_without_anybody_making_room(target: Target) -> None:
    with Client(target.port) as kept:
        kept.get("/exhaust?spare=1")

        with Client(target.port) as last:
            assert PAGE == last.get("/metrics").body
            assert target.descriptors() == DESCRIPTORS

            assert PAGE == kept.get("/metrics").body


def test_without_a_descriptor_left_and_nobody_to_make_room_it_waits_without_a_spin(target: Target) -> None:
    with Client(target.port) as busy:
        busy.send(b"GET /exhaust?hold=1 HTTP/1.1\r\nHost: test\r\n\r\n")
        wait_until(lambda: target.descriptors() == DESCRIPTORS, "no descriptor is left")
        with Client(target.port) as waiting:
            waiting.send(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
            used = target.cpu_seconds()
            time.sleep(1.0)  # not for an effect, but to measure over
            assert target.cpu_seconds() - used < 0.3

            busy.socket.close()

            assert PAGE == waiting.answer().body
