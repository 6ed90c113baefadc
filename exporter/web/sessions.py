"""Which TLS handshakes are under way, so that no single address can take the place of all others."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from exporter.web.connections import Droppable
from exporter.web.origins import ByOrigin

_T = TypeVar("_T", bound=Droppable)


class Sessions(Generic[_T]):
    """Sessions up to a cap; past it the longest-waiting one goes, of the address that has half of them if one has.

    So an attacker from one address pushes out none but his own, however fast he comes back. Nobody goes who had no time
    to answer: until then there is no room. And none goes who has greeted twice, as long as those who have not are half
    of all.

    Not thread-safe: all calls come from the event loop's thread. Deadlines are on the event loop's clock.
    """

    def __init__(self, cap: int, answer_seconds: float) -> None:
        """Begin with none.

        Args:
            cap: How many there may be.
            answer_seconds: For how long each is safe.
        """
        self._cap = cap
        self._answer_seconds = answer_seconds
        self._waiting: ByOrigin[_T] = ByOrigin()
        self._unproven: ByOrigin[_T] = ByOrigin()
        """Those of them who have not greeted twice."""
        self._times: dict[_T, _Times] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, now: float) -> bool:
        """Tell whether one may be admitted."""
        other = self._next_to_go()
        return other is None or self._times[other].since + self._answer_seconds <= now

    def admit(self, session: _T, address: str, now: float, deadline: float, *, is_proven: bool) -> None:
        """Enter a new one, which may have greeted twice; drops another past the cap."""
        if other := self._next_to_go():
            self._drop(other)
        self._waiting.add(session, address)
        if not is_proven:
            self._unproven.add(session, address)
        self._times[session] = _Times(now, deadline)

    def remove(self, session: _T) -> None:
        """Let one leave; nothing happens if it is not there."""
        self._waiting.remove(session)
        self._unproven.remove(session)
        self._times.pop(session, None)

    def drop_oldest(self, count: int) -> None:
        """Drop up to this many, the longest-waiting first."""
        for session in list(self._waiting)[:count]:
            self._drop(session)

    def drop_expired(self, now: float) -> None:
        """Drop those whose deadline has passed."""
        for session in [each for each, times in self._times.items() if times.deadline <= now]:
            self._drop(session)

    def _next_to_go(self) -> _T | None:
        if len(self) < self._cap:
            return None
        half = (self._cap + 1) // 2
        candidates = self._unproven if len(self._unproven) >= half else self._waiting
        return candidates.first_of_crowd(half) or candidates.first()

    def _drop(self, session: _T) -> None:
        self.remove(session)
        session.drop()


class _Times(NamedTuple):
    since: float
    deadline: float
