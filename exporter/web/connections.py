"""The books: which connections are open, and which of them wait for their client, the longest-waiting first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Droppable(Protocol):
    """What the books keep: something that can be cut off."""

    def drop(self) -> None:
        """Free its resources without a further word to the client; may be called at any time, and twice."""


_T = TypeVar("_T", bound=Droppable)


class Connections(Generic[_T]):
    """Open connections up to a cap.

    Each one either waits for its client (to send a request, or to take an answer) until a deadline, or works on a
    request, for which it has none here. Past the cap the connection that has waited longest goes, and where all
    work, the one that has worked longest, since slow work for some must not shut out the rest. A dropped connection
    leaves the books in the same step, though its descriptor may be closed a turn of the event loop later: else a
    burst would drop the same one over and over.

    Not thread-safe: all calls come from the event loop's thread. Deadlines are on the event loop's clock.
    """

    def __init__(self, cap: int, room: Callable[[], int] | None = None) -> None:
        """Begin with none.

        Args:
            cap: How many there may be.
            room: Asked for each newcomer how many there is room for, one at least, where that may be less.
        """
        self._cap = cap
        self._room = room or (lambda: cap)
        # Each in the order in which the connections came to that state.
        self._waiting: dict[_T, float] = {}
        self._working: dict[_T, None] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._working)

    def __contains__(self, connection: _T) -> bool:
        return connection in self._waiting or connection in self._working

    def __iter__(self) -> Iterator[_T]:
        """All of them as they are now: the books may change meanwhile."""
        return iter([*self._waiting, *self._working])

    def next_to_go(self) -> _T | None:
        """The connection that the next newcomer would push out, if one."""
        return next(iter(self._waiting or self._working)) if len(self) >= min(self._cap, self._room()) else None

    def admit(self, connection: _T, deadline: float) -> None:
        """Enter a new connection, which waits for its client until the deadline; drops another past the cap."""
        if other := self.next_to_go():
            self._drop(other)
        self._waiting[connection] = deadline

    def wait(self, connection: _T, deadline: float) -> None:
        """Note that a connection has begun to wait for its client; one that left the books stays out."""
        if connection in self:
            self.remove(connection)
            self._waiting[connection] = deadline

    def work(self, connection: _T) -> None:
        """Note that a connection has its whole request and owes an answer; one that left the books stays out."""
        if self._waiting.pop(connection, None) is not None:
            self._working[connection] = None

    def remove(self, connection: _T) -> None:
        """Forget a connection that has ended; nothing happens if it is not in the books."""
        self._waiting.pop(connection, None)
        self._working.pop(connection, None)

    def drop_waiting(self, count: int) -> None:
        """Drop up to this many of the connections that wait for their client, the longest-waiting first."""
        for connection in list(self._waiting)[:count]:
            self._drop(connection)

    def drop_expired(self, now: float) -> None:
        """Drop the connections whose deadline has passed."""
        for connection in [each for each, deadline in self._waiting.items() if deadline <= now]:
            self._drop(connection)

    def drop_all(self) -> None:
        """Drop every connection."""
        for connection in self:
            self._drop(connection)

    def _drop(self, connection: _T) -> None:
        self.remove(connection)
        connection.drop()
