"""What the prober publishes and everybody else reads: one frozen value, replaced whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from exporter.health import Canary, Health, Policy
from exporter.model import BanCounts, Files, FirewallCheck, FirewallFault, JailLogFiles, Probe, State

STALE_INTERVALS = 3
"""A prober that has not beaten for this many intervals plus the timeout speaks for the present no more."""


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """The settings that the prober works by, all of which a reload may change."""

    socket: str
    interval: float
    """Seconds from the start of one probe to that of the next; 0 means back to back."""
    timeout: float
    """Seconds that one whole probe may take."""
    expected: tuple[str, ...] = ()
    """Jails that must run."""
    config_dir: str = ""
    """fail2ban's configuration folder; empty for not looking at it."""
    policy: Policy = field(default_factory=Policy)
    """How blame is put."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest probe's figures and what they mean."""

    options: ProbeOptions
    health: Health
    beat: float
    """Monotonic seconds at which the prober published it."""
    probe: Probe | None = None
    """The latest probe; None before the first, and in a stale snapshot."""
    config_faults: int | None = None
    """How many of fail2ban's configuration files could not be read or parsed; None while they are not looked at."""
    canary: Canary | None = None
    """What is known from attacks of the canary; None while it is off."""
    firewall: FirewallCheck | None = None
    """The latest comparison of the bans with the firewall; None while that is off, or before the first."""
    files: Files | None = None
    """The latest look at the files that fail2ban names; None before the first, and when it is too old."""
    geoip: BanCounts | None = None
    """The latest counts of bans by where they come from; None while that is off, or before the first."""

    def stale_at(self) -> float:
        """Return the monotonic seconds from which this snapshot is too old to be served as live."""
        return self.beat + STALE_INTERVALS * self.options.interval + self.options.timeout

    def as_of(self, now: float) -> Snapshot:
        """Return this snapshot, or if it is stale at the monotonic time `now`, what of it still holds.

        That is its counters and timestamps. The state is unknown then, since when too, and no figure of fail2ban is
        shown.
        """
        if (
            self.firewall is not None
            and now >= self.firewall.stale_at
            and self.firewall.fault is not FirewallFault.STALE
        ):
            reason = "the firewall has not been checked for too long: its figures are too old to be shown"
            stale = FirewallCheck(reason, self.firewall.stale_at, FirewallFault.STALE)
            return replace(self, firewall=stale).as_of(now)
        if self.files is not None and now >= self.files.stale_at:
            return replace(self, files=None).as_of(now)
        counts = self.geoip
        if counts is not None and now >= counts.stale_at and counts.tables:
            return replace(self, geoip=replace(counts, fault="they were counted too long ago", tables={})).as_of(now)
        if now < self.stale_at():
            return self
        reason = f"the exporter has not probed for {now - self.beat:.0f} s: its figures are too old to be shown"
        health = replace(self.health, state=State.UNKNOWN, reason=reason, changed_at=None, since=None)
        return replace(self, health=health, probe=None)

    def missing_jails(self) -> tuple[str, ...]:
        """Return the jails that are expected or enabled and do not run, sorted; empty where that is not known.

        Offline none runs. Where fail2ban's list of names is ambiguous, a jail that was not told may run all the same.
        """
        if self.health.state not in (State.ONLINE, State.OFFLINE) or self.untold_jails():
            return ()
        running = set() if self.probe is None else {jail.name for jail in self.probe.jails}
        return tuple(sorted({*self.options.expected, *self.health.recovery.missing} - running))

    def log_files(self) -> tuple[JailLogFiles, ...]:
        """Return what is known of the log files of each jail: of those that run, or ran when fail2ban last answered."""
        found = () if self.files is None else self.files.jails
        if self.probe is None or self.probe.server is None:
            return found
        running = {jail.name for jail in self.probe.jails if jail.log_files is not None}
        return tuple(one for one in found if one.jail in running)

    def untold_jails(self) -> int:
        """Return how many jails run of which no more is known, not even their names."""
        if self.probe is None or self.probe.jail_count is None:
            return 0
        return self.probe.jail_count - len(self.probe.jails)
