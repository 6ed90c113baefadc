"""A set of addresses as a firewall lists it: single ones by the thousand, networks and ranges by the dozen. Pure."""

from __future__ import annotations

import ipaddress
import socket
from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Final, NamedTuple

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_MAPPED: Final = 0xFFFF
"""What is before the last 32 bits of an IPv6 address that stands for one of IPv4."""
_MAPPED_LENGTH: Final = 96
_BEHIND_ALL: Final = 1 << 129


class Span(NamedTuple):
    """One address or more in a row."""

    version: int
    first: int
    last: int


def span_of(text: str) -> Span | None:
    """Return what a text like ``192.0.2.1``, ``2001:db8::/32`` or ``::ffff:192.0.2.1`` stands for; None if nothing."""
    if "/" in text:
        return _span_of_network(text)
    version = 6 if ":" in text else 4
    try:
        # A tenth of the time that the ipaddress module takes, which counts when 20,000 are looked up.
        number = int.from_bytes(socket.inet_pton(_FAMILIES[version], text), "big")
    except (OSError, ValueError):
        return None
    if version == 6 and number >> 32 == _MAPPED:  # noqa: PLR2004
        version, number = 4, number & 0xFFFFFFFF
    return Span(version, number, number)


def _span_of_network(text: str) -> Span | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= _MAPPED_LENGTH:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            network = ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_LENGTH))
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


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
        self._spans = _merged(spans)

    @cached_property
    def _numbers(self) -> frozenset[Span]:
        """Those single addresses of which there is more than one way to write them."""
        return frozenset(span for single in self._singles if ":" in single and (span := span_of(single)))

    def look_up(self, bans: Collection[str]) -> Lookup:
        """Tell which of the bans are not in it."""
        missing: list[str] = []
        no_address: list[str] = []
        for ban in frozenset(bans) - self._singles:
            span = span_of(ban)
            if span is None:
                no_address.append(ban)
            elif not self._has(span):
                missing.append(ban)
        return Lookup(frozenset(missing), frozenset(no_address))

    def _has(self, span: Span) -> bool:
        if span in self._numbers:
            return True
        if span.version == 4 and span.first == span.last and _dotted(span.first) in self._singles:  # noqa: PLR2004
            return True
        spans = self._spans[span.version]
        position = bisect_right(spans, (span.first, _BEHIND_ALL)) - 1
        return position >= 0 and spans[position][1] >= span.last


def _dotted(number: int) -> str:
    return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))


def _merged(spans: Iterable[tuple[str, str]]) -> dict[int, list[tuple[int, int]]]:
    """Return the spans of each version as numbers, in order, none touching another."""
    by_version: dict[int, list[tuple[int, int]]] = {version: [] for version in _FAMILIES}
    for begin, end in spans:
        first, last = span_of(begin), span_of(end)
        if first is not None and last is not None and first.version == last.version:
            by_version[first.version].append((first.first, last.last))
    for version, found in by_version.items():
        merged: list[tuple[int, int]] = []
        for first_number, last_number in sorted(found):
            if merged and first_number <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last_number))
            else:
                merged.append((first_number, last_number))
        by_version[version] = merged
    return by_version
