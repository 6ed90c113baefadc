"""What a ban is: an address of either family, a network, or something else that a filter finds. Pure."""

from __future__ import annotations

import socket
from typing import Final

IPV4: Final = "ipv4"
IPV6: Final = "ipv6"
OTHER: Final = "other"
"""A host name, a user, a session: whatever a filter takes for who fails."""
FAMILIES: Final = (IPV4, IPV6, OTHER)

_MAPPED: Final = bytes(10) + b"\xff\xff"
"""How an IPv6 address begins that stands for one of IPv4."""
_MAPPED_BITS: Final = 96
_BITS: Final = {IPV4: 32, IPV6: 128}


def address_of(ban: str) -> tuple[str, str | None]:
    """Return a ban's family, and the address to look up for it, which is None for `OTHER`.

    ``192.0.2.1`` and ``2001:db8::1`` are themselves, ``::ffff:192.0.2.1`` is the address of IPv4 that it stands for,
    and ``192.0.2.0/24`` is looked up by the address before the slash.
    """
    address, slash, length = ban.partition("/")
    family = IPV6 if ":" in address else IPV4
    try:
        packed = socket.inet_pton(socket.AF_INET6 if family == IPV6 else socket.AF_INET, address)
    except (OSError, ValueError):
        return OTHER, None
    if slash and not (length.isascii() and length.isdecimal() and len(length) <= 3 and int(length) <= _BITS[family]):  # noqa: PLR2004
        return OTHER, None
    if packed.startswith(_MAPPED) and len(packed) > len(_MAPPED) and (not slash or int(length) >= _MAPPED_BITS):
        return IPV4, socket.inet_ntop(socket.AF_INET, packed[len(_MAPPED) :])
    return family, address
