"""The log tells each change once, and what to do about it; a log that repeats itself is not read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import structlog
from structlog.typing import EventDict

from exporter.changes import log_changes
from exporter.health import ActivationReported, ConfigurationRead, Event, Health, ProbeEnded, reduce
from exporter.model import ExitKind, Probe, Result
from tests.snapshots import exited, failure, jail, server, success

ONLINE = success(jail())


def told(*turns: Sequence[Event]) -> list[EventDict]:
    """What is logged over these turns of the prober."""
    health = Health.initial(10)
    probe: Probe | None = None
    with structlog.testing.capture_logs() as lines:
        for events in turns:
            before = health
            for event in events:
                health = reduce(health, event)
                probe = event.probe if isinstance(event, ProbeEnded) else probe
            log_changes(structlog.get_logger(), before, health, probe)
    return list(lines)


def ended(probe: Probe, at: float = 0.0) -> ProbeEnded:
    return ProbeEnded(probe, at=at, timestamp=at)


def reported(name: str, at: float) -> ActivationReported:
    return ActivationReported(name, happened=at, at=at, timestamp=at)


def configured(at: float, *names: str) -> ConfigurationRead:
    return ConfigurationRead(frozenset(names), since=at - 1, at=at, timestamp=at)


def test_online_says_which_server_answers_how_fast_with_how_many_jails() -> None:
    assert told([ended(ONLINE)]) == [
        {
            "event": "fail2ban_online",
            "log_level": "info",
            "version": "1.1.0",
            "pid": 42,
            "jails": 1,
            "latency_seconds": 0.002,
        }
    ]


@pytest.mark.parametrize(
    ("result", "event", "level"),
    [
        (Result.SOCKET_MISSING, "fail2ban_offline", "warning"),
        (Result.CONNECTION_REFUSED, "fail2ban_offline", "warning"),
        (Result.TIMEOUT, "fail2ban_unresponsive", "warning"),
        (Result.PERMISSION_DENIED, "fail2ban_inaccessible", "error"),
    ],
)
def test_a_failure_says_how_it_failed_and_what_to_do(result: Result, event: str, level: str) -> None:
    assert told([ended(failure(result, "run it as root", 1.23456789))]) == [
        {
            "event": event,
            "log_level": level,
            "result": str(result),
            "reason": "run it as root",
            "latency_seconds": 1.234568,
        }
    ]


@pytest.mark.parametrize("probe", [ONLINE, *map(failure, Result)], ids=lambda probe: probe.result)
def test_what_stays_as_it_was_is_not_told_again(probe: Probe) -> None:
    assert len(told([ended(probe)], [ended(probe)], [ended(probe)])) == 1


def test_another_reason_for_the_same_state_is_no_change() -> None:
    assert len(told([ended(failure(Result.SOCKET_MISSING))], [ended(failure(Result.CONNECTION_REFUSED))])) == 1


@pytest.mark.parametrize("kind", ExitKind)
def test_an_exit_is_told_once_with_its_kind(kind: ExitKind) -> None:
    lines = told([ended(ONLINE)], [exited(kind)], [])

    assert lines[1:] == [{"event": "fail2ban_exited", "log_level": "warning", "kind": str(kind)}]


def test_a_crash_that_takes_fail2ban_offline_is_told_before_it() -> None:
    lines = told([ended(ONLINE)], [ended(failure()), exited(ExitKind.CRASH)])

    assert [line["event"] for line in lines] == ["fail2ban_online", "fail2ban_exited", "fail2ban_offline"]


def test_a_restart_between_two_probes_is_told_though_the_state_stays_online() -> None:
    other = success(jail(), server=server(version="1.1.1", identity="pid:43:2", pid=43))

    assert told([ended(ONLINE)], [ended(other)])[1:] == [
        {"event": "fail2ban_restarted", "log_level": "warning", "version": "1.1.1", "pid": 43}
    ]


ACTIVATED = {"event": "jail_activated", "log_level": "info", "jail": "nginx"}
BLAMED = {
    "event": "jail_blamed",
    "log_level": "error",
    "jail": "nginx",
    "reason": "fail2ban went down after this jail was activated",
    "remedy": "disable or mend the jail, then start fail2ban",
}
BACK = success(jail(), server=server(identity="pid:43:1"))


def of_blame(lines: Sequence[EventDict]) -> list[EventDict]:
    """The lines about activations, blame and recovery."""
    return [line for line in lines if line["event"] in {"jail_activated", "jail_blamed", "fail2ban_recovered"}]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param([[reported("nginx", 5)]], [{**ACTIVATED, "timestamp_seconds": 5}], id="reported"),
        pytest.param(
            [[configured(1, "sshd")], [configured(2, "sshd", "nginx")]],
            [{**ACTIVATED, "timestamp_seconds": 2}],
            id="configured",
        ),
        pytest.param(
            [[ended(success(jail(), jail("nginx")), at=40)]], [{**ACTIVATED, "timestamp_seconds": 40}], id="observed"
        ),
        pytest.param(
            [[configured(1, "sshd")], [configured(2, "sshd", "nginx")], [reported("nginx", 3)], [reported("nginx", 4)]],
            [{**ACTIVATED, "timestamp_seconds": 2}],
            id="told again, by others too: one activation",
        ),
        pytest.param(
            [[configured(1, "sshd")], [configured(2, "sshd", "nginx")], [ended(success(jail(), jail("nginx")), at=20)]],
            [{**ACTIVATED, "timestamp_seconds": 2}],
            id="seen running afterwards: one activation",
        ),
        pytest.param(
            [[reported("nginx", 5)], [reported("nginx", 500)]],
            [{**ACTIVATED, "timestamp_seconds": 5}, {**ACTIVATED, "timestamp_seconds": 500}],
            id="activated again, long after",
        ),
    ],
)
def test_an_activation_is_told_once(turns: Sequence[Sequence[Event]], expected: list[EventDict]) -> None:
    assert of_blame(told([ended(ONLINE)], [ended(ONLINE, at=15)], *turns)) == expected


def test_a_jail_that_is_blamed_is_told_once_with_what_to_do_and_so_is_the_recovery() -> None:
    lines = told(
        [ended(ONLINE)],
        [reported("nginx", 5)],
        [ended(failure(), at=6), exited(at=6)],
        [ended(failure(), at=7)],
        [ended(BACK, at=8)],
        [ended(BACK, at=9)],
    )

    assert of_blame(lines) == [
        {**ACTIVATED, "timestamp_seconds": 5},
        BLAMED,
        {"event": "fail2ban_recovered", "log_level": "info", "was_blamed": ["nginx"]},
    ]


def test_a_crash_and_a_restart_between_two_probes_name_who_was_blamed() -> None:
    lines = told([ended(ONLINE)], [reported("nginx", 5)], [ended(BACK, at=6), exited(at=6)])

    assert of_blame(lines)[1:] == [
        BLAMED,
        {"event": "fail2ban_recovered", "log_level": "info", "was_blamed": ["nginx"]},
    ]


def test_a_second_outage_of_one_jail_is_told_again() -> None:
    lines = told(
        [ended(ONLINE)],
        [reported("nginx", 5)],
        [ended(failure(), at=6), exited(at=6)],
        [ended(BACK, at=8)],
        [ended(failure(), at=9), exited(at=9, identity="pid:43:1")],
    )

    assert [line["event"] for line in of_blame(lines)] == [
        "jail_activated",
        "jail_blamed",
        "fail2ban_recovered",
        "jail_blamed",
    ]


def test_a_jail_that_is_blamed_without_an_activation_that_was_seen_is_not_said_to_have_been_activated() -> None:
    """It was enabled and not running when the exporter started; then a start was refused."""
    lines = told(
        [configured(0, "sshd", "nginx"), ended(ONLINE)],
        [ended(ONLINE, at=20)],
        [ended(failure(), at=30), exited(ExitKind.CLEAN, at=30)],
        [reported("other", 41), ended(failure(), at=41)],
    )

    assert of_blame(lines) == [{**ACTIVATED, "jail": "other", "timestamp_seconds": 41}, BLAMED]


def test_an_outage_for_which_nobody_is_blamed_says_nothing_of_blame_or_recovery() -> None:
    assert of_blame(told([ended(ONLINE)], [ended(failure(), at=6), exited(at=6)], [ended(BACK, at=8)])) == []
