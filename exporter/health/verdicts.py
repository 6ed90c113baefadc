"""Who is blamed for which outage, and how long that is remembered: the steps that every event is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from exporter.health.activations import Source, Span, Telling, told_of
from exporter.health.recovery import MAX_REMEMBERED, Cause, Outage, Recovery, Remembered

LATE_VERDICT_SECONDS: Final = 60.0
"""How long after the end of a process it may become clear how it ended."""
MAX_PAST: Final = 50
"""Outages that are over and kept."""


def tell(recovery: Recovery, source: Source | None, jail: str, happened: Span, timestamp: float) -> Recovery:
    """Take note of an activation; without a source it is more about one that was counted already."""
    telling = Telling(happened, timestamp, source)
    activations, is_new = told_of(recovery.activations, jail, telling, recovery.policy.window)
    told = recovery.told
    if is_new and source is not None:
        told = {**told, source: told[source] + 1}
    kept = recovery.remembered.get(jail, Remembered())
    kept = replace(kept, activated=max(timestamp, kept.activated or timestamp))
    return _remember(replace(recovery, activations=activations, told=told), {jail: kept})


def look_at_due(recovery: Recovery, at: float, timestamp: float) -> Recovery:
    """Let the outage count if its time has come."""
    outage = recovery.outage
    if outage is None or outage.counts or at < outage.due:
        return recovery
    candidates = outage.candidates | (recovery.candidates() if _may_be_refusal(outage) else frozenset())
    return put_blame(replace(recovery, outage=replace(outage, counts=True, due=at, candidates=candidates)), timestamp)


def _may_be_refusal(outage: Outage) -> bool:
    """Tell whether the server may be away because a start failed."""
    return outage.cause in {Cause.EXIT, Cause.UNCLEAR} or outage.starts_failed


def put_blame(recovery: Recovery, timestamp: float) -> Recovery:
    """Blame for the outage that counts whoever may have caused it and is not blamed yet."""
    outage = recovery.outage
    if outage is None or not outage.counts:
        return recovery
    guilty = _guilty(recovery, outage)
    recovery = replace(recovery, outage=replace(outage, blamed=outage.blamed | guilty))
    return _remember(recovery, _accuse(recovery, guilty, timestamp, pending=True))


def look_again(recovery: Recovery, told: frozenset[str], since: float, timestamp: float) -> Recovery:
    """Look again, after a telling that came late: at the outage under way, and at crashes that are over.

    That the server is still away is for a look at it to tell: none was made since it went if the exporter just started.

    Args:
        recovery: with what was told.
        told: the jails that were told of.
        since: the first moment at which they may have been activated.
        timestamp: UTC epoch seconds.
    """
    outage = recovery.outage
    if outage is not None and outage.counts and _may_be_refusal(outage) and since <= outage.due:
        candidates = outage.candidates | (told & recovery.candidates())
        recovery = replace(recovery, outage=replace(outage, candidates=candidates))
    recovery = put_blame(recovery, timestamp)
    past = []
    for outage in recovery.past:
        guilty = _guilty(recovery, outage) if outage.counts else frozenset()
        if outage.counts and _may_be_refusal(outage) and outage.went_down.start <= since <= outage.due:
            # Activated while it was down, before it counted: for a start that failed.
            guilty |= (told if recovery.configured is None else told & recovery.configured) - outage.blamed
        if guilty:
            recovery = replace(recovery, recoveries=recovery.recoveries + (not outage.blamed))
            recovery = _remember(recovery, _accuse(recovery, guilty, timestamp, pending=False))
        past.append(replace(outage, blamed=outage.blamed | guilty))
    return replace(recovery, past=tuple(past))


def _guilty(recovery: Recovery, outage: Outage) -> frozenset[str]:
    window = recovery.policy.window
    caused = {
        jail
        for jail, activation in recovery.activations.items()
        if activation.may_have_caused(outage.went_down, window)
    }
    return (outage.candidates | caused) - outage.blamed


def _accuse(recovery: Recovery, guilty: Iterable[str], timestamp: float, *, pending: bool) -> Mapping[str, Remembered]:
    accused = {}
    for jail in sorted(guilty):
        kept = recovery.remembered.get(jail, Remembered())
        still = pending or kept.pending
        accused[jail] = replace(kept, failures=kept.failures + 1, detected=timestamp, pending=still)
    return accused


def end_outage(recovery: Recovery, at: float) -> Recovery:
    """End the outage under way, if there is one: flags fall, and if anybody was blamed that is one recovery."""
    outage = recovery.outage
    if outage is None:
        return recovery
    remembered = {
        jail: replace(kept, pending=False) if kept.pending else kept for jail, kept in recovery.remembered.items()
    }
    ended = replace(
        recovery,
        outage=None,
        past=(*recovery.past, replace(outage, over=at))[-MAX_PAST:],
        remembered=remembered,
        recoveries=recovery.recoveries + bool(outage.blamed),
    )
    return _remember(ended, {})  # those that could not leave while they were pending


def forget_old(recovery: Recovery, now: float) -> Recovery:
    """Let go of what nothing can be put down to any more."""
    if recovery.outage is not None:
        return recovery
    window = recovery.policy.window
    past = tuple(
        one
        for one in recovery.past
        if one.over is not None and now <= one.over + (window if one.counts else LATE_VERDICT_SECONDS)
    )
    unclear = [one.went_down for one in past if not one.counts]
    kept = {
        jail: one
        for jail, one in recovery.activations.items()
        if jail in recovery.awaited
        or not one.is_over(now, window + LATE_VERDICT_SECONDS)
        or any(one.may_have_caused(went_down, window) for went_down in unclear)
    }
    return replace(recovery, activations=kept, past=past)


def _remember(recovery: Recovery, news: Mapping[str, Remembered]) -> Recovery:
    """Move jails that there is news of to the end, and let the oldest leave; never one that is pending."""
    remembered = {jail: one for jail, one in recovery.remembered.items() if jail not in news} | dict(news)
    surplus = len(remembered) - MAX_REMEMBERED
    if surplus <= 0:
        return replace(recovery, remembered=remembered)
    # Of whom has to leave nothing else is kept either, or a flood of reports would fill the memory.
    leaving = frozenset([jail for jail, one in remembered.items() if not one.pending][:surplus])
    return replace(
        recovery,
        remembered={jail: one for jail, one in remembered.items() if jail not in leaving},
        activations={jail: one for jail, one in recovery.activations.items() if jail not in leaving},
        awaited=recovery.awaited - leaving,
    )
