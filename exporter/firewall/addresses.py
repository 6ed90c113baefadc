"""A set of addresses as a firewall lists it: single ones by the thousand, networks and ranges by the dozen. Pure."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Span: TypeAlias = tuple[int, int]

_VERSIONS: Final = (4, 6)
_MAPPED: Final = 96
"""Length of the prefix in which IPv6 holds all of IPv4."""


def network_of(text: str) -> Network | None:
    """Return what a text like ``192.0.2.1``, ``2001:db8::/32`` or ``::ffff:192.0.2.1`` stands for; None if nothing."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED))
    return network


class Lookup(NamedTuple):
    """What of some bans is not in a set."""

    missing: frozenset[str]
    no_address: frozenset[str]
    """A filter may ban users and the like, which no set of addresses takes."""


class AddressSet:
    """What is in a set or a chain.

    Single addresses are compared by their text first, since fail2ban and the firewall's programs write them alike;
    only what is not found that way is looked at as a number.
    """

    def __init__(self, singles: Iterable[str] = (), spans: Iterable[tuple[str, str]] = ()) -> None:
        """Take single addresses and spans by their first and last address; what is no address is left out."""
        self._singles = frozenset(singles)
        self._odd = frozenset(
            str(network.network_address)
            for single in self._singles
            if ":" in single and (network := network_of(single)) and str(network.network_address) != single
        )
        self._spans = _merged(spans)

    def __len__(self) -> int:
        return len(self._singles) + sum(len(spans) for spans in self._spans.values())

    def look_up(self, bans: Collection[str]) -> Lookup:
        """Tell which of the bans are not in it."""
        missing: list[str] = []
        no_address: list[str] = []
        for ban in frozenset(bans) - self._singles:
            network = network_of(ban)
            if network is None:
                no_address.append(ban)
            elif not self._has(network):
                missing.append(ban)
        return Lookup(frozenset(missing), frozenset(no_address))

    def _has(self, network: Network) -> bool:
        if network.num_addresses == 1:
            address = str(network.network_address)
            if address in self._singles or address in self._odd:
                return True
        firsts_and_lasts = self._spans[network.version]
        first, last = int(network.network_address), int(network.broadcast_address)
        position = bisect_right(firsts_and_lasts, (first, 1 << 129)) - 1
        return position >= 0 and firsts_and_lasts[position][1] >= last


def _merged(spans: Iterable[tuple[str, str]]) -> dict[int, list[_Span]]:
    """Return the spans of each version as numbers, in order, none touching another."""
    by_version: dict[int, list[_Span]] = {version: [] for version in _VERSIONS}
    for begin, end in spans:
        first, last = network_of(begin), network_of(end)
        if first is not None and last is not None and first.version == last.version:
            by_version[first.version].append((int(first.network_address), int(last.broadcast_address)))
    for version, found in by_version.items():
        merged: list[_Span] = []
        for first_number, last_number in sorted(found):
            if merged and first_number <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last_number))
            else:
                merged.append((first_number, last_number))
        by_version[version] = merged
    return by_version
