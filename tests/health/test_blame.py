"""Who is blamed for an outage, when, and until when: each rule by itself, as a user would tell the story."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from exporter.health import (
    ActivationReported,
    ConfigurationRead,
    Event,
    Health,
    Policy,
    ProbeEnded,
    ServerExited,
    Source,
    TimePassed,
    reduce,
)
from exporter.health.recovery import MAX_REMEMBERED
from exporter.model import ExitKind, Result, ServerExit
from tests.snapshots import failure, jail, server, success

WINDOW, GRACE = 60.0, 10.0
START = 1000.0
NOON, NIGHT = 1100.0, 40_000.0


def online(at: float, *jails: str, pid: int = 1) -> Event:
    """A probe found these jails running."""
    found = success(*(jail(name) for name in jails), server=server(identity=f"pid:{pid}"))
    return ProbeEnded(found, at=at, timestamp=at)


def failed(at: float, result: Result) -> Event:
    """A probe failed."""
    return ProbeEnded(failure(result), at=at, timestamp=at)


def gone(at: float) -> Event:
    """A probe found that nothing listens."""
    return failed(at, Result.CONNECTION_REFUSED)


def silent(at: float) -> Event:
    """A probe got no answer in time."""
    return failed(at, Result.TIMEOUT)


def ended(kind: ExitKind, at: float, *, pid: int = 1, after: float | None = None, told: float | None = None) -> Event:
    """It became clear how a server process ended."""
    server_exit = ServerExit(kind, f"pid:{pid}", after=at if after is None else after, before=at)
    return ServerExited(server_exit, at=at if told is None else told, timestamp=at)


def crashed(at: float, *, pid: int = 1, after: float | None = None, told: float | None = None) -> Event:
    """It became clear that a server process crashed."""
    return ended(ExitKind.CRASH, at, pid=pid, after=after, told=told)


def stopped(at: float, *, pid: int = 1) -> Event:
    """It became clear that a server process ended cleanly."""
    return ended(ExitKind.CLEAN, at, pid=pid)


def edited(at: float, *enabled: str, since: float | None = None) -> Event:
    """The configuration enables these jails now."""
    before = at - 1 if since is None else since
    return ConfigurationRead(frozenset(enabled), since=before, at=at, timestamp=at)


def reported(name: str, happened: float, told: float | None = None) -> Event:
    """A tool said that it activated a jail."""
    return ActivationReported(name, happened=happened, at=happened if told is None else told, timestamp=happened)


def after(*events: Event, health: Health | None = None) -> Health:
    """What is known after these events."""
    health = health or Health.initial(10, Policy(window=WINDOW, grace=GRACE))
    for event in events:
        health = reduce(health, event)
    return health


def failures(health: Health) -> dict[str, int]:
    """The outages that are blamed on each jail, those with none left out."""
    return {name: kept.failures for name, kept in health.recovery.remembered.items() if kept.failures}


def activations(health: Health) -> dict[str, int]:
    """How many activations are counted by source, those with none left out."""
    return {str(source): number for source, number in health.recovery.told.items() if number}


SETTLED: Sequence[Event] = (edited(START, "sshd"), online(START, "sshd"), online(START + 30, "sshd"))
"""A server that is past its start, and whose configuration is known."""
LOADED: Sequence[Event] = (*SETTLED, edited(NOON, "bad", "sshd"), online(NOON + 2, "bad", "sshd"))
"""A jail was enabled at noon and runs since."""
EDITED: Sequence[Event] = (*SETTLED, edited(NOON, "bad", "sshd"), online(NOON + 2, "sshd"))
"""A jail was enabled at noon, and nobody has loaded it."""
REPORTED: Sequence[Event] = (online(START, "sshd"), online(START + 30, "sshd"), reported("bad", NOON))
"""A tool reported a jail at noon; the configuration can't be read."""


@dataclass(frozen=True)
class Case:
    """A story and how it ends."""

    name: str
    events: Sequence[Event]
    pending: tuple[str, ...] = ()
    failures: dict[str, int] = field(default_factory=dict)
    recoveries: int = 0


RESTARTS = [
    Case(
        "a jail that is first seen when a hang is over may have begun to run before it, and is blamed",
        [online(START, "sshd"), online(NOON, "sshd"), silent(NOON + 20), silent(NOON + 90), online(NOON + 91, "bad")],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case("a restart within the grace counts nothing", [*LOADED, gone(1110), stopped(1110), online(1119.9, pid=2)]),
    Case(
        "one whose end nobody saw counts nothing either",
        [*LOADED, ended(ExitKind.UNKNOWN, 1130, after=1102), online(1130, "bad", "sshd", pid=2)],
    ),
    Case(
        "how one ended that hung may become clear when another answers, and who may have hung it is still known",
        [*LOADED, silent(1500), online(1501, "sshd", pid=2), crashed(1500.9, after=1500, told=1501)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "a crash after a hang that was over is another outage, whenever it becomes clear",
        [
            *LOADED,
            *(silent(1110), silent(1180), online(1181, "bad", "sshd"), reported("sshd", 1182)),
            *(online(1191, "sshd", pid=2), crashed(1190, after=1181, told=1191)),
        ],
        failures={"bad": 1, "sshd": 1},
        recoveries=2,
    ),
    Case("a stop is no outage before the grace is over", [*LOADED, gone(1110), stopped(1110), gone(1119.9)]),
    Case(
        "one that takes longer than the grace is blamed on what was activated before it",
        [*LOADED, gone(1110), stopped(1110), gone(1120)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "one that nobody saw end is blamed after the grace too",
        [*LOADED, gone(1110), gone(1120)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "once it is online again it is over, and that counts once",
        [*LOADED, gone(1110), stopped(1110), gone(1120), online(1130, pid=2), online(1131, "bad", pid=2)],
        failures={"bad": 1},
        recoveries=1,
    ),
]

CRASHES = [
    Case(
        "a crash flags at once",
        [*LOADED, gone(1110), crashed(1110)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "a crash and restart between two probes is blamed and over at once",
        [*LOADED, online(1110, "bad", pid=2), crashed(1109.9, told=1110)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "one whose verdict comes when it is back already too",
        [*LOADED, gone(1110), online(1111, "bad", pid=2), crashed(1110, told=1111.5)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case("a crash of a server whose jails are old is nobody's fault", [*LOADED, gone(1163), crashed(1163)]),
    Case("nor is one without any activation", [*SETTLED, gone(NOON), crashed(NOON)]),
    Case(
        "a crash at the end of the window is blamed",
        [*REPORTED, online(NOON + 1, "bad"), gone(NOON + WINDOW), crashed(NOON + WINDOW)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "a crash right after the window is not",
        [*REPORTED, online(NOON + 1, "bad"), gone(NOON + WINDOW + 0.1), crashed(NOON + WINDOW + 0.1)],
    ),
    Case(
        "a crash found late is blamed if any moment of the time in question is within the window",
        [*REPORTED, online(NOON + 55, "bad"), gone(NOON + 85), crashed(NOON + 85, after=NOON + 55)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "a crash before the activation is not blamed on it",
        [*REPORTED[:2], gone(NOON - 1), crashed(NOON - 1), reported("bad", NOON)],
    ),
    Case(
        "each crash of a loop counts and recovers by itself",
        [
            *LOADED,
            *(
                e
                for n in range(3)
                for e in (gone(1110.0 + n), crashed(1110.0 + n, pid=n + 1), online(1110.5 + n, "bad", pid=n + 2))
            ),
        ],
        failures={"bad": 3},
        recoveries=3,
    ),
    Case(
        "two jails of one deployment are both named, and recover as one outage",
        [*SETTLED, edited(NOON, "a", "b", "sshd"), gone(1105), crashed(1105), online(1106, "a", "b", pid=2)],
        failures={"a": 1, "b": 1},
        recoveries=1,
    ),
]

STARTS = [
    Case(
        "edited at noon, restarted at night, refused: it is blamed",
        [*EDITED, online(NIGHT - 30, "sshd"), gone(NIGHT), stopped(NIGHT), gone(NIGHT + GRACE)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "edited at noon and never loaded, a crash at night is not its fault",
        [*EDITED, online(NIGHT - 30, "sshd"), gone(NIGHT), crashed(NIGHT), gone(NIGHT + GRACE)],
    ),
    Case(
        "not even when the restart loads it",
        [*EDITED, online(NIGHT - 30, "sshd"), gone(NIGHT), crashed(NIGHT), online(NIGHT + 1, "bad", "sshd", pid=2)],
    ),
    Case(
        "whichever is told first, the new server or how the old one ended",
        [*EDITED, online(NIGHT - 30, "sshd"), online(NIGHT + 1, "bad", "sshd", pid=2), crashed(NIGHT, told=NIGHT + 1)],
    ),
    Case(
        "edited at noon, loaded at night, crashed seconds later: it is blamed",
        [*EDITED, online(NIGHT - 2, "sshd"), online(NIGHT, "bad", "sshd"), gone(NIGHT + 5), crashed(NIGHT + 5)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "an edit within the window is blamed for a crash, since it may have been loaded",
        [*EDITED, gone(NOON + 30), crashed(NOON + 30)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "disabled again before the start that fails, it is no candidate",
        [
            *EDITED,
            edited(NIGHT - 60, "sshd"),
            online(NIGHT - 30, "sshd"),
            gone(NIGHT),
            stopped(NIGHT),
            gone(NIGHT + 10),
        ],
    ),
    Case(
        "a jail that has run is none either",
        [*LOADED, online(NIGHT - 30, "bad", "sshd"), gone(NIGHT), stopped(NIGHT), gone(NIGHT + GRACE)],
    ),
    Case(
        "a reported jail that never ran is one",
        [*REPORTED, online(NIGHT - 30, "sshd"), gone(NIGHT), stopped(NIGHT), gone(NIGHT + GRACE)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "a reported jail that a later server started without was disabled again",
        [
            *REPORTED,
            online(1200, "sshd", pid=2),
            online(1215, "sshd", pid=2),
            gone(NIGHT),
            stopped(NIGHT, pid=2),
            gone(NIGHT + GRACE),
        ],
    ),
    Case(
        "all the jails that one deployment enables are candidates, not only the last of them",
        [
            *SETTLED,
            edited(NOON, "a", "b", "c", "sshd"),
            online(NOON + 70, "sshd"),
            gone(1200),
            stopped(1200),
            gone(1210),
        ],
        pending=("a", "b", "c"),
        failures={"a": 1, "b": 1, "c": 1},
    ),
    Case(
        "enabled again while fail2ban is down, a jail that ran before is a candidate",
        [
            *LOADED,
            gone(1200),
            stopped(1200),
            edited(1201, "sshd"),
            edited(1203, "bad", "sshd"),
            gone(1210),
        ],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "a start that is seen to fail after a crash is blamed on those that it would have loaded",
        [*EDITED, online(NIGHT - 30, "sshd"), gone(NIGHT), crashed(NIGHT), stopped(NIGHT + 1, pid=2)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "the report of a refused start comes after the stop, and names it all the same",
        [*REPORTED[:2], gone(NOON), stopped(NOON), reported("bad", NOON + 0.2), gone(NOON + GRACE)],
        pending=("bad",),
        failures={"bad": 1},
    ),
]

STARTS += [
    Case(
        "it may even come after the grace",
        [*REPORTED[:2], gone(NOON), stopped(NOON), gone(NOON + GRACE), reported("bad", NOON + 0.2, told=NOON + 15)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "and even after the recovery",
        [
            *(*REPORTED[:2], gone(NOON), stopped(NOON), gone(NOON + GRACE), online(NOON + 20, "bad", pid=2)),
            reported("bad", NOON + 0.2, told=NOON + 25),
        ],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "a jail that is enabled once the outage counts has not caused it",
        [*SETTLED, gone(NOON), stopped(NOON), gone(NOON + GRACE), edited(NOON + 20, "new", "sshd"), gone(NOON + 40)],
    ),
]

HANGS = [
    Case("a server that does not answer is no outage before a whole window", [*LOADED, silent(1110), silent(1169.9)]),
    Case(
        "it is after one",
        [*LOADED, silent(1110), silent(1170)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case("a long stop that ends in time counts nothing", [*LOADED, silent(1110), silent(1138), online(1139, "bad")]),
    Case(
        "a server that hangs and then crashes went down when it began to hang",
        [*LOADED, online(1160, "bad"), silent(1171), silent(1181), gone(1190), crashed(1190)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "also when the next server is online before the crash is clear",
        [*LOADED, online(1160, "bad"), silent(1171), online(1190, "bad", pid=2), crashed(1189.9, told=1190)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "that crash counts no second time if the hang had counted",
        [*LOADED, silent(1110), silent(1170), online(1180, "bad", pid=2), crashed(1179.9, told=1180)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "a server that hangs and then has gone has as long as any restart",
        [*LOADED, silent(1110), gone(1120), gone(1129.9)],
    ),
    Case(
        "without permission nothing is said of fail2ban",
        [*LOADED, failed(1110, Result.PERMISSION_DENIED), failed(NIGHT, Result.PERMISSION_DENIED)],
    ),
    Case(
        "nor does losing the permission end an outage",
        [*LOADED, gone(1110), crashed(1110), failed(1120, Result.PERMISSION_DENIED)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "enabled again during a hang, the jail is still blamed for the activation before it",
        [*LOADED, silent(1150), edited(1195, "sshd"), edited(1200, "bad", "sshd"), silent(1210)],
        pending=("bad",),
        failures={"bad": 1},
    ),
]

LATE = [
    Case(
        "a report that comes after the crash names the jail for it",
        [*REPORTED[:2], gone(1110), crashed(1110), reported("bad", NOON, told=1130)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "one that comes after the recovery counts as blamed and recovered",
        [*REPORTED[:2], gone(1110), crashed(1110), online(1111, "bad", pid=2), reported("bad", NOON, told=1130)],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "a second jail that is told late adds no second recovery",
        [*LOADED, gone(1110), crashed(1110), online(1111, "bad", pid=2), reported("worse", NOON, told=1130)],
        failures={"bad": 1, "worse": 1},
        recoveries=1,
    ),
    Case(
        "one that comes more than a window after the recovery comes too late",
        [
            *REPORTED[:2],
            gone(1110),
            crashed(1110),
            online(1111, "bad", pid=2),
            online(1172, "bad", pid=2),
            reported("bad", NOON, told=1173),
        ],
    ),
    Case(
        "a report of an earlier activation names it though a later one is known",
        [
            *REPORTED[:2],
            gone(1110),
            crashed(1110),
            online(1111, "sshd", pid=2),
            reported("bad", 1165),
            reported("bad", NOON, told=1166),
        ],
        failures={"bad": 1},
        recoveries=1,
    ),
    Case(
        "an edit that is read only when fail2ban is found down is blamed",
        [*SETTLED, edited(NOON, "bad", "sshd", since=NOON - 1), gone(NOON), crashed(NOON)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "the configuration that was read first after a restart of the exporter may be as old as the last answer",
        [*SETTLED, edited(NOON, "bad", "sshd", since=-math.inf), gone(NOON), crashed(NOON, after=-math.inf)],
        pending=("bad",),
        failures={"bad": 1},
    ),
    Case(
        "reading it after the grace was over, before a first look, is no reason to count an outage",
        [*LOADED, gone(1110), stopped(1110), edited(NIGHT, "new", "bad", "sshd"), online(NIGHT, "bad", pid=2)],
    ),
]

ALL = [*RESTARTS, *CRASHES, *STARTS, *HANGS, *LATE]


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_blame(case: Case) -> None:
    health = after(*case.events)

    assert case.pending == health.recovery.pending()
    assert case.failures == failures(health)
    assert case.recoveries == health.recovery.recoveries


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        pytest.param([*LOADED], {"configured": 1}, id="an edit and the load that follows are one activation"),
        pytest.param(
            [*LOADED, reported("bad", 1101), reported("bad", 1101, told=1130)],
            {"configured": 1},
            id="so are a report of it, and its repetition",
        ),
        pytest.param(
            [*REPORTED, online(NOON + 30, "bad", "sshd"), online(NOON + 60, "bad", "sshd")],
            {"reported": 1},
            id="a reported jail is not observed once more",
        ),
        pytest.param(
            [*REPORTED, reported("bad", NOON + WINDOW)],
            {"reported": 1},
            id="the same jail again within the window is one",
        ),
        pytest.param(
            [*REPORTED, reported("bad", NOON + WINDOW + 1)], {"reported": 2}, id="after the window it is another one"
        ),
        pytest.param(
            [*SETTLED[1:], online(START + 60, "new", "sshd")],
            {"observed": 1},
            id="a jail that appears between two looks at one process is observed",
        ),
        pytest.param(
            [*SETTLED, online(START + 60, "new", "sshd", pid=2)],
            {},
            id="one that a new process runs from its first look on is not",
        ),
        pytest.param(
            [online(START), online(START + 9, "sshd")], {}, id="what appears within ten seconds is being started"
        ),
        pytest.param(
            [online(START), online(START + 30, "sshd")],
            {},
            id="what appears after a look at a starting server may have been",
        ),
        pytest.param(
            [online(START), online(START + 10, "sshd"), online(START + 12, "new", "sshd")],
            {"observed": 1},
            id="but after a look at one that had started it is observed",
        ),
        pytest.param(
            [*SETTLED, online(START + 60), online(START + 90, "sshd")],
            {"observed": 1},
            id="a jail that goes and comes back was activated again",
        ),
        pytest.param(
            [edited(START, "a", "b")], {}, id="what the first reading of the configuration enables is no news"
        ),
    ],
)
def test_each_activation_counts_once_whoever_tells(events: Sequence[Event], counted: dict[str, int]) -> None:
    assert counted == activations(after(*events))


def test_every_source_is_counted_from_zero() -> None:
    assert dict.fromkeys(Source, 0) == after().recovery.told


def test_a_jail_that_was_activated_has_its_counter_before_anything_is_blamed_on_it() -> None:
    kept = after(*LOADED).recovery.remembered["bad"]

    assert (kept.failures, kept.pending, kept.activated) == (0, False, NOON + 2)


@pytest.mark.parametrize("told_first", ["report", "look"])
def test_an_exact_report_is_not_blurred_by_the_looks_around_it(told_first: str) -> None:
    look, report = online(NOON + 20, "bad", "sshd"), reported("bad", NOON, told=NOON + 20)
    tellings = [report, look] if told_first == "report" else [look, report]
    loaded = after(*REPORTED[:2], *tellings)

    assert failures(after(gone(1159), crashed(1159), health=loaded)) == {"bad": 1}
    assert failures(after(gone(1161), crashed(1161), health=loaded)) == {}


def test_a_report_of_a_jail_that_runs_already_leaves_no_candidate_behind() -> None:
    late = reported("bad", NOON, told=1230)
    restarting = [gone(1215), stopped(1215), online(1216, pid=2), late]

    health = after(*REPORTED[:2], online(NOON + 5, "bad"), online(1200, "bad"), *restarting)

    assert failures(after(gone(1300), stopped(1300, pid=2), gone(1310), health=health)) == {}


def test_the_detection_has_its_own_time_and_stays_after_the_recovery() -> None:
    flagged = after(*LOADED, gone(1110), crashed(1110), gone(1115))
    recovered = after(online(1130, "bad", pid=2), health=flagged)

    assert flagged.recovery.remembered["bad"].detected == 1110
    assert recovered.recovery.remembered["bad"].detected == 1110


def test_a_flag_that_is_over_stays_as_zero_so_that_alerts_resolve() -> None:
    health = after(*LOADED, gone(1110), crashed(1110), online(1111, "bad", pid=2), online(NIGHT, "bad", pid=2))

    assert health.recovery.remembered["bad"].pending is False


def test_the_grace_runs_from_the_end_of_the_process_not_from_its_discovery() -> None:
    health = after(*LOADED, gone(1115), ended(ExitKind.CLEAN, 1110, told=1115))

    assert health.recovery.deadline() == 1110 + GRACE


def test_nothing_more_is_awaited_once_an_outage_counts() -> None:
    assert after(*LOADED).recovery.deadline() is None
    assert after(*LOADED, gone(1110), crashed(1110)).recovery.deadline() is None


def test_time_alone_lets_an_outage_count() -> None:
    down = after(*LOADED, gone(1110), stopped(1110))

    assert after(TimePassed(1119.9, 1119.9), health=down).recovery.pending() == ()
    assert after(TimePassed(1120, 1120), health=down).recovery.pending() == ("bad",)


def test_an_exit_told_twice_counts_one_outage() -> None:
    twice = after(*LOADED, gone(1110), crashed(1110), crashed(1110), online(1111, "bad", pid=2), crashed(1110))

    assert (failures(twice), twice.recovery.recoveries) == ({"bad": 1}, 1)


def test_the_end_of_a_server_that_was_replaced_is_not_that_of_its_successor() -> None:
    replaced = after(*LOADED, online(1110, "bad", pid=2), crashed(1120, pid=2), crashed(1109.9, told=1120.5))

    assert replaced.recovery.pending() == ("bad",)
    assert failures(replaced) == {"bad": 2}
    assert failures(after(online(1121, "bad", pid=3), health=replaced)) == {"bad": 2}


def test_a_wall_clock_that_jumps_an_hour_moves_no_blame() -> None:
    for jump in (-3600, 3600):
        down = [replace(event, timestamp=event.timestamp + jump) for event in (gone(1110), crashed(1110))]
        health = after(*LOADED, *down)

        assert health.recovery.pending() == ("bad",)
        assert health.recovery.remembered["bad"].detected == 1110 + jump


def test_a_boot_moves_all_times_and_no_blame() -> None:
    for event in (crashed(NOON + 61), crashed(NOON + 63)):
        down = after(*LOADED, gone(event.at), health=None)
        moved = replace(down, recovery=down.recovery.shifted(-500))
        assert isinstance(event, ServerExited)
        exit_moved = replace(event.exit, after=event.exit.after - 500, before=event.exit.before - 500)

        assert failures(after(event, health=down)) == failures(after(replace(event, exit=exit_moved), health=moved))


@pytest.mark.parametrize(
    ("events", "missing"),
    [
        pytest.param([edited(NOON, "a"), online(NOON)], set(), id="a jail enabled just now has one probe's grace"),
        pytest.param(
            [edited(NOON, "a"), online(NOON), online(NOON + 2)], {"a"}, id="one that does not come is missing"
        ),
        pytest.param([edited(NOON, "a"), online(NOON), online(NOON + 2, "a")], set(), id="one that runs is not"),
        pytest.param(
            [edited(NOON, "a"), online(NOON), edited(NOON + 1, "a", "b"), online(NOON + 2, "a")],
            set(),
            id="each change gives those that it enables their own grace",
        ),
        pytest.param(
            [edited(NOON, "a"), online(NOON), online(NOON + 2), edited(NOON + 3)], set(), id="a disabled one is at once"
        ),
        pytest.param([edited(NOON, "a"), online(NOON, "a"), gone(NOON + 2)], {"a"}, id="offline none runs"),
    ],
)
def test_an_enabled_jail_that_does_not_run_is_missing(events: Sequence[Event], missing: set[str]) -> None:
    assert missing == after(*events).recovery.missing


def test_a_flood_of_reports_fills_no_memory() -> None:
    health = after(*SETTLED, *(reported(f"jail{n}", 1100 + n * 0.001) for n in range(MAX_REMEMBERED + 500)))
    recovery = health.recovery

    assert MAX_REMEMBERED == len(recovery.remembered)
    assert "jail0" not in recovery.remembered
    assert f"jail{MAX_REMEMBERED + 499}" in recovery.remembered
    assert recovery.activations.keys() | recovery.awaited <= recovery.remembered.keys()
    assert recovery.told[Source.REPORTED] == MAX_REMEMBERED + 500


def test_a_jail_whose_flag_is_1_is_not_forgotten_however_many_come_after_it() -> None:
    flagged = after(*LOADED, gone(1110), crashed(1110))
    flooded = after(*(reported(f"jail{n}", 1200 + n * 0.001) for n in range(MAX_REMEMBERED)), health=flagged)

    assert flooded.recovery.pending() == ("bad",)
    assert after(online(1300, "bad", pid=2), health=flooded).recovery.recoveries == 1


def test_another_socket_is_another_server_whose_outages_are_nobodys_fault_so_far() -> None:
    other = after(*LOADED, gone(1110), crashed(1110)).of_another_server()

    assert other.recovery.pending() == ()
    assert failures(other) == {"bad": 1}
    assert failures(after(online(1115, pid=9), gone(1116), crashed(1116, pid=9), health=other)) == {"bad": 1}
