"""What TLS needs to know to secure a connection: the context, and which verified clients may come in."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Security:
    """One set of certificate, key and rules; a new one takes its place when anything of it changes."""

    context: ssl.SSLContext
    client_names: frozenset[str] | None = field(default=None)
    """Subject alternative names of which a client's certificate must have one; None lets in all that verify."""
    retries: Mapping[int, ssl.SSLContext] = field(default_factory=dict)
    """For clients that are asked to greet twice: by a group's number in TLS, a context with that group alone."""

    def admits(self, client: ssl.SSLObject) -> bool:
        """Tell whether a client that has completed its handshake may come in."""
        if self.client_names is None:
            return True
        try:
            certificate = client.getpeercert() or {}
        except ValueError:  # OpenSSL verifies some that Python can't read
            return False
        names = [str(entry[1]) for entry in certificate.get("subjectAltName", ())]
        return not self.client_names.isdisjoint(normal_names(names))


def normal_names(names: Iterable[str]) -> frozenset[str]:
    """Spell addresses in one way, since OpenSSL has its own for IPv6; other names stay as they are."""
    return frozenset(map(_normal, names))


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
