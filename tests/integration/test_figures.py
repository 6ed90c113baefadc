"""What a dashboard shows is what fail2ban's own client says, on every version, at no cost to fail2ban's log."""

import json
import math
import re
import subprocess
import sys
import time

import pytest

from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.programs import FAIL2BAN_VERSIONS
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until

_HOSTILE = ['qu"ote', "back\\slash", "ünï-çødé-牢", "it's", "{curly}", "a=b"]


def _count(server: RealFail2ban, jail: str, what: str) -> int:
    found = re.search(rf"{what}:\s*(\d+)", server.client("status", jail))
    assert found is not None
    return int(found.group(1))


def test_figures_equal_those_of_fail2bans_own_client_and_no_probe_leaves_a_complaint(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    # Bans of the second in which the server starts count as restored to an exporter that comes later.
    moment = time.time() + 1.5
    wait_until(lambda: time.time() > moment, "it is another second")
    fail2ban.fail("sshd", "192.0.2.1")
    fail2ban.fail("sshd", "2001:db8::1")
    fail2ban.fail("sshd", "192.0.2.2", times=1)
    fail2ban.fail("web", "198.51.100.7")
    fail2ban.wait_banned("sshd", "192.0.2.1", "2001:db8::1")
    fail2ban.wait_banned("web", "198.51.100.7")
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=100ms")

    exporter.wait_for("fail2ban_up", 1)
    exporter.wait_for("fail2ban_jail_failures_total", _count(fail2ban, "sshd", "Total failed"), jail="sshd")
    for jail in ("sshd", "web", "mail"):
        exporter.wait_for("fail2ban_jail_banned_ips", _count(fail2ban, jail, "Currently banned"), jail=jail)
        exporter.wait_for("fail2ban_jail_bans_total", _count(fail2ban, jail, "Total banned"), jail=jail)
        exporter.wait_for("fail2ban_jail_failed_ips", _count(fail2ban, jail, "Currently failed"), jail=jail)
        exporter.wait_for("fail2ban_jail_failures_total", _count(fail2ban, jail, "Total failed"), jail=jail)
        bans, finds, retries = (fail2ban.client("get", jail, name) for name in ("bantime", "findtime", "maxretry"))
        assert exporter.value("fail2ban_jail_ban_time_seconds", jail=jail) == float(bans)
        assert exporter.value("fail2ban_jail_find_time_seconds", jail=jail) == float(finds)
        assert exporter.value("fail2ban_jail_max_retries", jail=jail) == float(retries)
        assert exporter.value("fail2ban_jail_actions", jail=jail) == 1
        assert exporter.value("fail2ban_jail_log_files", jail=jail) == 1
        assert exporter.value("fail2ban_jail_up", jail=jail) == 1
    assert exporter.value("fail2ban_jail_banned_ips", jail="sshd") == 2
    assert exporter.value("fail2ban_jails") == 3
    assert exporter.value("fail2ban_server_info", version=fail2ban.version) == 1
    assert fail2ban.dbfile is not None
    assert exporter.value("fail2ban_database_size_bytes") == fail2ban.dbfile.stat().st_size
    told = 1 if fail2ban.version >= "1.1" else None
    assert exporter.value("fail2ban_jail_info", jail="sshd", backend="polling") == told
    assert fail2ban.complaints() == []


@pytest.mark.parametrize("version", FAIL2BAN_VERSIONS)
def test_a_jail_with_an_odd_name_permanent_bans_and_no_action_is_shown_as_it_is(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, version: str
) -> None:
    jails = [Jail(name, bantime=-1, action="") for name in _HOSTILE]
    server = make_fail2ban(version, jails, database=False)
    server.start()
    exporter = run_exporter(f"--fail2ban.socket={server.socket}")

    exporter.wait_for("fail2ban_jails", len(_HOSTILE))

    scrape = exporter.scrape()
    assert sorted(_HOSTILE) == sorted(labels[0][1] for name, labels in scrape if name == "fail2ban_jail_up")
    for name in _HOSTILE:
        assert exporter.value("fail2ban_jail_ban_time_seconds", jail=name) == math.inf
        assert exporter.value("fail2ban_jail_actions", jail=name) == 0
    assert exporter.value("fail2ban_database_size_bytes") is None
    assert server.complaints() == []


def test_a_reload_under_the_probes_costs_no_probe_and_shows_the_new_jails(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=10ms")
    exporter.wait_for("fail2ban_jails", 3)

    fail2ban.configure([Jail("sshd"), Jail("new")])
    fail2ban.client("reload")

    exporter.wait_for("fail2ban_jails", 2)
    exporter.wait_for("fail2ban_jail_up", 1, jail="new")
    exporter.wait_for("fail2ban_jail_up", None, jail="web")
    assert exporter.value("fail2ban_jail_max_retries", jail="new") == 3
    assert exporter.value("fail2ban_server_restarts_total") == 0
    assert len(exporter.events("fail2ban_online")) == 1


def test_a_jail_that_must_run_and_does_not_is_shown_as_down(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--jails.expected=sshd,ftp")
    exporter.wait_for("fail2ban_up", 1)

    assert exporter.value("fail2ban_jail_up", jail="ftp") == 0
    assert exporter.value("fail2ban_jail_up", jail="sshd") == 1

    fail2ban.stop()

    exporter.wait_for("fail2ban_jail_up", 0, jail="sshd")
    assert exporter.value("fail2ban_jail_up", jail="web") is None


def test_the_probe_command_prints_the_status_and_says_by_its_exit_status_whether_fail2ban_is_online(
    fail2ban: RealFail2ban,
) -> None:
    def probe() -> tuple[int, dict[str, object]]:
        words = [sys.executable, "-m", "exporter", "probe", f"--fail2ban.socket={fail2ban.socket}"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    status, document = probe()
    assert (status, document["state"], document["jail_count"]) == (0, "online", 3)

    fail2ban.stop()
    wait_until(lambda: not fail2ban.socket.exists(), "the socket is gone")

    status, document = probe()
    assert (status, document["state"], document["jails"]) == (1, "offline", [])
