"""The thread that checks the firewall on an interval of its own, and keeps the latest result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from exporter.fail2ban import Bulk
from exporter.firewall.check import Checker, Findings
from exporter.model import FirewallCheck, FirewallFault
from exporter.rounds import Rounds

SETTLING_SECONDS: Final = 5.0
"""After bans were seen for the first time, or fail2ban could not be asked, the next check is this soon."""
_STALE_INTERVALS: Final = 3
_LONGEST_CHECK: Final = 60.0
"""Seconds that a check may take, all its programs and questions together, before its figures are too old."""


@dataclass(frozen=True, slots=True)
class FirewallOptions:
    """The settings that the monitor works by, all of which a reload may change."""

    is_on: bool
    socket: str
    interval: float
    """Seconds from the start of one check to that of the next."""
    timeout: float
    """Seconds that fail2ban has to answer the questions of one check."""

    def asks_like(self, other: FirewallOptions) -> bool:
        """Tell whether fail2ban is asked the same way by other options."""
        return (self.socket, self.timeout) == (other.socket, other.timeout)


def _checker(options: FirewallOptions) -> Checker:
    return Checker(lambda: Bulk(options.socket, options.timeout))


class FirewallMonitor:
    """Checks the firewall while that is switched on, away from the prober: neither ever waits for the other.

    The thread is a daemon, so a check that hangs does not hold up the end of the process. `latest` may be read from
    any thread. A check that fails by a fault of the exporter's own is one more that could not be made.
    """

    def __init__(
        self,
        options: FirewallOptions,
        make_checker: Callable[[FirewallOptions], Checker] = _checker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            options: whether, what, and how often to check.
            make_checker: called on the monitor's thread, again when the socket changes.
            clock: monotonic seconds.
        """
        self._wanted = options
        self._make_checker = make_checker
        self._clock = clock
        self._log = structlog.get_logger()
        self._checker: tuple[FirewallOptions, Checker] | None = None
        self._reported = Findings()
        self._left_out: dict[str, str] = {}
        self._unenforced: dict[str, int] = {}
        self.latest: FirewallCheck | None = None
        """The latest result, replaced by a single assignment; None while the check is off, or before the first."""
        self._rounds = Rounds("firewall", self._turn)

    def start(self) -> None:
        """Start the thread, if the check is on."""
        if self._wanted.is_on:
            self._rounds.start()

    def reconfigure(self, options: FirewallOptions) -> None:
        """Work by other options from now on, and check at once. From the thread that started it."""
        if options != self._wanted:
            self._wanted = options
            self._rounds.wake()
            self.start()

    def stop(self, patience: float = 0.1) -> None:
        """Ask the thread to end, and wait for it that many seconds."""
        self._rounds.stop(patience)

    def _turn(self) -> float | None:
        """Check once, while that is on; return the seconds until the next check is due."""
        options = self._wanted
        if not options.is_on:
            self.latest, self._checker = None, None
            return None
        made_for, checker = self._checker or (None, None)
        if checker is None or made_for is None or not options.asks_like(made_for):
            checker = self._make_checker(options)
        self._checker = options, checker
        return self._check(checker, options)

    def _check(self, checker: Checker, options: FirewallOptions) -> float:
        """Check once and publish; return the seconds until the next check is due."""
        started = self._clock()
        try:
            findings = checker.check()
        except Exception as error:  # noqa: BLE001  # figures that no check stands behind must not stay
            self._log.exception("firewall_check_broken")
            findings = Findings(fault=FirewallFault.UNEXPECTED, reason=f"the check broke: {type(error).__name__}")
        now = self._clock()
        is_settling = findings.is_first or findings.fault is FirewallFault.FAIL2BAN_SILENT
        due = started + (min(options.interval, SETTLING_SECONDS) if is_settling else options.interval)
        result = FirewallCheck(
            reason=findings.reason,
            stale_at=started + _STALE_INTERVALS * options.interval + options.timeout + _LONGEST_CHECK,
            fault=findings.fault,
            jails=tuple(sorted(findings.jails, key=lambda jail: jail.jail)),
        )
        if self._wanted.is_on:
            self.latest = result
        self._report(findings)
        return max(0.0, due - now)

    def _report(self, findings: Findings) -> None:
        """Log what differs from the check before."""
        before, self._reported = self._reported, findings
        if findings.fault is not None:
            if findings.reason != before.reason:
                self._log.error("firewall_check_failed", fault=str(findings.fault), reason=findings.reason)
        elif before.fault is not None:
            self._log.info("firewall_check_works")
        if findings.fault is None:
            for jail, reason in findings.left_out.items():
                if self._left_out.get(jail) != reason:
                    self._log.info("jail_left_out_of_firewall_check", jail=jail, reason=reason)
            self._left_out = findings.left_out
        for found in findings.jails:
            was_unenforced = self._unenforced.get(found.jail, 0)
            if found.unenforced and not was_unenforced:
                self._log.error("bans_not_enforced", jail=found.jail, unenforced=found.unenforced)
            elif was_unenforced and not found.unenforced:
                self._log.info("bans_enforced", jail=found.jail, enforced=found.enforced)
            self._unenforced[found.jail] = found.unenforced
