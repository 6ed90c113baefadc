"""The check has a thread of its own: what it finds is shown, and what it can't do harms nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
import structlog

from exporter.firewall import FirewallMonitor, FirewallOptions
from exporter.firewall.check import Checker, Findings
from exporter.model import Enforcement, FirewallFault
from tests.waiting import wait_until

ON = FirewallOptions(is_on=True, socket="/run/f2b.sock", interval=0.01, timeout=1)
OFF = FirewallOptions(is_on=False, socket="/run/f2b.sock", interval=0.01, timeout=1)


class Scripted:
    """Finds one thing after the other, and then the last of them again and again."""

    def __init__(self, *findings: Findings | Exception) -> None:
        self._findings = list(findings)
        self.checks = 0

    def check(self) -> Findings:
        """Find the next."""
        self.checks += 1
        found = self._findings.pop(0) if len(self._findings) > 1 else self._findings[0]
        if isinstance(found, Exception):
            raise found
        return found


RunMonitor = Callable[..., FirewallMonitor]


@pytest.fixture
def run_monitor() -> Iterator[RunMonitor]:
    """A factory: `run_monitor(ON, Scripted(…))` runs until the end of the test."""
    with ExitStack() as running:

        def run(options: FirewallOptions, checker: Scripted) -> FirewallMonitor:
            monitor = FirewallMonitor(options, lambda _: cast("Checker", checker))
            monitor.start()
            running.callback(monitor.stop, 60)
            return monitor

        yield run


def _shows(monitor: FirewallMonitor, *jails: Enforcement) -> Callable[[], bool]:
    return lambda: monitor.latest is not None and monitor.latest.jails == jails


def test_what_is_found_is_shown_by_name(run_monitor: RunMonitor) -> None:
    monitor = run_monitor(ON, Scripted(Findings(jails=(Enforcement("web", 1, 0), Enforcement("sshd", 2, 1)))))

    wait_until(_shows(monitor, Enforcement("sshd", 2, 1), Enforcement("web", 1, 0)), "both")


def test_off_nothing_is_checked_and_nothing_shown_until_it_is_switched_on_and_off_again(
    run_monitor: RunMonitor,
) -> None:
    checker = Scripted(Findings(jails=(Enforcement("sshd", 2, 0),)))
    monitor = run_monitor(OFF, checker)
    assert (0, None) == (checker.checks, monitor.latest)

    monitor.reconfigure(ON)
    wait_until(_shows(monitor, Enforcement("sshd", 2, 0)), "it is on")

    monitor.reconfigure(OFF)
    wait_until(lambda: monitor.latest is None, "it is off")


def test_a_check_that_breaks_is_said_and_the_next_is_made(run_monitor: RunMonitor) -> None:
    checker = Scripted(Findings(jails=(Enforcement("sshd", 2, 0),)), KeyError("x"), Findings())

    with structlog.testing.capture_logs() as lines:
        monitor = run_monitor(ON, checker)
        wait_until(lambda: checker.checks > 3, "it goes on")

    assert monitor.latest is not None
    assert monitor.latest.fault is None
    assert "firewall_check_broken" in [line["event"] for line in lines]


def test_each_change_is_one_line(run_monitor: RunMonitor) -> None:
    well = Findings(jails=(Enforcement("sshd", 2, 0),), left_out={"mail": "sendmail: it puts nothing in a firewall"})
    lost = Findings(jails=(Enforcement("sshd", 0, 2),), left_out=well.left_out)
    denied = Findings(fault=FirewallFault.PERMISSION_DENIED, reason="no right")
    checker = Scripted(well, well, lost, lost, well, denied, denied, well)

    with structlog.testing.capture_logs() as lines:
        run_monitor(ON, checker)
        wait_until(lambda: checker.checks > 10, "all was found")

    assert [
        {
            "event": "jail_left_out_of_firewall_check",
            "jail": "mail",
            "reason": "sendmail: it puts nothing in a firewall",
            "log_level": "info",
        },
        {"event": "bans_not_enforced", "jail": "sshd", "unenforced": 2, "log_level": "error"},
        {"event": "bans_enforced", "jail": "sshd", "enforced": 2, "log_level": "info"},
        {"event": "firewall_check_failed", "fault": "permission_denied", "reason": "no right", "log_level": "error"},
        {"event": "firewall_check_works", "log_level": "info"},
    ] == lines


def test_a_check_that_hangs_does_not_hold_up_the_end() -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    class Hanging:
        def check(self) -> Findings:
            hangs.set()
            goes_on.wait(60)
            return Findings()

    monitor = FirewallMonitor(ON, lambda _: cast("Any", Hanging()))
    monitor.start()
    hangs.wait(60)

    monitor.stop(patience=0)

    assert monitor.latest is None
    goes_on.set()
    monitor.stop(60)
