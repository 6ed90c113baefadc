"""The drop-in for the firewall's check, on the machine as the tests of the units have left it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.debian import say
from tests.system.machine import Machine
from tests.system.readme import firewall_drop_in

UNIT = "fail2ban-exporter.service"
_JAIL = (
    r"[{name}]\nenabled = true\nfilter = sshd\nbackend = auto\nlogpath = /var/log/{name}.log\nbanaction = {action}\n"
)
_KINDS = {
    "nft": ("nftables-multiport", "nft flush ruleset"),
    "sets": ("iptables-ipset-proto6", "ipset flush f2b-sets"),
    "chains": ("iptables-multiport", "iptables -F f2b-chains"),
}


@pytest.fixture(scope="module", params=["socket", "plain"])
def unit(machine: Machine, request: pytest.FixtureRequest) -> Iterator[str]:
    """The service of each variant in turn, with the drop-in, and jails that ban in each way."""
    machine.run("ip link show guard0 || ip link add guard0 type veth peer name guard1")
    jails = "".join(_JAIL.format(name=name, action=action) for name, (action, _) in _KINDS.items())
    machine.run(f"touch /var/log/auth.log {' '.join(f'/var/log/{name}.log' for name in _KINDS)}")
    machine.run("dpkg-query --status fail2ban || DEBIAN_FRONTEND=noninteractive dpkg --install /debs/*.deb")
    machine.run(f"printf '{jails}' > /etc/fail2ban/jail.d/ways.local; systemctl restart fail2ban")
    machine.try_run(
        f"systemctl disable --now fail2ban-exporter.socket {UNIT}; rm -f /etc/systemd/system/fail2ban-exp*.*"
    )
    machine.run(f"cp /src/deploy/systemd/{request.param}/fail2ban-exporter.* /etc/systemd/system/")
    machine.run("printf 'FAIL2BAN_EXPORTER_FIREWALL__INTERVAL=1s\\n' > /etc/default/fail2ban-exporter")
    machine.run("cd /src\n" + firewall_drop_in())
    started = "fail2ban-exporter.socket" if request.param == "socket" else UNIT
    machine.run(f"systemctl stop {UNIT}; systemctl start {started}")
    yield UNIT
    machine.run("rm -r /etc/systemd/system/fail2ban-exporter.service.d; systemctl daemon-reload")


@pytest.mark.usefixtures("unit")
def test_with_the_drop_in_the_service_sees_the_bans_and_misses_them_when_they_are_lost(machine: Machine) -> None:
    machine.wait_for("fail2ban_firewall_check_success", 1)
    for jail in _KINDS:
        machine.run(f"fail2ban-client set {jail} banip 192.0.2.1 198.51.100.7")
    for jail in _KINDS:
        machine.wait_for("fail2ban_jail_enforced_ips", 2, jail=jail)
        assert machine.value("fail2ban_jail_unenforced_ips", jail=jail) == 0

    for jail in reversed(_KINDS):
        machine.run(_KINDS[jail][1])
        machine.wait_for("fail2ban_jail_unenforced_ips", 2, jail=jail)

    machine.run("systemctl restart fail2ban")
    for jail in _KINDS:
        machine.wait_for("fail2ban_jail_unenforced_ips", 0, jail=jail)
        machine.wait_for("fail2ban_jail_enforced_ips", 2, jail=jail)
    say("with the drop-in the bans are seen, missed when they are lost, and back after a restart of fail2ban")


def test_it_has_the_two_capabilities_and_no_other(machine: Machine, unit: str) -> None:
    status = machine.run(f"grep ^Cap /proc/{machine.main_pid(unit)}/status").splitlines()

    expected = f"{1 << 12 | 1 << 13:016x}"
    assert {line.split(":\t")[1] for line in status if line.startswith(("CapEff", "CapPrm", "CapBnd"))} == {expected}
