"""What each event means for activations and outages: every way in which the state of recovery changes. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from exporter.health.activations import Activation, Source, Span
from exporter.health.recovery import Cause, Outage, Recovery, Running
from exporter.health.verdicts import MAX_PAST, end_outage, forget_old, look_again, look_at_due, put_blame, tell
from exporter.model import ExitKind, ServerExit, State

BASELINE_SECONDS: Final = 10.0
"""A starting server answers with no jails first: what appears this soon after a new process is no activation."""
_MAX_REPLACED: Final = 10


def online(recovery: Recovery, identity: str, jails: frozenset[str], at: float, timestamp: float) -> Recovery:
    """The server answered, completely: these jails run."""
    recovery = end_outage(recovery, at)
    former = recovery.running
    is_same = former is not None and former.identity == identity
    appeared = jails - (former.jails if former is not None else frozenset())
    since = at if recovery.last_up is None else recovery.last_up
    # What appears after a look at a server that was still starting may be what it was about to start.
    starting = former is None or not is_same or former.at < former.baseline_until
    for jail in sorted(appeared | (jails & recovery.awaited)):
        if jail in recovery.awaited:
            if not _is_dated(recovery, jail, at):
                # Of a new process it says nothing about the one before, which may never have loaded it.
                recovery = tell(recovery, None, jail, Span(since if is_same else at, at), timestamp)
        elif not starting:
            recovery = tell(recovery, Source.OBSERVED, jail, Span(since, at), timestamp)
    baseline_until = former.baseline_until if former is not None and is_same else at + BASELINE_SECONDS
    configured = recovery.configured or frozenset()
    to_load = former.to_load if former is not None and is_same else recovery.awaited
    activations, awaited, known = recovery.activations, recovery.awaited - jails, jails
    if at < baseline_until:
        known |= frozenset() if former is None else former.known
    elif is_same:
        activations = _not_loaded(recovery, awaited, since)
        # Nobody says that they are still enabled, and a start did not load them: disabled again, out of sight.
        awaited -= to_load - configured
    recovery = replace(
        recovery,
        activations=activations,
        awaited=awaited,
        seen=recovery.seen | (jails & configured),
        overdue=configured,
        missing=recovery.overdue - jails,
        replaced=recovery.replaced if former is None or is_same else _replaced(recovery, former.identity),
        running=Running(identity, jails, at, baseline_until, to_load, known),
        is_settled=recovery.is_settled or at >= baseline_until,
        last_up=at,
    )
    return forget_old(look_again(recovery, frozenset(), at, timestamp), at)


def _replaced(recovery: Recovery, identity: str) -> tuple[str, ...]:
    return (*recovery.replaced, identity)[-_MAX_REPLACED:]


def _is_dated(recovery: Recovery, jail: str, at: float) -> bool:
    """Tell whether it is known when the jail was loaded: that it is first seen running only now adds nothing."""
    activation = recovery.activations.get(jail)
    dated = None if activation is None else activation.dated
    return dated is not None and at <= dated + recovery.policy.window


def _not_loaded(recovery: Recovery, absent: frozenset[str], since: float) -> Mapping[str, Activation]:
    """Note that jails do not run in a server that has started: what was told for the moment of a load is not that."""
    return {
        jail: replace(one, dated=None) if jail in absent and one.dated is not None and one.dated <= since else one
        for jail, one in recovery.activations.items()
    }


def not_online(recovery: Recovery, state: State, at: float, timestamp: float) -> Recovery:
    """A probe failed and left the server in this state. Without permission nothing is known, and nothing changes."""
    if state is State.OFFLINE:
        configured = recovery.configured or frozenset()
        recovery = replace(recovery, missing=recovery.overdue, overdue=configured)
    if state is State.INACCESSIBLE or recovery.last_up is None:
        return recovery
    outage = recovery.outage
    if outage is None and state is State.UNRESPONSIVE:
        outage = _new_outage(recovery, Span(recovery.last_up, at), Cause.HANG, at)
    elif outage is None:
        outage = _new_outage(recovery, Span(recovery.last_up, at), Cause.UNCLEAR, at)
    elif outage.cause is Cause.HANG and state is State.OFFLINE and not outage.counts:
        # It no longer hangs, it has gone: from now on it has as long as any restart.
        went_down = Span(outage.went_down.start, at)
        outage = replace(outage, went_down=went_down, cause=Cause.UNCLEAR, due=at + recovery.policy.grace)
    return look_at_due(replace(recovery, outage=outage), at, timestamp)


def time_passed(recovery: Recovery, at: float, timestamp: float) -> Recovery:
    """Nothing happened but that it is later now."""
    return forget_old(look_at_due(recovery, at, timestamp), at)


def exited(recovery: Recovery, server_exit: ServerExit, at: float, timestamp: float) -> Recovery:
    """It became clear how and when a server process ended."""
    kind, after = server_exit.kind, server_exit.after
    if math.isinf(after):  # it ran in an earlier run of the exporter
        after = server_exit.before if recovery.last_up is None else recovery.last_up
    ended = Span(after, server_exit.before)
    running = recovery.running
    if running is None:
        return recovery
    if running.identity == server_exit.identity:
        return _exited_now(recovery, kind, ended, at, timestamp)
    if server_exit.identity in recovery.replaced:
        return _exited_before(recovery, replace(server_exit, after=after), at, timestamp)
    return _start_failed(recovery, at, timestamp)


def _exited_now(recovery: Recovery, kind: ExitKind, ended: Span, at: float, timestamp: float) -> Recovery:
    """The process ended that was online last."""
    outage = recovery.outage or _new_outage(recovery, ended, Cause.UNCLEAR, at)
    if kind is ExitKind.CRASH:
        candidates = outage.candidates | (recovery.candidates() if outage.starts_failed else frozenset())
        went_down = _went_down(outage, ended)
        outage = replace(outage, went_down=went_down, cause=Cause.CRASH, counts=True, candidates=candidates)
        return put_blame(replace(recovery, outage=outage), timestamp)
    if not outage.counts:
        due = ended.end + recovery.policy.grace
        outage = replace(outage, went_down=_went_down(outage, ended), cause=Cause.EXIT, due=due)
    return replace(recovery, outage=outage)


def _exited_before(recovery: Recovery, server_exit: ServerExit, at: float, timestamp: float) -> Recovery:
    """A process ended whose successor is online, or was: the outage is over as soon as it is known."""
    if server_exit.kind is not ExitKind.CRASH:
        return recovery
    identity, ended = server_exit.identity, Span(server_exit.after, server_exit.before)
    # Of one that was over while this process still ran, another is not a part.
    past = [one for one in recovery.past if one.identity == identity and (one.over is None or one.over > ended.start)]
    if past:
        known, others = past[-1], [outage for outage in recovery.past if outage is not past[-1]]
    else:
        known, others = Outage(ended, Cause.UNCLEAR, at, identity, over=at), list(recovery.past)
    crash = replace(known, went_down=_went_down(known, ended), cause=Cause.CRASH, counts=True)
    return look_again(replace(recovery, past=(*others, crash)[-MAX_PAST:]), frozenset(), at, timestamp)


def _start_failed(recovery: Recovery, at: float, timestamp: float) -> Recovery:
    """A process ended that never was online: a start that failed, if there is an outage."""
    if recovery.outage is None:
        return recovery
    outage, candidates = recovery.outage, recovery.outage.candidates | recovery.candidates()
    due = at if outage.counts else outage.due
    outage = replace(outage, starts_failed=True, due=due, candidates=candidates)
    return put_blame(replace(recovery, outage=outage), timestamp)


def _new_outage(recovery: Recovery, went_down: Span, cause: Cause, at: float) -> Outage:
    due = at + (recovery.policy.window if cause is Cause.HANG else recovery.policy.grace)
    identity = None if recovery.running is None else recovery.running.identity
    return Outage(went_down, cause, due, identity, hung=cause is Cause.HANG)


def _went_down(outage: Outage, ended: Span) -> Span:
    """Return when it went down, now that it is known when the process ended: earlier, if it hung before."""
    return Span(min(outage.went_down.start, ended.start), ended.end) if outage.hung else ended


def reported(recovery: Recovery, jail: str, happened: float, at: float, timestamp: float) -> Recovery:
    """A tool said that it activated a jail, at a monotonic time that may be past."""
    happened = min(happened, at)
    running, told, former = recovery.running, Span(happened, happened), recovery.activations.get(jail)
    is_over = former is not None and jail not in recovery.awaited and former.is_told_by(told, recovery.policy.window)
    has_run = running is not None and jail in running.known and happened <= running.at
    if not is_over and not has_run:
        recovery = replace(recovery, awaited=recovery.awaited | {jail})
    recovery = tell(recovery, Source.REPORTED, jail, told, timestamp)
    return look_again(recovery, frozenset({jail}), happened, timestamp)


def configured(recovery: Recovery, enabled: frozenset[str], since: float, at: float, timestamp: float) -> Recovery:
    """The configuration was read: it enables these jails; what changed, changed between `since` and now."""
    before = recovery.configured
    is_gone = recovery.running is None or (recovery.outage is not None and recovery.outage.cause is not Cause.HANG)
    running = frozenset[str]() if recovery.running is None or is_gone else recovery.running.jails
    if before is None:
        return replace(recovery, configured=enabled, seen=enabled & running)
    added, removed = enabled - before, before - enabled
    recovery = replace(
        recovery,
        configured=enabled,
        seen=(recovery.seen - removed) | (added & running),
        awaited=(recovery.awaited - removed) | (added - running),
        overdue=recovery.overdue & enabled,
        missing=recovery.missing & enabled,
    )
    if math.isinf(since):  # the first look after a restart of the exporter
        since = at if recovery.last_up is None else recovery.last_up
    for jail in sorted(added):
        recovery = tell(recovery, Source.CONFIGURED, jail, Span(since, at), timestamp)
    return look_again(recovery, added, since, timestamp)
