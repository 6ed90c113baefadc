"""The canary's thread on virtual time: it attacks when it should, and whatever befalls it stays with it.

The clock moves only while the thread waits. The thread is real, and so is what ends its waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest
import structlog

from exporter.canary import CanaryOptions, CanaryRunner, Dependencies, LogFileError
from exporter.fail2ban.failures import ConnectionEndedError, ProbeTimeoutError
from exporter.health import Canary, CanaryResult
from exporter.model import Result
from exporter.snapshot import Snapshot
from tests.snapshots import failure, jail, server, snapshot, success
from tests.waiting import DEADLINE, wait_until

JAIL = "fail2ban-exporter-canary"
OPTIONS = CanaryOptions(Path("/log/canary.log"), JAIL, 300.0, 60.0, "/run/f2b.sock", 10.0)
BEGINNING = 1000.0
WALL = 1_700_000_000.0


def online(identity: str = "pid:1:1", *names: str) -> Snapshot:
    """A server that was started just now, with these jails or that of the canary."""
    probe = success(*(jail(name) for name in names or ("sshd", JAIL)), server=server(identity=identity))
    return snapshot(probe, beat=1e9)


OFFLINE = snapshot(failure(Result.SOCKET_MISSING), beat=1e9)


@dataclass
class Stage:
    """All that the canary can see and do, as a test has it, until the clock reaches the end."""

    snapshot: Snapshot = field(default_factory=online)
    bans: int | None = 7
    retries: int = 3
    delay: float | None = 0.7
    """After which the attacker is banned; None for never."""
    error: Exception | None = None
    """Raised in place of every answer."""
    write_error: Exception | None = None
    now: float = BEGINNING
    end: float = BEGINNING + 100.0
    events: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    attacks: list[tuple[float, Path, int]] = field(default_factory=list)
    attackers: list[IPv6Address] = field(default_factory=list)
    prepared: list[float] = field(default_factory=list)
    watched: list[tuple[str, str, float]] = field(default_factory=list)
    closed: int = 0
    runner: CanaryRunner = field(init=False)
    told: list[Canary | None] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        """Let something happen that many seconds after the beginning."""
        self.events.append((BEGINNING + seconds, event))

    def results(self) -> dict[str, int]:
        """How many attacks ended how, those that never happened left out."""
        latest = self.told[-1]
        return {} if latest is None else {str(result): number for result, number in latest.runs.items() if number}

    def play(self, options: CanaryOptions | None = OPTIONS) -> None:
        """Run the canary until the end of the stage's time."""
        over = threading.Event()
        edges = Dependencies(
            watch=self.watch,
            prepare=self.prepare,
            write=self.write,
            monotonic=lambda: self.now,
            wall=lambda: WALL + self.now - BEGINNING,
            wake=Wake(self, over),
        )
        runner = self.runner = CanaryRunner(options, lambda: self.snapshot, edges)
        with structlog.testing.capture_logs() as logged:
            runner.start()
            if options is not None:
                assert over.wait(DEADLINE)
            runner.stop(DEADLINE)
        self.logged = [entry["event"] for entry in logged]

    def look(self) -> None:
        """Take note of what is shown of the canary, if that is something new."""
        latest = self.runner.latest
        if latest is not (self.told[-1] if self.told else None):
            self.told.append(latest)

    def watch(self, socket: str, name: str, patience: float) -> Watched:
        """Stand for `JailWatch`."""
        self.watched.append((socket, name, patience))
        return Watched(self)

    def prepare(self, _path: Path) -> None:
        """Stand for the making of the file."""
        self.prepared.append(self.now - BEGINNING)
        raise_if(self.write_error)

    def write(self, path: Path, attacker: IPv6Address, times: int, timestamp: float) -> None:
        """Stand for the writing of failures."""
        raise_if(self.write_error)
        assert timestamp == WALL + self.now - BEGINNING
        self.attacks.append((self.now - BEGINNING, path, times))
        self.attackers.append(attacker)
        if self.delay is not None:
            self.at(self.now - BEGINNING + self.delay, self._ban)

    def _ban(self) -> None:
        self.bans = None if self.bans is None else self.bans + 1

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let happen what is due."""
        self.now += seconds
        for due in sorted((one for one in self.events if one[0] <= self.now), key=lambda one: one[0]):
            self.events.remove(due)
            due[1]()


class Wake(threading.Event):
    """Waiting moves the clock; past the end of the stage's time it is a real wait."""

    def __init__(self, stage: Stage, over: threading.Event) -> None:
        super().__init__()
        self._stage = stage
        self._over = over

    def wait(self, timeout: float | None = None) -> bool:
        """Wait."""
        stage = self._stage
        stage.look()
        until = stage.end + 1 if timeout is None else stage.now + timeout
        while not self.is_set():
            due = min((at for at, _ in stage.events if at <= min(until, stage.end)), default=until)
            if due > stage.end:
                self._over.set()
                return super().wait()
            stage.pass_time(due - stage.now)
            if due == until:
                break
        return self.is_set()


class Watched:
    """The jail as the stage has it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def max_retries(self) -> int:
        """Answer."""
        raise_if(self._stage.error)
        return self._stage.retries

    def bans(self) -> int | None:
        """Answer."""
        raise_if(self._stage.error)
        return self._stage.bans

    def close(self) -> None:
        """Note it."""
        self._stage.closed += 1


def raise_if(error: Exception | None) -> None:
    """Raise an error, if there is one."""
    if error is not None:
        raise error


@pytest.fixture
def stage() -> Stage:
    """A fail2ban that bans the canary, and is online from the beginning on."""
    return Stage()


def test_an_attacker_that_is_banned_is_told_with_its_delay(stage: Stage) -> None:
    stage.play()

    first, last = stage.told[0], stage.told[-1]
    assert first is not None
    assert first.is_up is None
    assert last is not None
    assert last.is_up is True
    assert last.jail == JAIL
    assert last.last_delay == pytest.approx(0.7, abs=0.1)
    assert last.last_success == pytest.approx(WALL + 10.7, abs=0.1)
    assert stage.attacks == [(10.0, OPTIONS.log_file, 3)]
    assert stage.watched == [(OPTIONS.socket, JAIL, OPTIONS.patience)]
    assert stage.closed == 1
    assert stage.logged == ["canary_banned"]


def test_it_attacks_once_an_interval_with_another_attacker_each_time(stage: Stage) -> None:
    stage.end = BEGINNING + 1000.0
    stage.play()

    assert [at for at, _, _ in stage.attacks] == [10.0, 310.0, 610.0, 910.0]
    assert len(set(stage.attackers)) == 4
    assert stage.results() == {"success": 4}
    assert stage.logged == ["canary_banned"]


def test_an_attacker_that_is_not_banned_is_told_at_the_timeout_and_so_is_that_it_is_well_again(stage: Stage) -> None:
    stage.delay = None
    stage.end = BEGINNING + 650.0
    stage.at(300.0, lambda: setattr(stage, "delay", 1.0))
    stage.play()

    verdicts = [canary.is_up for canary in stage.told if canary]
    assert verdicts == [None, False, True, True]
    assert stage.results() == {"timeout": 1, "success": 2}
    assert stage.logged == ["canary_not_banned", "canary_banned"]
    assert stage.told[1] is not None
    assert stage.told[1].latest is not None
    assert stage.told[1].latest.ended == pytest.approx(WALL + 70.0, abs=0.1)


def test_it_writes_nothing_while_fail2ban_is_away_and_attacks_once_it_has_settled(stage: Stage) -> None:
    stage.snapshot = OFFLINE
    stage.at(50.5, lambda: setattr(stage, "snapshot", online()))
    stage.play()

    assert [at for at, _, _ in stage.attacks] == [61.0]
    assert stage.results() == {"success": 1}


def test_the_log_file_is_made_even_so_since_fail2ban_may_not_start_without(stage: Stage) -> None:
    stage.snapshot = OFFLINE
    stage.play()

    assert stage.prepared == [0.0]
    assert stage.attacks == []
    assert stage.results() == {}


def test_a_server_that_was_restarted_is_left_to_settle(stage: Stage) -> None:
    stage.end = BEGINNING + 400.0
    stage.at(308.0, lambda: setattr(stage, "snapshot", online("pid:2:2")))
    stage.play()

    assert [at for at, _, _ in stage.attacks] == [10.0, 320.0]


def test_a_stale_snapshot_is_no_fail2ban_to_attack(stage: Stage) -> None:
    stage.snapshot = replace(online(), beat=0.0)
    stage.play()

    assert stage.attacks == []


@pytest.mark.parametrize(
    "error", [ConnectionEndedError("it ended"), ProbeTimeoutError("no answer")], ids=["ended", "hangs"]
)
def test_a_fail2ban_that_goes_away_under_attack_is_no_failure(error: Exception, stage: Stage) -> None:
    stage.delay = None
    stage.at(20.0, lambda: setattr(stage, "error", error))
    stage.play()

    last = stage.told[-1]
    assert last is not None
    assert last.is_up is None
    assert stage.results() == {"interrupted": 1}
    assert stage.closed == 1
    assert stage.logged == ["canary_interrupted"]


@pytest.mark.parametrize("names", [["sshd"], ["sshd", "web"]])
def test_a_jail_that_does_not_run_is_not_even_asked_for(names: list[str], stage: Stage) -> None:
    stage.snapshot = online("pid:1:1", *names)
    stage.play()

    assert stage.results() == {"jail_missing": 1}
    assert stage.watched == []
    assert stage.attacks == []


def test_a_jail_that_begins_to_run_is_attacked_once_it_has_settled_and_not_an_interval_later(stage: Stage) -> None:
    stage.snapshot = online("pid:1:1", "sshd")
    stage.at(40.5, lambda: setattr(stage, "snapshot", online()))
    stage.play()

    assert [at for at, _, _ in stage.attacks] == [51.0]
    assert stage.results() == {"jail_missing": 1, "success": 1}


def test_a_jail_that_stays_missing_is_told_once_an_interval(stage: Stage) -> None:
    stage.snapshot = online("pid:1:1", "sshd")
    stage.end = BEGINNING + 1000.0
    stage.play()

    assert stage.results() == {"jail_missing": 4}
    assert stage.logged == ["canary_not_banned"]


@pytest.mark.parametrize("name", ["--all", "loglevel", "a<F2B_END_COMMAND>b"])
def test_a_jail_that_can_not_be_asked_for_safely_is_not(name: str, stage: Stage) -> None:
    stage.snapshot = online("pid:1:1", name)
    stage.play(replace(OPTIONS, jail=name))

    assert stage.results() == {"jail_missing": 1}
    assert stage.watched == []


def test_a_jail_that_can_not_be_told_from_others_is_asked_for(stage: Stage) -> None:
    stage.snapshot = snapshot(success(jail_count=3), beat=1e9)
    stage.play()

    assert stage.results() == {"success": 1}


def test_a_jail_that_vanishes_is_missing(stage: Stage) -> None:
    stage.bans = None
    stage.play()

    assert stage.results() == {"jail_missing": 1}
    assert stage.attacks == []


def test_a_jail_that_is_restarted_under_attack_says_nothing(stage: Stage) -> None:
    stage.delay = None
    stage.at(12.0, lambda: setattr(stage, "bans", 0))
    stage.play()

    assert stage.results() == {"interrupted": 1}


def test_a_log_file_that_can_not_be_written_is_a_failure_with_its_reason(stage: Stage) -> None:
    stage.write_error = LogFileError("it is a pipe")
    stage.play()

    last = stage.told[-1]
    assert last is not None
    assert last.latest is not None
    assert (CanaryResult.LOG_FILE_ERROR, "it is a pipe") == (last.latest.result, last.latest.reason)


def test_whatever_goes_wrong_in_it_is_told_and_tried_again(stage: Stage) -> None:
    stage.error = ZeroDivisionError("a fault of the exporter's own")
    stage.end = BEGINNING + 400.0
    stage.at(200.0, lambda: setattr(stage, "error", None))
    stage.play()

    assert stage.results() == {"internal_error": 1, "success": 1}
    assert stage.logged == ["canary_broken", "canary_not_banned", "canary_banned"]


def test_the_same_failure_again_is_logged_once(stage: Stage) -> None:
    stage.delay = None
    stage.end = BEGINNING + 1000.0
    stage.play()

    assert stage.results() == {"timeout": 4}
    assert stage.logged == ["canary_not_banned"]


def test_other_options_end_an_attack_and_are_worked_by_at_once(stage: Stage) -> None:
    stage.delay = None
    other = replace(OPTIONS, log_file=Path("/log/other.log"))
    stage.at(20.0, lambda: stage.runner.reconfigure(other))
    stage.play()

    assert [(at, path) for at, path, _ in stage.attacks] == [(10.0, OPTIONS.log_file), (30.0, other.log_file)]
    assert stage.results() == {"timeout": 1}


def test_the_same_options_again_change_nothing(stage: Stage) -> None:
    stage.delay = 30.0
    stage.at(20.0, lambda: stage.runner.reconfigure(replace(OPTIONS)))
    stage.play()

    assert len(stage.attacks) == 1
    assert stage.results() == {"success": 1}


def test_turned_off_it_is_forgotten_and_turned_on_again_it_counts_anew(stage: Stage) -> None:
    stage.at(20.0, lambda: stage.runner.reconfigure(None))
    stage.at(40.0, lambda: stage.runner.reconfigure(OPTIONS))
    stage.play()

    ups = [None if canary is None else canary.is_up for canary in stage.told]
    assert ups == [None, True, None, None, True]
    assert stage.told[2] is None
    assert stage.results() == {"success": 1}


def test_off_there_is_no_thread(stage: Stage) -> None:
    before = threading.active_count()
    stage.play(None)

    assert threading.active_count() == before
    assert stage.told == []


def test_it_can_be_stopped_in_the_middle_of_an_attack(stage: Stage) -> None:
    stage.delay = None
    stage.end = BEGINNING + 20.0
    stage.play()

    wait_until(lambda: not any(thread.name == "canary" for thread in threading.enumerate()), "the thread ends")
    assert stage.results() == {}
    assert stage.closed == 1
