"""The units on a real systemd, with Debian's own fail2ban, from installation to the end.

One story on one machine: each test goes on from where the one before it has left the machine.
"""

from __future__ import annotations

import threading
import time

import pytest

from tests.system.debian import Debian, say
from tests.system.machine import Machine
from tests.system.readme import ROOT, commands, socket_drop_in
from tests.waiting import wait_until

UNIT = "fail2ban-exporter.service"
WATCHDOG_SECONDS = 30.0
CANARY_LOG = "/var/log/fail2ban-exporter/canary.log"
CANARY_JAIL = "/etc/fail2ban/jail.d/fail2ban-exporter-canary.conf"
CANARY_DROP_IN = f"/etc/systemd/system/{UNIT}.d/canary.conf"
SHADOW = "/etc/shadow"  # root's, of a group of its own

# Lines of the unit that are about the program and not about what it may do.
_OF_THE_PROGRAM = ("Exec", "Type=", "NotifyAccess=", "Environment", "StateDirectory", "Restart", "Timeout", "Watchdog")
_CONNECT = "import socket; socket.create_connection(('127.0.0.1', 9191), 5)"


def in_the_sandbox(machine: Machine, variant: str, script: str) -> tuple[int, str]:
    """Run a script with the rights that the unit gives the exporter, and no others."""
    text = (ROOT / "deploy/systemd" / variant / UNIT).read_text(encoding="utf-8")
    service = text.partition("[Service]\n")[2].partition("\n[")[0]
    rights = [line for line in service.splitlines() if "=" in line and not line.startswith(("#", *_OF_THE_PROGRAM))]
    properties = " ".join(f"--property='{line}'" for line in rights)
    return machine.try_run(f"systemd-run --quiet --pipe --wait {properties} /bin/sh -c {quoted(script)}")


def quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


def exits(machine: Machine) -> dict[str, float]:
    """How often fail2ban has ended, by kind."""
    return {
        kind: machine.value("fail2ban_server_exits_total", kind=kind) or 0.0 for kind in ("clean", "crash", "unknown")
    }


def wait_online(machine: Machine) -> None:
    machine.wait_for("fail2ban_state", 1, fail2ban_state="online")
    machine.wait_for("fail2ban_jail_up", 1, jail="sshd")


# -- on the socket that systemd passes


def test_both_units_start_and_answer_before_there_is_any_fail2ban(machine: Machine) -> None:
    machine.run("cd /src\n" + commands("deploy/systemd/socket"))

    assert machine.run(f"systemctl is-active {UNIT} fail2ban-exporter.socket") == "active\nactive"
    assert machine.show(UNIT, "StatusText") == "watching fail2ban"
    assert machine.value("fail2ban_state", fail2ban_state="offline") == 1
    say("both units run; no fail2ban yet: offline")


def test_the_service_is_a_user_with_one_capability_and_no_network(machine: Machine) -> None:
    pid = machine.main_pid(UNIT)
    status = dict(line.split(":\t", 1) for line in machine.run(f"cat /proc/{pid}/status").splitlines())
    links = machine.run(f"nsenter --target {pid} --net cat /proc/net/dev").splitlines()[2:]

    assert status["Uid"].split()[0] != "0"
    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [2] * 5
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert [link.split(":")[0].strip() for link in links] == ["lo"]
    say(f"the service: user {status['Uid'].split()[0]}, CAP_DAC_OVERRIDE in its user namespace, no link but lo")


@pytest.mark.parametrize(
    ("script", "allowed"),
    [
        pytest.param("cat /etc/.test-of-root", True, id="reads what is root's and root's group's"),
        pytest.param(f"cat {SHADOW}", False, id="does not read the passwords"),
        pytest.param("kill -0 1", False, id="sends root's processes no signal"),
        pytest.param("touch /etc/fail2ban-exporter-was-here", False, id="does not write outside its state"),
        pytest.param(f"python3 -c {quoted(_CONNECT)}", False, id="reaches no network"),
        pytest.param("unshare --user true", False, id="makes no namespace"),
    ],
)
def test_what_the_units_comments_say_of_its_rights_is_so(machine: Machine, script: str, *, allowed: bool) -> None:
    machine.run("umask 077; echo secret > /etc/.test-of-root")
    assert machine.run(f"stat --format=%U:%G:%a {SHADOW}") == "root:shadow:640"

    status, said = in_the_sandbox(machine, "socket", script)

    assert (status == 0) is allowed, said


def test_a_fail2ban_just_installed_that_refuses_to_start_is_shown_for_what_it_is(
    machine: Machine, debian: Debian
) -> None:
    if debian.suite != "bookworm":
        # There its one jail reads the journal; here it reads a log file that a system without rsyslog has not.
        machine.run("mkdir -p /etc/fail2ban; printf '[sshd]\\nbackend = auto\\n' > /etc/fail2ban/jail.local")
    machine.run("export DEBIAN_FRONTEND=noninteractive\ndpkg --install /debs/*.deb")
    wait_until(lambda: machine.show("fail2ban", "ActiveState") == "failed", "fail2ban refuses to start")
    assert "Have not found any log file for sshd jail" in machine.journal("fail2ban")

    machine.wait_for("fail2ban_jail_up", 0, jail="sshd")

    assert machine.value("fail2ban_up") == 0
    assert machine.value("fail2ban_state", fail2ban_state="offline") == 1
    assert machine.value("fail2ban_activations_total", source="configured") == 1
    # It has never been up, so nothing has brought it down, and nothing is to be recovered.
    assert machine.value("fail2ban_pending_recoveries") == 0
    say("fail2ban installed, refuses to start: offline, jail_up{sshd} 0, none pending since it was never up")


def test_a_mended_fail2ban_is_online_with_its_jails_its_settings_and_its_process(machine: Machine) -> None:
    machine.run("touch /var/log/auth.log; systemctl restart fail2ban")

    wait_online(machine)

    assert machine.value("fail2ban_jails") == 1
    assert machine.value("fail2ban_jail_max_retries", jail="sshd") == 5
    assert (machine.value("fail2ban_process_resident_memory_bytes") or 0) > 1e6
    assert (machine.value("fail2ban_database_size_bytes") or 0) > 0
    started = machine.run('date +%s --date="$(systemctl show --value --property=ExecMainStartTimestamp fail2ban)"')
    assert abs(float(started) - (machine.value("fail2ban_process_start_time_seconds") or 0)) < 2
    assert exits(machine) == {"clean": 0, "crash": 0, "unknown": 0}
    say("mended: online, with jails, settings and process")


def test_it_sees_fail2bans_files_as_fail2ban_does_though_it_may_look_into_its_process_as_little_as_anybody(
    machine: Machine,
) -> None:
    missing = "fail2ban_jail_log_files_missing"
    machine.wait_for("fail2ban_database_bans", 0)
    machine.wait_for(missing, 0, jail="sshd")

    machine.run("rm /var/log/auth.log")
    machine.wait_for(missing, 1, jail="sshd")
    machine.run("touch /var/log/auth.log")
    machine.wait_for(missing, 0, jail="sshd")
    say("log file taken away: missing 1, and 0 when it is back; bans in the database counted")


def test_a_jail_that_reads_the_journal_has_no_log_files(machine: Machine) -> None:
    local = "/etc/fail2ban/jail.d/journal.local"
    machine.run(f"printf '[sshd]\nbackend = systemd\n' > {local}; fail2ban-client reload")
    # What a jail is set to is asked for once a minute.
    machine.wait_for("fail2ban_jail_log_files", None, 150, jail="sshd")
    assert machine.value("fail2ban_jail_up", jail="sshd") == 1
    assert machine.value("fail2ban_jail_log_files_missing", jail="sshd") is None
    assert machine.value("fail2ban_jail_log_last_modified_timestamp_seconds", jail="sshd") is None

    machine.run(f"rm {local}; fail2ban-client reload")
    machine.wait_for("fail2ban_jail_log_files", 1, 150, jail="sshd")
    say("a jail that reads the journal: no log files")


def test_a_restart_of_fail2ban_is_an_end_and_a_start_and_no_outage(machine: Machine) -> None:
    machine.run("systemctl restart fail2ban")

    machine.wait_for("fail2ban_server_restarts_total", 1)
    wait_online(machine)
    assert exits(machine) == {"clean": 1, "crash": 0, "unknown": 0}
    assert machine.value("fail2ban_pending_recoveries") == 0
    say("systemctl restart fail2ban: one clean exit, one restart, nothing pending")


def test_settings_come_from_the_files_that_the_readme_names_and_are_read_again(machine: Machine) -> None:
    machine.run(
        "echo FAIL2BAN_EXPORTER_CONFIG__FILE=/etc/fail2ban-exporter.toml > /etc/default/fail2ban-exporter\n"
        """echo 'jails.expected = ["web"]' > /etc/fail2ban-exporter.toml\n"""
        f"systemctl restart {UNIT}"
    )
    machine.wait_for("fail2ban_jail_up", 0, jail="web")

    machine.run(f"""echo 'jails.expected = ["ftp"]' > /etc/fail2ban-exporter.toml; systemctl reload {UNIT}""")
    machine.wait_for("fail2ban_jail_up", 0, jail="ftp")
    machine.wait_for("fail2ban_jail_up", None, jail="web")
    assert machine.show(UNIT, "ActiveState") == "active"
    assert machine.show(UNIT, "StatusText") == "watching fail2ban"

    machine.run(f"echo nonsense > /etc/fail2ban-exporter.toml; systemctl reload {UNIT}")
    wait_until(lambda: "faulty" in machine.show(UNIT, "StatusText"), "systemctl status tells of the fault")
    assert machine.value("fail2ban_jail_up", jail="ftp") == 0
    machine.run(f"echo > /etc/fail2ban-exporter.toml; systemctl reload {UNIT}")
    say("settings taken over by restart and reload; faulty ones are in systemctl status, the old ones stay")


def test_the_watchdog_is_fed(machine: Machine) -> None:
    pid, since = machine.main_pid(UNIT), int(machine.show(UNIT, "ActiveEnterTimestampMonotonic")) / 1e6
    assert machine.show(UNIT, "WatchdogUSec") == f"{WATCHDOG_SECONDS:.0f}s"
    say(f"waiting for more than the watchdog's {WATCHDOG_SECONDS:.0f} s")

    # CLOCK_MONOTONIC is the same one there.
    wait_until(lambda: time.monotonic() > since + 1.5 * WATCHDOG_SECONDS, "the watchdog had reason to bite", 120)

    assert machine.show(UNIT, "ActiveState") == "active"
    assert (machine.main_pid(UNIT), machine.show(UNIT, "NRestarts")) == (pid, "0")
    age = time.monotonic() - int(machine.show(UNIT, "WatchdogTimestampMonotonic")) / 1e6
    assert age < 5
    say(f"fed: it runs since {time.monotonic() - since:.0f} s, the latest sign of life is {age:.1f} s old")


def test_a_frozen_exporter_is_started_anew_and_neither_a_count_nor_a_waiting_scrape_is_lost(machine: Machine) -> None:
    before, pid = exits(machine), machine.main_pid(UNIT)
    answers: list[str] = []
    machine.run(f"kill -STOP {pid}")
    # systemd keeps the socket, so what waits in its queue is served by the next process.
    waiting = threading.Thread(target=lambda: answers.append(machine.get("/metrics", seconds=100)))
    started = time.monotonic()
    waiting.start()

    wait_until(lambda: machine.main_pid(UNIT) not in (0, pid), "the exporter is started anew", 2 * WATCHDOG_SECONDS)
    seconds = time.monotonic() - started
    waiting.join(100)

    assert "Watchdog timeout" in machine.journal(UNIT)
    assert machine.show(UNIT, "NRestarts") == "1"
    assert len(answers) == 1
    wait_online(machine)
    assert exits(machine) == before
    say(f"SIGSTOP of the exporter: started anew after {seconds:.0f} s, counts and a waiting scrape kept")


def test_a_jail_that_keeps_fail2ban_from_starting_is_named_until_it_is_back(machine: Machine) -> None:
    jail, file = "nginx-http-auth", "/etc/fail2ban/jail.d/nginx.local"
    machine.run(f"printf '[{jail}]\\nenabled = true\\nbackend = auto\\n' > {file}; systemctl restart fail2ban")
    wait_until(lambda: machine.show("fail2ban", "ActiveState") == "failed", "fail2ban refuses to start")

    seconds = machine.wait_for("fail2ban_pending_recovery", 1, jail=jail)

    say(f"{jail} enabled without its log file: pending after {seconds:.0f} s (a clean stop has 10 s of grace)")
    # The other jail's activation is longer ago than the window by now.
    assert machine.value("fail2ban_pending_recoveries") == 1
    assert (machine.value("fail2ban_jail_up", jail="sshd"), machine.value("fail2ban_jail_up", jail=jail)) == (0, 0)

    machine.run(f"rm {file}; systemctl restart fail2ban")
    wait_online(machine)
    machine.wait_for("fail2ban_pending_recoveries", 0)
    assert machine.value("fail2ban_recoveries_total") == 1


def test_a_crash_that_systemd_repairs_by_itself_is_seen_all_the_same(machine: Machine) -> None:
    before, killed = exits(machine), machine.main_pid("fail2ban")
    machine.run("systemctl kill --kill-whom=main --signal=KILL fail2ban")

    wait_until(lambda: machine.main_pid("fail2ban") not in (0, killed), "systemd starts fail2ban again")
    machine.wait_for("fail2ban_server_exits_total", before["crash"] + 1, kind="crash")
    wait_online(machine)

    assert exits(machine) == {**before, "crash": before["crash"] + 1}
    say("kill -9 of fail2ban: one crash counted, systemd has repaired it")


def test_another_address_is_a_drop_in_of_the_socket_unit(machine: Machine) -> None:
    folder, both = "/etc/systemd/system/fail2ban-exporter.socket.d", f"fail2ban-exporter.socket {UNIT}"
    machine.run(f"mkdir -p {folder}; printf %s {quoted(socket_drop_in())} > {folder}/override.conf")
    machine.run(f"systemctl daemon-reload; systemctl restart {both}")

    assert machine.show("fail2ban-exporter.socket", "Listen") == "127.0.0.1:9191 (Stream)"
    wait_online(machine)

    machine.run(f"rm -r {folder}; systemctl daemon-reload; systemctl restart {both}")
    assert machine.show("fail2ban-exporter.socket", "Listen") == "[::]:9191 (Stream)"
    wait_online(machine)
    say("another address by a drop-in of the socket unit, and back")


def test_the_canary_is_switched_on_in_three_steps_and_is_banned(machine: Machine) -> None:
    machine.run("cd /src\n" + commands("canary.conf", "deploy/README.md", "The canary"))

    machine.wait_for("fail2ban_canary_up", 1)

    assert machine.run(f"stat --dereference --format=%a {CANARY_LOG}") == "600"
    assert "from 2001:db8:" in machine.run(f"cat {CANARY_LOG}")
    delay = machine.value("fail2ban_canary_last_ban_delay_seconds") or 0
    assert delay > 0
    say(f"the canary, on in three steps: banned after {delay:.2f} s")


def test_the_canary_tries_the_journal_where_it_is_told_to(machine: Machine) -> None:
    log_file = "FAIL2BAN_EXPORTER_CANARY__LOG_FILE"
    before = machine.run(f"cat {CANARY_LOG}")
    machine.run(
        f"sed -i 's|^Environment={log_file}=.*|Environment={log_file}=/run/systemd/journal/dev-log|' {CANARY_DROP_IN}\n"
        f"sed -i 's|^backend = .*|backend = systemd|' {CANARY_JAIL}\n"
        f"fail2ban-client reload; systemctl daemon-reload; systemctl restart {UNIT}"
    )

    machine.wait_for("fail2ban_canary_up", 1)

    assert "from 2001:db8:" in machine.run("journalctl --no-pager --identifier=fail2ban-exporter-canary")
    assert before == machine.run(f"cat {CANARY_LOG}")
    say(f"through the journal: banned after {machine.value('fail2ban_canary_last_ban_delay_seconds') or 0:.2f} s")


def test_the_canary_is_switched_off_again(machine: Machine) -> None:
    machine.run(f"rm {CANARY_JAIL}; fail2ban-client reload")
    machine.wait_for("fail2ban_jails", 1)
    machine.run(f"rm -r {CANARY_DROP_IN.rpartition('/')[0]}; systemctl daemon-reload; systemctl restart {UNIT}")

    wait_online(machine)

    assert [name for name, _ in machine.scrape() if "canary" in name] == []


def test_it_ends_when_told_and_the_next_scrape_starts_it_again(machine: Machine) -> None:
    started = time.monotonic()
    machine.run(f"systemctl stop {UNIT} 2>&1")
    seconds = time.monotonic() - started

    assert (machine.show(UNIT, "Result"), machine.show(UNIT, "ExecMainStatus")) == ("success", "0")
    assert seconds < 5
    wait_online(machine)
    assert machine.show(UNIT, "ActiveState") == "active"
    say(f"systemctl stop took {seconds:.1f} s; the next scrape has started it again")


# -- listening by itself


def test_the_plain_unit_takes_over_from_the_socket_unit_and_forgets_nothing(machine: Machine) -> None:
    before = exits(machine)
    machine.run(
        f"systemctl disable --now fail2ban-exporter.socket {UNIT}; rm /etc/systemd/system/fail2ban-exporter.*\n"
        "cd /src\n" + commands("deploy/systemd/plain")
    )

    assert machine.run(f"systemctl is-active {UNIT}") == "active"
    assert machine.try_run("systemctl is-active fail2ban-exporter.socket")[0] != 0
    wait_online(machine)
    assert exits(machine) == before
    machine.run("systemctl restart fail2ban")
    machine.wait_for("fail2ban_server_exits_total", before["clean"] + 1, kind="clean")
    say("the plain unit serves; a restart of fail2ban is seen there too")


def test_systemd_s_own_verdict_on_the_running_service_is_within_the_bound(machine: Machine) -> None:
    said = machine.run(f"systemd-analyze security --no-pager --threshold=18 {UNIT} | tail -1")

    say(said.strip().lstrip("→ "))


def test_nothing_was_refused_to_the_exporter_and_nothing_went_wrong_in_it(machine: Machine) -> None:
    journal = machine.journal(UNIT)

    for complaint in (
        "Traceback",
        "not permitted",
        "Permission denied",
        "service_manager_unreachable",
        "prober_failed",
    ):
        assert complaint not in journal
