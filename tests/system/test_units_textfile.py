"""The units for node_exporter's textfile collector, on the machine as the tests before have left it."""

from __future__ import annotations

import time

import pytest

from tests.exporter_program import Samples, key, parse
from tests.system.debian import say
from tests.system.machine import Machine
from tests.system.readme import commands
from tests.waiting import wait_until

README = "deploy/systemd/README.md"
SECTION = "A file for node_exporter"
FILE = "/var/lib/prometheus/node-exporter/fail2ban.prom"
SERVICE = "fail2ban-exporter-textfile.service"
TIMER = "fail2ban-exporter-textfile.timer"
ONCE = "fail2ban-exporter-textfile-once.service"
WATCHDOG_SECONDS = 30.0
UP = key("fail2ban_up")


def written(machine: Machine) -> Samples:
    """What the file says; nothing if it is not there."""
    status, said = machine.try_run(f"cat {FILE}")
    return parse(said + "\n") if status == 0 else {}


def wait_for(machine: Machine, sample: tuple[str, tuple[tuple[str, str], ...]], value: float, unit: str) -> None:
    wait_until(
        lambda: written(machine).get(sample) == value,
        lambda: f"{sample} is {value}, not {written(machine).get(sample)}: {machine.journal(unit)}",
        90,
    )


@pytest.fixture(scope="module", autouse=True)
def _fail2ban(machine: Machine) -> None:
    """fail2ban runs, with the folder that Debian's node_exporter has."""
    machine.run("dpkg-query --status fail2ban || DEBIAN_FRONTEND=noninteractive dpkg --install /debs/*.deb")
    machine.run("touch /var/log/auth.log; systemctl restart fail2ban; mkdir -p /var/lib/prometheus/node-exporter")


def test_the_service_writes_a_file_that_everybody_may_read_and_sees_a_crash_at_once(machine: Machine) -> None:
    machine.run("cd /src\n" + commands(SERVICE, README, SECTION))
    wait_for(machine, UP, 1, SERVICE)
    assert machine.run(f"stat --format=%a {FILE}") == "644"
    assert machine.show(SERVICE, "StatusText") == "watching fail2ban"

    started = time.monotonic()
    machine.run("systemctl kill --kill-whom=main --signal=KILL fail2ban")
    wait_for(machine, key("fail2ban_server_exits_total", kind="crash"), 1, SERVICE)

    say(f"textfile: a crash is in the file {time.monotonic() - started:.1f} s after it, looks included")
    wait_for(machine, UP, 1, SERVICE)


def test_a_frozen_one_is_started_anew_by_the_watchdog_and_its_counts_are_kept(machine: Machine) -> None:
    pid = machine.main_pid(SERVICE)
    machine.run(f"kill -STOP {pid}")

    wait_until(lambda: written(machine) == {}, "no file that looks alive stays behind", 3 * WATCHDOG_SECONDS)

    wait_for(machine, UP, 1, SERVICE)
    assert machine.main_pid(SERVICE) not in (0, pid)
    assert written(machine)[key("fail2ban_server_exits_total", kind="crash")] == 1
    say("textfile: SIGSTOP, started anew by the watchdog, counts kept")


def test_its_file_goes_when_it_is_stopped(machine: Machine) -> None:
    machine.run(f"systemctl disable --now {SERVICE}")

    assert written(machine) == {}
    assert (machine.show(SERVICE, "Result"), machine.show(SERVICE, "ExecMainStatus")) == ("success", "0")
    for complaint in ("Traceback", "not permitted", "Permission denied", "textfile_unwritable"):
        assert complaint not in machine.journal(SERVICE)


def test_the_timer_writes_the_file_and_a_fail2ban_that_is_down_is_no_failure_of_it(machine: Machine) -> None:
    machine.run("cd /src\n" + commands(TIMER, README, SECTION))
    machine.run(f"systemctl start {ONCE}")
    assert written(machine)[UP] == 1

    machine.run(f"systemctl stop fail2ban; systemctl start {ONCE}")

    assert written(machine)[UP] == 0
    assert machine.show(ONCE, "Result") == "success"
    assert machine.run(f"systemctl is-active {TIMER}") == "active"
    machine.run(f"systemctl disable --now {TIMER}; systemctl start fail2ban")
    say("textfile: the timer's runs write the file, and say so of a fail2ban that is down")
