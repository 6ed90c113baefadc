"""The prober's thread: late news, two probes at once or a dead thread would make every metric lie.

Most tests run on virtual time: the clock moves only while the prober waits, a step each time that it looks, and while
it probes. The thread is real, and so is what it polls.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import structlog

from exporter.health import Histogram
from exporter.model import ExitKind, Probe, Result, State
from exporter.prober import Clock, Prober
from exporter.snapshot import ProbeOptions, Snapshot
from tests.snapshots import failure, jail, server, success
from tests.waiting import DEADLINE, wait_until

OPTIONS = ProbeOptions(socket="/run/one.sock", interval=30.0, timeout=10.0)
STEP = 1 / 64  # exact in binary, so that virtual times are exact too
BEGINNING = 1000.0
ONLINE = success(jail())
OFFLINE = failure(Result.SOCKET_MISSING)
HANGING = failure(Result.TIMEOUT)


class OverError(Exception):
    """Ends a script: the prober dies of it."""


class Script:
    """A fail2ban whose every probe is written down beforehand, on a clock that only the prober's own doings move."""

    def __init__(self, *answers: Probe, options: ProbeOptions = OPTIONS) -> None:
        """Answer so, then end."""
        self.answers = answers
        self.seconds = [0.0] * len(answers)
        """How long each probe takes."""
        self.now = BEGINNING
        self.events: list[tuple[float, Callable[[], None]]] = []
        """What happens at which time, while the prober waits."""
        self.during: dict[int, Callable[[], None]] = {}
        """What happens during the probe with this number."""
        self.ended = [False] * len(answers)
        """Whether the connection is at its end after the probe with this number."""
        self.exits: list[ExitKind] = []
        self.started: list[float] = []
        """When each probe started, in seconds since the beginning."""
        self.clients: list[FakeClient] = []
        self.died: list[BaseException] = []
        self.published: list[Snapshot] = []
        self.prober = Prober(options, self._make_client, self._on_failure, Clock(lambda: self.now, lambda: self.now))
        self._over = threading.Event()

    def run(self) -> list[float]:
        """Play the script to its end; return when each probe started."""
        with structlog.testing.capture_logs():
            self.prober.start()
            over = self._over.wait(DEADLINE)
            self.prober.stop(DEADLINE)
        for client in self.clients:
            os.close(client.connection)
        assert over, f"only {len(self.started)} of {len(self.answers)} probes"
        assert [type(error) for error in self.died] == [OverError], self.died
        return self.started

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen that many seconds after the beginning, while the prober waits."""
        self.events.append((BEGINNING + seconds, event))

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()

    def _make_client(self, path: str) -> FakeClient:
        self.clients.append(FakeClient(self, path))
        return self.clients[-1]

    def _on_failure(self, error: BaseException) -> None:
        self.died.append(error)
        self._over.set()


class FakeClient:
    """The client of a script."""

    def __init__(self, script: Script, path: str) -> None:
        """Connect, so to say."""
        self.path = path
        self.closed = 0
        self.connection = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._script = script

    def probe(self, timeout: float) -> Probe:
        """Answer as the script says."""
        script = self._script
        number = len(script.started)
        script.published.append(script.prober.snapshot)
        if number == len(script.answers):
            raise OverError
        assert timeout == script.prober.snapshot.options.timeout
        script.started.append(script.now - BEGINNING)
        script.during.pop(number, lambda: None)()
        script.now += script.seconds[number]
        with_news(self.connection, news=script.ended[number])
        return script.answers[number]

    def exits(self) -> list[ExitKind]:
        """Tell each exit once."""
        told, self._script.exits = self._script.exits, []
        return told

    def watched(self) -> Sequence[tuple[int, int]]:
        """Watch the connection."""
        return [(self.connection, select.POLLIN)]

    def settles_in(self) -> float:
        """Have it ask again at once, which is what moves the clock."""
        self._script.pass_time(STEP)
        return 0.0

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def with_news(connection: int, *, news: bool) -> None:
    """Make a connection end, or have it not ended."""
    if news:
        os.eventfd_write(connection, 1)
    elif select.select([connection], [], [], 0)[0]:
        os.eventfd_read(connection)


def no_prober_runs() -> bool:
    return all(thread.name != "prober" for thread in threading.enumerate())


def gaps(times: Sequence[float]) -> list[float]:
    """The seconds from each to the next."""
    return [later - earlier for earlier, later in pairwise(times)]


# -- when it probes


def test_it_probes_at_once_on_start_and_then_from_start_to_start_whatever_a_probe_takes() -> None:
    script = Script(ONLINE, ONLINE, ONLINE, ONLINE)
    script.seconds = [0.0, 5.0, 29.0, 0.0]

    assert script.run() == [0, 30, 60, 90]


def test_a_probe_longer_than_the_interval_is_followed_by_a_pause_and_not_by_a_burst() -> None:
    script = Script(*[ONLINE] * 5)
    script.seconds[1] = 95.0

    assert script.run() == [0, 30, 126, 156, 186]


def test_an_interval_of_zero_is_back_to_back() -> None:
    script = Script(ONLINE, ONLINE, ONLINE, options=replace(OPTIONS, interval=0.0))
    script.seconds = [0.25, 0.25, 0.25]

    assert script.run() == [0, 0.25, 0.5]


@pytest.mark.parametrize("answer", [OFFLINE, HANGING, failure(Result.PERMISSION_DENIED)], ids=lambda one: one.result)
def test_while_not_online_it_probes_every_second_and_then_ever_less_up_to_the_interval(answer: Probe) -> None:
    waits = gaps(Script(*[answer] * 60).run())

    assert waits[:10] == [1.0] * 10
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert max(waits) == 30
    # News is never later than a tenth of the outage, give or take a step of the clock.
    elapsed = 0.0
    for wait in waits:
        elapsed += wait
        assert wait <= max(1.0, elapsed * 0.1) + STEP


def test_an_outage_that_is_over_brings_back_the_interval() -> None:
    script = Script(ONLINE, OFFLINE, OFFLINE, ONLINE, ONLINE)

    assert script.run() == [0, 30, 31, 32, 62]


def test_a_second_outage_is_probed_as_eagerly_as_the_first() -> None:
    script = Script(*[OFFLINE] * 30, ONLINE, *[OFFLINE] * 3)

    assert gaps(script.run())[-2:] == [1, 1]


def test_offline_with_an_interval_below_a_second_it_keeps_to_the_interval() -> None:
    assert gaps(Script(*[OFFLINE] * 5, options=replace(OPTIONS, interval=0.25)).run()) == [0.25] * 4


# -- hints: the end of the held connection


def test_the_end_of_the_connection_brings_a_probe_at_once() -> None:
    script = Script(ONLINE, OFFLINE, ONLINE)
    script.at(7, lambda: with_news(script.clients[0].connection, news=True))

    assert script.run() == [0, 7, 8]


def test_every_crash_of_a_server_that_comes_back_at_once_is_looked_into_at_once() -> None:
    servers = [replace(ONLINE, server=server(identity=f"pid:{number}:1")) for number in range(10)]
    script = Script(*servers)
    script.ended = [True] * 9 + [False]

    assert script.run()[-1] < 1
    assert script.prober.snapshot.health.restarts == 9


def test_a_server_that_drops_every_connection_is_not_probed_in_a_loop() -> None:
    script = Script(*[ONLINE] * 100)
    script.ended = [True] * 100

    waits = gaps(script.run())

    assert [round(wait) for wait in waits[:7]] == [0, 0, 1, 2, 4, 8, 16]
    # Then one for the interval, and at most one for the hint.
    assert all(earlier + later >= 30 for earlier, later in pairwise(waits[7:]))


def test_news_makes_the_next_hint_welcome_again() -> None:
    script = Script(*[ONLINE] * 10, OFFLINE, ONLINE, OFFLINE)
    script.ended = [True] * 9 + [False, False, True, False]

    assert gaps(script.run())[-1] == STEP


def test_an_exit_is_news_too_so_that_one_that_crashes_before_it_ever_answers_is_followed_at_each_end() -> None:
    script = Script(*[HANGING] * 8)
    script.ended = [True] * 8
    for number in range(8):
        script.during[number] = lambda: script.exits.append(ExitKind.CRASH)

    assert gaps(script.run()) == [STEP] * 7


# -- exits


def test_an_exit_that_is_clear_when_the_probe_ends_is_published_with_it() -> None:
    script = Script(ONLINE, OFFLINE)
    script.during[1] = lambda: script.exits.append(ExitKind.CRASH)
    right_after: list[Snapshot] = []
    script.at(30 + STEP, lambda: right_after.append(script.prober.snapshot))
    script.run()

    assert [(found.health.state, found.health.exits[ExitKind.CRASH]) for found in right_after] == [(State.OFFLINE, 1)]


def test_an_exit_that_becomes_clear_later_is_published_then_and_the_probe_that_follows_is_at_once() -> None:
    script = Script(ONLINE, OFFLINE)
    script.at(5, lambda: script.exits.append(ExitKind.CRASH))

    assert script.run() == [0, 5]
    assert script.published[1].health.exits[ExitKind.CRASH] == 1
    assert script.published[1].probe == ONLINE
    assert script.prober.snapshot.health.exits[ExitKind.CRASH] == 1


def test_an_exit_that_becomes_clear_while_offline_is_published_and_changes_no_rhythm() -> None:
    script = Script(OFFLINE, OFFLINE)
    script.at(0.5, lambda: script.exits.append(ExitKind.CLEAN))

    assert script.run() == [0, 1]
    assert script.published[1].health.exits[ExitKind.CLEAN] == 1


# -- what it publishes


def test_a_snapshot_holds_the_probe_and_what_it_means_together() -> None:
    script = Script(ONLINE, OFFLINE, HANGING)
    script.run()

    assert [found.probe for found in script.published[1:]] == [ONLINE, OFFLINE, HANGING]
    assert [found.health.state for found in script.published] == [
        State.UNKNOWN,
        State.ONLINE,
        State.OFFLINE,
        State.UNRESPONSIVE,
    ]


def test_the_age_of_a_snapshot_counts_from_its_publishing() -> None:
    script = Script(ONLINE)
    script.seconds[0] = 4.0
    script.run()

    latest = script.prober.snapshot
    assert latest.stale_at() == BEGINNING + 4 + 3 * 30 + 10
    assert latest.health.last_probe == BEGINNING + 4


# -- other settings


def test_other_settings_bring_a_probe_at_once_and_the_last_of_them_win() -> None:
    script = Script(ONLINE, ONLINE, ONLINE)

    def twice() -> None:
        script.prober.reconfigure(replace(OPTIONS, interval=99.0))
        script.prober.reconfigure(replace(OPTIONS, interval=20.0, expected=("sshd",)))

    script.at(5, twice)

    assert script.run() == [0, 5, 25]
    assert script.prober.snapshot.options.expected == ("sshd",)


def test_many_reloads_during_one_probe_bring_one_probe_more() -> None:
    script = Script(ONLINE, ONLINE, ONLINE)

    def often() -> None:
        for _ in range(10):
            script.prober.reconfigure(replace(OPTIONS))

    script.during[0] = often

    assert gaps(script.run()) == [STEP, 30]


def test_a_probe_under_way_ends_by_the_settings_that_it_began_with() -> None:
    script = Script(ONLINE, ONLINE)
    script.during[0] = lambda: script.prober.reconfigure(replace(OPTIONS, timeout=1.0))
    script.run()

    assert [found.options.timeout for found in script.published] == [10, 1, 1]


def test_another_socket_gets_a_client_of_its_own_and_the_former_is_closed() -> None:
    script = Script(ONLINE, ONLINE)
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock")))
    script.run()

    assert [client.path for client in script.clients] == ["/run/one.sock", "/run/two.sock"]
    assert [client.closed for client in script.clients] == [1, 1]


def test_another_socket_is_no_restart() -> None:
    script = Script(ONLINE, replace(ONLINE, server=server(identity="pid:2:2")))
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock")))
    script.run()

    assert script.prober.snapshot.health.restarts == 0


def test_until_another_socket_has_answered_the_former_server_figures_are_not_shown_as_its_own() -> None:
    script = Script(ONLINE, HANGING)
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock")))
    script.run()

    meanwhile = script.published[1]
    assert meanwhile.options.socket == "/run/two.sock"
    assert meanwhile.health.state is State.UNKNOWN
    assert meanwhile.probe is None


def test_the_same_socket_keeps_its_client_and_its_figures() -> None:
    script = Script(ONLINE, ONLINE)
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, interval=60.0)))
    script.run()

    assert len(script.clients) == 1
    assert script.published[1].probe == ONLINE


def test_another_timeout_starts_the_histogram_anew_with_it_as_a_bound() -> None:
    script = Script(ONLINE, ONLINE)
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, timeout=3.0)))
    script.run()

    assert script.published[1].health.durations == Histogram.up_to(3)
    assert script.prober.snapshot.health.durations.cumulative()[-1][1] == 1


def test_a_shorter_interval_does_not_make_a_good_snapshot_too_old_at_once() -> None:
    script = Script(ONLINE, ONLINE, options=replace(OPTIONS, interval=3600.0))
    script.at(1000, lambda: script.prober.reconfigure(replace(OPTIONS, interval=1.0)))
    script.run()

    assert script.published[1].stale_at() > BEGINNING + 1000


# -- how it ends


def test_a_thread_that_dies_says_so_once_and_closes_its_client() -> None:
    script = Script(ONLINE)
    script.run()  # which asserts that it died of one error

    assert [client.closed for client in script.clients] == [1]


def test_a_client_that_can_not_be_made_ends_it_too() -> None:
    died: list[BaseException] = []

    def make_client(path: str) -> FakeClient:
        raise OverError(path)

    Prober(OPTIONS, make_client, died.append).start()
    wait_until(no_prober_runs, "its thread ends")

    assert [str(error) for error in died] == ["/run/one.sock"]


@dataclass
class HangingClient:
    """Probes that end only when they are let, in real time."""

    connection: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
    let: threading.Event = field(default_factory=threading.Event)
    probes: int = 0
    at_once: int = 0
    most_at_once: int = 0
    closed: threading.Event = field(default_factory=threading.Event)

    def probe(self, timeout: float) -> Probe:
        """Answer when let."""
        del timeout
        self.probes += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.let.wait(DEADLINE)
        self.at_once -= 1
        with_news(self.connection, news=False)
        return ONLINE

    def exits(self) -> list[ExitKind]:
        """None."""
        return []

    def watched(self) -> Sequence[tuple[int, int]]:
        """Watch the connection."""
        return [(self.connection, select.POLLIN)]

    def settles_in(self) -> None:
        """Nothing is unsettled."""

    def close(self) -> None:
        """Note it."""
        self.closed.set()


@contextmanager
def real(options: ProbeOptions, client: HangingClient) -> Iterator[Prober]:
    """A prober on real time; ended with the block."""
    died: list[BaseException] = []
    with structlog.testing.capture_logs():
        prober = Prober(options, lambda _: client, died.append)
        prober.start()
        try:
            yield prober
        finally:
            client.let.set()
            prober.stop(DEADLINE)
            os.close(client.connection)
    assert died == []
    assert no_prober_runs()
    assert client.closed.is_set()


HOURLY = replace(OPTIONS, interval=3600.0)


def test_in_real_time_a_hint_and_a_reload_each_end_the_wait() -> None:
    client = HangingClient()
    client.let.set()
    with real(HOURLY, client) as prober:
        wait_until(lambda: prober.snapshot.health.last_probe is not None, "the first probe ends")
        assert client.probes == 1

        with_news(client.connection, news=True)
        wait_until(lambda: client.probes == 2, "a probe on the hint")

        prober.reconfigure(HOURLY)
        wait_until(lambda: client.probes == 3, "a probe on the reload")


def test_two_probes_never_overlap_however_many_reloads_and_hints_there_are() -> None:
    client = HangingClient()
    client.let.set()
    with real(replace(OPTIONS, interval=0.0), client) as prober:
        enough = threading.Event()

        def hurry() -> None:
            while not enough.is_set():
                prober.reconfigure(replace(OPTIONS, interval=0.0))
                with_news(client.connection, news=True)

        threads = [threading.Thread(target=hurry) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: client.probes > 200, "many probes")
        finally:
            enough.set()
            for thread in threads:
                thread.join(DEADLINE)

    assert client.most_at_once == 1


def test_stop_does_not_wait_for_a_probe_that_hangs() -> None:
    client = HangingClient()
    with real(HOURLY, client) as prober:
        wait_until(lambda: client.probes == 1, "a probe hangs")

        prober.stop(patience=0.01)

        assert not no_prober_runs()
        assert client.probes == 1


def test_stop_ends_a_wait_at_once() -> None:
    client = HangingClient()
    client.let.set()
    with real(HOURLY, client) as prober:
        wait_until(lambda: prober.snapshot.health.last_probe is not None, "the first probe ends")

        prober.stop(DEADLINE)

        assert no_prober_runs()


def test_stop_before_start_is_no_error() -> None:
    Prober(OPTIONS, lambda _: HangingClient(), lambda _: None).stop()
