"""Why a probe failed: one class a cause, each with its result and a text that says what to do."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import ClassVar

from exporter.errors import ExporterError
from exporter.model import Result


class ProbeError(ExporterError):
    """A probe that could not be completed; `result` is its class for the metrics."""

    result: ClassVar[Result]


class ProbeTimeoutError(ProbeError):
    """fail2ban did not give a complete answer before the deadline."""

    result = Result.TIMEOUT


class SocketMissingError(ProbeError):
    """There is no socket at the configured path."""

    result = Result.SOCKET_MISSING


class ConnectionRefusedByServerError(ProbeError):
    """The path is there and nothing listens on it."""

    result = Result.CONNECTION_REFUSED


class AccessDeniedError(ProbeError):
    """The system does not let the exporter open the socket, for want of rights or of resources."""

    result = Result.PERMISSION_DENIED


class ProtocolError(ProbeError):
    """Something answers that does not speak fail2ban's protocol."""

    result = Result.PROTOCOL_ERROR


class ConnectionEndedError(ProtocolError):
    """The connection ended before its reply was complete."""


class ServerError(ProbeError):
    """fail2ban answered with an error where it should have had an answer."""

    result = Result.SERVER_ERROR


_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_ENDED = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN})


def from_os_error(error: OSError, path: str) -> ProbeError:
    """Return the failure that an error of connect, send or receive on `path` stands for."""
    if error.errno in _MISSING:
        return SocketMissingError(f"no socket at {path}: is fail2ban running, and is --fail2ban.socket right?")
    if error.errno == errno.ECONNREFUSED:
        is_other_file = Path(path).exists() and not Path(path).is_socket()
        return ConnectionRefusedByServerError(
            f"{path} is no socket: is --fail2ban.socket right?"
            if is_other_file
            else f"nothing listens on {path}: fail2ban left its socket behind, or never ran"
        )
    if error.errno in _DENIED:
        return AccessDeniedError(
            f"no permission to open {path}: run the exporter as the socket's owner; "
            "root without any capability is enough"
        )
    if error.errno in _ENDED:
        return ConnectionEndedError(f"the server at {path} closed the connection before it had answered")
    if error.errno == errno.EPROTOTYPE:
        return ProtocolError(f"{path} is a socket of another type: not fail2ban's")
    return AccessDeniedError(f"the system does not let the exporter use {path}: {error.strerror or error}")
