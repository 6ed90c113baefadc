"""Settings of the running jails and the server's database: asked for seldom, all in one write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.fail2ban import commands
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import Dialect, JailCounts
from exporter.fail2ban.failures import ServerError
from exporter.fail2ban.pickles import Value
from exporter.fail2ban.replies import LogFiles, answer, number
from exporter.model import JailSettings

MAX_AGE: Final = 60.0
"""Seconds after which settings are asked for again; also at once when the list of jails changes."""

_JOURNAL: Final = "systemd"
_MAX_PATH: Final = 4096
_SETTINGS: Final = ("bantime", "findtime", "maxretry", "actions")


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """Every running jail's settings at one moment, by the jail's name as fail2ban spells it."""

    at: float
    """Monotonic seconds."""
    settings: dict[str, JailSettings]
    log_files: dict[str, tuple[str, ...]]
    """Where they were asked for: of file-backed jails, for dialects whose counts do not tell them."""
    database: str | None
    """Path of fail2ban's database; None where it keeps none."""

    def is_current(self, jails: Sequence[JailCounts], now: float) -> bool:
        """Tell whether these settings still stand for these jails."""
        return now - self.at < MAX_AGE and self.settings.keys() == {jail.name for jail in jails}


def read(
    connection: Connection, dialect: Dialect, jails: Sequence[JailCounts], deadline: Deadline, now: float
) -> SettingsRead:
    """Ask for the settings of all jails. A jail that has vanished meanwhile has none, and costs no other its own."""
    wanted = [
        (jail.name, name)
        for jail in jails
        if commands.has_readable_settings(jail.name)
        for name in _properties(dialect, jail)
    ]
    requests = [commands.DATABASE_FILE, *(commands.property_of(jail, name) for jail, name in wanted)]
    replies = connection.ask_all(requests, deadline)
    database = _value(next(replies))
    figures: dict[tuple[str, str], float | None] = {}
    log_files: dict[str, tuple[str, ...]] = {}
    taken = LogFiles()
    for (jail, name), reply in zip(wanted, replies, strict=True):
        value = _value(reply)
        if name != "logpath":
            figures[jail, name] = _figure(value)
        elif value is not None:
            log_files[jail] = taken.take(value)
    return SettingsRead(
        at=now,
        settings={jail.name: _settings(figures, jail.name) for jail in jails},
        log_files=log_files,
        database=database if type(database) is str and len(database) <= _MAX_PATH else None,
    )


def _properties(dialect: Dialect, jail: JailCounts) -> tuple[str, ...]:
    # A journal-backed jail has no log files, and asking for them leaves a line in fail2ban's log.
    asks_log_files = not dialect.tells_log_files and jail.backend != _JOURNAL
    return (*_SETTINGS, "logpath") if asks_log_files else _SETTINGS


def _value(reply: Value) -> Value:
    try:
        return answer(reply)
    except ServerError:
        return None


def _figure(value: Value) -> float | None:
    """Return a number, or how many items a list has."""
    return float(len(value)) if type(value) is list else number(value)


def _settings(figures: dict[tuple[str, str], float | None], jail: str) -> JailSettings:
    ban_time, find_time, retries, actions = (figures.get((jail, name)) for name in _SETTINGS)
    return JailSettings(
        ban_time=math.inf if ban_time is not None and ban_time < 0 else ban_time,
        find_time=find_time,
        max_retries=None if retries is None else int(retries),
        actions=None if actions is None else int(actions),
    )
