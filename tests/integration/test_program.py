"""The program as a whole: it starts fast and small, takes new settings without a restart, and ends when told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.exporter_program import MEMORY_BOUND, without_developers_packages
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail
from tests.waiting import DEADLINE, wait_until


def test_with_50_jails_it_answers_soon_after_its_start_and_stays_small(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail(f"jail-{number}") for number in range(50)])
    server.start()
    flags = (f"--fail2ban.socket={server.socket}", "--probe.interval=10ms")
    exporter = run_exporter(*flags, environment=without_developers_packages(tmp_path))
    exporter.wait_for("fail2ban_jails", 50)

    for _ in range(50):
        exporter.scrape()
        exporter.get("/")
        exporter.get("/metrics", {"Accept": "application/openmetrics-text", "Accept-Encoding": "identity"})

    resident = exporter.resident_bytes()
    print(f"first answer after {exporter.seconds_to_first_answer:.2f} s, {resident / 1e6:.1f} MB with 50 jails")
    assert resident < MEMORY_BOUND


def test_the_first_process_of_a_container_ends_on_sigterm_while_it_still_starts(tmp_path: Path) -> None:
    """The kernel keeps it from a process 1 that has not asked for it: `docker stop` would wait for ten seconds."""
    imported = tmp_path / "imported"
    hangs = f"import pathlib, time; pathlib.Path({str(imported)!r}).touch(); time.sleep(60)"
    (tmp_path / "structlog.py").write_text(hangs, encoding="utf-8")
    words = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "exporter"]
    container = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    try:
        wait_until(imported.exists, "it imports what it needs")
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
        os.kill(int(children.read_text(encoding="ascii")), signal.SIGTERM)

        assert 128 + signal.SIGTERM == container.wait(DEADLINE)
    finally:
        container.kill()
        container.wait()


def test_sigterm_ends_it_with_status_0(run_exporter: RunExporter, tmp_path: Path) -> None:
    exporter = run_exporter(f"--fail2ban.socket={tmp_path}/none")

    status, seconds = exporter.stop()

    print(f"ended after {seconds:.2f} s")
    assert status == 0
    assert len(exporter.events("stopped")) == 1
    assert "Traceback" not in exporter.log()


def test_sigterm_ends_it_with_status_0_while_a_probe_hangs(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    server.start()
    server.sigstop()
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.timeout=10m")
    assert exporter.value("fail2ban_state", fail2ban_state="unknown") == 1
    assert exporter.get("/-/ready").status == 503

    status, seconds = exporter.stop()

    print(f"ended after {seconds:.2f} s")
    assert status == 0
    assert "Traceback" not in exporter.log()


def test_sighup_takes_over_new_settings_and_keeps_the_old_ones_if_they_are_faulty(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    first, second = (make_fail2ban("1.1.1", [Jail(name)]) for name in ("first", "second"))
    first.start()
    second.start()
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[fail2ban]\nsocket = "{first.socket}"\n')
    exporter = run_exporter(f"--config.file={settings}")
    exporter.wait_for("fail2ban_jail_up", 1, jail="first")

    settings.write_text(
        f'[fail2ban]\nsocket = "{second.socket}"\n[probe]\ninterval = "7s"\n'
        '[jails]\nexpected = ["ftp"]\n[web]\ntelemetry-path = "/scrape"\n'
    )
    exporter.hang_up()
    wait_until(lambda: exporter.get("/scrape").status == 200, "the new path is served")
    wait_until(lambda: '"second"' in exporter.get("/scrape").body, "the other server is probed")

    body = exporter.get("/scrape").body
    assert 'fail2ban_jail_up{jail="ftp"} 0.0' in body
    assert "fail2ban_probe_interval_seconds 7.0" in body
    assert "fail2ban_server_restarts_total 0.0" in body
    assert exporter.get("/metrics").status == 404

    settings.write_text('[probe]\ninterval = "often"\n')
    exporter.hang_up()
    failed = "fail2ban_exporter_config_last_reload_successful 0.0"
    wait_until(lambda: failed in exporter.get("/scrape").body, "the failed reload shows")

    assert "fail2ban_probe_interval_seconds 7.0" in exporter.get("/scrape").body
    assert "often" in exporter.events("reload_failed")[0]


def test_if_the_prober_dies_the_process_ends_with_status_1_and_one_line_that_says_why(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from exporter.fail2ban import Client\n"
        "def broken(self, timeout): raise MemoryError('no more')\n"
        "Client.probe = broken\n"
        "from exporter.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, f"--fail2ban.socket={tmp_path}/none", "--web.listen-address=127.0.0.1:0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    failures = [line for line in done.stderr.splitlines() if "event=prober_failed" in line]
    assert len(failures) == 1
    assert "MemoryError: no more" in failures[0]
    assert "Traceback" not in done.stderr


def test_a_taken_listen_address_ends_it_with_status_1_and_a_line_that_names_it(run_exporter: RunExporter) -> None:
    exporter = run_exporter()

    done = subprocess.run(
        [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{exporter.port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert f"127.0.0.1:{exporter.port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["/metrics", "/", "/api/v1/status", "/-/healthy", "/-/ready"])
def test_the_demo_lives_and_serves_every_route(run_exporter: RunExporter, path: str) -> None:
    demo = run_exporter("--probe.interval=100ms", command="demo")
    demo.wait_for("fail2ban_jails", 5)

    assert demo.get(path).status == 200
    assert "fail2ban_offline" not in demo.log()
    failures = demo.value("fail2ban_jail_failures_total", jail="sshd") or 0
    wait_until(lambda: (demo.value("fail2ban_jail_failures_total", jail="sshd") or 0) != failures, "somebody attacks")


def test_the_openmetrics_output_is_read_by_the_library_s_own_parser(run_exporter: RunExporter) -> None:
    demo = run_exporter(command="demo")
    demo.wait_for("fail2ban_jails", 5)
    wait_until(lambda: demo.value("fail2ban_jail_bans_total", jail="sshd") is not None, "restored bans are told apart")

    answer = demo.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(answer.body)}  # type: ignore[no-untyped-call]
    assert families["fail2ban_state"].type == "stateset"
    assert families["fail2ban_jail_bans"].type == "counter"
    assert families["fail2ban_jail"].type == "info"
