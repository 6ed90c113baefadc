"""Bans that fail2ban believes in and the firewall does not know are found, whatever the action puts them in."""

from dataclasses import dataclass

import pytest

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.firewall.conftest import VERSIONS, GuardedFail2ban, RunGuarded
from tests.network_namespace import NetworkNamespace, without_capability
from tests.real_fail2ban import Jail, RealFail2ban

_INET4 = ("192.0.2.1", "198.51.100.7")
_INET6 = "2001:db8::1"


@dataclass(frozen=True)
class _Kind:
    """A way to ban, and a way in which bans get lost behind fail2ban's back.

    Attributes:
        action: As a jail's configuration names it.
        loses: The commands by which something else takes the IPv4 bans out; `JAIL` is the jail's name.
        before: Those for what the action expects to be there.
    """

    action: str
    loses: str
    before: tuple[str, ...] = ()


_KINDS = {
    "nft-multi": _Kind("nftables-multiport", "nft flush set inet f2b-table addr-set-JAIL"),
    "nft-all": _Kind("nftables-allports", "nft flush set inet f2b-table addr-set-JAIL"),
    "nft-own": _Kind(
        "nftables[type=allports, name=own, table=guard, addr_set=<addr_family>-bad, blocktype=drop]",
        "nft flush set inet guard ip-bad",
    ),
    "nft-rule": _Kind("nftables[table=lone]", "nft flush chain inet lone f2b-chain"),
    "ipt": _Kind("iptables", "iptables -F f2b-JAIL"),
    "ipt-multi": _Kind("iptables-multiport", "iptables -D INPUT -p tcp -m multiport --dports 22 -j f2b-JAIL"),
    "ipt-all": _Kind("iptables-allports[blocktype=DROP]", "iptables -F f2b-JAIL"),
    "ipt-new": _Kind("iptables-new", "iptables -F f2b-JAIL"),
    "ipt-log": _Kind("iptables-multiport-log", "iptables -F f2b-JAIL"),
    "ipset-6": _Kind("iptables-ipset-proto6", "ipset flush f2b-JAIL"),
    "ipset-all": _Kind("iptables-ipset-proto6-allports", "ipset flush f2b-JAIL"),
    "two": _Kind("nftables-multiport\n         iptables-allports", "iptables -F f2b-JAIL"),
    "and-mail": _Kind("nftables-multiport\n         dummy", "nft flush set inet f2b-table addr-set-JAIL"),
}
"""Those that put IPv6 somewhere, too."""
_OTHERS = {
    "ipset-4": _Kind("iptables-ipset-proto4", "ipset flush f2b-JAIL"),
    "shorewall": _Kind("shorewall-ipset-proto6", "ipset flush f2b-JAIL"),
}
"""Those for IPv4 alone."""
_ALTERED = """[INCLUDES]
before = nftables.conf
[Definition]
actionban = <nftables> add element <table_family> <table> elsewhere \\{ <ip> \\}; true
"""


def _wait_enforced(exporter: ExporterProgram, jail: str, enforced: int, unenforced: int) -> None:
    exporter.wait_for("fail2ban_jail_unenforced_ips", unenforced, jail=jail)
    exporter.wait_for("fail2ban_jail_enforced_ips", enforced, jail=jail)


def _ban(server: RealFail2ban, jail: str, *ips: str) -> None:
    for ip in ips:
        server.fail(jail, ip)
    server.wait_banned(jail, *ips)


@pytest.mark.parametrize("version", VERSIONS)
def test_bans_of_every_stock_action_are_found_in_the_firewall_and_missed_when_they_are_lost(
    guard: GuardedFail2ban, run_inside: RunGuarded, network: NetworkNamespace, version: str
) -> None:
    # That of 1.1.1 makes no set, see below.
    others = {name: kind for name, kind in _OTHERS.items() if version < "1.1" or name != "ipset-4"}
    kinds = _KINDS | others
    server = guard(version, [Jail(name, maxretry=1, action=kind.action) for name, kind in kinds.items()])
    for jail in _KINDS:
        _ban(server, jail, *_INET4, _INET6)
    for jail in others:
        _ban(server, jail, *_INET4)
    complaints = server.complaints()

    exporter = run_inside(server, "--firewall.interval=1s")

    for jail in _KINDS:
        _wait_enforced(exporter, jail, 3, 0)
    for jail in others:
        _wait_enforced(exporter, jail, 2, 0)
    assert exporter.value("fail2ban_firewall_check_success") == 1

    for jail, kind in kinds.items():
        network.run(*kind.loses.replace("JAIL", jail).split())

    for jail, kind in _KINDS.items():
        # Without its chain nothing of a set is in force, of either family.
        lost = 3 if "flush chain" in kind.loses else 2
        _wait_enforced(exporter, jail, 3 - lost, lost)
    for jail in others:
        _wait_enforced(exporter, jail, 0, 2)
    assert exporter.value("fail2ban_firewall_check_success") == 1
    assert len(kinds) == len(exporter.events("bans_not_enforced"))
    # What was asked left no line in fail2ban's own log.
    assert complaints == server.complaints()


def test_a_stock_action_that_does_not_work_is_found_out(guard: GuardedFail2ban, run_inside: RunGuarded) -> None:
    # ipset takes 'maxelem' for the type of set: fail2ban 1.1.1 believes in these bans, and nothing blocks them.
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action="iptables-ipset-proto4")])
    _ban(server, "sshd", *_INET4)

    exporter = run_inside(server, "--firewall.interval=1s")

    _wait_enforced(exporter, "sshd", 0, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_jails_that_put_nothing_in_a_firewall_are_left_out_by_name_and_said(
    guard: GuardedFail2ban, run_inside: RunGuarded, version: str
) -> None:
    jails = [
        Jail("guarded", maxretry=1, action="nftables"),
        Jail("tells", maxretry=1, action="dummy"),
        Jail("altered", maxretry=1, action="altered"),
        Jail("idle", maxretry=1, action=""),
        Jail("recent", maxretry=1, action="iptables-xt_recent-echo"),
    ]
    server = guard(version, jails, {"altered": _ALTERED})
    for jail in ("guarded", "tells", "idle"):
        _ban(server, jail, *_INET4)

    exporter = run_inside(server, "--firewall.interval=1s")

    _wait_enforced(exporter, "guarded", 2, 0)
    shown = {dict(labels)["jail"] for name, labels in exporter.scrape() if name == "fail2ban_jail_unenforced_ips"}
    assert shown == {"guarded"}
    lines = "\n".join(exporter.events("jail_left_out_of_firewall_check"))
    assert 'jail=tells reason="dummy: it puts nothing in a firewall"' in lines
    assert 'jail=idle reason="it has no action"' in lines
    for jail, action in (("altered", "altered"), ("recent", "iptables-xt_recent-echo")):
        reason = f"{action}: it does not ban as the stock actions for nftables, iptables and ipset do"
        assert f'jail={jail} reason="{reason}"' in lines
    assert len(lines.splitlines()) == 4


def test_bans_that_fail2ban_has_just_made_do_not_count_as_missing_and_count_as_soon_as_they_are_old(
    guard: GuardedFail2ban, run_inside: RunGuarded
) -> None:
    # An action that is stock to the word, with a program that does nothing.
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action="nftables[nftables=/nowhere/nft]")])
    exporter = run_inside(server, "--firewall.interval=2s")
    _wait_enforced(exporter, "sshd", 0, 0)

    server.client("set", "sshd", "banip", "192.0.2.1")

    _wait_enforced(exporter, "sshd", 0, 1)


def test_without_the_right_to_look_the_check_fails_and_says_what_to_do(
    guard: GuardedFail2ban, run_inside: RunGuarded
) -> None:
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action="nftables")])
    _ban(server, "sshd", *_INET4)

    exporter = run_inside(server, "--firewall.interval=1s", less=without_capability("net_admin"))

    exporter.wait_for("fail2ban_firewall_check_success", 0)
    assert exporter.value("fail2ban_jail_unenforced_ips", jail="sshd") is None
    assert exporter.value("fail2ban_up") == 1
    (line,) = exporter.events("firewall_check_failed")
    assert "fault=permission_denied" in line
    assert "CAP_NET_ADMIN" in line
    assert "firewall-check.conf" in line
    (concern,) = exporter.status()["concerns"]
    assert "CAP_NET_ADMIN" in concern["remedy"]


@pytest.mark.parametrize(
    ("action", "capabilities", "enforced"),
    [
        pytest.param("nftables", "+net_admin", 2, id="nftables"),
        pytest.param("iptables-ipset-proto6", "+net_admin,+net_raw", 2, id="ipset"),
        pytest.param("iptables-ipset-proto6", "+net_admin", None, id="ipset with too little"),
    ],
)
def test_root_with_nothing_but_the_two_capabilities_may_look(
    guard: GuardedFail2ban, run_inside: RunGuarded, action: str, capabilities: str, enforced: int | None
) -> None:
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action=action)])
    _ban(server, "sshd", *_INET4)

    less = ["setpriv", f"--bounding-set=-all,{capabilities}", f"--inh-caps=-all,{capabilities}", "--"]
    exporter = run_inside(server, "--firewall.interval=1s", less=less)

    exporter.wait_for("fail2ban_firewall_check_success", 0 if enforced is None else 1)
    exporter.wait_for("fail2ban_jail_enforced_ips", enforced, jail="sshd")
    assert (enforced is None) == any("CAP_NET_RAW" in line for line in exporter.events("firewall_check_failed"))


def test_where_the_tools_are_not_installed_the_check_fails_and_names_the_one_that_is_missing(
    guard: GuardedFail2ban, run_inside: RunGuarded
) -> None:
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action="iptables-ipset-proto6")])
    _ban(server, "sshd", *_INET4)

    exporter = run_inside(server, "--firewall.interval=1s", tools=False)

    exporter.wait_for("fail2ban_firewall_check_success", 0)
    (line,) = exporter.events("firewall_check_failed")
    assert "fault=program_missing" in line
    assert "no program iptables-save in /usr/local/sbin:" in line
    assert exporter.value("fail2ban_jail_unenforced_ips", jail="sshd") is None


@pytest.mark.parametrize("less", [(), without_capability("sys_ptrace")], ids=["seen", "unseen"])
def test_in_another_network_than_fail2ban_the_check_fails_and_calls_no_ban_missing(
    guard: GuardedFail2ban, run_inside: RunGuarded, less: list[str]
) -> None:
    server = guard("1.1.1", [Jail("sshd", maxretry=1, action="nftables")])
    _ban(server, "sshd", *_INET4)

    with NetworkNamespace(programs.firewall_tools(), more_links=False) as another:
        exporter = run_inside(server, "--firewall.interval=1s", less=less, where=another)

        exporter.wait_for("fail2ban_firewall_check_success", 0)
        assert "fault=other_namespace" in exporter.events("firewall_check_failed")[0]
        assert exporter.value("fail2ban_jail_unenforced_ips", jail="sshd") is None
