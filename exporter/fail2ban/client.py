"""The client: one probe at a time over a connection that is held in between, so that its end is a signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.departures import Departures
from exporter.fail2ban.failures import ConnectionEndedError, ProbeError
from exporter.fail2ban.session import Answer, Session
from exporter.model import Probe, Result, ServerExit, ServerTraces


class Client:
    """Probes the fail2ban server at one socket path, and tells when and how its process ends.

    Belongs to one thread. Between probes it holds its connection open and, where the kernel gives one, a descriptor of
    the server's process: `watched` lists what to poll, and readiness is a hint to probe at once.
    """

    def __init__(
        self, path: str, earlier: ServerTraces | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; nothing is opened before the first probe.

        Args:
            path: the server's UNIX socket.
            earlier: the server that ran there in an earlier run of the exporter, if that is known.
            clock: monotonic seconds.
        """
        self._path: Final = path
        self._clock = clock
        self._session: Session | None = None
        self._departures = Departures(path, clock)
        self._traces = earlier
        if earlier is not None:
            self._departures.remember(earlier)

    def probe(self, timeout: float) -> Probe:
        """Ask fail2ban for everything, within `timeout` seconds for connect, requests, replies and all.

        Returns:
            What was found; a failure is a `Probe` with its result and reason, never an exception.
        """
        started = self._clock()
        try:
            found = self._ask(Deadline.after(timeout, self._clock))
        except ProbeError as error:
            self._departures.unreachable(error.result)
            return Probe(result=error.result, reason=str(error), duration=self._clock() - started)
        self._departures.answered_by(found.server.identity)
        return Probe(
            result=Result.SUCCESS,
            reason="fail2ban answered",
            duration=self._clock() - started,
            server=found.server,
            jail_count=found.jail_count,
            jails=found.jails,
            database=found.database,
        )

    def _ask(self, deadline: Deadline) -> Answer:
        self._departures.look()
        if self._session is not None and self._session.has_ended():
            self._part()
        try:
            return self._usable(deadline).ask(deadline)
        except ConnectionEndedError:
            # The server ended, or dropped this connection: reading is idempotent, so ask once more, on a new one.
            self._part()
            return self._usable(deadline).ask(deadline)
        finally:
            if self._session is not None and self._session.is_usable:
                traces = self._session.traces
                self._traces = ServerTraces(self._session.identity, traces.socket, traces.folder)

    def _usable(self, deadline: Deadline) -> Session:
        if self._session is None or not self._session.is_usable:
            session = Session(self._path, deadline, self._clock)
            if self._session is not None and self._session.identity == session.identity:
                session.is_known |= self._session.is_known
                self._session.close()
            else:
                self._part()
            self._session = session
        return self._session

    def _part(self) -> None:
        if self._session is not None:
            self._departures.add(self._session)
            self._session = None

    def exits(self) -> list[ServerExit]:
        """Return the ends of server processes that became clear since the last call, each once."""
        if self._session is not None and self._session.process.has_ended():
            self._part()
        exits = self._departures.settled()
        if self._traces is not None and any(one.identity == self._traces.identity for one in exits):
            self._traces = None
        return exits

    def was_alive(self, at: float) -> None:
        """Note that what is `watched` had not ended at this moment, in monotonic seconds."""
        if self._session is not None:
            self._session.alive_at = max(at, self._session.alive_at)

    def traces(self) -> ServerTraces | None:
        """Return what there is to tell later whether and how the latest server has ended; None once that was told."""
        return self._traces

    def watched(self) -> list[tuple[int, int]]:
        """Return descriptors and poll events: readiness means that the server ended, or may have."""
        session = [] if self._session is None else self._session.watched()
        return session + self._departures.watched()

    def settles_in(self) -> float | None:
        """Return the seconds until `exits` should be asked again; None if nothing is unsettled."""
        return self._departures.settles_in()

    def close(self) -> None:
        """Close the connection and every descriptor."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._departures.close()
