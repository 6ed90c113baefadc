"""Probes and snapshots to test with: those of a fail2ban in good health, changed by keyword."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from exporter.health import (
    ActivationReported,
    BansRecounted,
    Canary,
    CanaryResult,
    CanaryRun,
    Event,
    Health,
    ProbeEnded,
    Recount,
    ServerExited,
    reduce,
)
from exporter.health.bans import after_probe
from exporter.model import (
    BanCounts,
    Enforcement,
    ExitKind,
    Files,
    FirewallCheck,
    GeoipDatabase,
    Jail,
    JailLogFiles,
    JailSettings,
    Probe,
    ProcessUsage,
    Result,
    Server,
    ServerExit,
)
from exporter.snapshot import ProbeOptions, Snapshot

TIMESTAMP: Final = 1_700_000_000.0
"""When the probes of `snapshot` ended."""

HOSTILE_NAMES: Final = (
    'quo"te',
    "back\\slash",
    "\\n is no newline",
    "new\nline",
    "carriage\rreturn",
    'fake"} 1\nfail2ban_up 0',
    "größe ☂ 監獄",
    "<script>alert(1)</script>",
    "with, comma",
    "ends in a backslash\\",
    "\\udcff",
    " ",
    "\u202eright to left",
    "line\u2028separator\x85",
)


def jail(name: str = "sshd", **changes: Any) -> Jail:
    """A jail of which everything is known."""
    usual = Jail(
        name=name,
        failed=2,
        failures=30,
        banned=4,
        bans=50,
        backend="polling",
        log_files=("/var/log/auth.log", "/var/log/secure"),
        settings=JailSettings(ban_time=600.0, find_time=5400.0, max_retries=5, actions=1),
    )
    return replace(usual, **changes)


def jail_with(name: str = "sshd", **settings: Any) -> Jail:
    """A jail with other settings."""
    usual = JailSettings(ban_time=600.0, find_time=5400.0, max_retries=5, actions=1)
    return jail(name, settings=replace(usual, **settings))


FOREVER: Final = jail_with("recidive", ban_time=math.inf)


def server(**changes: Any) -> Server:
    """A server whose process can be seen."""
    usage = ProcessUsage(
        cpu_seconds=12.5, resident_bytes=30_000_000, virtual_bytes=300_000_000, open_fds=20, max_fds=99
    )
    usual = Server(
        version="1.1.0", identity="pid:42:1", pid=42, start_time=1_600_000_000.25, usage=usage, is_trusted=True
    )
    return replace(usual, **changes)


def success(*jails: Jail, **changes: Any) -> Probe:
    """A probe that got a complete answer, from a server with these jails."""
    usual = Probe(
        result=Result.SUCCESS,
        reason="fail2ban answered",
        duration=0.002,
        server=server(),
        jail_count=len(jails),
        jails=jails,
        database="/var/lib/fail2ban/fail2ban.sqlite3",
    )
    return replace(usual, **changes)


def failure(result: Result = Result.SOCKET_MISSING, reason: str = "no socket there", duration: float = 0.001) -> Probe:
    """A probe that failed."""
    return Probe(result=result, reason=reason, duration=duration)


def firewall_check(*jails: Enforcement, **changes: Any) -> FirewallCheck:
    """A comparison of the bans with the firewall."""
    usual = FirewallCheck(reason="the firewall was compared with the bans", stale_at=math.inf, jails=jails)
    return replace(usual, **changes)


def files(*jails: JailLogFiles, **changes: Any) -> Files:
    """A look at the files that fail2ban names, of these jails and its database."""
    usual = Files(stale_at=math.inf, jails=jails, database_bytes=4096, database_bans=70)
    return replace(usual, **changes)


def log_files(name: str = "sshd", **changes: Any) -> JailLogFiles:
    """A jail's log files, all there."""
    usual = JailLogFiles(jail=name, watched=2, missing=0, last_modified=TIMESTAMP - 5)
    return replace(usual, **changes)


def ban_counts(**changes: Any) -> BanCounts:
    """Bans counted by where they come from, with one database in use that is not what its file holds."""
    usual = BanCounts(
        stale_at=math.inf,
        tables={
            "family": {"sshd": {"ipv4": 3, "ipv6": 1, "other": 0}},
            "country": {"sshd": {"DE": 3, "unknown": 1}},
            "asn": {"sshd": {"AS64500": 4}},
        },
        databases=(
            GeoipDatabase("country", is_current=True, built_at=TIMESTAMP),
            GeoipDatabase("asn", is_current=False, built_at=None),
        ),
    )
    return replace(usual, **changes)


def server_exit(kind: ExitKind = ExitKind.CRASH, *, at: float = 0.0, identity: str = "pid:42:1") -> ServerExit:
    """The end of a server's process, seen as it happened."""
    return ServerExit(kind, identity, after=at, before=at)


def exited(kind: ExitKind = ExitKind.CRASH, *, at: float = 0.0, identity: str = "pid:42:1") -> ServerExited:
    """The same as an event."""
    return ServerExited(server_exit(kind, at=at, identity=identity), at=at, timestamp=TIMESTAMP + at)


def recounted(health: Health, probe: Probe, at: float = 0.0) -> Health:
    """The health after it became known that none of the bans that this probe found was restored."""
    for question in health.bans.questions():
        recount = Recount(question.jail, question.server, question.run, restored=0, total=0)
        health = reduce(health, BansRecounted(recount, at=at, timestamp=TIMESTAMP))
    patience = health.recovery.policy.patience
    return replace(health, bans=after_probe(health.bans, probe, at, TIMESTAMP, patience))


def then(shown: Snapshot, *events: Event) -> Snapshot:
    """The snapshot after more events."""
    for event in events:
        probe = event.probe if isinstance(event, ProbeEnded) else shown.probe
        shown = replace(shown, health=reduce(shown.health, event), probe=probe)
    return shown


def canary(*results: CanaryResult) -> Canary:
    """What is known after attacks that ended so; without any, after one that was banned."""
    known = Canary.initial(300.0, 60.0)
    for result in results or (CanaryResult.SUCCESS,):
        delay = 0.75 if result is CanaryResult.SUCCESS else None
        known = known.after(CanaryRun(result, "so it was", TIMESTAMP, delay))
    return known


def snapshot(
    *probes: Probe, expected: Sequence[str] = (), interval: float = 30.0, timeout: float = 10.0, beat: float = 0.0
) -> Snapshot:
    """The snapshot after these probes, the first of them all."""
    options = ProbeOptions(socket="/run/f2b.sock", interval=interval, timeout=timeout, expected=tuple(expected))
    health = Health.initial(timeout)
    for latest in probes:
        health = recounted(reduce(health, ProbeEnded(latest, at=beat, timestamp=TIMESTAMP)), latest, beat)
    return Snapshot(options, health, beat=beat, probe=probes[-1] if probes else None)


def blamed_snapshot(*jails: str, expected: Sequence[str] = ("sshd",)) -> Snapshot:
    """The snapshot of a fail2ban that crashed 3 s after it was online and 1 s after these jails were activated."""
    return then(
        snapshot(success(jail()), expected=expected),
        *(ActivationReported(name, happened=2, at=2, timestamp=TIMESTAMP + 2) for name in jails),
        exited(at=3),
        ProbeEnded(failure(), at=3, timestamp=TIMESTAMP + 3),
    )
