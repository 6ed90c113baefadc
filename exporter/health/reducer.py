"""The one place where events become health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar, assert_never

from exporter.health import bans, blame
from exporter.health.events import (
    ActivationReported,
    BansRecounted,
    ConfigurationRead,
    Event,
    ProbeEnded,
    ServerExited,
    TimePassed,
)
from exporter.health.history import with_probe
from exporter.health.recovery import Recovery
from exporter.health.state import Health
from exporter.model import Result, State

STATE_OF: Final = {
    Result.SUCCESS: State.ONLINE,
    Result.TIMEOUT: State.UNRESPONSIVE,
    Result.PROTOCOL_ERROR: State.UNRESPONSIVE,
    Result.SERVER_ERROR: State.UNRESPONSIVE,
    Result.SOCKET_MISSING: State.OFFLINE,
    Result.CONNECTION_REFUSED: State.OFFLINE,
    Result.PERMISSION_DENIED: State.INACCESSIBLE,
}

_Key = TypeVar("_Key")


def reduce(health: Health, event: Event) -> Health:
    """Return the health after the event. Pure: the same arguments always give the same result."""
    match event:
        case ProbeEnded():
            return _after_probe(health, event)
        case ServerExited(exit=server_exit):
            recovery = blame.exited(health.recovery, server_exit, event.at, event.timestamp)
            return replace(health, exits=_one_more(health.exits, server_exit.kind), recovery=recovery)
        case ConfigurationRead():
            return _after_configuration(health, event)
        case ActivationReported(jail=jail, happened=happened):
            recovery = blame.reported(health.recovery, jail, happened, event.at, event.timestamp)
            return replace(health, recovery=recovery)
        case BansRecounted(recount=recount):
            return replace(health, bans=bans.after_recount(health.bans, recount))
        case TimePassed(at=at, timestamp=timestamp):
            return replace(health, recovery=blame.time_passed(health.recovery, at, timestamp))
        case _:
            assert_never(event)


def reduce_all(health: Health, events: Iterable[Event]) -> Health:
    """Return the health after events that became known at the same time, in whatever order they are given.

    Tellings first, or a crash would be put down to what a report that lies beside it rules out: blame is never taken
    back. How a process ended comes after the probe, which may show its successor; and only then is it late.
    """
    for event in sorted(events, key=_rank):
        health = reduce(health, event)
    return health


def _rank(event: Event) -> tuple[int, float, str]:
    """Where an event stands among those of the same time: by what it is, then by all that tells it from another."""
    match event:
        case ConfigurationRead(enabled=enabled, since=since, at=at):
            return 0, at, f"{since} {sorted(enabled)}"
        case ActivationReported(jail=jail, happened=happened, at=at):
            return 1, at, f"{happened} {jail}"
        case BansRecounted(recount=recount, at=at):
            return 1, at, f"{recount.run} {recount.jail}"
        case ProbeEnded(probe=probe, at=at):
            return 2, at, f"{probe.result} {None if probe.server is None else probe.server.identity}"
        case ServerExited(exit=server_exit, at=at):
            return 3, at, f"{server_exit.before} {server_exit.identity}"
        case TimePassed(at=at):
            return 4, at, ""
        case _:
            assert_never(event)


def _after_configuration(health: Health, event: ConfigurationRead) -> Health:
    before = health.recovery.configured
    recovery = blame.configured(health.recovery, event.enabled, event.since, event.at, event.timestamp)
    changed = before is not None and before != event.enabled
    watchful_until = event.at + recovery.policy.window if changed else health.watchful_until
    return replace(health, recovery=recovery, watchful_until=watchful_until)


def _after_probe(health: Health, event: ProbeEnded) -> Health:
    probe = event.probe
    succeeded = probe.result is Result.SUCCESS
    state = STATE_OF[probe.result]
    changed = state is not health.state
    identity = health.server_identity if probe.server is None else probe.server.identity
    restarted = health.server_identity is not None and identity != health.server_identity
    return replace(
        health,
        state=state,
        reason=probe.reason,
        changed_at=event.at if changed else health.changed_at,
        since=event.timestamp if changed else health.since,
        probes=_one_more(health.probes, probe.result),
        consecutive_failures=0 if succeeded else health.consecutive_failures + 1,
        last_probe=event.timestamp,
        last_success=event.timestamp if succeeded else health.last_success,
        history=with_probe(health.history, probe, event.timestamp),
        durations=health.durations.observe(probe.duration),
        restarts=health.restarts + restarted,
        server_identity=identity,
        recovery=_recovery_after(health, event, state),
        bans=bans.after_probe(health.bans, probe, event.at, event.timestamp, health.recovery.policy.patience),
    )


def _recovery_after(health: Health, event: ProbeEnded, state: State) -> Recovery:
    server = event.probe.server
    if server is None:
        return blame.not_online(health.recovery, state, event.at, event.timestamp)
    jails = frozenset(jail.name for jail in event.probe.jails)
    running = health.recovery.running
    if event.probe.jail_count != len(jails):  # an ambiguous list: which jails run is not known, so none is news
        jails = frozenset() if running is None else running.jails
    return blame.online(health.recovery, server.identity, jails, event.at, event.timestamp)


def _one_more(counts: Mapping[_Key, int], key: _Key) -> Mapping[_Key, int]:
    return {**counts, key: counts[key] + 1}
