"""The log tells each change once, and what to do about it; a log that repeats itself is not read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import structlog
from structlog.typing import EventDict

from exporter.changes import log_changes
from exporter.health import Event, Health, ProbeEnded, ServerExited, reduce
from exporter.model import ExitKind, Probe, Result
from tests.snapshots import failure, jail, server, success

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


def ended(probe: Probe) -> ProbeEnded:
    return ProbeEnded(probe, at=0.0, timestamp=0.0)


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
    lines = told([ended(ONLINE)], [ServerExited(kind)], [])

    assert lines[1:] == [{"event": "fail2ban_exited", "log_level": "warning", "kind": str(kind)}]


def test_a_crash_that_takes_fail2ban_offline_is_told_before_it() -> None:
    lines = told([ended(ONLINE)], [ended(failure()), ServerExited(ExitKind.CRASH)])

    assert [line["event"] for line in lines] == ["fail2ban_online", "fail2ban_exited", "fail2ban_offline"]


def test_a_restart_between_two_probes_is_told_though_the_state_stays_online() -> None:
    other = success(jail(), server=server(version="1.1.1", identity="pid:43:2", pid=43))

    assert told([ended(ONLINE)], [ended(other)])[1:] == [
        {"event": "fail2ban_restarted", "log_level": "warning", "version": "1.1.1", "pid": 43}
    ]
