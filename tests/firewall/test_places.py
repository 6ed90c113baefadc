"""Where an action puts addresses: exact for the stock ones, and no guess for any other."""

from typing import Final

import pytest

from exporter.firewall.places import IpSet, IptablesChain, NftSet, NoPlaceError, Places, places_of

NFTABLES: Final = {
    "actionban": r"nft add element inet f2b-table <addr_set> \{ <ip> \}",
    "addr_set": "addr-set-<name>",
    "addr_set?family=inet6": "addr6-set-<name>",
    "name": "sshd",
}
IPTABLES: Final = {
    "actionban": "<iptables> -I f2b-sshd 1 -s <ip> -j <blocktype>",
    "iptables": "iptables <lockingopt>",
    "iptables?family=inet6": "ip6tables <lockingopt>",
    "lockingopt": "-w",
}
IPSET: Final = {
    "actionban": "ipset -exist add <ipmset> <ip> timeout 0",
    "actionstart": "ipset -exist create <ipmset> hash:ip timeout 0 \n<iptables> -I INPUT -p tcp -m set "
    "--match-set <ipmset> src -j <blocktype>",
    "ipmset": "f2b-<name>",
    "ipmset?family=inet6": "f2b-<name>6",
    "name": "sshd",
    "iptables": "iptables <lockingopt>",
    "iptables?family=inet6": "ip6tables <lockingopt>",
    "lockingopt": "-w",
}
OF_IPSET: Final = Places(IpSet("f2b-sshd", "iptables"), IpSet("f2b-sshd6", "ip6tables"))


@pytest.mark.parametrize(
    ("properties", "places"),
    [
        pytest.param(
            NFTABLES,
            Places(NftSet("inet", "f2b-table", "addr-set-sshd"), NftSet("inet", "f2b-table", "addr6-set-sshd")),
            id="nftables",
        ),
        pytest.param(
            NFTABLES | {"actionban": r"<nftables> add element ip t <addr_set> \{ <ip> \}", "nftables": "/usr/sbin/nft"},
            Places(NftSet("ip", "t", "addr-set-sshd"), NftSet("ip", "t", "addr6-set-sshd")),
            id="nftables by its path",
        ),
        pytest.param(
            IPTABLES,
            Places(IptablesChain("iptables", "f2b-sshd"), IptablesChain("ip6tables", "f2b-sshd")),
            id="iptables",
        ),
        pytest.param(
            IPTABLES | {"iptables": "/sbin/iptables-legacy", "iptables?family=inet6": "ip6tables-legacy -w 5"},
            Places(IptablesChain("iptables-legacy", "f2b-sshd"), IptablesChain("ip6tables-legacy", "f2b-sshd")),
            id="the older iptables, with and without a lock",
        ),
        pytest.param(
            IPTABLES | {"actionban": "<iptables> -I f2b-sshd 1 -s <ip> -j f2b-sshd-log"},
            Places(IptablesChain("iptables", "f2b-sshd"), IptablesChain("ip6tables", "f2b-sshd")),
            id="iptables with a log",
        ),
        pytest.param(IPSET, OF_IPSET, id="ipset of 1.0 and later"),
        pytest.param(
            IPSET | {"actionban": "ipset add <ipmset> <ip> timeout <ipsettime> -exist", "ipsettime": "0"},
            OF_IPSET,
            id="ipset of 0.11",
        ),
        pytest.param(
            IPSET
            | {
                "actionban": "ipset -exist add <ipmset> <ip> timeout <ipsettime>",
                "ipsettime": "<timeout-bantime>",
                "timeout-bantime": '$([ "<bantime>" -le 2147483 ] && echo "<bantime>" || echo 0)',
            },
            OF_IPSET,
            id="ipset with the ban's time",
        ),
        pytest.param(
            {"actionban": "ipset --test f2b-x <ip> ||  ipset --add f2b-x <ip>"},
            Places(IpSet("f2b-x", None), IpSet("f2b-x", None)),
            id="ipset whose rule is up to others",
        ),
        pytest.param(
            {
                "actionban": "ipset -exist add f2b-x <ip> timeout 0",
                "actionstart": "firewall-cmd --direct --add-rule ipv4 filter INPUT_direct 0 -m set "
                "--match-set f2b-x src -j DROP",
            },
            Places(IpSet("f2b-x", "iptables"), IpSet("f2b-x", "ip6tables")),
            id="ipset with a rule of firewalld",
        ),
    ],
)
def test_a_stock_action_puts_addresses_where_its_tags_say(properties: dict[str, str], places: Places) -> None:
    assert places == places_of(properties)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(r"nft add element inet f2b-table s \{ <ip> \}; nft add element inet x y \{ <ip> \}", id="two"),
        pytest.param(r"nft add element inet f2b-table s \{ <ip> timeout 1h \}", id="another form"),
        pytest.param(r"nft add element inet -f /etc/shadow \{ <ip> \}", id="an option for a table"),
        pytest.param(r"nft add element inet $(id) s \{ <ip> \}", id="a command for a table"),
        pytest.param(r"nft add element inet t;id s \{ <ip> \}", id="a separator"),
        pytest.param(r"nft add element other t s \{ <ip> \}", id="an unknown family"),
        pytest.param("/opt/nft-wrapper add element inet t s { <ip> }", id="another program"),
        pytest.param("iptables -I f2b-x 1 -s <ip> -j DROP | logger", id="a pipe"),
        pytest.param("iptables -I f2b-x 1 -s <ip> -j DROP\nlogger <ip>", id="a line more"),
        pytest.param("iptables -t raw -I f2b-x 1 -s <ip> -j DROP", id="another table"),
        pytest.param("iptables -I f2b-x 1 -d <ip> -j DROP", id="another direction"),
        pytest.param("ipset --test a <ip> || ipset --add b <ip>", id="two sets"),
        pytest.param("ipset -exist add -f <ip> timeout 0", id="an option for a set"),
        pytest.param(f"ipset -exist add {'a' * 200} <ip> timeout 0", id="a name longer than any"),
        pytest.param("firewall-cmd --ipset=f2b-x --add-entry=<ip>", id="firewalld"),
    ],
)
def test_a_command_of_somebodys_own_is_not_guessed_at(command: str) -> None:
    with pytest.raises(NoPlaceError, match="does not ban as the stock actions"):
        places_of({"actionban": command})


@pytest.mark.parametrize("command", ["", 'printf "%s" <ip> | mail root', "echo <ip> >> /var/log/bans"])
def test_an_action_without_a_firewall_is_told_as_such(command: str) -> None:
    with pytest.raises(NoPlaceError, match="nothing in a firewall"):
        places_of({"actionban": command})


@pytest.mark.parametrize("name", ["<name>", "<addr_set>", "<a><a>"])
def test_tags_that_lead_back_to_themselves_come_to_an_end(name: str) -> None:
    with pytest.raises(NoPlaceError):
        places_of(NFTABLES | {"name": name, "a": "<a><a>"})
