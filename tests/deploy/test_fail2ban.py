"""The jail is copied as it is: what it says must fit the exporter's settings, and the drop-in of its service."""

import configparser
import re
import subprocess
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

import pytest

from exporter import durations
from exporter.canary import failures
from exporter.settings import Settings
from tests import programs
from tests.dashboards.rule_files import ROOT

SHIPPED: Final = ROOT / "deploy" / "fail2ban"
NAME: Final = "fail2ban-exporter-canary"


def section(path: str, name: str) -> dict[str, str]:
    """One section of a shipped file; the file may have no other."""
    parser = configparser.RawConfigParser()
    parser.read_string((SHIPPED / path).read_text(encoding="utf-8"))
    assert parser.sections() == [name]
    return dict(parser[name])


JAIL: Final = section(f"jail.d/{NAME}.conf", NAME)


def test_the_jail_is_the_one_that_the_exporter_watches_by_default() -> None:
    assert Settings().canary.jail == NAME
    assert (JAIL["enabled"], JAIL["filter"], JAIL["action"]) == ("true", NAME, NAME)


def test_the_drop_in_has_the_exporter_write_where_the_jail_looks() -> None:
    service = (SHIPPED / "fail2ban-exporter.service.d/canary.conf").read_text(encoding="utf-8")
    (path,) = re.findall(r"^Environment=FAIL2BAN_EXPORTER_CANARY__LOG_FILE=(.*)$", service, re.MULTILINE)
    (folder,) = re.findall(r"^LogsDirectory=(.*)$", service, re.MULTILINE)

    assert path.replace("%L", "/var/log") == JAIL["logpath"]
    assert Path(JAIL["logpath"]).parent == Path("/var/log") / folder


def test_a_ban_is_over_before_the_next_attack_and_no_attacker_is_banned_late() -> None:
    canary = Settings().canary

    assert durations.parse(JAIL["bantime"]) < canary.interval
    assert canary.timeout < durations.parse(JAIL["findtime"]) < canary.interval
    assert JAIL["bantime.increment"] == "false"


def test_the_action_does_nothing() -> None:
    assert set(section(f"action.d/{NAME}.conf", "Definition").values()) == {""}


@pytest.mark.parametrize("version", programs.FAIL2BAN_VERSIONS)
@pytest.mark.parametrize(
    ("rest", "matches"),
    [
        pytest.param("fail2ban-exporter-canary: failure 1 of 3 from 2001:db8::7", 1, id="the file's"),
        pytest.param("host fail2ban-exporter-canary: failure 3 of 3 from 2001:db8::7", 1, id="the journal's"),
        pytest.param("host fail2ban-exporter-canary[42]: failure 3 of 3 from 2001:db8::7", 1, id="with a process"),
        pytest.param("fail2ban-exporter-canary: failure 1 of 3 from example.com", 0, id="a name"),
        pytest.param("fail2ban-exporter-canary: failure 1 of 3 from 2001:db8::7 or so", 0, id="more of it"),
        pytest.param("sshd: said fail2ban-exporter-canary: failure 1 of 3 from 2001:db8::7", 0, id="quoted"),
    ],
)
def test_the_filter_matches_what_the_canary_writes_and_nothing_else(
    version: str, rest: str, matches: int, tmp_path: Path
) -> None:
    assert _matches(version, f"2026-01-02 03:04:05+0000 {rest}\n", tmp_path) == matches


@pytest.mark.parametrize("version", programs.FAIL2BAN_VERSIONS)
def test_the_filter_matches_every_line_of_an_attack(version: str, tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    failures.write(log, IPv6Address("2001:db8::7"), 5, 1_700_000_000.0)

    assert _matches(version, log.read_text(encoding="utf-8"), tmp_path) == 5


def _matches(version: str, lines: str, folder: Path) -> int:
    install = programs.fail2ban(version)
    log = folder / "lines.log"
    log.write_text(lines, encoding="utf-8")
    done = subprocess.run(
        [*install.client[:-1], install.root / "usr/bin/fail2ban-regex", log, SHIPPED / "filter.d" / f"{NAME}.conf"],
        env=install.environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = re.search(r"Lines: (\d+) lines, (\d+) ignored, (\d+) matched", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert int(found[1]) == lines.count("\n")
    return int(found[3])
