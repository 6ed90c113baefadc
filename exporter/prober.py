"""The background thread: wait, probe, reduce, publish."""

from __future__ import annotations

import functools
import math
import select
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

import structlog

from exporter.changes import log_changes
from exporter.configured_jails import ConfiguredJails
from exporter.edges import Clock, Memory, ProbeClient
from exporter.health import (
    Event,
    Health,
    Histogram,
    ProbeEnded,
    Recount,
    ServerExited,
    reduce_all,
)
from exporter.inbox import Inbox, Report
from exporter.model import Probe, ServerExit, ServerTraces, State
from exporter.patience import Patience
from exporter.schedule import next_probe
from exporter.snapshot import ProbeOptions, Snapshot

BEAT_SECONDS: Final = 1.0
"""How often the thread shows a sign of life."""
_MOST_PROBES: Final = 3
"""In a row, where each finds a server that has ended by the time that its answer is read."""
_NOTICE_SECONDS: Final = 0.1
"""How much later than it ended the end of a watched server may be noticed, on a busy host."""


class Prober:
    """Probes fail2ban at once on start, then on the interval, and whenever there is a hint of news.

    One thread does all of it, so no two probes ever overlap, and a late one is not made up for by a burst. The thread
    is a daemon: a probe that hangs does not hold up the end of the process. `snapshot` may be read from any thread.
    """

    def __init__(  # noqa: PLR0913  # all that a prober is made of comes from the one composition root
        self,
        options: ProbeOptions,
        make_client: Callable[[str, ServerTraces | None], ProbeClient],
        on_failure: Callable[[BaseException], None],
        clock: Clock | None = None,
        *,
        configuration: ConfiguredJails | None = None,
        memory: Memory | None = None,
        on_beat: Callable[[], None] | None = None,
        on_publish: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: what to probe, how often, how long, and how blame is put.
            make_client: makes the client for a socket path, with what is known of the server that ran there before;
                called on the prober's thread.
            on_failure: called on the prober's thread when it dies of an error, which is then the end of the probing.
            clock: the clocks.
            configuration: which jails fail2ban's configuration enables.
            memory: what survives a restart.
            on_beat: called on the prober's thread as a sign of life: when it is about to probe for the first time, and
                about once in `BEAT_SECONDS` from then on, but while it probes.
            on_publish: called on the prober's thread after each new snapshot of what was found.
        """
        self._clock = clock or Clock()
        self._make_client = make_client
        self._on_failure = on_failure
        self._configuration = configuration or ConfiguredJails.off()
        self._memory = memory
        self._on_beat = on_beat
        self._next_beat = -math.inf
        self._on_publish = on_publish
        self._log = structlog.get_logger()
        self._inbox = Inbox()
        self._stopping = False
        self._wanted = options
        self._client: ProbeClient | None = None
        self._patience = Patience()
        # Of a server that was online: told together with the probe that finds it gone, which follows at once.
        self._withheld: tuple[list[Event], list[ServerExit]] = [], []
        health = Health.initial(options.timeout, options.policy)
        self.snapshot = Snapshot(options=options, health=health, beat=self._clock.monotonic())
        """The latest snapshot, replaced by a single assignment."""
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def probe_once(self) -> Snapshot:
        """Probe once on the calling thread, in place of `start`, and keep what is to survive.

        If a server has ended, it waits until it is clear how, for about a second at most.

        Returns:
            The snapshot of it.
        """
        try:
            self._remember()
            client, _ = self._probe()
            if self._inbox.wants_probe():  # `on_publish` has found something out
                client, _ = self._probe()
            while (seconds := client.settles_in()) is not None:
                select.poll().poll(seconds * 1000)
                if self._settle(client):
                    client, _ = self._probe()
            self._keep(self.snapshot.health, is_last=True)
        finally:
            if self._client is not None:
                self._client.close()
        return self.snapshot

    def reconfigure(self, options: ProbeOptions) -> None:
        """Work by other options from the next turn on, and probe at once. From any thread; the last call wins."""
        self._wanted = options
        self._inbox.want_probe()

    def probe_now(self) -> Future[Snapshot]:
        """Probe at once, and return what is to be the snapshot of it. From any thread."""
        return self._inbox.ask_for_probe()

    def report_activation(self, jail: str, timestamp: float | None = None) -> None:
        """Take note that a tool activated a jail, at a UTC epoch time or now. From any thread."""
        self._inbox.report(Report(jail, timestamp, self._clock.monotonic(), self._clock.wall()))

    def recounted(self, recount: Recount) -> None:
        """Take note of how many of a jail's bans were restored, and probe at once. From any thread."""
        self._inbox.recounted(recount)

    def stop(self, patience: float = 0.5) -> None:
        """Ask the thread to end, and wait for it that many seconds; a probe under way is not waited for longer."""
        self._stopping = True
        self._inbox.want_probe()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        try:
            self._remember()
            while not self._stopping:
                self._turn()
            events, exits = self._withheld
            if exits:
                self._publish([[*events, *self._as_told(exits)]], self.snapshot.probe)
            self._keep(self.snapshot.health, is_last=True)
        except BaseException as error:  # noqa: BLE001  # whatever it is, frozen metrics must not outlive it
            self._on_failure(error)
        finally:
            if self._client is not None:
                self._client.close()

    def _remember(self) -> None:
        """Go on from where an earlier run of the exporter was."""
        now, timestamp = self._clock.monotonic(), self._clock.wall()
        health, traces, socket = self.snapshot.health, None, self.snapshot.options.socket
        if self._memory is not None:
            health, traces = self._memory.recall(health, socket, now, timestamp)
        self.snapshot = replace(self.snapshot, health=health, beat=now)
        self._client = self._make_client(socket, traces)

    def _turn(self) -> None:
        """Probe once, publish, and wait until there is reason for the next probe."""
        self._wait(*self._probe())

    def _probe(self) -> tuple[ProbeClient, float]:
        """Probe once and publish; return the client, and when the next probe is due."""
        started = self._clock.monotonic()
        # In this order: options that are wanted from now on call for another probe.
        asking = self._inbox.take_asking()
        client = self._configured()
        self._beat()
        self._look(client)
        now = self._clock.monotonic()
        for future in asking:
            future.set_result(self.snapshot)
        interval = self.snapshot.options.interval
        return client, next_probe(self.snapshot.health, interval, started, now)

    def _look(self, client: ProbeClient) -> None:
        """Probe and publish; probe again first where the server that answered is known to have ended since."""
        withheld, exits = self._withheld
        self._withheld = [], []
        batches = [withheld]
        for probes_left in reversed(range(_MOST_PROBES)):
            was_online = self.snapshot.health.state is State.ONLINE or bool(exits)
            probe = client.probe(self.snapshot.options.timeout)
            now, timestamp = self._clock.monotonic(), self._clock.wall()
            # At the moment that fail2ban is found down, what was changed to bring it down must be known.
            changes = self._configuration.look(now, timestamp, again=was_online and probe.server is None)
            told: list[Event] = [*self._inbox.take_reports(now), *self._inbox.take_recounts(now, timestamp)]
            batches.append([*changes, *told, ProbeEnded(probe, at=now, timestamp=timestamp)])
            ended = client.exits()
            exits += ended
            is_gone = probe.server is not None and any(one.identity == probe.server.identity for one in ended)
            if not (is_gone and probes_left):
                batches[-1] += self._as_told(exits)
                self._publish(batches, probe)
                return

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
            self._client = self._make_client(wanted.socket, None)
        if wanted.timeout != current.timeout:
            health = replace(health, durations=Histogram.up_to(wanted.timeout))
        if wanted.policy != current.policy:
            health = replace(health, recovery=replace(health.recovery, policy=wanted.policy))
        if wanted.config_dir != current.config_dir:
            self._configuration.turn_to(wanted.config_dir)
            health = replace(health, recovery=health.recovery.without_configuration())
        if wanted is not current:
            # A beat: by a shorter interval the former one would be too old at once.
            now = self._clock.monotonic()
            self.snapshot = replace(self.snapshot, options=wanted, health=health, probe=probe, beat=now)
        return self._client

    def _publish(self, batches: Sequence[Sequence[Event]], probe: Probe | None) -> None:
        before = self.snapshot.health
        health = functools.reduce(reduce_all, batches, before)
        # Before anybody sees it: what was shown once must survive, or a counter would go back after a restart.
        self._keep(health)
        self.snapshot = replace(
            self.snapshot,
            health=health,
            probe=probe,
            beat=self._clock.monotonic(),
            config_faults=self._configuration.faults,
        )
        self._patience.learn(
            changed=(health.state, health.restarts, health.exits) != (before.state, before.restarts, before.exits)
        )
        log_changes(self._log, before, health, probe)
        if self._on_publish is not None:
            self._on_publish()

    def _keep(self, health: Health, *, is_last: bool = False) -> None:
        if self._memory is not None and self._client is not None:
            socket, traces = self.snapshot.options.socket, self._client.traces()
            self._memory.keep(health, socket, traces, self._clock.monotonic(), self._clock.wall(), is_last=is_last)

    def _wait(self, client: ProbeClient, due: float) -> None:
        """Wait until the next probe is due or wanted, or the server may have ended; settle exits meanwhile."""
        while not self._stopping:
            self._beat()
            now = self._clock.monotonic()
            if now >= due or self._inbox.wants_probe():
                return
            ready = self._poll(client, min(due - now, self._configuration.next_look_in(now)))
            if self._inbox.fileno() in ready:
                self._inbox.clear()
                ready.discard(self._inbox.fileno())
            if ready:
                self._patience.heed(self._clock.monotonic(), self.snapshot.options.interval)
                return
            if self._settle(client):
                return

    def _poll(self, client: ProbeClient, seconds: float) -> set[int]:
        """Wait for news that long at most; return the descriptors that have some."""
        now = self._clock.monotonic()
        listens = self._patience.listens(now)
        poller = select.poll()
        poller.register(self._inbox, select.POLLIN)
        watched = client.watched() if listens else ()
        for descriptor, events in watched:
            poller.register(descriptor, events)
        if not listens:
            seconds = min(seconds, self._patience.until - now)
        settles_in = client.settles_in()
        if settles_in is not None:
            seconds = settles_in
        if self._on_beat is not None:
            seconds = min(seconds, self._next_beat - now)
        ready = {descriptor for descriptor, _ in poller.poll(max(0.0, seconds) * 1000)}
        if watched:
            ended, is_news = self._clock.monotonic(), bool(ready - {self._inbox.fileno()})
            # What ends while it is watched wakes this thread at once.
            client.was_alive(max(now, ended - _NOTICE_SECONDS) if is_news else ended)
        return ready

    def _beat(self) -> None:
        if self._on_beat is None or self._clock.monotonic() < self._next_beat:
            return
        self._next_beat = self._clock.monotonic() + BEAT_SECONDS
        self._on_beat()

    def _settle(self, client: ProbeClient) -> bool:
        """Publish what became known without a probe; tell whether it calls for one."""
        now, timestamp = self._clock.monotonic(), self._clock.wall()
        changes = self._configuration.look(now, timestamp)
        exits = client.exits()
        told: list[Event] = [*changes, *self._inbox.take_reports(now)]
        health = self.snapshot.health
        if health.state is State.ONLINE and any(one.identity == health.server_identity for one in exits):
            # It is not online any more, and what comes of that is not to be shown beside the word that it is.
            self._withheld = told, exits
            return True
        events = [*told, *self._as_told(exits)]
        if events or self._configuration.faults != self.snapshot.config_faults:
            self._publish([events], self.snapshot.probe)
        return bool(changes) or (bool(exits) and self.snapshot.health.state is State.ONLINE)

    def _as_told(self, exits: Sequence[ServerExit]) -> list[ServerExited]:
        now, timestamp = self._clock.monotonic(), self._clock.wall()
        return [ServerExited(ended, at=now, timestamp=timestamp) for ended in exits]
