"""Servers that seem to have gone: watched until it is clear whether, and how, their process ended.

The end of a connection is a hint, not a verdict: the process may still be on its way out, may have dropped only this
connection, and its exit status is there only once its parent has asked for it. Where the process can't be seen, its
end is shown by the door: nothing listens any more, or another server does.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.fail2ban.session import Session
from exporter.fail2ban.traces import Ending, SocketTraces
from exporter.model import ExitKind, Result

SETTLE_SECONDS: Final = 1.0
"""How long an exit status, or systemd's removal of the folder, may be late before the verdict goes without."""
_LOOK_EVERY: Final = 0.02
_NOTHING_LISTENS: Final = frozenset({Result.CONNECTION_REFUSED, Result.SOCKET_MISSING})


@dataclass(slots=True)
class _Departure:
    session: Session
    is_over: bool
    """Whether the process is known to have ended."""
    ended: SocketTraces
    """What was there right after the end, once `is_over`."""
    settles_at: float


class Departures:
    """The servers whose end is not clear yet. Used by the prober's thread alone."""

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._open: list[_Departure] = []

    def add(self, session: Session) -> None:
        """Take over a session that ended, at the moment that its end is seen; one that reached nobody is closed."""
        if not session.is_known or any(one.session.identity == session.identity for one in self._open):
            session.close()
            return
        session.disconnect()
        # In this order: a socket that is still there after the end was left behind, one seen before may yet be removed.
        is_over = session.process.has_ended() is True
        ended = SocketTraces.look(self._path)
        self._open.append(_Departure(session, is_over, ended, self._clock() + SETTLE_SECONDS))

    def look(self) -> None:
        """Look at what the processes that have ended since the last look leave behind: the sooner the better."""
        for departure in self._open:
            if departure.session.process.has_ended() and not departure.is_over:
                self._conclude(departure, SocketTraces.look(self._path))

    def answered_by(self, identity: str) -> None:
        """Note which server listens: one that was thought gone has only dropped its connection; all others are gone."""
        for departure in [one for one in self._open if one.session.identity == identity]:
            self._drop(departure)
        self._conclude_unseen()

    def unreachable(self, result: Result) -> None:
        """Note how a probe failed: a socket that refuses, or is missing, shows that nothing listens any more."""
        if result in _NOTHING_LISTENS:
            self._conclude_unseen()

    def _conclude_unseen(self) -> None:
        """Take the processes that can't be seen for ended."""
        for departure in self._open:
            if departure.session.process.has_ended() is None and not departure.is_over:
                # A server removes its socket before its connections end, so what was seen then stands, unless that
                # was long ago, and not the end of the process.
                is_recent = self._clock() < departure.settles_at
                self._conclude(departure, departure.ended if is_recent else SocketTraces.look(self._path))

    def _conclude(self, departure: _Departure, ended: SocketTraces) -> None:
        departure.is_over = True
        departure.ended = ended
        departure.settles_at = self._clock() + SETTLE_SECONDS

    def settled(self) -> list[ExitKind]:
        """Return the ends that became clear since the last call."""
        self.look()
        kinds = []
        for departure in [one for one in self._open if one.is_over]:
            kind = self._verdict(departure)
            if kind is not None:
                kinds.append(kind)
                self._drop(departure)
        return kinds

    def _verdict(self, departure: _Departure) -> ExitKind | None:
        process, alive = departure.session.process, departure.session.traces
        if kind := process.exit_kind():
            return kind
        is_certain = departure.ended.socket == alive.socket and not process.tells_exit_status
        if not is_certain and self._clock() < departure.settles_at:
            return None
        return Ending(alive, departure.ended, SocketTraces.look(self._path)).kind()

    def _drop(self, departure: _Departure) -> None:
        departure.session.close()
        self._open.remove(departure)

    def watched(self) -> list[tuple[int, int]]:
        """Return descriptors, with poll events, of the processes that are still on their way out."""
        return [
            (descriptor, select.POLLIN)
            for departure in self._open
            if not departure.is_over and (descriptor := departure.session.process.fileno()) is not None
        ]

    def settles_in(self) -> float | None:
        """Return the seconds until `settled` should be asked again; None if only `watched` or a probe brings news."""
        waits_for_time = any(
            departure.is_over or (process.fileno() is None and process.has_ended() is not None)
            for departure in self._open
            for process in [departure.session.process]
        )
        return _LOOK_EVERY if waits_for_time else None

    def close(self) -> None:
        """Let go of every process."""
        for departure in list(self._open):
            self._drop(departure)
