"""Prints one timeline for people: the truth, what the exporter saw of it, and what it concluded."""

from __future__ import annotations

from itertools import groupby

from tests.recovery.judge import Difference, Verdict
from tests.recovery.watcher import Look, Seen
from tests.recovery.world import World


def describe(world: World, seen: Seen, verdict: Verdict) -> str:
    """Return all that happened in order, line by line, with the differences at the end."""
    lines = [(at, 0, f"         {text}") for at, text in world.log]
    lines += [(at, 1, f"clock    the wall clock is {seconds:+.0f} s off from now on") for at, seconds in world.jumps]
    lines += [(at, 2, f"         {text}") for at, text in seen.log]
    lines += [(one.at, 3, f"read     enabled since {one.since:.3f}: {_names(one.enabled)}") for one in seen.readings]
    lines += [
        (one.told, 4, f"report   {one.jail} at {happened:.3f}, truly {one.happened:.3f}")
        for one, happened in seen.reports
    ]
    lines += [
        (at, 5, f"exit     {one.identity} {one.kind}, between {one.after:.3f} and {one.before:.3f}")
        for at, one in seen.exits
    ]
    lines += [
        (one.at, 6, f"BLAME    {one.jail} for {one.went_down.start:.3f} to {one.went_down.end:.3f}")
        for one in seen.blames
    ]
    for _, same in groupby(seen.looks, key=lambda look: (look.result, look.identity, look.jails)):
        lines += _looks(list(same))
    lines += [(one.down, 8, f"TRUTH    {_guilty(one.guilty, counts=one.counts)}") for one in world.outages()]
    told = [f"{at:10.3f} {text}" for at, _, text in sorted(lines)]
    return "\n".join([str(world.traits), *told, *(_difference(one) for one in verdict.differences)])


def _looks(looks: list[Look]) -> list[tuple[float, int, str]]:
    """Write down the first and the last of a run of equal looks."""
    first, last = looks[0], looks[-1]
    what = f"look     {first.result} {first.identity or ''} {_names(first.jails)}"
    lines = [(first.at, 7, f"{what} (started at {first.started:.3f})")]
    return lines if last is first else [*lines, (last.at, 7, f"{what} (the last of {len(looks)})")]


def _difference(one: Difference) -> str:
    fate = one.limit or "UNDER NO LIMIT"
    return f"{one.at:10.3f} {one.what} of {one.jail}: {fate}{', though both were known exactly' * one.is_exact}"


def _guilty(guilty: frozenset[str], *, counts: bool) -> str:
    return f"an outage that {'counts' if counts else 'does not count'}, to blame: {_names(guilty)}"


def _names(jails: frozenset[str]) -> str:
    return ", ".join(sorted(jails - {"recidive", "sshd"})) or "none"
