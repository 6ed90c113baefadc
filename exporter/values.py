"""What the text of a setting may say: one maker of `Takes` for each kind of value."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from exporter import durations
from exporter.addresses import ListenAddress
from exporter.sources import Takes

# sun_path has 108 bytes on Linux, the last one a zero.
_MAX_SOCKET_PATH = 107
# Kept for the exporter's own routes, so that a later release doesn't take a path that somebody chose.
_OWN_ROUTES = ("/api", "/-")
# Segments of characters that no client, proxy or shell rewrites.
_ROUTE = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")


def between(shortest: float, longest: float, note: str = "") -> Takes:
    """Take a duration from `shortest` to `longest` seconds; `note` adds to what is said of it."""
    span = f"from {durations.format(shortest)} to {durations.format(longest)}"
    parse = partial(_duration, shortest, longest)
    return Takes(f"{durations.ACCEPTED}, {span}{note}", parse, durations.format, "DURATION")


def number(least: int, most: int) -> Takes:
    """Take a whole number from `least` to `most`."""
    return Takes(f"a whole number from {least} to {most}", partial(_number, least, most), placeholder="NUMBER")


def choice(options: tuple[str, ...], *, or_none: bool = False) -> Takes:
    """Take one of the options, spelt exactly so; if there may be none, also nothing."""

    def parse(value: object) -> object:
        if or_none and (value is None or value == ""):
            return None
        if value not in options:
            raise ValueError("not one of them")
        return value

    accepted = ", ".join(options) + ("; empty for none" if or_none else "")
    return Takes(accepted, parse, lambda value: str(value or ""), placeholder="|".join(options))


def jails() -> Takes:
    """Take names of jails, each once; empty for none."""
    return Takes("names of jails, comma-separated; empty for none", _jails, _joined, "JAIL", repeatable=True)


def jail() -> Takes:
    """Take the name of one jail."""
    return Takes("the name of a jail", _jail, placeholder="JAIL")


def addresses() -> Takes:
    """Take at least one address to listen on."""
    accepted = "host:port, :port or [v6]:port, comma-separated"
    return Takes(accepted, _addresses, _joined, "ADDRESS", repeatable=True)


def unix_socket() -> Takes:
    """Take the path of a UNIX socket."""
    accepted = f"an absolute path of at most {_MAX_SOCKET_PATH} bytes, the limit of UNIX sockets"
    return Takes(accepted, _socket, str, "PATH")


def file(kind: str, placeholder: str = "FILE") -> Takes:
    """Take the path of a file or folder of some kind, opened only later; empty for none."""
    return Takes(f"{kind}; empty for none", _file, lambda path: str(path or ""), placeholder)


def output() -> Takes:
    """Take the path of a file to write."""
    return Takes("a path that ends in the name of a file", _output, str, "FILE")


def switch() -> Takes:
    """Take on or off."""
    return Takes("true or false", _switch, lambda value: str(value).lower(), "true|false", switch=True)


def route() -> Takes:
    """Take a path to serve under."""
    accepted = "a path such as /metrics: letters, digits and ._~- between slashes, not below /api or /-, no query"
    return Takes(accepted, _route, str, "PATH")


def _duration(shortest: float, longest: float, value: object) -> float:
    try:
        seconds = durations.parse(value)  # type: ignore[arg-type]  # it refuses every other type
    except ValueError:
        raise ValueError("not a duration") from None
    if not shortest <= seconds <= longest:
        raise ValueError("too short" if seconds < shortest else "too long")
    return seconds


def _number(least: int, most: int, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:10])
    if type(value) is not int:
        raise ValueError("not a whole number")
    if not least <= value <= most:
        raise ValueError("too small" if value < least else "too large")
    return value


def _items(item: Callable[[Any], Any], value: object) -> tuple[Any, ...]:
    """Split text at commas; take the elements of an array in the file as they are. Every bad one is named."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if value.strip() else []
    if not isinstance(value, list | tuple):
        raise ValueError("neither text nor an array")  # noqa: TRY004 - a fault of a setting is a ValueError
    items, reasons = [], []
    for element in value:
        try:
            items.append(item(element))
        except ValueError as error:
            reasons.append(str(error))
    if reasons:
        raise ValueError(", ".join(reasons))
    return tuple(items)


def _jails(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_items(_jail, value)))


def _jail(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("an empty name" if value == "" else f"{value!r} is no name")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value!r} is not UTF-8, as the value of a label must be") from None
    return value


def _addresses(value: object) -> tuple[ListenAddress, ...]:
    found: tuple[ListenAddress, ...] = _items(_address, value)
    if not found:
        raise ValueError("no address")
    for address in found:
        # Port 0 is another one each time.
        if address.port and found.count(address) > 1:
            raise ValueError(f"{address} given twice")
    return found


def _address(value: object) -> ListenAddress:
    if isinstance(value, ListenAddress):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no address")  # noqa: TRY004 - a fault of a setting is a ValueError
    try:
        return ListenAddress.parse(value)
    except ValueError as error:
        # What is accepted ends the line of every fault; once is enough.
        raise ValueError(str(error).partition(": expected ")[0]) from None


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in {"true", "false"}:
        raise ValueError("neither")
    return value == "true"


def _socket(value: object) -> Path:
    path = _path(value)
    if not path.is_absolute():
        raise ValueError("not absolute")
    length = len(os.fsencode(path))
    if length > _MAX_SOCKET_PATH:
        raise ValueError(f"{length} bytes long")
    return path


def _file(value: object) -> Path | None:
    return None if value is None or value == "" else _path(value)


def _output(value: object) -> Path:
    path = _path(value)
    if str(value).endswith("/") or path.name in {"", ".."}:
        raise ValueError("no name of a file")
    return path


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError("not a path")
    return Path(value)


def _route(value: object) -> str:
    if not isinstance(value, str) or not _ROUTE.fullmatch(value) or {".", ".."} & set(value.split("/")):
        raise ValueError("not such a path")
    if f"{value}/".startswith(tuple(f"{own}/" for own in _OWN_ROUTES)):
        raise ValueError("a path of the exporter's own")
    return value


def _joined(values: tuple[object, ...]) -> str:
    return ",".join(map(str, values))
