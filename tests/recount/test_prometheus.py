"""What a real Prometheus adds up over restarts is what was banned."""

from contextlib import ExitStack
from pathlib import Path

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.monitoring.prometheus import Host, Prometheus
from tests.real_fail2ban import RealFail2ban
from tests.recount.sequences import JAILS
from tests.waiting import wait_until

BANS = 'fail2ban_jail_bans_total{jail="long"}'
SLACK = 0.5
"""Prometheus reckons with what may have happened before the first sample and after the latest."""


def test_a_real_prometheus_adds_up_each_ban_once_whoever_is_restarted(tmp_path: Path) -> None:
    for name in ("fail2ban", "history"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        fail2ban = stack.enter_context(RealFail2ban(programs.fail2ban("1.1.1"), tmp_path / "fail2ban", JAILS))
        fail2ban.start()
        prometheus = stack.enter_context(
            Prometheus("prometheus-2.42", tmp_path / "prometheus", {"groups": []}, None, tmp_path / "history")
        )

        def run_exporter() -> ExporterProgram:
            state = tmp_path / "state.json"
            flags = (f"--fail2ban.socket={fail2ban.socket}", "--fail2ban.config-dir=", "--probe.interval=4s")
            exporter = ExporterProgram(*flags, f"--recovery.state-file={state}", log=tmp_path / "exporter.log")
            stack.enter_context(exporter)
            prometheus.scrape([Host("host.example:9191", f"127.0.0.1:{exporter.port}")])
            return exporter

        def ban(first: int, last: int) -> None:
            for number in range(first, last + 1):
                fail2ban.fail("long", f"203.0.113.{number}")
                fail2ban.wait_banned("long", f"203.0.113.{number}")

        def wait_scraped(value: int) -> None:
            wait_until(
                lambda: prometheus.query(f"{BANS} == {value}") != [], lambda: f"{value}: {prometheus.query(BANS)}"
            )

        exporter = run_exporter()
        wait_scraped(0)
        ban(1, 3)
        wait_scraped(3)

        fail2ban.restart()
        wait_scraped(0)
        ban(4, 5)
        wait_scraped(2)

        # As many new ones as were shown before: the count has to fall first, or they would be nothing new.
        exporter.kill()
        fail2ban.kill()
        fail2ban.start()
        ban(6, 7)
        exporter = run_exporter()
        wait_until(lambda: prometheus.query(f"resets({BANS}[5m]) == 2") != [], "it has fallen")
        wait_scraped(2)

        fail2ban.client("restart", "long")
        wait_until(lambda: prometheus.query(f"resets({BANS}[5m]) == 3") != [], "it has fallen")
        ban(8, 8)
        wait_scraped(1)

        [(_, grown)] = prometheus.query(f"increase({BANS}[5m])")
        assert abs(grown - 8) < SLACK
