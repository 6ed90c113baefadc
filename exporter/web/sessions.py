"""Which TLS handshakes are under way, so that no single address can take the place of all others."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Generic, NamedTuple, TypeVar

from exporter.web.connections import Droppable

_T = TypeVar("_T", bound=Droppable)

_IPV6_HOST_BITS = 64


class Sessions(Generic[_T]):
    """Sessions up to a cap; past it the longest-waiting one goes, of the address that has half of them if one has.

    So an attacker from one address (of IPv6: one network of 64 bits, which is what anybody gets) pushes out none but
    his own, however fast he comes back. Nobody goes who had no time to answer: until then there is no room.

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
        self._entries: dict[_T, _Entry] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def has_room(self, now: float) -> bool:
        """Tell whether one may be admitted."""
        other = self._next_to_go()
        return other is None or self._entries[other].since + self._answer_seconds <= now

    def admit(self, session: _T, address: str, now: float, deadline: float) -> None:
        """Enter a new one; drops another past the cap."""
        if other := self._next_to_go():
            self._drop(other)
        origin = _origin(address)
        self._entries[session] = _Entry(origin, now, deadline)
        self._counts[origin] += 1

    def remove(self, session: _T) -> None:
        """Let one leave; nothing happens if it is not there."""
        if entry := self._entries.pop(session, None):
            self._counts[entry.origin] -= 1
            if not self._counts[entry.origin]:
                del self._counts[entry.origin]

    def drop_oldest(self, count: int) -> None:
        """Drop up to this many, the longest-waiting first."""
        for session in list(self._entries)[:count]:
            self._drop(session)

    def drop_expired(self, now: float) -> None:
        """Drop those whose deadline has passed."""
        for session in [each for each, entry in self._entries.items() if entry.deadline <= now]:
            self._drop(session)

    def _next_to_go(self) -> _T | None:
        if len(self) < self._cap:
            return None
        ((largest, count),) = self._counts.most_common(1)
        crowd = largest if 2 * count >= self._cap else None
        return next(each for each, entry in self._entries.items() if crowd in (None, entry.origin))

    def _drop(self, session: _T) -> None:
        self.remove(session)
        session.drop()


class _Entry(NamedTuple):
    origin: str
    since: float
    deadline: float


def _origin(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return address
    return str(int(parsed) >> _IPV6_HOST_BITS)
