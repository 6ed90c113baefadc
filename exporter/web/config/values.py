"""What each value of a web config file may be: annotations for the fields of its schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic_core import core_schema

from exporter.web.config import names
from exporter.web.config.document import Scalar

_TEXT_KINDS: Final = frozenset({"str", "int", "float", "bool", "timestamp"})
_UNITS: Final = {"h": "3600", "m": "60", "s": "1", "ms": "1e-3", "us": "1e-6", "µs": "1e-6", "ns": "1e-9"}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|us|µs|ns|m|s)")
_LONGEST_TEXT: Final = 100
_LONGEST_SECONDS: Final = 86400.0
_MOST_DIGITS: Final = 9
_BCRYPT: Final = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>[./A-Za-z0-9]{22})[./A-Za-z0-9]{31}")
_COSTS: Final = range(4, 32)


class Takes:
    """How a value is read; annotates a field of the schema."""

    def __init__(self, accepted: str, parse: Callable[[Any], Any], *, secret: bool = False) -> None:
        """Make one.

        Args:
            accepted: In words, for messages.
            parse: Turns a `Scalar` (or what stands in its place) into the value; a ValueError names the reason.
            secret: The value is never shown.
        """
        self.accepted = accepted
        self.parse = parse
        self.secret = secret

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Let pydantic validate the field by `parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)


def text(accepted: str = "text", *, secret: bool = False) -> Takes:
    """Take text; numbers and the like too, as they are written."""
    return Takes(accepted, _text, secret=secret)


def file(kind: str) -> Takes:
    """Take the path of a file, opened only later."""
    return Takes(f"the path of {kind}, relative to the folder of this file", _file)


def switch() -> Takes:
    """Take true or false."""
    return Takes("true or false", _switch)


def count(least: int) -> Takes:
    """Take a whole number."""
    return Takes(f"a whole number from {least}", lambda value: _count(value, least))


def duration() -> Takes:
    """Take a duration as Go writes it; becomes seconds."""
    return Takes("a duration with its unit, such as 1s, 500ms or 1m30s, up to 24h; 0 for no limit", _duration)


def choice(options: Mapping[str, object], refused: Mapping[str, str]) -> Takes:
    """Take one name of a few; stays a name."""
    return Takes(", ".join(options), lambda value: _choice(value, options, refused))


def bcrypt_hash() -> Takes:
    """Take the bcrypt hash of a password."""
    return Takes("a bcrypt hash such as htpasswd -nBC 10 '' prints", _bcrypt_hash, secret=True)


def header(name: str) -> Takes:
    """Take the value of a header."""
    options = names.HEADERS[name]
    return Takes(", ".join(options) or "visible ASCII characters and spaces", lambda value: _header(value, options))


def _text(value: object) -> str:
    if not isinstance(value, Scalar) or value.kind not in _TEXT_KINDS:
        raise ValueError("not text")
    if "\0" in value:
        raise ValueError("it holds a NUL")
    return str(value)


def _file(value: object) -> Path:
    path = _text(value)
    if not path:
        raise ValueError("no path")
    return Path(path)


def _switch(value: object) -> bool:
    # As YAML 1.1 has it: on, yes and their like, in three ways to write them.
    if not isinstance(value, Scalar) or value.kind != "bool":
        raise ValueError("neither")
    return value.lower() in {"true", "yes", "on"}


def _count(value: object, least: int) -> int:
    digits = value if isinstance(value, Scalar) and value.kind == "int" else ""
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS or int(digits) < least:
        raise ValueError("no such number")
    return int(digits)


def _duration(value: object) -> float:
    written = _text(value)
    if written == "0":
        return 0.0
    parts = list(_PART.finditer(written))
    if not parts or len(written) > _LONGEST_TEXT or "".join(part[0] for part in parts) != written:
        raise ValueError("not a duration with its unit")
    seconds = float(sum(Decimal(part[1]) * Decimal(_UNITS[part[2]]) for part in parts))
    if seconds > _LONGEST_SECONDS:
        raise ValueError("too long")
    return seconds


def _choice(value: object, options: Mapping[str, object], refused: Mapping[str, str]) -> str:
    name = _text(value)
    if name not in options:
        raise ValueError(refused.get(name, "not one of them"))
    return name


def _bcrypt_hash(value: object) -> str:
    found = _BCRYPT.fullmatch(_text(value))
    if not found:
        raise ValueError("not a bcrypt hash")
    if int(found["cost"]) not in _COSTS:
        raise ValueError("its cost is not one of bcrypt's, 4 to 31")
    import bcrypt  # noqa: PLC0415 - for those who have users

    try:
        bcrypt.hashpw(b"", b"$2b$04$" + found["salt"].encode())
    except ValueError:
        raise ValueError("its salt is not one of bcrypt's") from None
    return found[0]


def _header(value: object, options: tuple[str, ...]) -> str:
    written = _text(value)
    if options and written and written not in options:
        raise ValueError("not one of them")
    if not written.isascii() or not written.isprintable():
        raise ValueError("it holds other characters")
    return written.strip()
