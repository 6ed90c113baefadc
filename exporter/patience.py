"""How eagerly to follow a hint that the server ended."""

from __future__ import annotations

from typing import Final

_SHORTEST: Final = 1.0


class Patience:
    """At once, but ever less if hint after hint was false: a server that drops connections is not probed in a loop."""

    def __init__(self) -> None:
        self.until = 0.0
        """Monotonic time before which no hint is followed."""
        self._false_hints = 0

    def listens(self, now: float) -> bool:
        """Tell whether hints are followed now."""
        return now >= self.until

    def heed(self, now: float, interval: float) -> None:
        """Follow a hint now; unless it proves true, wait longer before the next."""
        pause = 0.0 if self._false_hints == 0 else min(2.0 ** (self._false_hints - 1), max(interval, _SHORTEST))
        self.until = now + pause
        self._false_hints = min(self._false_hints + 1, 20)

    def learn(self, *, changed: bool) -> None:
        """Note whether there was news; news makes the next hint welcome."""
        if changed:
            self._false_hints = 0
            self.until = 0.0
