"""The background thread: wait, probe, reduce, publish."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from exporter.changes import log_changes
from exporter.health import Event, Health, Histogram, ProbeEnded, ServerExited, reduce
from exporter.model import ExitKind, Probe, State
from exporter.snapshot import ProbeOptions, Snapshot

RETRY_SECONDS: Final = 1.0
"""The shortest wait before another probe while fail2ban is not online."""
_BACKING_OFF: Final = 0.1
"""While fail2ban is not online, the wait is this share of how long it has not been: news is at most that much late."""


class ProbeClient(Protocol):
    """What the prober needs of a client; see `exporter.fail2ban.Client`."""

    def probe(self, timeout: float) -> Probe: ...  # noqa: D102
    def exits(self) -> list[ExitKind]: ...  # noqa: D102
    def watched(self) -> Sequence[tuple[int, int]]: ...  # noqa: D102
    def settles_in(self) -> float | None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: monotonic for durations and deadlines, wall for timestamps."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Prober:
    """Probes fail2ban at once on start, then on the interval, and whenever there is a hint of news.

    One thread does all of it, so no two probes ever overlap, and a late one is not made up for by a burst. The thread
    is a daemon: a probe that hangs does not hold up the end of the process. `snapshot` may be read from any thread.
    """

    def __init__(
        self,
        options: ProbeOptions,
        make_client: Callable[[str], ProbeClient],
        on_failure: Callable[[BaseException], None],
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: what to probe, how often, how long.
            make_client: makes the client for a socket path; called on the prober's thread.
            on_failure: called on the prober's thread when it dies of an error, which is then the end of the probing.
            clock: the clocks.
        """
        self._clock = clock or Clock()
        self._make_client = make_client
        self._on_failure = on_failure
        self._log = structlog.get_logger()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._wanted = options
        self._client: ProbeClient | None = None
        self._patience = _Patience()
        self.snapshot = Snapshot(options=options, health=Health.initial(options.timeout), beat=self._clock.monotonic())
        """The latest snapshot, replaced by a single assignment."""
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def reconfigure(self, options: ProbeOptions) -> None:
        """Work by other options from the next turn on, and probe at once. From any thread; the last call wins."""
        self._wanted = options
        os.eventfd_write(self._wake, 1)

    def stop(self, patience: float = 0.5) -> None:
        """Ask the thread to end, and wait for it that many seconds; a probe under way is not waited for longer."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:  # noqa: BLE001  # whatever it is, frozen metrics must not outlive it
            self._on_failure(error)
        finally:
            if self._client is not None:
                self._client.close()

    def _turn(self) -> None:
        """Probe once, publish, and wait until there is reason for the next probe."""
        started = self._clock.monotonic()
        client = self._configured()
        probe = client.probe(self.snapshot.options.timeout)
        now = self._clock.monotonic()
        self._publish([ProbeEnded(probe, at=now, timestamp=self._clock.wall()), *_exits(client)], probe)
        due = self._next_probe(started, now)
        self._wait(client, due)

    def _configured(self) -> ProbeClient:
        """Return the client for the options that are wanted now, having taken them over."""
        wanted, current = self._wanted, self.snapshot.options
        health, probe = self.snapshot.health, self.snapshot.probe
        if wanted.socket != current.socket and self._client is not None:
            self._client.close()
            self._client = None
            # Another socket is another server: its process is no restart of the former, whose figures are not its own.
            health, probe = health.of_another_server(), None
        if self._client is None:
            self._client = self._make_client(wanted.socket)
        if wanted.timeout != current.timeout:
            health = replace(health, durations=Histogram.up_to(wanted.timeout))
        if wanted is not current:
            # A beat: by a shorter interval the former one would be too old at once.
            now = self._clock.monotonic()
            self.snapshot = replace(self.snapshot, options=wanted, health=health, probe=probe, beat=now)
        return self._client

    def _publish(self, events: Sequence[Event], probe: Probe | None) -> None:
        before = health = self.snapshot.health
        for event in events:
            health = reduce(health, event)
        self.snapshot = replace(self.snapshot, health=health, probe=probe, beat=self._clock.monotonic())
        self._patience.learn(
            changed=(health.state, health.restarts, health.exits) != (before.state, before.restarts, before.exits)
        )
        log_changes(self._log, before, health, probe)

    def _next_probe(self, started: float, now: float) -> float:
        """Return the monotonic time of the next probe if nothing happens before.

        Online, that is an interval after the start of the latest. Otherwise it is every second at first, then less
        often the longer fail2ban is away, until it is the interval. A probe that took longer than the interval is
        followed by a pause, not by another at once.
        """
        interval, health = self.snapshot.options.interval, self.snapshot.health
        shortest = min(RETRY_SECONDS, interval)
        if health.state is State.ONLINE or health.changed_at is None:
            return max(started + interval, now + (shortest if now > started + interval else 0))
        return now + min(max(shortest, (now - health.changed_at) * _BACKING_OFF), interval)

    def _wait(self, client: ProbeClient, due: float) -> None:
        """Wait until the next probe is due or wanted, or the server may have ended; settle exits meanwhile."""
        while not self._stopping:
            now = self._clock.monotonic()
            if now >= due:
                return
            hints = client.watched() if self._patience.listens(now) else []
            poller = select.poll()
            poller.register(self._wake, select.POLLIN)
            for descriptor, events in hints:
                poller.register(descriptor, events)
            wake_at = min(due, self._patience.until if self._patience.until > now else due)
            settles_in = client.settles_in()
            seconds = min(wake_at - now, wake_at - now if settles_in is None else settles_in)
            ready = {descriptor for descriptor, _ in poller.poll(max(0.0, seconds) * 1000)}
            if self._wake in ready:
                os.eventfd_read(self._wake)
                return
            if ready:
                self._patience.heed(self._clock.monotonic(), self.snapshot.options.interval)
                return
            if exits := _exits(client):
                self._publish(exits, self.snapshot.probe)
                if self.snapshot.health.state is State.ONLINE:
                    return


class _Patience:
    """How eagerly to follow the hint that the server ended: at once, but ever less if hint after hint was false.

    A server that drops idle connections must not be probed in a loop.
    """

    def __init__(self) -> None:
        self.until = 0.0
        """Monotonic time before which no hint is followed."""
        self._false_hints = 0

    def listens(self, now: float) -> bool:
        return now >= self.until

    def heed(self, now: float, interval: float) -> None:
        """Follow a hint now; unless it proves true, wait longer before the next."""
        pause = 0.0 if self._false_hints == 0 else min(2.0 ** (self._false_hints - 1), max(interval, RETRY_SECONDS))
        self.until = now + pause
        self._false_hints = min(self._false_hints + 1, 20)

    def learn(self, *, changed: bool) -> None:
        """Note whether there was news; news makes the next hint welcome."""
        if changed:
            self._false_hints = 0
            self.until = 0.0


def _exits(client: ProbeClient) -> list[ServerExited]:
    return [ServerExited(kind) for kind in client.exits()]
