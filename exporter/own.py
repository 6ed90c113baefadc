"""The exporter's metrics about itself: its build, its process, its reloads."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Info, PlatformCollector, ProcessCollector

from exporter import __version__


class OwnMetrics:
    """A registry of its own, so that nothing is global. May be set and collected from any thread."""

    def __init__(self, wall: Callable[[], float] = time.time, *, of_process: bool = True) -> None:
        """Make them.

        Args:
            wall: UTC epoch seconds.
            of_process: whether ``process_*`` and ``python_*`` are among them.
        """
        self._wall = wall
        self.registry = CollectorRegistry()
        build = Info("fail2ban_exporter_build", "The exporter's version, and Python's.", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._reload_successful = Gauge(
            "fail2ban_exporter_config_last_reload_successful",
            "Whether the latest attempt to read the settings succeeded.",
            registry=self.registry,
        )
        self._reload_time = Gauge(
            "fail2ban_exporter_config_last_reload_success_timestamp_seconds",
            "When the settings were last read successfully, in seconds since the epoch.",
            registry=self.registry,
        )
        self._state_file_errors = Counter(
            "fail2ban_exporter_state_file_errors",
            "How often the state file could not be read or written.",
            registry=self.registry,
        )
        self._auth_failures = Counter(
            "fail2ban_exporter_auth_failures",
            "Requests refused with 401, since the user or the password was not one of the web config file's.",
            registry=self.registry,
        )
        self._lock = threading.Lock()
        self._faulty: set[str] = set()
        self.reloaded(successfully=True)
        if of_process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def reloaded(self, *, successfully: bool) -> None:
        """Note that the settings were read again, and the web config file with them, or could not be."""
        if successfully:
            self._note("web config", successfully=True)
        self._note("settings", successfully=successfully)

    def web_config_reread(self, *, successfully: bool) -> None:
        """Note that the web config file, which had changed, was read again by itself, or could not be."""
        self._note("web config", successfully=successfully)

    def _note(self, source: str, *, successfully: bool) -> None:
        """Note how the latest reading of one source went: what is mended in one does not mend the other."""
        with self._lock:
            (self._faulty.discard if successfully else self._faulty.add)(source)
            self._reload_successful.set(not self._faulty)
            if not self._faulty:
                self._reload_time.set(self._wall())

    def auth_failed(self) -> None:
        """Count a request that was refused with 401."""
        self._auth_failures.inc()

    def state_file_failed(self) -> None:
        """Count that the state file could not be read or written."""
        self._state_file_errors.inc()
