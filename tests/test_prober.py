"""The prober's thread: late news, two probes at once or a dead thread would make every metric lie.

Most tests run on virtual time: the clock moves only while the prober waits, a step each time that it looks, and while
it probes. The thread is real, and so is what it polls.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import structlog

from exporter.configured_jails import LOOK_SECONDS, ConfiguredJails
from exporter.edges import Clock, ProbeClient
from exporter.fail2ban.configuration import Fault, JailConfiguration
from exporter.health import Health, Histogram, Policy, Source
from exporter.health.activations import Span
from exporter.model import ExitKind, Probe, Result, ServerExit, ServerTraces, State
from exporter.prober import Prober
from exporter.snapshot import ProbeOptions, Snapshot
from tests.quiet_client import QuietClient
from tests.snapshots import failure, jail, server, server_exit, success
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

    def __init__(
        self,
        *answers: Probe,
        options: ProbeOptions = OPTIONS,
        watch: FakeWatch | None = None,
        memory: FakeMemory | None = None,
    ) -> None:
        """Answer so, then end."""
        self.answers = answers
        self.seconds = [0.0] * len(answers)
        """How long each probe takes."""
        self.now = BEGINNING
        self.events: list[tuple[float, Callable[[], object]]] = []
        """What happens at which time, while the prober waits."""
        self.during: dict[int, Callable[[], object]] = {}
        """What happens during the probe with this number."""
        self.ended = [False] * len(answers)
        """Whether the connection is at its end after the probe with this number."""
        self.exits: list[ServerExit] = []
        self.settled = False
        """Whether nothing waits to become clear."""
        self.on_publish: Callable[[], None] = lambda: None
        self.traces: ServerTraces | None = None
        self.alive_at = 0.0
        self.started: list[float] = []
        """When each probe started, in seconds since the beginning."""
        self.clients: list[FakeClient] = []
        self.died: list[BaseException] = []
        self.published: list[Snapshot] = []
        self.beats: list[float] = []
        """When the thread showed a sign of life, in seconds since the beginning."""
        self.prober = Prober(
            options,
            self._make_client,
            self._on_failure,
            Clock(lambda: self.now, lambda: self.now),
            configuration=None if watch is None else ConfiguredJails("/etc/fail2ban", lambda _: watch),
            memory=memory,
            on_beat=lambda: self.beats.append(self.now - BEGINNING),
            on_publish=self._published,
        )
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

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        """Let something happen that many seconds after the beginning, while the prober waits."""
        self.events.append((BEGINNING + seconds, event))

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()

    def _make_client(self, path: str, earlier: ServerTraces | None) -> FakeClient:
        self.clients.append(FakeClient(self, path, earlier))
        return self.clients[-1]

    def _published(self) -> None:
        self.on_publish()

    def _on_failure(self, error: BaseException) -> None:
        self.died.append(error)
        self._over.set()


class FakeWatch:
    """A configuration that is what a test says, from one look to the next."""

    def __init__(self, *enabled: str) -> None:
        """Enable these jails."""
        self.content = JailConfiguration(frozenset(enabled))
        self.reads = 0
        self.on_look: Callable[[], object] = lambda: None
        self._told: JailConfiguration | None = None

    def enable(self, *jails: str) -> None:
        """Enable these jails and no others, from now on."""
        self.content = JailConfiguration(frozenset(jails))

    def poll(self) -> JailConfiguration | None:
        """Tell it if it changed."""
        self.on_look()
        return None if self.content == self._told else self.read()

    def read(self) -> JailConfiguration:
        """Tell it."""
        self.reads += 1
        self._told = self.content
        return self.content


@dataclass
class FakeMemory:
    """A memory that keeps everything it is told."""

    health: Health | None = None
    """What is remembered; None for nothing."""
    traces: ServerTraces | None = None
    asked: list[tuple[str, float, float]] = field(default_factory=list)
    kept: list[tuple[Health, str, ServerTraces | None]] = field(default_factory=list)
    kept_last: list[tuple[Health, str, ServerTraces | None]] = field(default_factory=list)

    def recall(self, health: Health, socket: str, now: float, timestamp: float) -> tuple[Health, ServerTraces | None]:
        """Tell what is remembered."""
        self.asked.append((socket, now, timestamp))
        return self.health or health, self.traces

    def keep(  # noqa: PLR0913
        self,
        health: Health,
        socket: str,
        traces: ServerTraces | None,
        now: float,
        timestamp: float,
        *,
        is_last: bool = False,
    ) -> None:
        """Keep it."""
        del now, timestamp
        (self.kept_last if is_last else self.kept).append((health, socket, traces))


class FakeClient:
    """The client of a script."""

    def __init__(self, script: Script, path: str, earlier: ServerTraces | None) -> None:
        """Connect, so to say."""
        self.path = path
        self.earlier = earlier
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

    def exits(self) -> list[ServerExit]:
        """Tell each exit once."""
        told, self._script.exits = self._script.exits, []
        return told

    def traces(self) -> ServerTraces | None:
        """Tell what the script says."""
        return self._script.traces

    def was_alive(self, at: float) -> None:
        """Note it."""
        self._script.alive_at = at

    def watched(self) -> Sequence[tuple[int, int]]:
        """Watch the connection."""
        return [(self.connection, select.POLLIN)]

    def settles_in(self) -> float | None:
        """Have it ask again at once, which is what moves the clock."""
        if self._script.settled:
            return None
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


def identity_of(probe: Probe) -> str:
    """The identity of the server that answered."""
    assert probe.server is not None
    return probe.server.identity


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
        script.during[number] = lambda: script.exits.append(server_exit(ExitKind.CRASH, at=script.now))

    assert gaps(script.run()) == [STEP] * 7


# -- exits


def test_an_exit_that_is_clear_when_the_probe_ends_is_published_with_it() -> None:
    script = Script(ONLINE, OFFLINE)
    script.during[1] = lambda: script.exits.append(server_exit(ExitKind.CRASH, at=script.now))
    right_after: list[Snapshot] = []
    script.at(30 + STEP, lambda: right_after.append(script.prober.snapshot))
    script.run()

    assert [(found.health.state, found.health.exits[ExitKind.CRASH]) for found in right_after] == [(State.OFFLINE, 1)]


def test_an_exit_that_becomes_clear_later_is_published_then_and_the_probe_that_follows_is_at_once() -> None:
    script = Script(ONLINE, OFFLINE)
    earlier = "pid:41:1"
    script.at(5, lambda: script.exits.append(server_exit(ExitKind.CRASH, at=script.now, identity=earlier)))

    assert script.run() == [0, 5]
    assert script.published[1].health.exits[ExitKind.CRASH] == 1
    assert script.published[1].probe == ONLINE
    assert script.prober.snapshot.health.exits[ExitKind.CRASH] == 1


def test_the_exit_of_a_server_that_is_shown_as_online_is_published_with_the_probe_that_finds_it_gone() -> None:
    script = Script(ONLINE, OFFLINE)
    script.at(4, lambda: script.prober.report_activation("sshd"))
    script.at(5, lambda: script.exits.append(server_exit(ExitKind.CRASH, at=script.now, identity=identity_of(ONLINE))))

    assert script.run() == [0, 5]
    pending = [(shown.health.state, shown.health.recovery.pending()) for shown in script.published]
    assert (State.OFFLINE, ("sshd",)) == pending[-1]
    assert (State.ONLINE, ("sshd",)) not in pending
    assert script.prober.snapshot.health.exits[ExitKind.CRASH] == 1


def test_a_server_that_ended_while_its_answer_was_read_is_probed_once_more_before_anything_is_published() -> None:
    script = Script(ONLINE, OFFLINE)

    def activated_and_ended() -> None:
        script.prober.report_activation("sshd")
        script.exits.append(server_exit(ExitKind.CRASH, at=script.now, identity=identity_of(ONLINE)))

    script.during[0] = activated_and_ended

    assert script.run() == [0, 0]
    assert State.ONLINE not in [shown.health.state for shown in script.published]
    assert ("sshd",) == script.prober.snapshot.health.recovery.pending()


def test_an_exit_that_becomes_clear_while_offline_is_published_and_changes_no_rhythm() -> None:
    script = Script(OFFLINE, OFFLINE)
    script.at(0.5, lambda: script.exits.append(server_exit(ExitKind.CLEAN, at=script.now)))

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

    assert gaps(script.run()) == [0, 30]


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


# -- the configuration


def test_a_jail_that_is_enabled_brings_a_probe_at_once_and_one_every_two_seconds_for_a_window() -> None:
    watch = FakeWatch("sshd")
    script = Script(*[ONLINE] * 34, options=replace(OPTIONS, policy=Policy(window=20)), watch=watch)
    script.at(44.5, lambda: watch.enable("sshd", "nginx"))

    started = script.run()

    changed = started[2]
    assert started[:2] == [0, 30]
    assert 44.5 <= changed <= 44.5 + LOOK_SECONDS + STEP
    # It was seen a step before the probe that it brought, and the window counts from there.
    assert gaps(started[2:13]) == [2.0] * 10
    assert gaps(started[13:]) == [30.0] * 20
    assert script.published[3].health.recovery.configured == frozenset({"sshd", "nginx"})


def test_a_first_reading_is_no_change_and_nor_is_a_file_that_enables_the_same() -> None:
    watch = FakeWatch("sshd")
    script = Script(ONLINE, ONLINE, ONLINE, watch=watch)
    script.at(5, lambda: setattr(watch, "content", JailConfiguration(frozenset({"sshd"}), (Fault("x", "broken"),))))

    shown: list[int | None] = []
    script.at(8, lambda: shown.append(script.prober.snapshot.config_faults))

    assert script.run() == [0, 30, 60]
    assert watch.reads == 2
    assert shown == [1]  # without waiting for a probe


def test_it_is_read_again_at_the_moment_that_fail2ban_is_found_down_and_not_at_each_probe_that_follows() -> None:
    """What was changed to bring fail2ban down must be known when somebody is blamed for it."""
    watch = FakeWatch("sshd")
    script = Script(ONLINE, OFFLINE, OFFLINE, OFFLINE, ONLINE, OFFLINE, watch=watch)
    reads: list[int] = []
    for number in range(6):
        script.during[number] = lambda: reads.append(watch.reads)

    def enable() -> None:
        reads.append(watch.reads)
        watch.enable("sshd", "nginx")  # after the latest look

    script.during[1] = enable
    script.run()

    assert reads == [0, 1, 2, 2, 2, 2]
    assert watch.reads == 3
    assert script.published[2].health.recovery.told[Source.CONFIGURED] == 1


def test_it_is_looked_at_every_second_while_the_prober_waits() -> None:
    watch = FakeWatch()
    looks: list[float] = []
    script = Script(ONLINE, watch=watch)
    watch.on_look = lambda: looks.append(script.now - BEGINNING)
    script.run()

    assert looks == [float(second) for second in range(31)]


def test_another_folder_is_read_anew_and_what_the_former_enabled_is_forgotten() -> None:
    watch = FakeWatch("sshd")
    script = Script(ONLINE, ONLINE, options=replace(OPTIONS, config_dir="/etc/fail2ban"), watch=watch)
    before: list[Snapshot] = []
    script.at(4, lambda: before.append(script.prober.snapshot))
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, config_dir="")))
    script.run()

    assert before[0].health.recovery.configured == frozenset({"sshd"})
    assert before[0].config_faults == 0
    assert script.prober.snapshot.health.recovery.configured is None
    assert script.prober.snapshot.config_faults is None


def test_another_window_holds_from_then_on_and_forgets_nothing() -> None:
    script = Script(ONLINE, ONLINE)
    script.at(4, lambda: script.prober.report_activation("nginx"))
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, policy=Policy(window=5, grace=1))))
    script.run()

    recovery = script.prober.snapshot.health.recovery
    assert recovery.policy == Policy(window=5, grace=1)
    assert "nginx" in recovery.remembered


# -- reports


def test_a_report_is_published_at_once_without_a_probe() -> None:
    script = Script(ONLINE, ONLINE)
    seen: list[Snapshot] = []
    script.at(5, lambda: script.prober.report_activation("nginx"))
    script.at(5 + 2 * STEP, lambda: seen.append(script.prober.snapshot))

    assert script.run() == [0, 30]
    assert seen[0].health.recovery.told[Source.REPORTED] == 1
    assert seen[0].probe == ONLINE
    assert seen[0].health.probes[Result.SUCCESS] == 1


@pytest.mark.parametrize(
    ("timestamp", "age"),
    [
        pytest.param(None, 0.0, id="now"),
        pytest.param(BEGINNING + 5, 0.0, id="just now"),
        pytest.param(BEGINNING + 2, 3.0, id="a while ago"),
        pytest.param(0.0, BEGINNING + 5, id="at the epoch"),
        pytest.param(BEGINNING + 5000, 0.0, id="a clock that is ahead"),
    ],
)
def test_a_report_is_dated_by_what_it_says_and_never_in_the_future(timestamp: float | None, age: float) -> None:
    script = Script(ONLINE, ONLINE)
    seen: list[Snapshot] = []
    script.at(5, lambda: script.prober.report_activation("nginx", timestamp))
    script.at(5 + 2 * STEP, lambda: seen.append(script.prober.snapshot))
    script.run()

    recovery = seen[0].health.recovery
    assert recovery.activations["nginx"].happened == Span(BEGINNING + 5 - age, BEGINNING + 5 - age)
    assert recovery.remembered["nginx"].activated == BEGINNING + 5 - age


def test_a_report_during_a_probe_is_dated_when_it_came_so_that_the_crash_that_follows_is_put_down_to_it() -> None:
    script = Script(ONLINE, OFFLINE)
    script.seconds[1] = 8.0

    def report_then_crash() -> None:
        script.prober.report_activation("nginx")
        script.exits.append(server_exit(ExitKind.CRASH, at=script.now + 1, identity=identity_of(ONLINE)))

    script.during[1] = report_then_crash
    script.run()

    recovery = script.prober.snapshot.health.recovery
    assert recovery.activations["nginx"].happened == Span(BEGINNING + 30, BEGINNING + 30)
    assert recovery.pending() == ("nginx",)


# -- probes on demand


def test_a_probe_on_demand_is_made_at_once_and_answered_with_its_snapshot() -> None:
    script = Script(ONLINE, OFFLINE, ONLINE)
    asked: list[Future[Snapshot]] = []
    script.at(5, lambda: asked.append(script.prober.probe_now()))

    assert script.run() == [0, 5, 6]
    assert asked[0].result(0).probe == OFFLINE


def test_many_who_ask_at_once_get_one_probe() -> None:
    script = Script(ONLINE, OFFLINE, ONLINE)
    asked: list[Future[Snapshot]] = []
    script.at(5, lambda: asked.extend(script.prober.probe_now() for _ in range(20)))

    assert script.run() == [0, 5, 6]
    assert {id(future.result(0)) for future in asked} == {id(asked[0].result(0))}


def test_who_asks_during_a_probe_gets_the_next_since_that_one_may_have_looked_already() -> None:
    script = Script(ONLINE, OFFLINE, HANGING)
    asked: list[Future[Snapshot]] = []
    script.during[0] = lambda: asked.append(script.prober.probe_now())

    assert script.run() == [0, 0, 1]
    assert asked[0].result(0).probe == OFFLINE


def test_who_gives_up_waiting_does_no_harm_to_the_prober_or_to_others() -> None:
    script = Script(ONLINE, OFFLINE, ONLINE)
    asked: list[Future[Snapshot]] = []

    def ask() -> None:
        asked.extend([script.prober.probe_now(), script.prober.probe_now()])
        asked[0].cancel()

    script.at(5, ask)
    cancelled_in_time: list[bool] = []
    script.during[1] = lambda: cancelled_in_time.append(asked[1].cancel())

    assert script.run() == [0, 5, 6]
    assert asked[0].cancelled()
    assert cancelled_in_time == [False]
    assert asked[1].result(0).probe == OFFLINE


def test_settings_that_change_again_while_they_are_taken_over_are_not_slept_over() -> None:
    script = Script(ONLINE, ONLINE, ONLINE, ONLINE)
    make_client = script.prober._make_client  # noqa: SLF001  # the moment between the old settings and the probe

    def make_and_change(path: str, earlier: ServerTraces | None) -> ProbeClient:
        if path == "/run/two.sock":
            script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock", interval=7.0))
        return make_client(path, earlier)

    script.prober._make_client = make_and_change  # noqa: SLF001
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock")))

    assert script.run() == [0, 5, 5, 12]


# -- how long it is known to have been up


def test_while_nothing_ends_the_client_is_told_until_when_it_watched() -> None:
    script = Script(ONLINE, ONLINE)
    told: list[float] = []
    script.during[1] = lambda: told.append(script.alive_at - BEGINNING)
    script.run()

    assert told == [30]


def test_when_something_ends_it_was_alive_until_shortly_before() -> None:
    script = Script(ONLINE, OFFLINE)
    told: list[float] = []
    script.at(7, lambda: with_news(script.clients[0].connection, news=True))
    script.during[1] = lambda: told.append(script.alive_at - BEGINNING)
    script.run()

    assert 7 - 0.1 - STEP <= told[0] <= 7


def test_an_outage_that_nobody_may_look_at_any_more_is_not_probed_in_a_loop() -> None:
    """fail2ban is stopped, and when it would count, the exporter has lost the right to open the socket."""
    refused = failure(Result.PERMISSION_DENIED)
    script = Script(ONLINE, OFFLINE, *[refused] * 30)

    assert all(gap >= 1.0 for gap in gaps(script.run()))


# -- what survives a restart


def test_what_was_remembered_is_recalled_once_at_the_start_and_goes_on() -> None:
    former = replace(Health.initial(10), restarts=7, server_identity=identity_of(ONLINE))
    traces = ServerTraces(identity_of(ONLINE), "1:2:3", "1:4")
    memory = FakeMemory(former, traces)
    script = Script(ONLINE, ONLINE, memory=memory)
    script.run()

    assert memory.asked == [("/run/one.sock", BEGINNING, BEGINNING)]
    assert [client.earlier for client in script.clients] == [traces]
    assert script.prober.snapshot.health.restarts == 7


def test_without_a_memory_there_is_no_earlier_run() -> None:
    script = Script(ONLINE)
    script.run()

    assert [client.earlier for client in script.clients] == [None]


def test_every_change_is_kept_with_what_it_takes_to_tell_later_how_the_server_ended() -> None:
    memory = FakeMemory()
    script = Script(ONLINE, OFFLINE, memory=memory)
    script.traces = ServerTraces(identity_of(ONLINE), "1:2:3", "1:4")
    script.at(5, lambda: script.prober.report_activation("nginx"))
    script.at(9, lambda: script.exits.append(server_exit(ExitKind.CRASH, identity=identity_of(ONLINE), at=script.now)))
    script.run()

    assert {(socket, traces) for _, socket, traces in memory.kept} == {("/run/one.sock", script.traces)}
    assert [health.recovery.pending() for health, _, _ in memory.kept] == [(), (), ("nginx",)]
    assert memory.kept[-1][0] is script.prober.snapshot.health


def test_another_socket_is_kept_as_another_server_and_its_client_knows_nothing_of_the_former() -> None:
    memory = FakeMemory(None, ServerTraces(identity_of(ONLINE), "1:2:3", "1:4"))
    script = Script(ONLINE, ONLINE, memory=memory)
    script.at(5, lambda: script.prober.reconfigure(replace(OPTIONS, socket="/run/two.sock")))
    script.run()

    assert [client.earlier for client in script.clients] == [memory.traces, None]
    assert [socket for _, socket, _ in memory.kept] == ["/run/one.sock", "/run/two.sock"]


# -- how it ends


def test_a_thread_that_dies_says_so_once_and_closes_its_client() -> None:
    script = Script(ONLINE)
    script.run()  # which asserts that it died of one error

    assert [client.closed for client in script.clients] == [1]


def test_a_client_that_can_not_be_made_ends_it_too() -> None:
    died: list[BaseException] = []

    def make_client(path: str, _: ServerTraces | None) -> FakeClient:
        raise OverError(path)

    Prober(OPTIONS, make_client, died.append).start()
    wait_until(no_prober_runs, "its thread ends")

    assert [str(error) for error in died] == ["/run/one.sock"]


@dataclass
class HangingClient(QuietClient):
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

    def watched(self) -> Sequence[tuple[int, int]]:
        """Watch the connection."""
        return [(self.connection, select.POLLIN)]

    def close(self) -> None:
        """Note it."""
        self.closed.set()


@contextmanager
def real(
    options: ProbeOptions, client: HangingClient, watch: FakeWatch | None = None, memory: FakeMemory | None = None
) -> Iterator[Prober]:
    """A prober on real time; ended with the block."""
    died: list[BaseException] = []
    with structlog.testing.capture_logs():
        configuration = None if watch is None else ConfiguredJails("/etc/fail2ban", lambda _: watch)
        prober = Prober(options, lambda *_: client, died.append, configuration=configuration, memory=memory)
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


def test_in_real_time_a_change_of_the_configuration_and_a_request_each_end_the_wait() -> None:
    client, watch = HangingClient(), FakeWatch("sshd")
    client.let.set()
    with real(HOURLY, client, watch) as prober:
        wait_until(lambda: prober.snapshot.health.recovery.configured is not None, "the configuration is read")
        assert client.probes == 1

        watch.enable("sshd", "nginx")
        wait_until(lambda: client.probes == 2, "a probe on the change", seconds=10)

        assert prober.probe_now().result(DEADLINE).health.recovery.configured == frozenset({"sshd", "nginx"})


def test_what_is_known_is_kept_once_more_at_the_end() -> None:
    client, memory = HangingClient(), FakeMemory()
    client.let.set()
    with real(HOURLY, client, memory=memory) as prober:
        wait_until(lambda: prober.snapshot.health.last_probe is not None, "the first probe ends")
        assert memory.kept_last == []

    assert memory.kept_last == [(prober.snapshot.health, OPTIONS.socket, None)]


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
    Prober(OPTIONS, lambda *_: HangingClient(), lambda _: None).stop()


# -- signs of life, which a watchdog lives on


def test_a_sign_of_life_comes_with_the_first_probe_and_every_second_from_then_on() -> None:
    script = Script(ONLINE, ONLINE)
    counted: list[float] = []
    script.during[0] = lambda: counted.extend(script.beats)

    script.run()

    assert counted == [0.0]
    assert script.beats == [float(second) for second in range(61)]


def test_a_probe_that_hangs_shows_no_sign_of_life() -> None:
    script = Script(ONLINE, ONLINE)
    script.seconds = [8.0, 0.0]

    script.run()

    assert script.beats[:3] == [0.0, 8.0, 9.0]


def test_probes_back_to_back_are_no_flood_of_signs_of_life() -> None:
    script = Script(*[ONLINE] * 100, options=replace(OPTIONS, interval=0.0))
    script.seconds = [0.125] * 100

    script.run()

    assert script.beats == [float(second) for second in range(13)]


def test_a_thread_that_waits_for_an_hour_shows_signs_of_life_meanwhile() -> None:
    beats: list[float] = []
    client = HangingClient()
    client.let.set()
    prober = Prober(HOURLY, lambda *_: client, lambda _: None, on_beat=lambda: beats.append(time.monotonic()))
    with structlog.testing.capture_logs():
        prober.start()
        try:
            wait_until(lambda: len(beats) >= 3, "it waits and lives")
        finally:
            prober.stop(DEADLINE)
    os.close(client.connection)

    assert client.probes == 1


# -- once, without the thread


def test_once_is_one_probe_on_the_calling_thread_and_what_survives_is_kept() -> None:
    memory = FakeMemory()
    script = Script(ONLINE, memory=memory)
    script.settled = True

    shown = script.prober.probe_once()

    assert script.started == [0]
    assert (shown.health.state, shown.probe) == (State.ONLINE, ONLINE)
    assert len(memory.asked) == 1
    assert [len(memory.kept), len(memory.kept_last)] == [1, 1]
    assert [client.closed for client in script.clients] == [1]
    assert no_prober_runs()
    os.close(script.clients[0].connection)


def test_once_waits_until_it_is_clear_how_an_earlier_server_ended() -> None:
    memory = FakeMemory()
    script = Script(OFFLINE, memory=memory)

    def became_clear() -> None:
        script.exits = [server_exit(ExitKind.CRASH)]
        script.settled = True

    script.at(0.5, became_clear)
    shown = script.prober.probe_once()

    assert shown.health.exits[ExitKind.CRASH] == 1
    assert memory.kept_last[-1][0].exits[ExitKind.CRASH] == 1
    assert script.started == [0]
    os.close(script.clients[0].connection)


def test_once_looks_again_if_what_became_clear_is_not_what_was_probed() -> None:
    script = Script(ONLINE, OFFLINE)

    def became_clear() -> None:
        script.exits = [server_exit(ExitKind.CRASH)]
        script.settled = True

    script.at(0.5, became_clear)

    assert script.prober.probe_once().health.state is State.OFFLINE
    assert script.started == [0, 0.5]
    os.close(script.clients[0].connection)


def test_each_publication_is_told() -> None:
    script = Script(ONLINE, OFFLINE, ONLINE)
    told: list[State] = []
    script.on_publish = lambda: told.append(script.prober.snapshot.health.state)
    script.exits = [server_exit(ExitKind.CRASH, identity="pid:41:1")]

    script.run()

    assert told[:1] == [State.ONLINE]
    assert [state for state, later in pairwise([*told, None]) if state is not later] == [
        State.ONLINE,
        State.OFFLINE,
        State.ONLINE,
    ]
