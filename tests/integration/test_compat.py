"""The names of the older Go exporter come and go with the setting, without a restart."""

from pathlib import Path

from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail
from tests.waiting import wait_until


def test_sighup_brings_the_older_names_and_takes_them_away_again(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    server.start()
    settings = tmp_path / "settings.toml"
    settings.touch()
    exporter = run_exporter(f"--config.file={settings}", f"--fail2ban.socket={server.socket}")
    exporter.wait_for("fail2ban_jail_up", 1, jail="sshd")
    assert "f2b_" not in exporter.get("/metrics").body

    settings.write_text('[metrics]\ncompat = "f2b"\n')
    exporter.hang_up()
    exporter.wait_for("f2b_up", 1)

    assert exporter.value("f2b_jail_banned_total", jail="sshd") == 0
    assert "f2b_errors" in exporter.get("/metrics?name[]=f2b_errors").body
    openmetrics = exporter.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"}).body
    assert "# TYPE f2b_errors unknown\n" in openmetrics

    settings.write_text('[metrics]\ncompat = "f3b"\n')
    exporter.hang_up()
    wait_until(lambda: exporter.events("reload_failed") != [], "the faulty value is refused")
    [refused] = exporter.events("reload_failed")
    assert "metrics.compat: 'f3b' from key metrics.compat in" in refused
    assert "not one of them; accepted: f2b; empty for none" in refused
    assert exporter.value("f2b_up") == 1

    settings.write_text("")
    exporter.hang_up()
    exporter.wait_for("f2b_up", None)
    assert "f2b_" not in exporter.get("/metrics").body
