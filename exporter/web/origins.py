"""Who comes from where, so that those who come in a crowd from one place stand in the way of nobody else."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")

_IPV6_HOST_BITS = 64


class ByOrigin(Generic[_T]):
    """Clients in the order in which they came, and how many of them have come from each address.

    Of IPv6 an address stands for its network of 64 bits, which is what anybody gets.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._origins: dict[_T, str] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, client: _T) -> bool:
        return client in self._origins

    def __iter__(self) -> Iterator[_T]:
        """Those of now, the first first: they may change meanwhile."""
        return iter([*self._origins])

    def add(self, client: _T, address: str) -> None:
        """Enter one that is not there yet, as the last."""
        origin = _origin(address)
        self._origins[client] = origin
        self._counts[origin] += 1

    def remove(self, client: _T) -> None:
        """Forget one; nothing happens if it is not there."""
        origin = self._origins.pop(client, None)
        if origin is not None:
            self._counts[origin] -= 1
            if not self._counts[origin]:
                del self._counts[origin]

    def clear(self) -> None:
        """Forget all."""
        self._origins.clear()
        self._counts.clear()

    def first(self) -> _T | None:
        """The first of all."""
        return next(iter(self._origins), None)

    def first_of_crowd(self, size: int) -> _T | None:
        """The first of those from the address that most have come from, if they are this many at least."""
        for largest, count in self._counts.most_common(1):
            if count >= size:
                return next(client for client, origin in self._origins.items() if origin == largest)
        return None


def _origin(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return address
    return str(int(parsed) >> _IPV6_HOST_BITS)
