"""The canary's thread: attack, watch for the ban, tell; never on the probes' path, never while fail2ban is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, Protocol

import structlog

from exporter.canary import failures
from exporter.canary.failures import LogFileError
from exporter.fail2ban import JailWatch, ProbeError, has_readable_settings
from exporter.health import Attack, Canary, CanaryResult, CanaryRun
from exporter.model import State
from exporter.snapshot import Snapshot

SETTLING_SECONDS: Final = 10.0
"""How long a fail2ban server is left alone after its start: it reads old lines and restores bans, which count too."""
_LOOK_SECONDS: Final = 1.0

_REASONS: Final = {
    CanaryResult.SUCCESS: "the attacker was banned",
    CanaryResult.TIMEOUT: "fail2ban answered all the while, and did not ban the attacker in time",
    CanaryResult.JAIL_MISSING: "the canary's jail does not run",
    CanaryResult.INTERRUPTED: "the canary's jail was restarted meanwhile",
}


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """The settings that the canary works by, all of which a reload may change. Durations are seconds."""

    log_file: Path
    jail: str
    interval: float
    timeout: float
    socket: str
    patience: float
    """In which fail2ban must answer one question."""


class Watch(Protocol):
    """What the canary needs of a watched jail; see `exporter.fail2ban.JailWatch`."""

    def max_retries(self) -> int: ...  # noqa: D102
    def bans(self) -> int | None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The edges: fail2ban, the log file and the clocks."""

    watch: Callable[[str, str, float], Watch] = JailWatch
    prepare: Callable[[Path], None] = failures.prepare
    write: Callable[[Path, IPv6Address, int, float], None] = failures.write
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    wake: threading.Event = field(default_factory=threading.Event)
    """Waited on between looks; set to end the waiting."""


class CanaryRunner:
    """Attacks on its interval while it is on and fail2ban is online, and tells what came of it.

    A thread of its own, started when it is first on, a daemon: nothing waits for it, and whatever goes wrong in it is
    a result to tell, and no more. `latest` may be read from any thread.
    """

    def __init__(
        self,
        options: CanaryOptions | None,
        snapshot: Callable[[], Snapshot],
        dependencies: Dependencies | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: what to do; None while the canary is off.
            snapshot: returns the latest snapshot.
            dependencies: the edges.
        """
        self._edges = dependencies or Dependencies()
        self._snapshot = snapshot
        self._wanted = options
        self._options: CanaryOptions | None = None
        self.latest: Canary | None = None
        """What is known of the canary, replaced by a single assignment; None while it is off."""
        self._server: str | None = None
        self._server_since = 0.0
        self._stopping = False
        self._log = structlog.get_logger()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    def start(self) -> None:
        """Start the thread, if the canary is on."""
        if self._wanted is not None and self._thread.ident is None:
            self._thread.start()

    def reconfigure(self, options: CanaryOptions | None) -> None:
        """Work by other options from now on; an attack under way is given up. From the thread that started it."""
        if options == self._wanted:
            return
        self._wanted = options
        self._edges.wake.set()
        self.start()

    def stop(self, patience: float = 0.5) -> None:
        """Ask the thread to end, and wait for it that many seconds."""
        self._stopping = True
        self._edges.wake.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001  # whatever it is, the probing goes on, and people are told
                self._log.error("canary_broken", exc_info=error)
                self._conclude(self._ended(CanaryResult.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))
                self._pause(_LOOK_SECONDS if self._options is None else self._options.interval)

    def _turn(self) -> None:
        """Attack once, if it is time, and wait until the next turn."""
        options = self._take_over()
        if options is None:
            self._edges.wake.wait()
            return
        started = self._edges.monotonic()
        if (patience := self._settles_in(started, options)) > 0:
            self._pause(min(patience, _LOOK_SECONDS))
            return
        run = self._attack(options)
        if run is not None:
            self._conclude(run)
            self._rest(started + options.interval, options.jail)

    def _rest(self, until: float, jail: str) -> None:
        """Wait for the next attack; if the jail does not run, for no longer than until it does and has settled."""
        awaits_jail = not self._may_run(jail)
        while (left := until - self._edges.monotonic()) > 0:
            if awaits_jail and self._may_run(jail):
                self._server = None
                return
            if self._pause(min(left, _LOOK_SECONDS) if awaits_jail else left):
                return

    def _take_over(self) -> CanaryOptions | None:
        """Return the options that are wanted now; if they are new, what was known is shown under them."""
        self._edges.wake.clear()
        wanted = self._wanted
        if wanted is not self._options:
            self._options = wanted
            # What fail2ban makes of an attack that was given up is no part of the next one.
            self._server = None
            if wanted is None:
                self.latest = None
                return None
            # Even while fail2ban is away: it may be that it does not start for want of this file.
            with suppress(LogFileError):
                self._edges.prepare(wanted.log_file)
            if self.latest is None:
                self.latest = Canary.initial(wanted.interval, wanted.timeout, wanted.jail)
            else:
                self.latest = self.latest.with_settings(wanted.interval, wanted.timeout, wanted.jail)
        return wanted

    def _settles_in(self, now: float, options: CanaryOptions) -> float:
        """Return the seconds until one and the same server process has been online for long enough."""
        health = self._snapshot().as_of(now).health
        server = (health.server_identity or "") if health.state is State.ONLINE else None
        if server is None or server != self._server:
            self._server, self._server_since = server, now
        return self._server_since + min(SETTLING_SECONDS, options.interval) - now

    def _attack(self, options: CanaryOptions) -> CanaryRun | None:
        """Attack and watch; None if it is given up, for other options or for the end."""
        try:
            self._edges.prepare(options.log_file)
            if not self._may_run(options.jail):
                # Not asked for: to ask for a jail that is not there leaves a line in fail2ban's log.
                return self._ended(CanaryResult.JAIL_MISSING)
            with closing(self._edges.watch(options.socket, options.jail, options.patience)) as jail:
                return self._observe(jail, options)
        except LogFileError as error:
            return self._ended(CanaryResult.LOG_FILE_ERROR, str(error))
        except ProbeError as error:
            return self._ended(CanaryResult.INTERRUPTED, str(error))

    def _may_run(self, jail: str) -> bool:
        shown = self._snapshot()
        if not has_readable_settings(jail):
            return False
        return bool(shown.untold_jails()) or shown.probe is None or any(one.name == jail for one in shown.probe.jails)

    def _observe(self, jail: Watch, options: CanaryOptions) -> CanaryRun | None:
        bans = jail.bans()
        if bans is None:
            return self._ended(CanaryResult.JAIL_MISSING)
        retries = jail.max_retries()
        attack = Attack(bans, self._edges.monotonic(), options.timeout)
        self._edges.write(options.log_file, failures.fresh_attacker(), max(1, retries), self._edges.wall())
        while not self._pause(attack.next_look_in(self._edges.monotonic())):
            counted = jail.bans()
            now = self._edges.monotonic()
            result = attack.decided(counted, now)
            if result is not None:
                return self._ended(result, delay=now - attack.written if result is CanaryResult.SUCCESS else None)
        return None

    def _ended(self, result: CanaryResult, reason: str = "", delay: float | None = None) -> CanaryRun:
        return CanaryRun(result, reason or _REASONS[result], self._edges.wall(), delay)

    def _conclude(self, run: CanaryRun) -> None:
        before = self.latest
        if before is None:
            return
        after = self.latest = before.after(run)
        if run is not after.latest:
            self._log.debug("canary_interrupted", reason=run.reason)
        elif run.delay is not None and not before.is_up:
            self._log.info("canary_banned", delay_seconds=round(run.delay, 3))
        elif run.delay is None and (before.latest is None or before.latest.result is not run.result):
            self._log.warning("canary_not_banned", result=str(run.result), reason=run.reason)

    def _pause(self, seconds: float) -> bool:
        """Wait; tell whether the waiting was ended, for other options or for the end."""
        return self._edges.wake.wait(seconds)
