"""What a snapshot still says when it is old, and which jails it says are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.model import Probe, Result, State
from tests.snapshots import TIMESTAMP, failure, jail, snapshot, success


def test_three_missed_intervals_and_a_timeout_make_a_snapshot_stale_and_not_a_moment_less() -> None:
    fresh = snapshot(success(jail()), interval=30, timeout=10, beat=1000)

    assert fresh.stale_at() == 1100
    assert fresh.as_of(1099.9) is fresh
    assert fresh.as_of(1100).health.state is State.UNKNOWN


def test_a_stale_snapshot_claims_neither_figures_nor_a_state_nor_since_when() -> None:
    stale = snapshot(success(jail()), expected=["sshd", "nginx"], beat=1000).as_of(1234)

    assert stale.probe is None
    assert stale.missing_jails() == ()
    assert stale.health.since is None
    assert "has not probed for 234 s" in stale.health.reason


def test_a_stale_snapshot_keeps_its_counters_and_timestamps_which_still_hold() -> None:
    fresh = snapshot(failure(), success(jail()))
    stale = fresh.as_of(1e6)

    assert fresh.health.probes == stale.health.probes
    assert fresh.health.durations == stale.health.durations
    assert (stale.health.last_probe, stale.health.last_success) == (TIMESTAMP, TIMESTAMP)


@pytest.mark.parametrize(
    ("latest", "missing"),
    [
        pytest.param(success(jail("sshd")), ("nginx",), id="online"),
        pytest.param(success(), ("nginx", "sshd"), id="online without a jail"),
        pytest.param(success(jail("nginx"), jail("sshd")), (), id="all run"),
        pytest.param(success(jail_count=2), (), id="online but its names are ambiguous"),
        pytest.param(failure(Result.SOCKET_MISSING), ("nginx", "sshd"), id="offline"),
        pytest.param(failure(Result.CONNECTION_REFUSED), ("nginx", "sshd"), id="refused"),
        pytest.param(failure(Result.TIMEOUT), (), id="unresponsive"),
        pytest.param(failure(Result.PERMISSION_DENIED), (), id="inaccessible"),
    ],
)
def test_an_expected_jail_is_missing_only_where_it_certainly_does_not_run(
    latest: Probe, missing: tuple[str, ...]
) -> None:
    assert missing == snapshot(latest, expected=["sshd", "nginx"]).missing_jails()


def test_before_the_first_probe_no_jail_is_called_missing() -> None:
    assert snapshot(expected=["sshd"]).missing_jails() == ()


def test_jails_that_were_counted_and_not_named_are_known_to_be_untold() -> None:
    assert snapshot(success(jail_count=4)).untold_jails() == 4
    assert snapshot(success(jail())).untold_jails() == 0
    assert snapshot(failure()).untold_jails() == 0
    assert replace(snapshot(success(jail_count=4)), probe=None).untold_jails() == 0
