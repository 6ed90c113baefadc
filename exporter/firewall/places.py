r"""Where an action puts the addresses that it bans, told by its properties. Pure.

fail2ban 0.11 to 1.1 ship some twenty actions for nftables, iptables and ipset, and few ways to ban in them. A command
that is not exactly one of these is somebody's own: it may put addresses anywhere, so nothing is said of it. fail2ban
has put in most tags already, and puts in the others, those that differ between IPv4 and IPv6, when it bans::

    nft add element inet f2b-table <addr_set> \{ <ip> \}
    <iptables> -I f2b-sshd 1 -s <ip> -j <blocktype>
    ipset -exist add <ipmset> <ip> timeout 0

All that is taken out of them ends up in the arguments of programs, so it has to be a plain name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class NftSet:
    """A set of nftables, in use while a rule of its table has it."""

    family: str
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class IptablesChain:
    """A chain of the filter table with a rule for each address, in use while another chain leads to it."""

    program: str
    """Such as ``iptables`` or ``ip6tables-legacy``."""
    chain: str


@dataclass(frozen=True, slots=True)
class IpSet:
    """A set of ipset."""

    name: str
    program: str | None
    """Has to have a rule with this set; None where the action leaves that to others."""


Place: TypeAlias = NftSet | IptablesChain | IpSet


@dataclass(frozen=True, slots=True)
class Places:
    """Where one action puts addresses of each family."""

    inet4: Place
    inet6: Place


class NoPlaceError(ValueError):
    """The action puts addresses nowhere that can be looked at; the text says why."""


_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.:+@-]{0,126}"
_PROGRAM: Final = r"(?:/[A-Za-z0-9_./-]{1,100}/)?"
_TABLES: Final = r"ip6?tables(?:-nft|-legacy)?"
_WAIT: Final = r"(?: (?:-w|--wait)(?: ?\d{1,6})?)?"
_TIMEOUT: Final = (
    r"timeout (?:\d{1,10}|<[a-z-]{1,40}>|\$\(\[ \"<bantime>\"[^;&|`\n]*\] && echo \"<bantime>\" \|\| echo 0\))"
)
_NFT: Final = re.compile(
    rf"{_PROGRAM}nft add element (?P<family>ip6?|inet|bridge|netdev|arp) (?P<table>{_NAME}) (?P<set>{_NAME}) "
    r"\\?\{ <ip> \\?\}"
)
_IPTABLES: Final = re.compile(
    rf"{_PROGRAM}(?P<program>{_TABLES}){_WAIT} -I (?P<chain>{_NAME}) 1 -s <ip> -j [^;&|`$\n]{{1,500}}"
)
_IPSETS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"ipset -exist add (?P<set>{_NAME}) <ip> {_TIMEOUT}",
        rf"ipset add (?P<set>{_NAME}) <ip> {_TIMEOUT} -exist",
        rf"ipset --test (?P<set>{_NAME}) <ip> \|\|  ?ipset --add (?P=set) <ip>",
    )
)
_ANY_PROGRAM: Final = re.compile(rf"{_PROGRAM}(?P<program>{_TABLES})(?: .*)?", re.DOTALL)
_FIREWALLS: Final = re.compile(
    r"\b(?:nft|ip6?tables|ipset|firewall-cmd|ufw|pfctl|ipfw|ipf|shorewall|route|xt_recent|tcp_wrappers)\b"
)
_TAG: Final = re.compile(r"<([A-Za-z0-9_.-]{1,60})>")
_MAX_LENGTH: Final = 20_000
_MAX_DEPTH: Final = 8

_V6: Final = "?family=inet6"


def places_of(properties: Mapping[str, str]) -> Places:
    """Tell where an action puts addresses.

    Args:
        properties: those of the action, by the names that fail2ban gives them.

    Raises:
        NoPlaceError: nowhere, or in a way of its own.
    """
    return Places(_place(properties, is_v6=False), _place(properties, is_v6=True))


def _place(properties: Mapping[str, str], *, is_v6: bool) -> Place:
    command = _expanded("<actionban>", properties, is_v6=is_v6).strip()
    if found := _NFT.fullmatch(command):
        return NftSet(found["family"], found["table"], found["set"])
    if found := _IPTABLES.fullmatch(command):
        return IptablesChain(found["program"], found["chain"])
    for pattern in _IPSETS:
        if found := pattern.fullmatch(command):
            return IpSet(found["set"], _rule_program(found["set"], properties, is_v6=is_v6))
    if _FIREWALLS.search(command):
        raise NoPlaceError("it does not ban as the stock actions for nftables, iptables and ipset do")
    raise NoPlaceError("it puts nothing in a firewall")


def _rule_program(name: str, properties: Mapping[str, str], *, is_v6: bool) -> str | None:
    """Return which iptables the action gives a rule with the set, when it starts; None if it gives none."""
    start = _expanded("<actionstart>", properties, is_v6=is_v6)
    if f"--match-set {name} " not in start:
        return None
    found = _ANY_PROGRAM.fullmatch(_expanded("<iptables>", properties, is_v6=is_v6))
    return found["program"] if found else ("ip6tables" if is_v6 else "iptables")


def _expanded(text: str, properties: Mapping[str, str], *, is_v6: bool) -> str:
    """Put in the tags that the action has properties for, as fail2ban does before it runs a command."""

    def value(tag: re.Match[str]) -> str:
        name = tag[1]
        if is_v6 and name + _V6 in properties:
            return properties[name + _V6]
        # Its own name stays a tag: what differs from ban to ban is not known here.
        return properties.get(name, tag[0])

    for _ in range(_MAX_DEPTH):
        expanded = _TAG.sub(value, text)
        if expanded == text or len(expanded) > _MAX_LENGTH:
            break
        text = expanded
    return text
