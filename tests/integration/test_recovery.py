"""Whoever enabled a jail and now has no guard must be told which jail, for as long as it lasts and no longer."""

import random
from pathlib import Path

import pytest

from tests.exporter_program import ExporterProgram
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until

VERSIONS = ("1.0.2", "1.1.1")
GOOD, OTHER = Jail("sshd"), Jail("web")
NO_LOG_FILE = "/nonexistent/app.log"


def bad(name: str = "broken") -> Jail:
    """A jail whose log file doesn't exist: fail2ban refuses to start with it."""
    return Jail(name, log_file=NO_LOG_FILE)


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest, make_fail2ban: MakeFail2ban) -> RealFail2ban:
    """A running server with one good jail."""
    running = make_fail2ban(request.param, [GOOD])
    running.start()
    return running


def watch(server: RealFail2ban, run_exporter: RunExporter, *flags: str) -> ExporterProgram:
    """An exporter that has seen the server past its start, when jails that appear are only being started."""
    exporter = run_exporter(
        f"--fail2ban.socket={server.socket}",
        f"--fail2ban.config-dir={server.config}",
        "--probe.interval=1s",
        "--web.enable-lifecycle",
        *flags,
    )
    exporter.wait_for("fail2ban_up", 1)
    return exporter


def pending(exporter: ExporterProgram, jail: str) -> float | None:
    return exporter.value("fail2ban_pending_recovery", jail=jail)


def failures(exporter: ExporterProgram, jail: str) -> float | None:
    return exporter.value("fail2ban_activation_failures_total", jail=jail)


def activations(exporter: ExporterProgram) -> float:
    return sum(value for (name, _), value in exporter.scrape().items() if name == "fail2ban_activations_total")


def enable(server: RealFail2ban, exporter: ExporterProgram, *jails: Jail) -> None:
    """Write a configuration with these jails, and wait until the exporter has taken note of the last."""
    server.configure([GOOD, *jails])
    wait_until(
        lambda: exporter.value("fail2ban_jail_activation_timestamp_seconds", jail=jails[-1].name) is not None,
        lambda: f"the activation is seen: {exporter.log()}",
    )


def test_a_jail_that_keeps_fail2ban_from_starting_is_named_until_fail2ban_is_back(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watch(server, run_exporter, "--recovery.grace=2s")
    enable(server, exporter, bad())
    assert pending(exporter, "broken") == 0
    assert failures(exporter, "broken") == 0

    server.stop()
    seconds = exporter.wait_for("fail2ban_pending_recovery", 1, jail="broken")
    server.start(wait=False)
    server.wait_exit()

    print(f"named {seconds:.1f} s after the stop, with a grace of 2 s")
    assert exporter.value("fail2ban_pending_recoveries") == 1
    assert failures(exporter, "broken") == 1
    assert exporter.value("fail2ban_pending_recovery_detected_timestamp_seconds", jail="broken") is not None
    assert exporter.status()["pending_recoveries"][0]["jail"] == "broken"
    assert "broken" in exporter.get("/").body
    assert exporter.value("fail2ban_jail_up", jail="broken") == 0
    assert pending(exporter, "sshd") in (None, 0)

    server.configure([GOOD])
    server.start()
    exporter.wait_state("online")

    exporter.wait_for("fail2ban_pending_recovery", 0, jail="broken")
    assert exporter.value("fail2ban_recoveries_total") == 1
    assert failures(exporter, "broken") == 1
    assert exporter.status()["pending_recoveries"] == []


def test_edited_then_restarted_long_after_the_window_and_refused_it_is_named(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watch(server, run_exporter, "--recovery.window=1s", "--recovery.grace=1s")
    enable(server, exporter, bad())
    activated = exporter.value("fail2ban_jail_activation_timestamp_seconds", jail="broken") or 0
    wait_until(
        lambda: (exporter.value("fail2ban_probe_last_timestamp_seconds") or 0) > activated + 4, "the window is over"
    )

    server.stop()
    server.start(wait=False)
    assert server.wait_exit() != 0

    exporter.wait_for("fail2ban_pending_recovery", 1, jail="broken")
    assert failures(exporter, "broken") == 1


def test_a_good_deployment_names_nobody_and_counts_one_activation(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watch(server, run_exporter)
    enable(server, exporter, OTHER)

    server.restart()
    exporter.wait_for("fail2ban_jail_up", 1, jail="web")
    exporter.wait_for("fail2ban_server_restarts_total", 1)

    assert pending(exporter, "web") == 0
    assert failures(exporter, "web") == 0
    assert activations(exporter) == 1
    assert exporter.value("fail2ban_recoveries_total") == 0


def test_a_jail_that_crashes_fail2ban_right_after_a_reload_is_named_even_if_it_is_up_again_at_once(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watch(server, run_exporter)
    enable(server, exporter, OTHER)
    server.client("reload")
    exporter.wait_for("fail2ban_jail_up", 1, jail="web")

    server.kill()
    server.start()

    exporter.wait_for("fail2ban_activation_failures_total", 1, jail="web")
    exporter.wait_for("fail2ban_recoveries_total", 1)
    assert pending(exporter, "web") == 0
    assert activations(exporter) == 1
    assert exporter.value("fail2ban_server_exits_total", kind="crash") == 1


def test_a_crash_that_no_activation_came_before_names_nobody(server: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = watch(server, run_exporter, "--recovery.grace=1s")

    server.kill()
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    exporter.wait_for("fail2ban_probe_consecutive_failures", 4)

    assert exporter.value("fail2ban_pending_recoveries") == 0
    assert exporter.value("fail2ban_state", fail2ban_state="offline") == 1


def test_a_crash_long_after_the_activation_names_nobody(server: RealFail2ban, run_exporter: RunExporter) -> None:
    exporter = watch(server, run_exporter, "--recovery.grace=1s")
    crashed_at = exporter.value("fail2ban_probe_last_timestamp_seconds") or 0
    report = exporter.post("/-/activations", {"jail": "sshd", "at": crashed_at - 90})
    assert report.status == 202
    exporter.wait_for("fail2ban_activations_total", 1, source="reported")

    server.kill()
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    exporter.wait_for("fail2ban_probe_consecutive_failures", 4)

    assert exporter.value("fail2ban_pending_recoveries") == 0
    assert failures(exporter, "sshd") == 0


def test_a_report_names_the_jail_and_the_same_report_twice_counts_once(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watch(server, run_exporter)
    for _ in range(2):
        assert exporter.post("/-/activations", {"jail": "sshd"}).status == 202
    exporter.wait_for("fail2ban_activations_total", 1, source="reported")

    server.kill()

    exporter.wait_for("fail2ban_pending_recovery", 1, jail="sshd")
    assert activations(exporter) == 1
    assert exporter.post("/-/probe").json()["pending_recoveries"][0]["jail"] == "sshd"

    server.start()
    assert exporter.post("/-/probe").json()["state"] == "online"
    exporter.wait_for("fail2ban_pending_recovery", 0, jail="sshd")


@pytest.mark.parametrize("restarted", [False, True], ids=["still-down", "up-again"])
def test_a_crash_while_the_exporter_was_down_is_found_and_nothing_is_counted_twice(
    server: RealFail2ban, run_exporter: RunExporter, tmp_path: Path, *, restarted: bool
) -> None:
    state = f"--recovery.state-file={tmp_path}/state.json"
    first = watch(server, run_exporter, state)
    enable(server, first, OTHER)
    server.client("reload")
    first.wait_for("fail2ban_jail_up", 1, jail="web")
    first.kill()

    server.kill()
    if restarted:
        server.start()
    second = run_exporter(
        f"--fail2ban.socket={server.socket}", f"--fail2ban.config-dir={server.config}", "--probe.interval=1s", state
    )

    exits = "unknown" if restarted else "crash"  # a new server has removed what the crash left behind
    second.wait_for("fail2ban_server_exits_total", 1, kind=exits)
    assert activations(second) == 1
    if not restarted:
        second.wait_for("fail2ban_pending_recovery", 1, jail="web")
        server.start()
        second.wait_for("fail2ban_pending_recovery", 0, jail="web")
        assert failures(second, "web") == 1
        assert second.value("fail2ban_recoveries_total") == 1
    assert second.value("fail2ban_server_restarts_total") == 1


def test_whatever_moment_the_exporter_is_killed_at_nothing_is_lost_and_nothing_counted_twice(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    """50 kills at odd moments of a run of activations, crashes and restarts."""
    server = make_fail2ban("1.1.1", [GOOD])
    server.start()
    state = tmp_path / "state.json"
    flags = (
        f"--fail2ban.socket={server.socket}",
        f"--fail2ban.config-dir={server.config}",
        "--probe.interval=100ms",
        "--web.enable-lifecycle",
        f"--recovery.state-file={state}",
    )
    moments = random.Random(1)  # noqa: S311 - odd moments, not secret ones
    before: dict[str, float] = {}
    for number in range(50):
        exporter = run_exporter(*flags)
        wait_until(lambda: exporter.get("/-/ready").status == 200, "the first probe has ended")  # noqa: B023
        now = recovery_counters(exporter)
        lower = {name: (value, now.get(name)) for name, value in before.items() if now.get(name, 0) < value}
        assert lower == {}, exporter.log()
        assert "state_file_corrupt" not in exporter.log()
        if number % 5 == 1:
            exporter.post("/-/activations", {"jail": f"jail-{number}"})
        if number % 10 == 2:
            server.kill()
        if number % 10 == 4:
            server.start()
        # Only what was published is owed: it is in the file before it is in a scrape.
        for _ in range(1 + moments.randrange(5)):
            before = recovery_counters(exporter)
        exporter.kill()

    last = run_exporter(*flags)
    last.wait_state("online")
    counters = recovery_counters(last)
    reported = [name for name in counters if name.startswith("fail2ban_activations_total")]
    assert sum(counters[name] for name in reported) <= 10
    assert counters["fail2ban_server_restarts_total()"] == 5
    exits = sum(value for name, value in counters.items() if name.startswith("fail2ban_server_exits_total"))
    assert exits == 5


def recovery_counters(exporter: ExporterProgram) -> dict[str, float]:
    """What must survive: counters of activations, blame, recoveries, exits and restarts."""
    kept = ("fail2ban_activation", "fail2ban_recoveries", "fail2ban_server_exits", "fail2ban_server_restarts")
    return {
        f"{name}{labels}": value
        for (name, labels), value in exporter.scrape().items()
        if name.startswith(kept) and name.endswith("_total")
    }
