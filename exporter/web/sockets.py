"""The listening sockets, bound before anything else starts so that a taken address ends the program at once."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from asyncio.trsock import TransportSocket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from exporter.addresses import ListenAddress
from exporter.errors import ExporterError

_Target: TypeAlias = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]

LISTEN_QUEUE = 4096
"""Connections that the kernel completes and keeps until they are accepted; it cuts this to net.core.somaxconn. With a
queue shorter than an attack, connections are lost, and a scrape among them waits a second for TCP's first retry."""

_NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""What a machine without IPv6 answers to a socket, or to an address, of that family."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time."""

_ADVICE = {
    errno.EADDRINUSE: (
        "address already in use: {address}; stop the other program or choose another --web.listen-address"
    ),
    errno.EADDRNOTAVAIL: (
        "address is not one of this machine's: {address}; "
        "choose another --web.listen-address, or :{port} for all interfaces"
    ),
    errno.EAFNOSUPPORT: "this machine has no IPv6: {address}; choose another --web.listen-address",
    errno.EACCES: (
        "no permission to listen on {address}; ports below {unprivileged} need CAP_NET_BIND_SERVICE, "
        "a socket unit (--web.systemd-socket) or a higher port in --web.listen-address"
    ),
}


class AddressUnavailable(ExporterError):  # noqa: N818 - the name says the cause
    """A listen address can't be bound; the message names it, the cause and what to do."""


def bind(addresses: Sequence[ListenAddress]) -> list[socket.socket]:
    """Open a listening socket for each address, several where a host name resolves to several.

    `:port` listens on IPv6 and IPv4 with one socket, or on IPv4 alone where the machine has no IPv6. A literal IPv6
    address, `[::]` too, takes no IPv4 connections, so that it can stand beside an IPv4 address with the same port.
    Addresses that come to the same are bound once. May wait for the system's resolver if there is a host name.

    Returns:
        Bound, listening, non-blocking sockets; the caller closes them.

    Raises:
        AddressUnavailable: One can't be had; the ones opened before it are closed again.
    """
    sockets: list[socket.socket] = []
    bound: set[_Target] = set()
    try:
        for address in addresses:
            sockets += _bind(address, bound)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def reset_on_close(sock: socket.socket | TransportSocket) -> None:
    """Make closing the socket send a reset, so that the kernel at once forgets what the client has not taken."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def is_loopback(sock: socket.socket) -> bool:
    """Tell whether only this machine can reach a listening socket."""
    return ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback


def shown_address(sock: socket.socket) -> str:
    """Return where a socket listens, as people write it."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(address: ListenAddress, bound: set[_Target]) -> Iterable[socket.socket]:
    if address.host:
        return _bind_host(address, bound)
    wildcard_v6: _Target = (socket.AF_INET6, ("::", address.port))
    wildcard_v4: _Target = (socket.AF_INET, ("0.0.0.0", address.port))  # noqa: S104 - all interfaces were asked for
    if wildcard_v6 in bound:
        return []
    try:
        try:
            sock = _listen(wildcard_v6, dual_stack=True)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            sock = _listen(wildcard_v4)
    except OSError as error:
        raise _unavailable(address, error) from error
    _remember(wildcard_v6, bound)
    return [sock]


def _bind_host(address: ListenAddress, bound: set[_Target]) -> list[socket.socket]:
    targets = [target for target in _resolve(address) if target not in bound]
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for target in targets:
        try:
            sockets.append(_listen(target))
        except OSError as error:
            # A name such as localhost resolves to IPv6 on machines where that is turned off: the other one will do.
            if target[0] == socket.AF_INET6 and error.errno in _NOT_HERE:
                missing = error
                continue
            for sock in sockets:
                sock.close()
            raise _unavailable(address, error) from error
        _remember(target, bound)
    if missing and not sockets:
        raise _unavailable(address, missing) from missing
    return sockets


def _remember(target: _Target, bound: set[_Target]) -> None:
    # Port 0 gives another port each time that it is asked for, so it never comes to the same.
    if target[1][1]:
        bound.add(target)


def _resolve(address: ListenAddress) -> list[_Target]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AddressUnavailable(
            f"cannot resolve the host of {address}: {cause}; correct it or use an IP address in --web.listen-address"
        ) from error
    return list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found))


def _listen(target: _Target, *, dual_stack: bool = False) -> socket.socket:
    family, sockaddr = target
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
        # A restart must not wait for the connections of the last run to leave TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(sockaddr)
        sock.listen(LISTEN_QUEUE)
        sock.settimeout(0)
    except BaseException:
        sock.close()
        raise
    return sock


def _unavailable(address: ListenAddress, error: OSError) -> AddressUnavailable:
    advice = _ADVICE.get(error.errno or 0)
    if advice is None:
        return AddressUnavailable(f"cannot listen on {address}: {error.strerror or error}")
    return AddressUnavailable(
        advice.format(address=address, port=address.port, unprivileged=_first_unprivileged_port())
    )


def _first_unprivileged_port() -> int:
    with suppress(OSError, ValueError):
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    return 1024
