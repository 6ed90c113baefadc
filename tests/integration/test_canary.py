"""The canary against real fail2ban servers, with the jail, the filter and the action that are shipped for it.

If it were wrong, people would believe in a guard that bans nobody, or be woken by one that does.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.canary import failures
from tests.exporter_program import ExporterProgram, key
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import DEADLINE, wait_until

SHIPPED = Path(__file__).parents[2] / "deploy" / "fail2ban"
CANARY = "fail2ban-exporter-canary"
VERSIONS = ("1.0.2", "1.1.1")
EVERY_VERSION = pytest.mark.parametrize("version", VERSIONS)
INTERVAL, TIMEOUT = 6.0, 5.0

StartGuard = Callable[..., RealFail2ban]


@pytest.fixture
def start_guard(make_fail2ban: MakeFail2ban) -> StartGuard:
    """A factory: a running server of a version, with the canary's jail as it is shipped but for where its log is."""

    def start(version: str, backend: str = "polling", log: Path | None = None) -> RealFail2ban:
        libraries = ["pyinotify"] if backend == "pyinotify" else []
        server = make_fail2ban(version, [Jail("sshd"), Jail(CANARY)], libraries=libraries)
        shutil.copytree(SHIPPED, server.config, dirs_exist_ok=True)
        log = log or server.log_path(CANARY)
        (server.config / "jail.local").write_text(f"[{CANARY}]\nlogpath = {log}\nbackend = {backend}\n", "utf-8")
        server.start()
        return server

    return start


def flags(  # noqa: PLR0913 - each has a default
    server: RealFail2ban,
    *,
    interval: float = INTERVAL,
    timeout: float = TIMEOUT,
    log: Path | None = None,
    probe: str = "1s",
    on: bool = True,
) -> list[str]:
    return [
        f"--fail2ban.socket={server.socket}",
        "--fail2ban.config-dir=",
        f"--probe.interval={probe}",
        f"--canary.log-file={(log or server.log_path(CANARY)) if on else ''}",
        f"--canary.interval={interval}s",
        f"--canary.timeout={timeout}s",
    ]


def runs(exporter: ExporterProgram, result: str = "success") -> float:
    return exporter.value("fail2ban_canary_runs_total", result=result) or 0.0


def probes(exporter: ExporterProgram) -> float:
    return exporter.value("fail2ban_probe_duration_seconds_count") or 0.0


def wait_runs(exporter: ExporterProgram, number: int, result: str = "success") -> None:
    wait_until(
        lambda: runs(exporter, result) >= number,
        lambda: f"{number} runs end in {result}: {exporter.scrape()} {exporter.log()}",
    )


@pytest.mark.parametrize("backend", ["polling", "pyinotify"])
@EVERY_VERSION
def test_the_canary_is_really_banned_and_the_delay_is_measured(
    version: str, backend: str, start_guard: StartGuard, run_exporter: RunExporter
) -> None:
    server = start_guard(version, backend)
    exporter = run_exporter(*flags(server, interval=3, timeout=2.9))
    wait_runs(exporter, 3)

    found = exporter.scrape()
    bans = [line for line in server.log_lines() if re.search(rf"NOTICE\s+\[{CANARY}\] Ban 2001:db8:", line)]
    count, total = (found[key(f"fail2ban_canary_ban_delay_seconds_{what}")] for what in ("count", "sum"))
    print(f"fail2ban {version}, {backend}: {count:.0f} bans, {total / count:.2f} s each on average")
    assert found[key("fail2ban_canary_up")] == 1
    assert found[key("fail2ban_canary_runs_total", result="success")] == count
    assert len(bans) >= 3
    assert len({line.split()[-1] for line in bans}) == len(bans)
    assert 0 < found[key("fail2ban_canary_last_ban_delay_seconds")] <= 2.9 + 1
    assert abs(time.time() - found[key("fail2ban_canary_last_success_timestamp_seconds")]) < DEADLINE
    assert server.complaints() == []


@EVERY_VERSION
def test_a_jail_that_is_idle_is_found_out_within_the_timeout_while_fail2ban_is_up(
    version: str, start_guard: StartGuard, run_exporter: RunExporter
) -> None:
    server = start_guard(version)
    exporter = run_exporter(*flags(server))
    wait_runs(exporter, 1)

    server.client("set", CANARY, "idle", "on")
    took = exporter.wait_for("fail2ban_canary_up", 0)
    idle = exporter.scrape()
    concerns = exporter.status()["concerns"]
    server.client("set", CANARY, "idle", "off")
    exporter.wait_for("fail2ban_canary_up", 1)

    print(f"fail2ban {version}: idle for {took:.1f} s when the canary failed")
    assert idle[key("fail2ban_up")] == 1
    assert idle[key("fail2ban_canary_runs_total", result="timeout")] == 1
    assert took <= INTERVAL + TIMEOUT + 5
    assert ["was not banned in time" in each["problem"] for each in concerns] == [True]
    assert exporter.status()["concerns"] == []
    assert [len(exporter.events(name)) for name in ("canary_banned", "canary_not_banned")] == [2, 1]


@EVERY_VERSION
def test_a_filter_that_is_blocked_is_found_out_within_the_timeout_while_fail2ban_is_up(
    version: str, start_guard: StartGuard, run_exporter: RunExporter, tmp_path: Path
) -> None:
    # Another name of the same file: in its place the filter meets a pipe, and the exporter writes on.
    own, alias = tmp_path / "own.log", tmp_path / "alias.log"
    own.touch()
    alias.hardlink_to(own)
    server = start_guard(version, log=alias)
    exporter = run_exporter(*flags(server, log=own))
    wait_runs(exporter, 1)

    alias.unlink()
    os.mkfifo(alias)
    took = exporter.wait_for("fail2ban_canary_up", 0)
    blocked = exporter.scrape()
    os.close(os.open(alias, os.O_WRONLY | os.O_NONBLOCK))  # lets the filter go; there is nobody to let go, or it raises
    alias.unlink()
    alias.hardlink_to(own)
    exporter.wait_for("fail2ban_canary_up", 1)

    print(f"fail2ban {version}: blocked for {took:.1f} s when the canary failed")
    assert blocked[key("fail2ban_up")] == 1
    assert blocked[key("fail2ban_canary_runs_total", result="timeout")] >= 1
    assert took <= INTERVAL + TIMEOUT + 5


def test_a_log_file_replaced_by_a_pipe_is_an_error_and_lets_nobody_wait(
    start_guard: StartGuard, run_exporter: RunExporter
) -> None:
    server = start_guard("1.1.1")
    log = server.log_path(CANARY)
    exporter = run_exporter(*flags(server))
    wait_runs(exporter, 1)

    log.unlink()
    os.mkfifo(log)
    exporter.wait_for("fail2ban_canary_up", 0)
    pipe = exporter.scrape()
    os.close(os.open(log, os.O_WRONLY | os.O_NONBLOCK))
    log.unlink()
    exporter.wait_for("fail2ban_canary_up", 1)

    assert pipe[key("fail2ban_up")] == 1
    assert pipe[key("fail2ban_canary_runs_total", result="log_file_error")] >= 1
    assert log.stat().st_mode & 0o7777 in {0o640, 0o600}


@EVERY_VERSION
def test_fail2ban_going_away_is_no_failure_of_the_canary_and_nothing_is_written_meanwhile(
    version: str, start_guard: StartGuard, run_exporter: RunExporter
) -> None:
    server = start_guard(version)
    exporter = run_exporter(*flags(server))
    wait_runs(exporter, 1)
    server.client("set", CANARY, "idle", "on")
    size = server.log_path(CANARY).stat().st_size
    wait_until(lambda: server.log_path(CANARY).stat().st_size > size, "an attack is under way")

    server.kill()
    exporter.wait_state("offline")
    wait_runs(exporter, 1, "interrupted")
    size = server.log_path(CANARY).stat().st_size
    probes = exporter.value("fail2ban_probe_consecutive_failures") or 0
    wait_until(lambda: (exporter.value("fail2ban_probe_consecutive_failures") or 0) >= probes + 5, "time passes")
    assert server.log_path(CANARY).stat().st_size == size
    server.start()
    wait_runs(exporter, 2)

    assert [runs(exporter, result) for result in ("timeout", "jail_missing", "log_file_error", "internal_error")] == [
        0
    ] * 4
    assert exporter.value("fail2ban_canary_up") == 1


def test_a_jail_that_does_not_run_is_told_without_a_line_in_fail2bans_log(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter
) -> None:
    server = make_fail2ban("1.0.2", [Jail("sshd")])
    server.start()
    exporter = run_exporter(*flags(server, interval=1, timeout=0.5))

    wait_runs(exporter, 2, "jail_missing")

    assert exporter.value("fail2ban_canary_up") == 0
    assert server.complaints() == []
    assert server.log_path(CANARY).read_bytes() == b""


@pytest.mark.parametrize("backend", ["polling", "pyinotify"])
@pytest.mark.parametrize("version", ["0.11.2", *VERSIONS])
def test_a_log_file_that_is_emptied_when_it_has_grown_loses_no_attacker(
    version: str, backend: str, start_guard: StartGuard
) -> None:
    server = start_guard(version, backend)
    log = server.log_path(CANARY)
    sizes = []

    for attacker in [failures.fresh_attacker() for _ in range(5)]:
        # So many failures that the third and the fifth attack find the file too large.
        failures.write(log, attacker, failures.MAX_LINES, time.time())
        server.wait_banned(CANARY, str(attacker))
        sizes.append(log.stat().st_size)

    assert [latter < former for former, latter in pairwise(sizes)] == [False, True, False, True]
    assert server.complaints() == []


def test_it_is_turned_on_off_and_on_by_a_reload(
    start_guard: StartGuard, run_exporter: RunExporter, tmp_path: Path
) -> None:
    server = start_guard("1.1.1")
    config = tmp_path / "exporter.toml"
    config.write_text("", "utf-8")
    on = f'[canary]\nlog-file = "{server.log_path(CANARY)}"\ninterval = "3s"\ntimeout = "2.9s"\n'
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--fail2ban.config-dir=", f"--config.file={config}")
    off = [name for name, _ in exporter.scrape() if "canary" in name]

    config.write_text(on, "utf-8")
    exporter.hang_up()
    wait_runs(exporter, 1)
    config.write_text("", "utf-8")
    exporter.hang_up()
    exporter.wait_for("fail2ban_canary_up", None)
    off_again = [name for name, _ in exporter.scrape() if "canary" in name]
    config.write_text(on, "utf-8")
    exporter.hang_up()
    wait_runs(exporter, 1)

    assert off == off_again == []
    status, seconds = exporter.stop()
    assert status == 0
    assert seconds < 5


def test_what_a_probe_costs_with_the_canary_on_is_there_to_be_compared(
    start_guard: StartGuard, run_exporter: RunExporter
) -> None:
    server = start_guard("1.1.1")
    on, off = (run_exporter(*flags(server, interval=3, timeout=2.9, probe="20ms", on=on)) for on in (True, False))

    # Both at once and looked at alike, so that whatever else the machine does befalls both.
    wait_until(lambda: min([probes(one) for one in (on, off)]) >= 600, lambda: f"{on.log()} {off.log()}")
    seconds = [one.scrape()[key("fail2ban_probe_duration_seconds_sum")] / probes(one) for one in (on, off)]
    wait_runs(on, 1)

    print(f"a probe takes {seconds[0] * 1e6:.0f} us with the canary on, {seconds[1] * 1e6:.0f} us with it off")
    assert on.value("fail2ban_probe_consecutive_failures") == 0
    assert off.value("fail2ban_canary_up") is None
