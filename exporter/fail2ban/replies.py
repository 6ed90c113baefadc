"""What a reply must look like to be believed: typed, bounded, and never shown back unchecked.

Replies are data from whoever holds the socket. Nothing here compares, hashes or prints a value before its type is
known: a nest of shared lists takes exponential time to print.
"""

from __future__ import annotations

import math
from typing import Final

from exporter.fail2ban.failures import ProtocolError, ServerError
from exporter.fail2ban.pickles import RemoteError, Value

_MAX_COUNT: Final = 2**53
"""Beyond it a float, which is what Prometheus stores, can't count by one."""
_MAX_WORD_LENGTH: Final = 100
_MAX_LOG_FILES: Final = 2**21
"""Characters in all paths that one probe keeps, where each path counts as a hundred more."""
_LOG_FILE: Final = 100


class RemoteFault(ServerError):  # noqa: N818  # not an error of ours: fail2ban's answer to one request
    """fail2ban answered this one request with an error."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__(f"fail2ban answered with an error: {printable(error.name)}: {printable(error.text)}")
        self.no_such_jail = error.name == "UnknownJailException"


def not_fail2ban(what: str) -> ProtocolError:
    """Return the error that says why this can't be fail2ban."""
    return ProtocolError(f"what answers is not fail2ban: it sent {what}")


def answer(reply: Value) -> Value:
    """Return the value of ``(0, value)``.

    Raises:
        RemoteFault: the reply is ``(1, error)``.
        ServerError: fail2ban reports that it could not read the request, or is shutting down.
        ProtocolError: the reply is of another shape.
    """
    match reply:
        case (0, value) if type(reply) is tuple and type(reply[0]) is int:
            return value
        case (1, RemoteError() as error) if type(reply) is tuple:
            raise RemoteFault(error)
        case str() if reply.startswith("ERROR"):
            raise ServerError(f"fail2ban could not take the request: {printable(reply[:200])}")
        case ["SHUTDOWN"]:
            raise ServerError("fail2ban is shutting down")
        case _:
            raise not_fail2ban("a reply that is neither an answer nor an error")


def count(value: Value) -> int:
    """Return a count: an integer that is not negative."""
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise not_fail2ban("a count that is no number or does not count")
    return value


def text(value: Value) -> str:
    """Return a string."""
    if type(value) is not str:
        raise not_fail2ban("something else in the place of a text")
    return value


def word(value: Value) -> str:
    """Return a short string, such as a version or a backend."""
    found = text(value)
    if len(found) > _MAX_WORD_LENGTH:
        raise not_fail2ban("a version or a backend longer than any")
    return found


class LogFiles:
    """Takes jails' log files out of the replies to one probe, as long as they are of a sane size together."""

    def __init__(self) -> None:
        self._room = _MAX_LOG_FILES

    def take(self, value: Value) -> tuple[str, ...]:
        """Return a list of paths."""
        if type(value) is not list:
            raise not_fail2ban("something else in the place of a list")
        self._room -= sum(len(text(path)) + _LOG_FILE for path in value)
        if self._room < 0:
            raise not_fail2ban("more log files than any server watches")
        return tuple(text(path) for path in value)


def pairs(value: Value) -> dict[str, Value]:
    """Return a list of pairs, ``[('Number of jail', 2), …]``, as a dict."""
    if type(value) is not list:
        raise not_fail2ban("something else in the place of a section")
    fields = {}
    for item in value:
        if type(item) is not tuple or len(item) != 2:  # noqa: PLR2004
            raise not_fail2ban("a section with an item that is no pair")
        fields[text(item[0])] = item[1]
    return fields


def number(value: Value) -> float | None:
    """Return a finite number, or None for anything else: a setting that makes no sense is not known."""
    if type(value) is int:
        return float(value) if abs(value) <= _MAX_COUNT else None
    if type(value) is float and math.isfinite(value):
        return value
    return None


def printable(name: str) -> str:
    r"""Return the name as valid Unicode: bytes that were not UTF-8 on fail2ban's side are shown as ``\\udcXX``."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode("utf-8")
