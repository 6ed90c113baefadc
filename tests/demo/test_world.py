"""The demo's life must look like a real one, and the same every time, or nobody can rely on what it shows."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.demo.world import LIFETIMES, PLANS, World, plan_end

SEEDS = st.integers(0, 1000)
PAUSES = st.lists(st.floats(0, 600), max_size=20)

Counts = dict[str, tuple[int, int, int, int]]


def counts(world: World) -> Counts:
    """Failing, failures, banned and bans of each jail."""
    return {name: (len(jail.failing), jail.failures, len(jail.banned), jail.bans) for name, jail in world.jails.items()}


@given(SEEDS, PAUSES)
@settings(deadline=None)
def test_the_same_seed_gives_the_same_life_however_often_it_is_looked_at(seed: int, pauses: list[float]) -> None:
    often, once = World(seed), World(seed)
    now = 0.0
    for pause in pauses:
        now += pause
        often.advance(now)
    once.advance(now)

    assert counts(once) == counts(often)
    assert [once.jails[plan.name].banned for plan in PLANS] == [often.jails[plan.name].banned for plan in PLANS]


def test_another_seed_gives_another_life() -> None:
    lives = []
    for seed in range(5):
        world = World(seed)
        world.advance(600)
        lives.append(counts(world))

    assert all(lives.count(life) == 1 for life in lives)


@given(SEEDS, PAUSES)
@settings(deadline=None)
def test_at_every_moment_the_figures_are_possible(seed: int, pauses: list[float]) -> None:
    world = World(seed)
    now = 0.0
    before = counts(world)
    for pause in pauses:
        now += pause
        world.advance(now)
        for jail in world.jails.values():
            plan = jail.plan
            assert not jail.failing.keys() & jail.banned.keys()
            assert all(len(times) < plan.max_retries for times in jail.failing.values())
            assert all(now - plan.find_time < times[-1] <= now for times in jail.failing.values())
            assert all(end > now for end in jail.banned.values())
            assert jail.bans * plan.max_retries <= jail.failures
            assert len(jail.banned) <= jail.bans
            assert jail.banned_at.keys() == jail.banned.keys()
        after = counts(world)
        assert all(
            failures >= before[name][1] and bans >= before[name][3] for name, (_, failures, _, bans) in after.items()
        )
        before = after


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_a_restart_keeps_the_bans_and_counts_them_as_fail2ban_does(seed: int) -> None:
    world = World(seed)
    world.advance(3600)
    banned = {name: set(jail.banned) for name, jail in world.jails.items()}

    world.restart()

    assert banned == {name: set(jail.banned) for name, jail in world.jails.items()}
    assert all(figures == (0, 0, len(banned[name]), len(banned[name])) for name, figures in counts(world).items())


def test_an_hour_brings_failures_bans_and_expiries_everywhere_that_bans_expire() -> None:
    world = World(1)
    world.advance(3600)

    for jail in world.jails.values():
        assert jail.failures > jail.bans > 0
        assert (len(jail.banned) == jail.bans) is (jail.plan.ban_time < 0)


def test_a_permanent_ban_never_ends() -> None:
    [permanent] = [plan.name for plan in PLANS if plan.ban_time < 0]
    world = World(1)
    world.advance(3600)

    assert set(world.jails[permanent].banned.values()) == {math.inf}


def test_a_host_that_was_attacked_for_a_day_stays_small() -> None:
    world = World(1)
    world.advance(86_400)

    assert all(len(jail.banned) + len(jail.failing) <= 254 for jail in world.jails.values())


@given(SEEDS, st.integers(0, 1000))
def test_a_life_ends_the_same_way_every_time_and_never_at_once(seed: int, life: int) -> None:
    end = plan_end(seed, life)

    assert end == plan_end(seed, life)
    assert LIFETIMES[0] <= end.after <= LIFETIMES[1]
    assert 2 <= end.pause <= 8


def test_some_lives_end_in_a_crash_and_some_cleanly() -> None:
    crashes = [plan_end(1, life).crashes for life in range(20)]

    assert set(crashes) == {True, False}
