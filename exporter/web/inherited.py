"""The listening sockets that systemd passes: a socket unit binds them, so that the service needs no network."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence
from typing import Final

from exporter.errors import ExporterError
from exporter.web.sockets import LISTEN_QUEUE

FIRST_DESCRIPTOR: Final = 3
"""See sd_listen_fds(3)."""
_MAX_PASSED: Final = 1_000
_VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class NoPassedSocket(ExporterError):  # noqa: N818 - the name says the cause
    """What systemd passed can't be listened on; the message names it, the cause and what to do."""


def take_passed(environ: MutableMapping[str, str]) -> list[tuple[int, str]]:
    """Return the descriptors that were passed to this very process, each with its name, and forget them.

    That is, no child inherits them, nor the variables that speak of them. The name is that of `FileDescriptorName=`,
    or of the socket unit.
    """
    pid, count, names = (environ.pop(name, "") for name in _VARIABLES)
    # A parent that doesn't know of them hands the variables down, not the descriptors.
    if pid != str(os.getpid()) or not (count.isascii() and count.isdecimal()) or int(count) > _MAX_PASSED:
        return []
    named = names.split(":") if names else []
    passed = []
    for index in range(int(count)):
        descriptor = FIRST_DESCRIPTOR + index
        try:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional is all that it takes
        except OSError:
            continue
        passed.append((descriptor, named[index] if index < len(named) else "unknown"))
    return passed


def inherit(passed: Sequence[tuple[int, str]]) -> list[socket.socket]:
    """Return the passed descriptors as listening sockets.

    Returns:
        Bound, listening, non-blocking sockets; the caller closes them, which leaves systemd's own open.

    Raises:
        NoPassedSocket: There is none, or one is no listening TCP socket; all of them are closed.
    """
    if not passed:
        raise NoPassedSocket(
            "--web.systemd-socket, but systemd passed no socket; start the exporter by its socket unit "
            "(systemctl start fail2ban-exporter.socket), or leave that setting out"
        )
    sockets: list[socket.socket] = []
    try:
        for descriptor, name in passed:
            sockets.append(_listening(descriptor, name))  # those before a refused one are closed
    except BaseException:
        for sock in sockets:
            sock.close()
        for descriptor, _ in passed[len(sockets) :]:
            os.close(descriptor)
        raise
    return sockets


def _listening(descriptor: int, name: str) -> socket.socket:
    """Return the socket of a descriptor, which stays the caller's if it is refused."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        raise _refused(descriptor, name, "is no socket") from None
    fault = _fault(sock)
    if fault:
        sock.detach()
        raise _refused(descriptor, name, fault)
    # The unit's Backlog= may be shorter than what an attack fills.
    sock.listen(LISTEN_QUEUE)
    sock.settimeout(0)
    return sock


def _fault(sock: socket.socket) -> str | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return f"is of {_kind(sock)}, not TCP: give ListenStream= a port"
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen: Accept= must be no"
    return None


def _kind(sock: socket.socket) -> str:
    return f"{getattr(sock.family, 'name', sock.family)} and {getattr(sock.type, 'name', sock.type)}"


def _refused(descriptor: int, name: str, why: str) -> NoPassedSocket:
    return NoPassedSocket(f"--web.systemd-socket: descriptor {descriptor}, which systemd passed as {name!r}, {why}")
