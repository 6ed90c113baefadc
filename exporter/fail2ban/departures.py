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

from exporter.fail2ban.process import ServerProcess
from exporter.fail2ban.session import Session
from exporter.fail2ban.traces import Ending, SocketTraces
from exporter.model import ExitKind, Result, ServerExit, ServerTraces

SETTLE_SECONDS: Final = 1.0
"""How long an exit status, or systemd's removal of the folder, may be late before the verdict goes without."""
_LOOK_EVERY: Final = 0.02
_NOTHING_LISTENS: Final = frozenset({Result.CONNECTION_REFUSED, Result.SOCKET_MISSING})


@dataclass(slots=True)
class _Departure:
    identity: str
    process: ServerProcess
    alive: SocketTraces
    """What was there while it ran."""
    alive_at: float
    """The latest moment at which it was known to run; minus infinity if that was in an earlier run of the exporter."""
    gone_at: float
    """The moment at which it was known to have gone."""
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
        session.disconnect()
        if not session.is_known or any(one.identity == session.identity for one in self._open):
            session.process.close()
            return
        # In this order: a socket that is still there after the end was left behind, one seen before may yet be removed.
        is_over = session.process.has_ended() is True
        ended = SocketTraces.look(self._path)
        now = self._clock()
        self._open.append(
            _Departure(
                session.identity,
                session.process,
                session.traces,
                alive_at=session.alive_at,
                gone_at=now,
                is_over=is_over,
                ended=ended,
                settles_at=now + SETTLE_SECONDS,
            )
        )

    def remember(self, server: ServerTraces) -> None:
        """Take over a server that ran in an earlier run of the exporter: it may have ended since."""
        alive = SocketTraces(server.socket, server.folder)
        process, now = ServerProcess.of_identity(server.identity), self._clock()
        is_over, ended = process.has_ended() is True, SocketTraces.look(self._path)
        self._open.append(
            _Departure(server.identity, process, alive, float("-inf"), now, is_over, ended, now + SETTLE_SECONDS)
        )

    def look(self) -> None:
        """Look at what the processes that have ended since the last look leave behind: the sooner the better."""
        for departure in self._open:
            if departure.process.has_ended() and not departure.is_over:
                self._conclude(departure, SocketTraces.look(self._path))

    def answered_by(self, identity: str) -> None:
        """Note which server listens: one that was thought gone has only dropped its connection; all others are gone."""
        for departure in [one for one in self._open if one.identity == identity]:
            self._drop(departure)
        self._conclude_unseen()

    def unreachable(self, result: Result) -> None:
        """Note how a probe failed: a socket that refuses, or is missing, shows that nothing listens any more."""
        if result in _NOTHING_LISTENS:
            self._conclude_unseen()

    def _conclude_unseen(self) -> None:
        """Take the processes that can't be seen for ended."""
        for departure in self._open:
            if departure.process.has_ended() is None and not departure.is_over:
                # A server removes its socket before its connections end, so what was seen then stands, unless that
                # was long ago, and not the end of the process.
                is_recent = self._clock() < departure.settles_at
                self._conclude(departure, departure.ended if is_recent else SocketTraces.look(self._path))

    def _conclude(self, departure: _Departure, ended: SocketTraces) -> None:
        departure.is_over = True
        departure.gone_at = self._clock()
        departure.ended = ended
        departure.settles_at = self._clock() + SETTLE_SECONDS

    def settled(self) -> list[ServerExit]:
        """Return the ends that became clear since the last call."""
        self.look()
        exits = []
        for departure in [one for one in self._open if one.is_over]:
            kind = self._verdict(departure)
            if kind is not None:
                exits.append(ServerExit(kind, departure.identity, departure.alive_at, departure.gone_at))
                self._drop(departure)
        return exits

    def _verdict(self, departure: _Departure) -> ExitKind | None:
        process, alive = departure.process, departure.alive
        if kind := process.exit_kind():
            return kind
        is_certain = departure.ended.socket == alive.socket and not process.tells_exit_status
        if not is_certain and self._clock() < departure.settles_at:
            return None
        return Ending(alive, departure.ended, SocketTraces.look(self._path)).kind()

    def _drop(self, departure: _Departure) -> None:
        departure.process.close()
        self._open.remove(departure)

    def watched(self) -> list[tuple[int, int]]:
        """Return descriptors, with poll events, of the processes that are still on their way out."""
        return [
            (descriptor, select.POLLIN)
            for departure in self._open
            if not departure.is_over and (descriptor := departure.process.fileno()) is not None
        ]

    def settles_in(self) -> float | None:
        """Return the seconds until `settled` should be asked again; None if only `watched` or a probe brings news."""
        waits_for_time = any(
            one.is_over or (one.process.fileno() is None and one.process.has_ended() is not None) for one in self._open
        )
        return _LOOK_EVERY if waits_for_time else None

    def close(self) -> None:
        """Let go of every process."""
        for departure in list(self._open):
            self._drop(departure)
