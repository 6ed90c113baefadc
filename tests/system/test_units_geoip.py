"""Counting bans by country under the units' own rights, on the machine as the tests of the units have left it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.geoip import databases
from tests.system.debian import say
from tests.system.machine import Machine
from tests.system.readme import geoip_settings

UNIT = "fail2ban-exporter.service"
_COUNTRY = "fail2ban_jail_banned_ips_by_country"
_FILE = "/var/lib/GeoIP/GeoLite2-Country.mmdb"


def _put(machine: Machine, path: Path) -> None:
    """Put a database in its place there, for nobody but root and in the way in which `geoipupdate` does."""
    content = base64.b64encode(path.read_bytes()).decode()
    machine.run(
        f"mkdir -p /var/lib/GeoIP; umask 077; echo {content} | base64 -d > {_FILE}.new && mv {_FILE}.new {_FILE}"
    )


@pytest.mark.parametrize("variant", ["socket", "plain"])
def test_as_a_service_it_counts_by_a_database_of_root_s_and_takes_over_a_new_one(
    machine: Machine, variant: str, tmp_path: Path
) -> None:
    _put(machine, databases.write(tmp_path / "c.mmdb", databases.COUNTRIES))
    machine.run("touch /var/log/auth.log")
    machine.run("dpkg-query --status fail2ban || DEBIAN_FRONTEND=noninteractive dpkg --install /debs/*.deb")
    machine.run(
        r"printf '[sshd]\nbackend = auto\nlogpath = /var/log/auth.log\n' > /etc/fail2ban/jail.d/zz-geoip.local;"
        "systemctl restart fail2ban"
    )
    machine.try_run(
        f"systemctl disable --now fail2ban-exporter.socket {UNIT}; rm -f /etc/systemd/system/fail2ban-exp*.*"
    )
    machine.run(f"cp /src/deploy/systemd/{variant}/fail2ban-exporter.* /etc/systemd/system/; systemctl daemon-reload")
    machine.run("printf 'FAIL2BAN_EXPORTER_GEOIP__INTERVAL=1s\\n' > /etc/default/fail2ban-exporter")
    if variant == "socket":
        machine.run("systemctl start fail2ban-exporter.socket")

    machine.run(geoip_settings())

    machine.wait_for("fail2ban_geoip_count_success", 1)
    machine.run("fail2ban-client set sshd banip 192.0.2.1 2001:db8::1")
    machine.wait_for(_COUNTRY, 1, jail="sshd", country="DE")
    machine.wait_for("fail2ban_jail_banned_ips_by_family", 1, jail="sshd", family="ipv6")
    _put(machine, databases.write(tmp_path / "c.mmdb", {"192.0.2.0/24": databases.country("PL")}))
    machine.wait_for(_COUNTRY, 1, jail="sshd", country="PL")
    machine.run(f"truncate --size=10 {_FILE}")
    machine.wait_for("fail2ban_geoip_database_reload_success", 0, database="country")
    assert 1 == machine.value(_COUNTRY, jail="sshd", country="PL")
    machine.run("fail2ban-client unban --all")
    say(f"{variant}: bans counted by country under the unit's rights, a new database taken over, a broken one not")
