"""The life of a simulated host under attack: failures, bans, expiries. Deterministic under a seed, and pure."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import Final

LIFETIMES: Final = (120.0, 420.0)
"""Seconds that a simulated server runs before it ends, at least and at most."""
_CRASHES: Final = 0.4
"""The share of ends that are crashes."""


@dataclass(frozen=True, slots=True)
class JailPlan:
    """A jail of the simulated host."""

    name: str
    attackers_per_minute: float
    persistence: float
    """How likely an attacker is to try once more after each failure."""
    max_retries: int = 5
    find_time: int = 600
    ban_time: int = 600
    backend: str = "polling"
    log_files: tuple[str, ...] = ()


PLANS: Final = (
    JailPlan("sshd", 20, 0.85, backend="systemd"),
    JailPlan("nginx-http-auth", 6, 0.7, max_retries=3, ban_time=300, log_files=("/var/log/nginx/error.log",)),
    JailPlan("nginx-botsearch", 12, 0.6, max_retries=2, ban_time=180, log_files=("/var/log/nginx/access.log",)),
    JailPlan("postfix", 3, 0.8, find_time=1200, ban_time=1800, log_files=("/var/log/mail.log",)),
    JailPlan("recidive", 1, 0.9, find_time=86_400, ban_time=-1, log_files=("/var/log/fail2ban.log",)),
)


@dataclass(slots=True)
class SimulatedJail:
    """A jail's present state; what fail2ban would answer about it."""

    plan: JailPlan
    failing: dict[str, list[float]] = field(default_factory=dict)
    """Times of the failures inside the find time, by address."""
    banned: dict[str, float] = field(default_factory=dict)
    """When each ban ends, by address."""
    banned_at: dict[str, float] = field(default_factory=dict)
    """When each ban began, by address."""
    failures: int = 0
    bans: int = 0

    def fail(self, address: str, at: float) -> bool:
        """Count a failure; tell whether it got the address banned."""
        if address in self.banned:
            return False
        self.failures += 1
        recent = [then for then in self.failing.get(address, ()) if then > at - self.plan.find_time]
        self.failing[address] = [*recent, at]
        if len(self.failing[address]) < self.plan.max_retries:
            return False
        del self.failing[address]
        self.banned[address] = at + self.plan.ban_time if self.plan.ban_time >= 0 else float("inf")
        self.banned_at[address] = at
        self.bans += 1
        return True

    def expire(self, now: float) -> None:
        """Forget bans that have ended and failures that are too old."""
        self.banned = {address: end for address, end in self.banned.items() if end > now}
        self.banned_at = {address: start for address, start in self.banned_at.items() if address in self.banned}
        oldest = now - self.plan.find_time
        self.failing = {address: times for address, times in self.failing.items() if times[-1] > oldest}


@dataclass(frozen=True, slots=True, order=True)
class _Attempt:
    at: float
    number: int  # keeps the order of simultaneous attempts the same in every run
    jail: str = field(compare=False)
    address: str | None = field(compare=False)
    """None for the arrival of a new attacker."""


class World:
    """The simulated host. Time is seconds since its beginning, and is passed in."""

    def __init__(self, seed: int) -> None:
        self.jails = {plan.name: SimulatedJail(plan) for plan in PLANS}
        self._random = random.Random(seed)  # noqa: S311  # a simulation, not a secret
        self._attempts: list[_Attempt] = []
        self._number = 0
        for plan in PLANS:
            self._schedule(plan.name, self._random.expovariate(plan.attackers_per_minute / 60), None)

    def advance(self, now: float) -> None:
        """Let everything happen that happens until then."""
        while self._attempts and self._attempts[0].at <= now:
            self._happen(heapq.heappop(self._attempts))
        for jail in self.jails.values():
            jail.expire(now)

    def restart(self) -> None:
        """Begin counting anew, as a new server process does: its bans come from the database and count as new."""
        for jail in self.jails.values():
            jail.failing.clear()
            jail.failures = 0
            jail.bans = len(jail.banned)

    def _happen(self, attempt: _Attempt) -> None:
        jail = self.jails[attempt.jail]
        jail.expire(attempt.at)
        address = attempt.address
        if address is None:
            address = f"198.51.100.{self._random.randrange(1, 255)}"
            pause = self._random.expovariate(jail.plan.attackers_per_minute / 60)
            self._schedule(attempt.jail, attempt.at + pause, None)
        banned = jail.fail(address, attempt.at)
        if not banned and self._random.random() < jail.plan.persistence:
            self._schedule(attempt.jail, attempt.at + self._random.uniform(1, 15), address)

    def _schedule(self, jail: str, at: float, address: str | None) -> None:
        self._number += 1
        heapq.heappush(self._attempts, _Attempt(at, self._number, jail, address))


@dataclass(frozen=True, slots=True)
class End:
    """How one life of the simulated server ends."""

    after: float
    """Seconds."""
    crashes: bool
    pause: float
    """Seconds until the next one is started."""


def plan_end(seed: int, life: int) -> End:
    """Return how the server's life with this number ends; the same for the same seed and life."""
    generator = random.Random(f"{seed}:{life}")  # noqa: S311  # as above
    return End(
        after=generator.uniform(*LIFETIMES), crashes=generator.random() < _CRASHES, pause=generator.uniform(2, 8)
    )
