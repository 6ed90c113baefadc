"""The verdicts: a wrong one tells an operator that a dead guard lives, or wakes them for a living one."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.health import Event, Health, ProbeEnded, ServerExited, reduce
from exporter.model import ExitKind, Result, State
from tests.snapshots import exited, failure, server, success

INITIAL = Health.initial(10)


def ended(result: Result, at: float = 0.0, identity: str = "pid:1:1") -> ProbeEnded:
    """A probe of the server with this identity that ended so."""
    found = success(server=server(identity=identity)) if result is Result.SUCCESS else failure(result)
    return ProbeEnded(replace(found, reason=f"it was {result}"), at=at, timestamp=1000 + at)


def after(*events: Event, health: Health = INITIAL) -> Health:
    """The health after these events."""
    for event in events:
        health = reduce(health, event)
    return health


PROBES = st.builds(
    ended, st.sampled_from(Result), st.floats(min_value=0, max_value=1e6), st.sampled_from(["pid:1:1", "pid:2:2"])
)
EXITS = st.builds(
    exited, st.sampled_from(ExitKind), at=st.floats(0, 1e6), identity=st.sampled_from(["pid:1:1", "pid:2:2"])
)
EVENTS = st.lists(PROBES | EXITS, max_size=30)


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result.SUCCESS, State.ONLINE),
        (Result.TIMEOUT, State.UNRESPONSIVE),
        (Result.PROTOCOL_ERROR, State.UNRESPONSIVE),
        (Result.SERVER_ERROR, State.UNRESPONSIVE),
        (Result.SOCKET_MISSING, State.OFFLINE),
        (Result.CONNECTION_REFUSED, State.OFFLINE),
        (Result.PERMISSION_DENIED, State.INACCESSIBLE),
    ],
)
def test_each_way_that_a_probe_ends_is_one_state_whatever_was_before(result: Result, state: State) -> None:
    for before in (INITIAL, *(after(ended(earlier)) for earlier in Result)):
        health = reduce(before, ended(result))

        assert state is health.state
        assert health.reason == f"it was {result}"


def test_before_the_first_probe_nothing_is_claimed() -> None:
    assert INITIAL.state is State.UNKNOWN
    assert INITIAL.last_probe is None
    assert INITIAL.last_success is None


def test_every_counter_is_there_at_zero_from_the_start() -> None:
    assert dict.fromkeys(Result, 0) == INITIAL.probes
    assert dict.fromkeys(ExitKind, 0) == INITIAL.exits


def test_a_state_has_the_age_of_its_first_probe_not_of_its_latest() -> None:
    health = after(ended(Result.TIMEOUT, at=5), ended(Result.SERVER_ERROR, at=6), ended(Result.TIMEOUT, at=7))

    assert (health.changed_at, health.since) == (5, 1005)
    assert health.last_probe == 1007
    assert reduce(health, ended(Result.SUCCESS, at=8)).since == 1008


def test_failures_add_up_until_a_success_which_is_remembered() -> None:
    health = after(ended(Result.SUCCESS, at=1), ended(Result.TIMEOUT, at=2), ended(Result.SOCKET_MISSING, at=3))

    assert health.consecutive_failures == 2
    assert health.last_success == 1001
    assert reduce(health, ended(Result.SUCCESS, at=4)).consecutive_failures == 0


@pytest.mark.parametrize(
    ("events", "restarts"),
    [
        pytest.param([ended(Result.SUCCESS)], 0, id="the first server seen"),
        pytest.param([ended(Result.SUCCESS), ended(Result.SUCCESS)], 0, id="the same server again"),
        pytest.param([ended(Result.SUCCESS), ended(Result.SUCCESS, identity="pid:2:2")], 1, id="another process"),
        pytest.param(
            [ended(Result.SUCCESS), ended(Result.SOCKET_MISSING), ended(Result.SUCCESS, identity="pid:2:2")],
            1,
            id="another process after an outage",
        ),
        pytest.param(
            [ended(Result.SUCCESS), ended(Result.TIMEOUT), ended(Result.SUCCESS)], 0, id="the same after a hang"
        ),
        pytest.param([ended(Result.SOCKET_MISSING), ended(Result.SUCCESS)], 0, id="the first one, started late"),
    ],
)
def test_a_restart_is_another_process_and_nothing_else(events: list[Event], restarts: int) -> None:
    assert after(*events).restarts == restarts


@pytest.mark.parametrize("kind", ExitKind)
def test_an_exit_counts_once_and_under_its_kind_only(kind: ExitKind) -> None:
    assert {**dict.fromkeys(ExitKind, 0), kind: 1} == after(exited(kind)).exits


def test_an_exit_alone_changes_no_state_since_only_a_probe_can_tell_it() -> None:
    online = after(ended(Result.SUCCESS))
    crashed = reduce(online, exited(ExitKind.CRASH, identity="pid:1:1"))

    assert replace(online, exits={}) == replace(crashed, exits={}, recovery=online.recovery)


def test_another_server_starts_unknown_and_is_no_restart_of_the_former() -> None:
    former = after(ended(Result.SUCCESS), exited(ExitKind.CLEAN))

    other = former.of_another_server()

    assert other.state is State.UNKNOWN
    assert other.since is None
    assert (former.probes, former.exits, former.last_success) == (other.probes, other.exits, other.last_success)
    assert reduce(other, ended(Result.SUCCESS, identity="pid:2:2")).restarts == 0


@given(EVENTS)
def test_the_same_events_always_give_the_same_health_and_change_no_earlier_one(events: list[Event]) -> None:
    health = INITIAL
    for event in events:
        before = copy.deepcopy(health)
        following = reduce(health, event)
        assert reduce(health, event) == following
        assert before == health
        health = following


@given(EVENTS)
def test_no_counter_ever_goes_back(events: list[Event]) -> None:
    health = INITIAL
    for event in events:
        following = reduce(health, event)
        assert all(following.probes[result] >= health.probes[result] for result in Result)
        assert all(following.exits[kind] >= health.exits[kind] for kind in ExitKind)
        assert following.restarts >= health.restarts
        buckets = zip(health.durations.cumulative(), following.durations.cumulative(), strict=True)
        assert all(later >= earlier for (_, earlier), (_, later) in buckets)
        health = following

    probes = sum(isinstance(event, ProbeEnded) for event in events)
    assert sum(health.probes.values()) == probes
    assert health.durations.cumulative()[-1][1] == probes
    assert sum(health.exits.values()) == len(events) - probes


@given(EVENTS, PROBES, EXITS)
def test_it_makes_no_difference_whether_an_exit_or_the_probe_that_finds_it_is_told_first(
    events: list[Event], probe: ProbeEnded, server_exited: ServerExited
) -> None:
    health = after(*events)

    one, other = after(probe, server_exited, health=health), after(server_exited, probe, health=health)

    assert one == replace(other, recovery=one.recovery)
