"""What an attack says: a wrong verdict wakes people for nothing, or lets them sleep beside a guard that is dead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.health import Attack, Canary, CanaryResult, CanaryRun

ATTACK = Attack(bans=7, written=100.0, timeout=60.0)
FRESH = Canary.initial(300.0, 60.0)
BANNED = CanaryRun(CanaryResult.SUCCESS, "banned", 1000.0, 0.7)
FAILURES = (
    CanaryResult.TIMEOUT,
    CanaryResult.JAIL_MISSING,
    CanaryResult.LOG_FILE_ERROR,
    CanaryResult.INTERNAL_ERROR,
)


def failed(result: CanaryResult = CanaryResult.TIMEOUT, ended: float = 2000.0) -> CanaryRun:
    return CanaryRun(result, "not banned", ended)


@pytest.mark.parametrize(
    ("bans", "now", "result"),
    [
        pytest.param(7, 100.05, None, id="nothing yet"),
        pytest.param(8, 100.7, CanaryResult.SUCCESS, id="one more ban"),
        pytest.param(9, 100.7, CanaryResult.SUCCESS, id="two more"),
        pytest.param(7, 159.9, None, id="still time"),
        pytest.param(8, 160.2, CanaryResult.SUCCESS, id="told by the answer to the last question"),
        pytest.param(7, 160.0, CanaryResult.TIMEOUT, id="not in time"),
        pytest.param(8, 200.0, CanaryResult.TIMEOUT, id="banned much too late"),
        pytest.param(6, 100.7, CanaryResult.INTERRUPTED, id="the jail counts anew"),
        pytest.param(None, 100.7, CanaryResult.JAIL_MISSING, id="the jail is gone"),
    ],
)
def test_an_attack_is_decided_by_the_jails_bans_and_the_time(
    bans: int | None, now: float, result: CanaryResult | None
) -> None:
    assert result == ATTACK.decided(bans, now)


@given(st.floats(min_value=0.5, max_value=3600), st.floats(min_value=0, max_value=1))
def test_looks_end_with_one_at_the_timeout_and_never_cost_much(timeout: float, slowness: float) -> None:
    attack = Attack(bans=0, written=0.0, timeout=timeout)
    now, looks = 0.0, 0
    while attack.decided(0, now) is None:
        pause = attack.next_look_in(now)
        assert 0 <= pause <= 1.0
        now += pause + slowness
        looks += 1
        assert looks < 120 + timeout

    assert timeout <= now <= timeout + slowness + 1e-6


def test_a_delay_is_as_exact_as_a_tenth_of_it() -> None:
    assert [0.05, 0.05, 0.2, 1.0, 1.0] == [
        pytest.approx(ATTACK.next_look_in(100.0 + passed)) for passed in (0, 0.1, 2, 10, 30)
    ]


def test_before_the_first_attack_nothing_is_claimed_and_every_result_is_counted_at_zero() -> None:
    assert FRESH.is_up is None
    assert dict.fromkeys(CanaryResult, 0) == FRESH.runs
    assert (None, None, None) == (FRESH.latest, FRESH.last_delay, FRESH.last_success)


def test_a_ban_in_time_says_that_it_works_how_long_it_took_and_when_it_was() -> None:
    after = FRESH.after(BANNED)

    assert after.is_up is True
    assert (1, 0.7, 1000.0) == (after.runs[CanaryResult.SUCCESS], after.last_delay, after.last_success)
    assert (1, 0.7) == (sum(after.delays.counts), after.delays.total)


@pytest.mark.parametrize("result", FAILURES)
def test_a_failure_says_that_it_does_not_and_keeps_when_it_last_did(result: CanaryResult) -> None:
    after = FRESH.after(BANNED).after(failed(result))

    assert after.is_up is False
    assert (1, 1) == (after.runs[result], after.runs[CanaryResult.SUCCESS])
    assert (0.7, 1000.0, 1) == (after.last_delay, after.last_success, sum(after.delays.counts))
    assert after.after(replace(BANNED, ended=3000.0)).is_up is True


@pytest.mark.parametrize("before", [FRESH, FRESH.after(BANNED), FRESH.after(failed())], ids=["fresh", "up", "down"])
def test_an_attack_that_was_interrupted_is_counted_and_changes_nothing_else(before: Canary) -> None:
    after = before.after(failed(CanaryResult.INTERRUPTED))

    assert after.runs[CanaryResult.INTERRUPTED] == 1
    assert before == replace(after, runs=before.runs)


def test_the_last_bucket_is_the_timeout_and_what_was_counted_outlives_other_settings() -> None:
    assert FRESH.delays.bounds[-1] == 60.0
    assert FRESH.delays.bounds[0] == 0.05

    longer = FRESH.after(BANNED).with_settings(600.0, 60.0)
    shorter = FRESH.after(BANNED).with_settings(300.0, 5.0)

    assert (600.0, 1, 1) == (longer.interval, sum(longer.delays.counts), longer.runs[CanaryResult.SUCCESS])
    assert (5.0, 0, 1) == (shorter.delays.bounds[-1], sum(shorter.delays.counts), shorter.runs[CanaryResult.SUCCESS])
