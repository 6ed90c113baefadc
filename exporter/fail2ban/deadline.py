"""One deadline for a whole probe, asked for by everything that may take time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from exporter.fail2ban.failures import ProbeTimeoutError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on a monotonic clock after which a probe gives up."""

    at: float
    seconds: float
    """How long the probe had, for its error message."""
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(at=clock() + seconds, seconds=seconds, clock=clock)

    def remaining(self) -> float:
        """Return the seconds left.

        Raises:
            ProbeTimeoutError: there are none.
        """
        left = self.at - self.clock()
        if left <= 0:
            raise ProbeTimeoutError(
                f"fail2ban gave no complete answer within {self.seconds:g} s: it hangs, is stopping, or is overloaded"
            )
        return left

    def check(self) -> None:
        """Raise `ProbeTimeoutError` if the deadline has passed."""
        self.remaining()
