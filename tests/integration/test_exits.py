"""Whoever is woken by a dead fail2ban must learn of it at once, and be told rightly how it died."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.exporter_program import ExporterProgram
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.programs import FAIL2BAN_VERSIONS
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until


def _exits(exporter: ExporterProgram) -> dict[str, float | None]:
    kinds = ("clean", "crash", "unknown")
    return {kind: exporter.value("fail2ban_server_exits_total", kind=kind) for kind in kinds}


def _watch(server: RealFail2ban, run_exporter: RunExporter, *flags: str) -> ExporterProgram:
    # The interval is so long that only the end of the connection can bring the news.
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.interval=10m", *flags)
    exporter.wait_for("fail2ban_up", 1)
    return exporter


def test_a_crash_is_seen_at_once_and_called_a_crash(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = _watch(fail2ban, run_exporter)

    fail2ban.kill()
    seconds = exporter.wait_for("fail2ban_up", 0)

    print(f"a crash of fail2ban {fail2ban.version} was in /metrics after {seconds * 1000:.0f} ms")
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    assert exporter.status()["state"] == "offline"
    assert exporter.value("fail2ban_jails") is None
    assert exporter.value("fail2ban_server_info", version=fail2ban.version) is None
    assert exporter.value("fail2ban_process_cpu_seconds_total") is None
    assert _exits(exporter) == {"clean": 0, "crash": 1, "unknown": 0}
    assert len(exporter.events("fail2ban_exited")) == 1


def test_a_clean_stop_is_called_clean(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = _watch(fail2ban, run_exporter)

    fail2ban.client("stop")

    exporter.wait_state("offline")
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="clean")
    assert _exits(exporter) == {"clean": 1, "crash": 0, "unknown": 0}


@pytest.mark.parametrize("crashes", [True, False], ids=["crash", "clean"])
@pytest.mark.parametrize("version", FAIL2BAN_VERSIONS)
def test_a_folder_removed_as_systemd_removes_it_never_leads_to_a_wrong_verdict(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, version: str, *, crashes: bool
) -> None:
    server = make_fail2ban(version, [Jail("sshd")])
    server.start()
    exporter = _watch(server, run_exporter)

    server.signal(signal.SIGKILL if crashes else signal.SIGTERM)
    server.wait_exit()
    shutil.rmtree(server.socket.parent)

    exporter.wait_state("offline")
    wait_until(lambda: sum(value or 0 for value in _exits(exporter).values()) == 1, "the exit is counted")
    wrong = "clean" if crashes else "crash"
    assert _exits(exporter)[wrong] == 0


def test_killed_and_started_again_within_a_second_counts_one_exit_and_one_restart(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = _watch(fail2ban, run_exporter)
    first = exporter.value("fail2ban_server_start_time_seconds")

    fail2ban.kill()
    fail2ban.start()

    exporter.wait_for("fail2ban_server_restarts_total", 1)
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    exporter.wait_state("online")
    assert _exits(exporter) == {"clean": 0, "crash": 1, "unknown": 0}
    assert exporter.value("fail2ban_server_start_time_seconds") != first


def test_a_clean_restart_counts_one_clean_exit_and_one_restart(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = _watch(fail2ban, run_exporter)

    fail2ban.restart()

    exporter.wait_for("fail2ban_server_restarts_total", 1)
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="clean")
    assert _exits(exporter) == {"clean": 1, "crash": 0, "unknown": 0}


def test_a_frozen_server_is_unresponsive_and_not_dead_and_is_online_once_it_goes_on(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=100ms", "--probe.timeout=500ms")
    exporter.wait_for("fail2ban_up", 1)

    fail2ban.sigstop()
    exporter.wait_state("unresponsive")
    assert exporter.value("fail2ban_jail_up", jail="sshd") is None
    assert exporter.status()["probe"]["result"] == "timeout"
    # Held up for longer than its backlog has room: connections are refused then, and it is still not dead.
    exporter.wait_for("fail2ban_probe_consecutive_failures", 5)
    assert exporter.status()["state"] == "unresponsive"
    assert exporter.get("/-/healthy").status == 200

    fail2ban.sigcont()
    exporter.wait_state("online")

    assert _exits(exporter) == {"clean": 0, "crash": 0, "unknown": 0}
    assert exporter.value("fail2ban_server_restarts_total") == 0
    assert fail2ban.complaints() == []


def test_killed_while_frozen_is_seen_and_called_a_crash(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=200ms", "--probe.timeout=300ms")
    exporter.wait_for("fail2ban_up", 1)
    fail2ban.sigstop()
    exporter.wait_state("unresponsive")

    fail2ban.kill()

    exporter.wait_state("offline")
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    assert _exits(exporter) == {"clean": 0, "crash": 1, "unknown": 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the exporter as somebody without permission")
def test_without_permission_it_says_so_and_what_to_do_and_nothing_of_fail2ban(
    make_fail2ban: MakeFail2ban,
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    server.start()
    server.socket.parent.chmod(0o700)
    code = (
        # All imports first: nobody may not be allowed to read this Python's own files.
        "import os, sys, exporter.app; from exporter.cli import main\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "probe", f"--fail2ban.socket={server.socket}", "--jails.expected=sshd"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "inaccessible"
    assert document["probe"]["result"] == "permission_denied"
    assert "run the exporter as the socket's owner" in document["reason"]
    assert document["jails"] == []


def test_an_exit_is_counted_once_however_many_probes_follow(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=10ms")
    exporter.wait_for("fail2ban_up", 1)

    fail2ban.kill()
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    failures = exporter.value("fail2ban_probe_consecutive_failures") or 0
    started = time.monotonic()
    wait_until(lambda: (exporter.value("fail2ban_probe_consecutive_failures") or 0) > failures + 20, "20 more probes")

    assert time.monotonic() > started
    assert _exits(exporter) == {"clean": 0, "crash": 1, "unknown": 0}
