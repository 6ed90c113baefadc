"""The canary: what is known of a synthetic attacker that must be banned, and when an attack is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from exporter.health.histogram import Histogram

_DELAYS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
_FIRST_LOOK: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_EASE: Final = 10
_LAST_ANSWER: Final = 1.0
"""How long the answer to the last question may take: a ban that it tells was in time."""


class CanaryResult(StrEnum):
    """How an attack of the canary ended; the closed label set of ``fail2ban_canary_runs_total``."""

    SUCCESS = "success"
    """The attacker was banned in time."""
    TIMEOUT = "timeout"
    """It was not, though fail2ban answered all the while."""
    JAIL_MISSING = "jail_missing"
    """The canary's jail does not run."""
    LOG_FILE_ERROR = "log_file_error"
    """The failures could not be written."""
    INTERRUPTED = "interrupted"
    """fail2ban or the jail was stopped or restarted meanwhile, or gave no answer: nothing is known."""
    INTERNAL_ERROR = "internal_error"
    """The exporter itself failed at it."""


SAYS_NOTHING: Final = frozenset({CanaryResult.INTERRUPTED})
"""Results after which as much is known as before."""


@dataclass(frozen=True, slots=True)
class CanaryRun:
    """One attack and what came of it."""

    result: CanaryResult
    reason: str
    """For people."""
    ended: float
    """UTC epoch seconds."""
    delay: float | None = None
    """Seconds from the failures written to the ban seen; None unless it was."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What is known from all attacks so far. Timestamps are UTC epoch seconds, durations seconds."""

    interval: float
    """From the start of one attack to that of the next."""
    timeout: float
    """In which an attacker must be banned."""
    delays: Histogram
    runs: Mapping[CanaryResult, int] = field(default_factory=lambda: dict.fromkeys(CanaryResult, 0))
    latest: CanaryRun | None = None
    """The latest attack that said anything; None before the first."""
    last_delay: float | None = None
    last_success: float | None = None
    jail: str = ""
    """The jail that is attacked, whose bans are none of anybody's; empty while it is not said."""

    @classmethod
    def initial(cls, interval: float, timeout: float, jail: str = "") -> Canary:
        """Return what is known before the first attack."""
        return cls(interval, timeout, Histogram.up_to(timeout, _DELAYS), jail=jail)

    def with_settings(self, interval: float, timeout: float, jail: str = "") -> Canary:
        """Return the same under other settings; delays are counted anew if their last bucket changes."""
        delays = self.delays if timeout == self.timeout else Histogram.up_to(timeout, _DELAYS)
        return replace(self, interval=interval, timeout=timeout, delays=delays, jail=jail)

    @property
    def is_up(self) -> bool | None:
        """Whether the latest attacker was banned in time; None while that is not known."""
        return None if self.latest is None else self.latest.result is CanaryResult.SUCCESS

    def after(self, run: CanaryRun) -> Canary:
        """Return what is known after one more attack. Pure."""
        counted = replace(self, runs={**self.runs, run.result: self.runs[run.result] + 1})
        if run.result in SAYS_NOTHING:
            return counted
        if run.delay is None:
            return replace(counted, latest=run)
        return replace(
            counted,
            latest=run,
            delays=self.delays.observe(run.delay),
            last_delay=run.delay,
            last_success=run.ended,
        )


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack under way. Moments are monotonic seconds."""

    bans: int
    """How many bans the jail had counted before."""
    written: float
    """When the failures were about to be written."""
    timeout: float

    def decided(self, bans: int | None, now: float) -> CanaryResult | None:
        """Return how the attack ended, or None if that is open still. Pure.

        Args:
            bans: how many bans the jail counts now; None if it does not run any more.
            now: when it said so.
        """
        if bans is None:
            return CanaryResult.JAIL_MISSING
        if bans < self.bans:  # it was restarted, and counts anew
            return CanaryResult.INTERRUPTED
        passed = now - self.written
        if bans > self.bans and passed <= self.timeout + _LAST_ANSWER:
            return CanaryResult.SUCCESS
        return CanaryResult.TIMEOUT if passed >= self.timeout else None

    def next_look_in(self, now: float) -> float:
        """Return in how many seconds to look again: a tenth of the time that has passed, so a delay is that exact."""
        passed = now - self.written
        return max(0.0, min(max(_FIRST_LOOK, passed / _EASE), _LONGEST_PAUSE, self.timeout - passed))
