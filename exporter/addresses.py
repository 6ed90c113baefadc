"""The addresses to listen on, as a user writes them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

_ACCEPTED = "host:port, :port (all interfaces) or [IPv6 address]:port, with a port from 0 to 65535"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class ListenAddress:
    """One address to listen on.

    Attributes:
        host: A host name, an IPv4 address, or an IPv6 address without brackets; "" is all interfaces, IPv4 and IPv6.
        port: The TCP port; 0 lets the kernel choose a free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a user wrote: `127.0.0.1:9191`, `localhost:9191`, `:9191` or `[::1]:9191`.

        A host is checked for its form only, never resolved.

        Raises:
            ValueError: It is none of these; the message is a sentence for the user.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError(f"{text!r} has no port: expected {_ACCEPTED}")
        if not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT:
            raise ValueError(f"{text!r} has the port {port!r}: expected {_ACCEPTED}")
        return cls(_parse_host(host, text), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _parse_host(host: str, text: str) -> str:
    if not host or _HOST.fullmatch(host):
        return host
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError as error:
            raise ValueError(f"{text!r} has no valid IPv6 address in its brackets: expected {_ACCEPTED}") from error
        return host[1:-1]
    if ":" in host and "/" not in host:
        raise ValueError(f"{text!r} has an IPv6 address without brackets: expected {_ACCEPTED}")
    raise ValueError(f"{text!r} has the host {host!r}: expected {_ACCEPTED}")
