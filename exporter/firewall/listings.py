"""What the firewall's programs print, read into sets of addresses. Pure.

A set that no rule uses blocks nobody, nor does a chain that no other leads to: it counts as empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.firewall.addresses import AddressSet


class UnreadableListingError(ValueError):
    """The program printed something else than a listing."""


def of_nft_table(text: str) -> dict[str, AddressSet]:
    """Return the sets of ``nft -j list table …`` that a rule of the table uses, by name.

    Elements are ``"192.0.2.1"``, ``{"prefix": {"addr": "192.0.2.0", "len": 24}}``, ``{"range": [first, last]}``, and
    any of these as the ``val`` of an ``elem`` with timeout or comment. Those of another kind of set are left out.

    Raises:
        UnreadableListingError: it is no such listing.
    """
    try:
        items = json.loads(text)["nftables"]
        sets = {entry["name"]: entry.get("elem", []) for item in items if (entry := item.get("set"))}
        used = {
            name for item in items if (rule := item.get("rule")) for name in _set_names(rule.get("expr", []), depth=20)
        }
        return {name: _of_elements(elements) for name, elements in sets.items() if name in used}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableListingError(f"nft printed no listing of a table: {type(error).__name__}") from None


def _set_names(expression: Any, depth: int) -> Iterator[str]:
    """Find ``"@name"`` wherever a rule may have it."""
    if isinstance(expression, str):
        if expression.startswith("@"):
            yield expression[1:]
    elif isinstance(expression, (dict, list)) and depth:
        for part in expression.values() if isinstance(expression, dict) else expression:
            yield from _set_names(part, depth - 1)


def _of_elements(elements: list[Any]) -> AddressSet:
    singles: list[str] = []
    spans: list[tuple[str, str]] = []
    for element in elements:
        value = element["elem"]["val"] if type(element) is dict and "elem" in element else element
        if type(value) is str:
            singles.append(value)
        elif "prefix" in value:
            network = f"{value['prefix']['addr']}/{value['prefix']['len']}"
            spans.append((network, network))
        elif "range" in value:
            first, last = value["range"]
            spans.append((str(first), str(last)))
    return AddressSet(singles, spans)


_MEMBER: Final = re.compile(r"add (\S+) ([0-9A-Fa-f.:]+)(?:/(\d+)|-([0-9A-Fa-f.:]+))?(?: .*)?")


def of_ipset(text: str) -> dict[str, AddressSet]:
    """Return the sets of ``ipset save``, by name: ``add f2b-sshd 192.0.2.1 timeout 0``.

    Members that are exceptions (``nomatch``), or more than an address (a port, an interface), are left out.
    """
    singles: dict[str, list[str]] = {}
    spans: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        words = line.split(" ", 2)
        if words[0] == "create" and len(words) > 1:
            singles.setdefault(words[1], [])
        found = _MEMBER.fullmatch(line)
        if found is None or " nomatch" in line:
            continue
        name, first, length, last = found.groups()
        if length is not None:
            spans.setdefault(name, []).append((f"{first}/{length}", f"{first}/{length}"))
        elif last is not None:
            spans.setdefault(name, []).append((first, last))
        else:
            singles.setdefault(name, []).append(first)
    return {name: AddressSet(members, spans.get(name, ())) for name, members in singles.items()}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one table of iptables."""

    chains: dict[str, AddressSet] = field(default_factory=dict)
    """The addresses that each chain has a rule for, of chains that another leads to."""
    ipsets: frozenset[str] = frozenset()
    """The sets that a rule uses."""


_BAN: Final = re.compile(r"-A (\S+) -s ([0-9A-Fa-f.:]+)(?:/(\d+))? -j (\S+)(?: .*)?")
_LEADS: Final = re.compile(r"-A (\S+) (?:.* )?-[jg] (\S+)(?: .*)?")
_USES_SET: Final = re.compile(r"(?<!!) --match-set (\S+) src\b")
_NO_BLOCK: Final = frozenset({"ACCEPT", "RETURN"})


def of_iptables(text: str) -> Rules:
    """Return the rules of ``iptables-save -t filter``: ``-A f2b-sshd -s 192.0.2.1/32 -j REJECT --reject-with …``."""
    singles: dict[str, list[str]] = {}
    spans: dict[str, list[tuple[str, str]]] = {}
    led_to: set[str] = set()
    ipsets: set[str] = set()
    for line in text.splitlines():
        if (found := _BAN.fullmatch(line)) and found[4] not in _NO_BLOCK:
            chain, address, length, _ = found.groups()
            is_whole = length is None or length == ("128" if ":" in address else "32")
            if is_whole:
                singles.setdefault(chain, []).append(address)
            else:
                spans.setdefault(chain, []).append((f"{address}/{length}", f"{address}/{length}"))
        if (leads := _LEADS.fullmatch(line)) and leads[1] != leads[2]:
            led_to.add(leads[2])
            if leads[2] not in _NO_BLOCK:
                ipsets.update(_USES_SET.findall(line))
    chains = {chain: AddressSet(singles.get(chain, ()), spans.get(chain, ())) for chain in {*singles, *spans}}
    return Rules({chain: found for chain, found in chains.items() if chain in led_to}, frozenset(ipsets))
