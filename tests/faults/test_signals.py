"""Signals come when they come: none is lost, none does harm."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.soak.trend import Reading
from tests.waiting import DEADLINE, wait_until


@pytest.fixture
def server(make_fail2ban: MakeFail2ban) -> RealFail2ban:
    running = make_fail2ban("1.1.1", [Jail("sshd")])
    running.start()
    return running


def test_a_storm_of_sighup_costs_no_scrape_and_leaves_nothing_behind(
    server: RealFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    text = f'[fail2ban]\nsocket = "{server.socket}"\n[probe]\ninterval = "{{}}"\n[jails]\nexpected = ["sshd"]\n'

    def save(content: str) -> None:
        """All at once: an empty file is valid too, and asks another socket."""
        fresh = tmp_path / "settings.new"
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(settings)

    save(text.format("1s"))
    exporter = run_exporter(f"--config.file={settings}")
    exporter.wait_for("fail2ban_up", 1)

    def storm(interval: str) -> None:
        """Many signals while the file changes, now and then to a broken one."""
        for number in range(300):
            save("[broken" if number % 7 == 0 else text.format(f"{number + 1}ms"))
            exporter.hang_up()
            if number % 30 == 0:
                assert exporter.get("/metrics").status == 200
        save(text.format(interval))
        exporter.hang_up()
        exporter.wait_for("fail2ban_probe_interval_seconds", float(interval.removesuffix("s")))

    storm("2s")
    before = Reading.of(exporter.pid)
    for interval in ("3s", "4s", "5s"):
        storm(interval)
    after = Reading.of(exporter.pid)

    print(f"memory {(after.memory - before.memory) / 1e6:+.2f} MB")
    assert exporter.value("fail2ban_up") == 1, exporter.log()[-5000:]
    assert exporter.value("fail2ban_exporter_config_last_reload_successful") == 1
    assert after.threads == before.threads
    assert after.descriptors <= before.descriptors + 1  # the scrape that is being closed
    assert after.memory < before.memory + 5_000_000
    assert "Traceback" not in exporter.log()
    assert exporter.stop()[0] == 0


def run(flags: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the exporter, and do not wait until it is up."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "exporter", "--web.listen-address=127.0.0.1:0", *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


MOMENTS = 18


def test_sigterm_at_any_moment_ends_it_with_status_0_and_the_state_written(
    server: RealFail2ban, tmp_path: Path
) -> None:
    """From its first log line on: before that it has done nothing yet, and the system's own default ends it."""
    moments = random.Random(1)  # noqa: S311 - odd moments, not secret ones
    state = tmp_path / "state.json"
    flags = [f"--fail2ban.socket={server.socket}", "--probe.interval=10ms", f"--recovery.state-file={state}"]
    slowest = 0.0
    for number in range(MOMENTS):
        log = tmp_path / f"exporter-{number}.log"
        process = run(flags, log)
        try:
            wait_until(lambda: "event=started" in log.read_text(encoding="utf-8"), "it has begun")  # noqa: B023
            _at_an_odd_moment(number % 6, process, server, moments)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            status = process.wait(DEADLINE)
            slowest = max(slowest, time.monotonic() - started)
        finally:
            process.kill()
            process.wait()
        text = log.read_text(encoding="utf-8")
        assert status == 0, text
        assert "Traceback" not in text
        assert text.splitlines()[-1].count("event=stopped") == 1
        if state.exists():
            json.loads(state.read_text(encoding="utf-8"))
        assert not list(tmp_path.glob(".state*")), "half a state was left"
        if server.exit_status is not None:
            server.start()
        server.sigcont()

    print(f"{MOMENTS} times, the slowest took {slowest:.2f} s")
    assert slowest < 2.0


def _at_an_odd_moment(
    kind: int, process: subprocess.Popen[bytes], server: RealFail2ban, moments: random.Random
) -> None:
    """Be in the middle of something, or wait for a part of a second."""
    things: dict[int, Callable[[], object]] = {
        1: lambda: process.send_signal(signal.SIGHUP),
        2: server.sigstop,
        3: server.kill,
        4: lambda: [process.send_signal(each) for each in [signal.SIGHUP] * 20],  # type: ignore[func-returns-value]
        5: lambda: process.send_signal(signal.SIGTERM),
    }
    threading.Event().wait(moments.random() * 0.3)
    things.get(kind, lambda: None)()


def test_before_its_first_line_sigterm_ends_it_in_silence(tmp_path: Path) -> None:
    log = tmp_path / "exporter.log"
    process = run([f"--fail2ban.socket={tmp_path}/none"], log)
    try:
        wait_until(Path(f"/proc/{process.pid}/exe").exists, "it runs")
        process.send_signal(signal.SIGTERM)

        assert process.wait(DEADLINE) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text(encoding="utf-8")
