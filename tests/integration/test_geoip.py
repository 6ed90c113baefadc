"""Bans of real fail2ban servers, counted by family, country and network, as Prometheus gets to see them."""

import json
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from exporter.geoip.process import Helper
from tests.exporter_program import ExporterProgram, Samples
from tests.fakes import FakeServer, good
from tests.geoip import databases
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.programs import FAIL2BAN_VERSIONS
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until

COUNTRY = "fail2ban_jail_banned_ips_by_country"
FAMILY = "fail2ban_jail_banned_ips_by_family"
ASN = "fail2ban_jail_banned_ips_by_asn"
RELOADED = "fail2ban_geoip_database_reload_success"


def _labels(scraped: Samples, name: str, label: str, jail: str) -> dict[str, float]:
    found = {}
    for (metric, labels), value in scraped.items():
        if metric == name and dict(labels)["jail"] == jail:
            found[dict(labels)[label]] = value
    return found


def _flags(server: RealFail2ban, *flags: str) -> list[str]:
    return [f"--fail2ban.socket={server.socket}", "--fail2ban.config-dir=", *flags]


@pytest.fixture
def country(tmp_path: Path) -> Path:
    return databases.write(tmp_path / "country.mmdb", databases.COUNTRIES)


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    return databases.write(tmp_path / "asn.mmdb", databases.NETWORKS)


@pytest.mark.parametrize("version", FAIL2BAN_VERSIONS)
def test_real_bans_of_all_kinds_are_counted_and_add_up(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, country: Path, asn: Path, version: str
) -> None:
    server = make_fail2ban(version, [Jail("sshd", maxretry=1), Jail("web", maxretry=1), Jail("mail")])
    server.start()
    for ip in ("192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1", "203.0.113.9"):
        server.fail("sshd", ip)
    server.fail("web", "2001:db8::2")
    server.wait_banned("sshd", "192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1", "203.0.113.9")
    server.wait_banned("web", "2001:db8::2")
    server.ask(["set", "web", "banip", "192.0.2.128/25"])
    server.ask(["set", "web", "banip", "visitor"])
    server.wait_banned("web", "192.0.2.128/25", "visitor")

    exporter = run_exporter(*_flags(server, f"--geoip.database={country}", f"--geoip.asn-database={asn}"))
    exporter.wait_for("fail2ban_geoip_count_success", 1)

    scraped = exporter.scrape()
    assert {"DE": 2, "FR": 1, "NL": 1, "unknown": 1} == _labels(scraped, COUNTRY, "country", "sshd")
    assert {"DE": 1, "NL": 1, "unknown": 1} == _labels(scraped, COUNTRY, "country", "web")
    assert {} == _labels(scraped, COUNTRY, "country", "mail")
    assert {"ipv4": 4, "ipv6": 1, "other": 0} == _labels(scraped, FAMILY, "family", "sshd")
    assert {"ipv4": 1, "ipv6": 1, "other": 1} == _labels(scraped, FAMILY, "family", "web")
    assert {"ipv4": 0, "ipv6": 0, "other": 0} == _labels(scraped, FAMILY, "family", "mail")
    assert {"AS64500": 1, "AS64501": 1, "AS64502": 1, "AS64503": 1, "unknown": 1} == _labels(
        scraped, ASN, "asn", "sshd"
    )
    assert {"AS64501": 1, "AS64503": 1, "unknown": 1} == _labels(scraped, ASN, "asn", "web")
    assert [] == server.complaints()


def test_only_so_many_networks_are_told_apart(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, asn: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    ips = ("192.0.2.1", "192.0.2.102", "192.0.2.200", "198.51.100.7")
    for ip in ips:
        server.fail("sshd", ip)
    server.wait_banned("sshd", *ips)

    exporter = run_exporter(*_flags(server, f"--geoip.asn-database={asn}", "--geoip.asn-limit=1"))
    exporter.wait_for(ASN, 2, jail="sshd", asn="AS64500")

    assert {"AS64500": 2, "other": 2} == _labels(exporter.scrape(), ASN, "asn", "sshd")
    assert exporter.value(COUNTRY, jail="sshd", country="DE") is None


def test_by_default_nothing_is_asked_that_costs_fail2ban_time_for_each_ban(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    exporter = run_exporter(*_flags(server, "--probe.interval=20ms"))
    exporter.wait_for("fail2ban_up", 1)
    probes = exporter.value("fail2ban_probes_total", result="success") or 0
    wait_until(
        lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) > probes + 20, "twenty probes more"
    )

    assert not [name for name, _ in exporter.scrape() if "geoip" in name or "_by_" in name]


def test_families_need_neither_a_database_nor_the_library(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    (tmp_path / "maxminddb.py").write_text("raise ImportError")
    server = make_fail2ban("1.0.2", [Jail("sshd", maxretry=1)])
    server.start()
    server.fail("sshd", "2001:db8::1")
    server.wait_banned("sshd", "2001:db8::1")

    exporter = run_exporter(*_flags(server, "--geoip.families"), environment={"PYTHONPATH": str(tmp_path)})

    exporter.wait_for(FAMILY, 1, jail="sshd", family="ipv6")


def test_counts_follow_the_bans_and_a_replaced_database_and_stay_with_the_old_one_while_the_new_is_broken(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, country: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    server.fail("sshd", "192.0.2.1")
    server.wait_banned("sshd", "192.0.2.1")
    exporter = run_exporter(*_flags(server, f"--geoip.database={country}", "--geoip.interval=1s"))
    exporter.wait_for(COUNTRY, 1, jail="sshd", country="DE")

    os.truncate(country, 100)
    exporter.wait_for(RELOADED, 0, database="country")
    server.fail("sshd", "192.0.2.102")
    exporter.wait_for(COUNTRY, 2, jail="sshd", country="DE")
    assert 1 == len(exporter.events("geoip_database_faulty"))

    databases.write(country, {"192.0.2.0/24": databases.country("PL")})
    exporter.wait_for(COUNTRY, 2, jail="sshd", country="PL")
    assert exporter.value(COUNTRY, jail="sshd", country="DE") is None
    assert 1 == exporter.value(RELOADED, database="country")

    country.unlink()
    exporter.wait_for(RELOADED, 0, database="country")
    server.ask(["unban", "--all"])
    exporter.wait_for(COUNTRY, None, jail="sshd", country="PL")
    assert 0 == exporter.value(FAMILY, jail="sshd", family="ipv4")
    assert 1 == exporter.value("fail2ban_geoip_count_success")
    assert [] == server.complaints()


def test_while_fail2ban_is_down_nothing_is_shown_and_once_it_is_back_bans_are_counted_again(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    exporter = run_exporter(*_flags(server, "--geoip.families", "--geoip.interval=1s", "--probe.interval=200ms"))
    exporter.wait_for(FAMILY, 0, jail="sshd", family="ipv4")

    server.kill()
    exporter.wait_for("fail2ban_geoip_count_success", 0)
    assert {} == _labels(exporter.scrape(), FAMILY, "family", "sshd")

    server.start()
    exporter.wait_for(FAMILY, 0, jail="sshd", family="ipv4")
    exporter.wait_for("fail2ban_geoip_count_success", 1)


def test_a_reload_turns_it_on_and_off_and_refuses_a_broken_database(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, country: Path, tmp_path: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    server.fail("sshd", "192.0.2.1")
    server.wait_banned("sshd", "192.0.2.1")
    config = tmp_path / "exporter.toml"
    config.write_text("")
    exporter = run_exporter(*_flags(server, f"--config.file={config}", "--geoip.interval=1s"))

    config.write_text(f'[geoip]\ndatabase = "{country}"\n')
    exporter.hang_up()
    exporter.wait_for(COUNTRY, 1, jail="sshd", country="DE")

    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"rubbish")
    config.write_text(f'[geoip]\ndatabase = "{broken}"\n')
    exporter.hang_up()
    exporter.wait_for("fail2ban_exporter_config_last_reload_successful", 0)
    assert "broken.mmdb: no MaxMind database" in exporter.events("reload_failed")[0]
    assert 1 == exporter.value(COUNTRY, jail="sshd", country="DE")

    config.write_text("")
    exporter.hang_up()
    exporter.wait_for("fail2ban_geoip_count_success", None)
    assert exporter.value(COUNTRY, jail="sshd", country="DE") is None


@pytest.mark.parametrize("command", ["check-config", "serve", "textfile"])
def test_a_broken_database_is_a_clear_error_at_start(tmp_path: Path, command: str) -> None:
    country, asn = tmp_path / "country.mmdb", tmp_path / "asn.mmdb"
    country.write_bytes(b"rubbish")
    flags = [f"--geoip.database={country}", f"--geoip.asn-database={asn}", "--web.listen-address=127.0.0.1:0"]
    output = [f"--output={tmp_path}/metrics.prom"] if command == "textfile" else []

    done = subprocess.run(
        [sys.executable, "-m", "exporter", command, *output, *flags],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 2 == done.returncode
    assert [
        f"geoip.database: {country}: no MaxMind database (.mmdb, unpacked), or corrupt, or cut short on its way here",
        f"geoip.asn-database: {asn}: No such file or directory",
    ] == [line.removeprefix("fail2ban-exporter: ") for line in done.stderr.splitlines()[:2]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the exporter as somebody who may not read the file")
def test_a_database_that_may_not_be_read_is_a_clear_error(country: Path) -> None:
    country.chmod(0o600)
    code = (
        "import os, sys, exporter.app, exporter.geoip; from exporter.cli import main\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "check-config", f"--geoip.database={country}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 2 == done.returncode
    assert f"geoip.database: {country}: Permission denied" in done.stderr


def test_the_simulated_fail2ban_of_the_demo_is_counted_too(run_exporter: RunExporter, tmp_path: Path) -> None:
    everything = {"0.0.0.0/1": databases.country("DE"), "128.0.0.0/1": databases.country("FR")}
    country = databases.write(tmp_path / "all.mmdb", everything)

    exporter = run_exporter(f"--geoip.database={country}", "--geoip.interval=1s", command="demo")

    wait_until(lambda: sum(_all(exporter, COUNTRY)) > 0, "some are banned")


def _all(exporter: ExporterProgram, name: str) -> list[float]:
    return [value for (metric, _), value in exporter.scrape().items() if metric == name]


def test_no_address_is_in_the_exporters_memory(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, country: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    # Not those for documentation: some of these are in the documentation of Python's modules, and so in its memory.
    ips = [str(IPv4Address("100.66.77.0") + number) for number in range(20, 220)]
    databases.write(country, {"100.66.0.0/16": databases.country("DE")})
    exporter = run_exporter(*_flags(server, f"--geoip.database={country}", "--geoip.interval=1s"))
    # Bans that were there before are looked at by the exporter itself, once, to tell whether they were restored.
    exporter.wait_for("fail2ban_jail_bans_total", 0, jail="sshd")
    server.ask(["set", "sshd", "banip", *ips], seconds=60)
    exporter.wait_for(COUNTRY, 200, jail="sshd", country="DE")

    memory = list(_memory(exporter.pid))

    assert any(b"fail2ban_jail_banned_ips_by_country" in part for part in memory)
    assert [] == [found for part in memory for found in re.findall(rb"100\.66\.77\.\d+", part)]


def _memory(pid: int) -> Iterator[bytes]:
    """All that a process can write to, but for what is no memory."""
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw") and "[v" not in line:
                first, last = (int(end, 16) for end in span.split("-"))
                memory.seek(first)
                yield memory.read(last - first)


def test_100000_bans_in_200_jails_are_counted_within_two_seconds_of_cpu(tmp_path: Path) -> None:
    codes = [chr(65 + one) + chr(65 + two) for one in range(10) for two in range(25)]
    # As many countries and networks as there are, and records as large.
    country = databases.write(
        tmp_path / "c.mmdb",
        {f"{10 + n // 256}.{n % 256}.0.0/16": databases.country(codes[n % 250]) for n in range(1024)},
    )
    asn = databases.write(
        tmp_path / "a.mmdb", {f"{10 + n // 256}.{n % 256}.0.0/16": databases.asn(64500 + n) for n in range(1024)}
    )
    ips = [str(IPv4Address("10.0.0.1") + 663 * number) for number in range(100_000)]
    bans = [{f"jail-{jail}": ips[jail::200]} for jail in range(200)]

    def script(conversation: object) -> None:
        for value in ("1.1.1", bans):
            conversation.request()  # type: ignore[attr-defined]
            conversation.reply(good(value))  # type: ignore[attr-defined]

    descriptors = {"country": os.open(country, os.O_RDONLY), "asn": os.open(asn, os.O_RDONLY)}
    with FakeServer(script) as server:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        reply = Helper().ask(
            {"task": "count", "socket": str(server.path), "asn_limit": 20, "databases": descriptors}, 60
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for descriptor in descriptors.values():
        os.close(descriptor)

    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tables = reply["tables"]
    totals = {name: sum((Counter(labels) for labels in tables[name].values()), Counter()).total() for name in tables}
    series = {name: sum(map(len, tables[name].values())) for name in tables}
    print(f"100,000 bans in 200 jails: {seconds:.2f} s of CPU; series: {json.dumps(series)}")
    assert {"family": 100_000, "country": 100_000, "asn": 100_000} == totals
    assert {"family": 600, "country": 200 * 51} == {name: series[name] for name in ("family", "country")}
    assert series["asn"] <= 200 * 21
    assert seconds < 2
