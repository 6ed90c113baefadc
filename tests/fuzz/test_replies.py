"""Whatever answers in fail2ban's place, at random: nothing runs, and no scrape says what can't be."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition import Exposition
from exporter.fail2ban import Client
from exporter.health import Health, ProbeEnded, reduce
from exporter.model import Probe, Result
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import ProbeOptions, Snapshot
from tests.fakes import FakeJail, FakeServer, Honest, replying
from tests.fuzz import FACTOR, examples
from tests.fuzz.replies import Generator
from tests.soak.invariants import Scrape, faults_of

REPLIES = 100_000


@pytest.mark.timeout(300 * FACTOR)
def test_a_hundred_thousand_replies_at_random_run_nothing_and_take_little() -> None:
    seed = 1 if FACTOR == 1 else time.time_ns()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.replies", f"--count={REPLIES * FACTOR}", f"--seed={seed}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    outcome = json.loads(done.stdout)
    print(f"seed {seed}: {outcome}")

    assert outcome["events"] == []
    assert outcome["read"] + outcome["refused"] == REPLIES * FACTOR
    assert outcome["read"] > REPLIES / 20, "nothing but rubbish proves nothing"
    assert outcome["believed"] > 0
    assert outcome["opcodes"] == 68, "every opcode of pickle"
    assert outcome["longest"] < 1.0
    assert outcome["growth"] < 40


TIMEOUT = 5.0


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(Honest()) as running:
        yield running


def scraped(probe: Probe) -> Scrape:
    """A scrape that shows this probe."""
    now = time.monotonic()
    health = reduce(Health.initial(TIMEOUT), ProbeEnded(probe, at=now, timestamp=time.time()))
    snapshot = Snapshot(ProbeOptions("/run/f2b.sock", 30.0, TIMEOUT), health, beat=now, probe=probe)
    form = Format.TEXT_0_0_4
    return Scrape.read(Exposition(lambda: snapshot, OwnMetrics().registry).render(form).decode())


def probed(server: FakeServer, script: Honest | None, reply: bytes) -> Probe:
    """What one client makes of the server; a second probe, of an honest one, must work."""
    server.script = script or replying(reply)
    with closing(Client(str(server.path))) as client:
        started = time.monotonic()
        probe = client.probe(TIMEOUT)
        assert time.monotonic() - started < TIMEOUT + 0.5
        server.script = Honest()
        server.drop_all()
        assert client.probe(TIMEOUT).result is Result.SUCCESS
    return probe


@examples(60)
@given(st.integers(0, 2**32), st.sampled_from(["all", "version", "stats", "status", "setting"]))
def test_a_reply_at_random_in_any_place_gives_a_result_and_a_scrape_that_does_not_contradict_itself(
    server: FakeServer, seed: int, place: str
) -> None:
    reply = Generator(seed).reply()
    jails = {"sshd": FakeJail(), "web": FakeJail()}
    command = {
        "version": ("version",),
        "stats": ("stats",),
        "status": ("status", "web", "short"),
        "setting": ("get", "web", "bantime"),
    }
    version = "1.0.2" if place == "status" else "1.1.1"
    script = None if place == "all" else Honest(jails, version, replies={command[place]: reply})

    probe = probed(server, script, reply)

    assert list(faults_of(scraped(probe), tells_all_jails=place != "status")) == []
    if place in ("all", "version"):
        assert probe.result is not Result.SUCCESS or place == "version"
