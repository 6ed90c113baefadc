"""Which jails fail2ban's configuration enables, as events: looked at every second, read when something changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, Self

import structlog

from exporter.fail2ban.configuration import ConfigurationWatch, JailConfiguration
from exporter.fail2ban.dialects import MAX_NAME_LENGTH
from exporter.fail2ban.replies import printable
from exporter.health import ConfigurationRead

LOOK_SECONDS: Final = 1.0
"""How often the configuration is looked at: a few calls of stat."""


class Watch(Protocol):
    """What is needed of a watch; see `exporter.fail2ban.configuration.ConfigurationWatch`."""

    def poll(self) -> JailConfiguration | None: ...  # noqa: D102
    def read(self) -> JailConfiguration: ...  # noqa: D102


class ConfiguredJails:
    """The jails that the configuration in one folder enables. Used by the prober's thread alone."""

    def __init__(self, folder: str, make_watch: Callable[[str], Watch] = ConfigurationWatch) -> None:
        """Prepare.

        Args:
            folder: fail2ban's configuration folder; empty for none.
            make_watch: makes the watch of a folder.
        """
        self._make_watch = make_watch
        self._log = structlog.get_logger()
        self.faults: int | None = None
        """How many files could not be read or parsed; None while none is looked at."""
        self._watch: Watch | None = None
        self._latest = JailConfiguration()
        self._looked_at = float("-inf")
        self.turn_to(folder)

    @classmethod
    def off(cls) -> Self:
        """Return one that looks at nothing."""
        return cls("")

    def turn_to(self, folder: str) -> None:
        """Look at another folder from now on."""
        self._watch = self._make_watch(folder) if folder else None
        self._latest = JailConfiguration()
        self._looked_at = float("-inf")
        self.faults = None

    def next_look_in(self, now: float) -> float:
        """Return the seconds until it wants to look again."""
        return float("inf") if self._watch is None else max(0.0, self._looked_at + LOOK_SECONDS - now)

    def look(self, now: float, timestamp: float, *, again: bool = False) -> list[ConfigurationRead]:
        """Look whether the configuration has changed, at most once a second.

        Args:
            now: monotonic seconds.
            timestamp: UTC epoch seconds.
            again: read it now, whether or not it seems to have changed.

        Returns:
            One event if other jails are enabled than before, or for the first time; else none.
        """
        if self._watch is None or not (again or self.next_look_in(now) <= 0):
            return []
        reading = self._watch.read() if again else self._watch.poll()
        since, self._looked_at = self._looked_at, now
        if reading is None:
            return []
        self._tell_faults(reading)
        is_first = self.faults is None
        news = is_first or reading.enabled != self._latest.enabled
        self.faults, self._latest = len(reading.faults), reading
        enabled = frozenset(printable(jail) for jail in reading.enabled if len(jail) <= MAX_NAME_LENGTH)
        return [ConfigurationRead(enabled, since, now, timestamp)] if news else []

    def _tell_faults(self, reading: JailConfiguration) -> None:
        for fault in reading.faults:
            if fault not in self._latest.faults:
                self._log.warning("jail_configuration_faulty", path=fault.path, reason=fault.reason)
