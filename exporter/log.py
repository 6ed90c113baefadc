"""Logging: one event a line on standard error, a constant lowercase name with data as keys.

    log = structlog.get_logger()
    log.info("fail2ban_online", version="1.1.0", jails=3)

No line can be forged: whatever a value holds, it stays on its line and in its key. Nothing raises into the code that
logs. No traceback shows local variables, which may hold secrets.
"""

from __future__ import annotations

import logging
import math
import os
import re
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "logfmt", "json", "console"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FIRST_KEYS = ("timestamp", "level", "event")
# What would end a key early, or make the logfmt renderer refuse it.
_NO_KEY = re.compile(r'[\s="]')


@dataclass(frozen=True)
class _Output:
    """Where lines go, and how; replaced as a whole, so that loggers bound before a reload follow it."""

    level: int
    format: str
    render: Processor
    stream: TextIO | None


def configure(level: Level, format: Format, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's name
    """Send events, and records of libraries from WARNING up, to a stream; call it again to change that.

    Args:
        level: Lowest level that is logged. At ``debug``, exceptions come with their traceback.
        format: ``logfmt``, ``json``, ``console``, or ``auto``: console on a terminal, else logfmt.
        stream: Standard error if None. A closed or full one loses lines, and nothing else.
    """
    global _output  # noqa: PLW0603 - a process has one log
    stream = sys.stderr if stream is None else stream
    terminal = _is_terminal(stream)
    form = ("console" if terminal else "logfmt") if format == "auto" else format
    _output = _Output(_LEVELS[level], form, _renderer(form, colors=terminal), stream)
    structlog.configure(
        processors=[
            _drop_below_level,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _flatten_exception,
            _render,
        ],
        # The level is for the first processor: a wrapper class would stay with the loggers that are bound already.
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _FromLibraries):
            root.removeHandler(handler)
    root.addHandler(_FromLibraries(logging.WARNING))


class _Lines:
    """The end of the chain: writes one line for each event."""

    # Reentrant, since a signal handler may log while its own thread is writing.
    _lock = threading.RLock()

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        stream = _output.stream
        if stream is None:
            return
        try:
            with self._lock:
                stream.write(f"{line}\n")
                stream.flush()
        # Disk or pipe full, reader gone (OSError); closed, or text it can't encode (ValueError); reached again from a
        # signal handler inside a write (RuntimeError). A lost line is better than a lost exporter.
        except (OSError, ValueError, RuntimeError):
            pass

    debug = info = warning = error = critical = msg


class _FromLibraries(logging.Handler):
    """Passes on what libraries log the standard way."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # its arguments don't fit its text
            message = str(record.msg)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        structlog.get_logger().log(
            level, "library_message", logger=record.name, message=message, exc_info=record.exc_info
        )


def _drop_below_level(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _LEVELS.get(method, logging.CRITICAL) < _output.level:
        raise structlog.DropEvent
    return event


def _flatten_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Turn ``exc_info``, in each of the forms that logging knows, into ``error`` and, at debug, ``traceback``."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error and not isinstance(error, BaseException):
        error = sys.exc_info()[1]
    if not error:
        return event
    event.setdefault("error", error)
    if _output.level <= logging.DEBUG:
        event["traceback"] = "".join(traceback.format_exception(error)).rstrip("\n")
    return event


def _render(logger: WrappedLogger, method: str, event: EventDict) -> str:
    event = {key: event[key] for key in _FIRST_KEYS if key in event} | {**event}
    if _output.format == "json":
        return str(_output.render(logger, method, {key: _json(value) for key, value in event.items()}))
    # People read a traceback on a terminal line by line; its indent tells its lines from events.
    lines = str(event.pop("traceback", "")).split("\n") if _output.format == "console" else []
    plain = {_NO_KEY.sub("_", _escaped(key)): _text(value) for key, value in event.items()}
    return "\n    ".join([str(_output.render(logger, method, plain)), *map(_escaped, filter(None, lines))])


def _text(value: object) -> object:
    """Write a value on one line: lists with commas, exceptions with their type, control characters visible."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_escaped(_string(item)) for item in value)
    return _escaped(_string(value))


def _json(value: object) -> Any:
    """Keep what JSON has, containers included; the rest, and numbers that are not finite, become text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {_string(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(item) for item in value]
    return _string(value)


def _string(value: object) -> str:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - whatever a value's own code raises, the event is worth its line
        return f"<{type(value).__name__}>"
    if not isinstance(value, BaseException):
        return text
    return f"{type(value).__name__}: {text}" if text else type(value).__name__


def _escaped(text: str) -> str:
    r"""Make every character that is not printable visible: ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _renderer(form: str, *, colors: bool) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    if form == "console":
        colors = colors and not os.environ.get("NO_COLOR")
        return structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)
    return structlog.processors.LogfmtRenderer(bool_as_flag=False)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


_output = _Output(logging.INFO, "logfmt", _renderer("logfmt", colors=False), None)
