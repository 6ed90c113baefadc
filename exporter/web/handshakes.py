"""When which TLS handshake begins: each costs a signature, and some 45 KB until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from exporter.web.arrival import Arrival
from exporter.web.limits import Limits
from exporter.web.origins import ByOrigin
from exporter.web.sessions import Sessions

_PAUSE_SECONDS = 0.01


class Handshakes:
    """Begins the handshakes of those whose greeting is there, as many as there is room and time for.

    Those who have greeted twice (`TlsStream.ask_again`) and those who have not wait in a queue each, and take turns:
    neither kind keeps out the other, however many come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, begin: Callable[[Arrival], None]) -> None:
        """Open both queues.

        Args:
            loop: The running event loop.
            limits: How many may be under way, and begin in a turn of the event loop.
            begin: Makes the handshake of one that is under way from then on.
        """
        self._loop = loop
        self._limits = limits
        self._begin = begin
        self._under_way: Sessions[Arrival] = Sessions(limits.handshakes, limits.hello_seconds)
        self._proven: ByOrigin[Arrival] = ByOrigin()
        self._unproven: ByOrigin[Arrival] = ByOrigin()
        self._queues = (self._proven, self._unproven)
        """The one whose turn it is comes first."""
        self._begun = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are under way, whose clients have not sent a request yet."""
        return len(self._under_way)

    def __contains__(self, arrival: Arrival) -> bool:
        """Whether one waits for its handshake to begin."""
        return arrival in self._proven or arrival in self._unproven

    def is_crowded(self) -> bool:
        """Tell whether newcomers should greet once more first."""
        return len(self._under_way) + len(self._proven) + len(self._unproven) >= self._limits.unasked

    def add(self, arrival: Arrival) -> None:
        """Begin one's handshake when its turn comes, which may be at once; it must not be there yet."""
        queue = self._proven if arrival.is_proven else self._unproven
        queue.add(arrival, arrival.address())
        self._begin_some()

    def next_of_crowd(self) -> Arrival | None:
        """The one that is to go first where all places are taken: of a crowd that has come from one address.

        Only of those who have greeted once, and wait for their handshake to begin.
        """
        return self._unproven.first_of_crowd(self._limits.crowd)

    def remove(self, arrival: Arrival) -> None:
        """Forget one that has gone, or has sent its request; nothing happens if it is not there."""
        self._under_way.remove(arrival)
        self._proven.remove(arrival)
        self._unproven.remove(arrival)

    def drop_oldest(self, count: int) -> None:
        """Drop up to this many that are under way, the longest-waiting first."""
        self._under_way.drop_oldest(count)

    def drop_expired(self, now: float) -> None:
        """Drop those under way whose deadline has passed."""
        self._under_way.drop_expired(now)

    def close(self) -> None:
        """Drop those under way, and begin no more."""
        self._under_way.drop_oldest(len(self))
        for queue in self._queues:
            queue.clear()
        if self._timer:
            self._timer.cancel()

    def _begin_some(self) -> None:
        while self._begun < self._limits.hellos and self._under_way.has_room(self._loop.time()):
            arrival = self._next()
            if arrival is None:
                break
            self._begun += 1
            now, address = self._loop.time(), arrival.address()
            self._under_way.admit(arrival, address, now, arrival.deadline, is_proven=arrival.is_proven)
            self._begin(arrival)
        if (self._begun or len(self._proven) or len(self._unproven)) and not self._timer:
            delay = 0 if self._begun else _PAUSE_SECONDS
            self._timer = self._loop.call_later(delay, self._begin_more)

    def _begin_more(self) -> None:
        self._timer, self._begun = None, 0
        self._begin_some()

    def _next(self) -> Arrival | None:
        """Take the longest-waiting one of the queue whose turn it is."""
        first, second = self._queues
        if not len(first):
            first, second = second, first
        self._queues = second, first
        arrival = first.first()
        if arrival:
            first.remove(arrival)
        return arrival
