"""What the exporter tells systemd, or whatever else speaks its notification protocol, and what systemd tells it.

See sd_notify(3): a datagram of `KEY=value` lines to the UNIX socket that the environment names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Final, Self

import structlog

_SEND_SECONDS: Final = 1.0
"""systemd reads at once; while the whole host hangs, the exporter doesn't wait along."""
_MICROSECONDS: Final = 1_000_000
_MARGIN_SECONDS: Final = 15.0
"""What a beat may take beside the probe: settling an exit, reading configuration, a slow disk under the state file."""

_WATCHING: Final = "STATUS=watching fail2ban"
_FAULTY: Final = f"{_WATCHING}; the latest settings are faulty, and the former ones stay in force"


class ServiceManager:
    """The service manager that started this process, if one did. Used by the event loop's thread alone.

    Nothing here raises: a manager that can't be told is logged once, and the exporter goes on.
    """

    def __init__(
        self, address: str | None, watchdog_seconds: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            address: the manager's socket: a path, or a name in the abstract namespace after an `@`; None for none.
            watchdog_seconds: how long the manager waits for a sign of life before it ends the process; None for ever.
            clock: monotonic seconds, as CLOCK_MONOTONIC has them.
        """
        self._address = address
        self._watchdog_seconds = watchdog_seconds if address else None
        self._clock = clock
        self._is_ready = False
        self._fails = False
        self._log = structlog.get_logger()

    @classmethod
    def of_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """Return the manager that the environment names, and take it out of there: no child is to speak to it."""
        address = environ.pop("NOTIFY_SOCKET", None)
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_for_us = pid in {"", str(os.getpid())} and microseconds.isascii() and microseconds.isdecimal()
        seconds = int(microseconds) / _MICROSECONDS if is_for_us else 0.0
        return cls(address or None, seconds or None)

    def allow_for(self, probe_timeout: float) -> None:
        """Have the watchdog wait longer, where one probe may take longer than it does; it never waits less."""
        needed = probe_timeout + _MARGIN_SECONDS
        if self._watchdog_seconds and self._watchdog_seconds < needed:
            self._log.info("watchdog_extended", seconds=needed, was=self._watchdog_seconds, probe_timeout=probe_timeout)
            self._watchdog_seconds = needed
            self._send(f"WATCHDOG_USEC={int(needed * _MICROSECONDS)}")

    def beat(self) -> None:
        """Pass on a sign of life. The first says that the exporter is ready, the others feed the watchdog."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1", _WATCHING)
        elif self._watchdog_seconds:
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the settings are read again; `reloaded` is to follow."""
        if self._is_ready:
            self._send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock() * _MICROSECONDS)}")

    def reloaded(self, *, successfully: bool) -> None:
        """Say that reading the settings has ended, and how."""
        if self._is_ready:
            self._send("READY=1", _WATCHING if successfully else _FAULTY)

    def stopping(self) -> None:
        """Say that the exporter has begun to end."""
        self._send("STOPPING=1", "STATUS=ending")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_SEND_SECONDS)
                sock.connect(_sockaddr(self._address))
                sock.send("\n".join(lines).encode())
        except (OSError, ValueError) as error:
            if not self._fails:
                self._log.warning("service_manager_unreachable", socket=self._address, error=error)
            self._fails = True
        else:
            self._fails = False


def _sockaddr(address: str) -> str | bytes:
    if address.startswith("@"):
        return b"\0" + os.fsencode(address[1:])
    if not address.startswith("/"):
        raise ValueError("neither a path nor an abstract name")
    return address
