"""What survives a restart of the exporter: blame, counters, and which server it was, in one small file.

Written whole or not at all, and only when something changed that it holds. A file that can't be read is set aside, a
disk that can't be written is no reason to stop: both are told, once, and counted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from exporter.health import Health
from exporter.health.bans import Bans
from exporter.health.recovery import Recovery
from exporter.model import ExitKind, ServerTraces
from exporter.whole_file import expect_regular, read_up_to, write_whole

VERSION: Final = 1
MAX_BYTES: Final = 4 * 1024 * 1024
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class SavedState:
    """The content of the file."""

    version: int
    boot: str
    """Monotonic times count from this boot of the machine."""
    monotonic: float
    """The two clocks at the time of writing, to carry monotonic times over to another boot."""
    timestamp: float
    socket: str
    """The socket path of the server that all this is about."""
    traces: ServerTraces | None
    """Of the server process seen last: how it ended while nobody looked shows in what is left of it."""
    identity: str | None
    exits: Mapping[ExitKind, int]
    restarts: int
    recovery: Recovery
    bans: Bans = field(default_factory=Bans)
    """Missing in files of versions that did not keep it."""

    @classmethod
    def of(cls, health: Health, socket: str, traces: ServerTraces | None, now: float, timestamp: float) -> SavedState:
        """Return what is to be saved of a health, at a monotonic and UTC epoch time."""
        return cls(
            version=VERSION,
            boot=boot_id(),
            monotonic=now,
            timestamp=timestamp,
            socket=socket,
            traces=traces,
            identity=health.server_identity,
            exits=health.exits,
            restarts=health.restarts,
            recovery=health.recovery,
            bans=health.bans,
        )

    def restored(self, health: Health, socket: str, now: float, timestamp: float) -> Health:
        """Return a health that goes on from here, with monotonic times of the present boot."""
        recovery, identity, bans = self.recovery, self.identity, self.bans
        if not self.is_of_this_boot():
            # Everything ended with that boot: the server that runs now is no restart of the one that ran then.
            later = (now - timestamp) - (self.monotonic - self.timestamp)
            recovery, bans = recovery.shifted(later).of_another_boot(), bans.of_another_boot(later)
            identity = None
        # A later version may count by more labels than the one that wrote the file.
        told = {**health.recovery.told, **recovery.told}
        restored = replace(
            health,
            exits={**health.exits, **self.exits},
            restarts=self.restarts,
            server_identity=identity,
            recovery=replace(recovery, policy=health.recovery.policy, told=told),
            bans=bans,
        )
        return restored if self.socket == socket else restored.of_another_server()

    def is_of_this_boot(self) -> bool:
        """Tell whether the machine has not been booted since."""
        return self.boot == boot_id()

    def essence(self) -> SavedState:
        """Return what of it is worth writing the file anew when it changes."""
        return replace(self, monotonic=0.0, timestamp=0.0, recovery=self.recovery.essence(), bans=self.bans.essence())


class StateFile:
    """One state file. Used by the prober's thread alone."""

    def __init__(self, path: str, on_error: Callable[[], None]) -> None:
        """Prepare.

        Args:
            path: where the file is, or is to be.
            on_error: called whenever it could not be read or written.
        """
        self._path = Path(path)
        self._on_error = on_error
        self._adapter = TypeAdapter(SavedState)
        self._saved: SavedState | None = None
        self._fails = False
        self._log = structlog.get_logger()

    def load(self) -> SavedState | None:
        """Return what was saved; None if there is nothing, or nothing that can be used."""
        try:
            expect_regular(self._path)
            with self._path.open("rb") as file:
                content = read_up_to(file, MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._failed("state_file_unreadable", error)
            return None
        try:
            if content is None:
                raise ValueError("larger than any that was written")  # noqa: TRY301  # handled as all that is wrong with it
            state = self._adapter.validate_json(content, strict=False)
            if state.version != VERSION:
                raise ValueError(f"of version {state.version}, and {VERSION} is what this exporter knows")  # noqa: TRY301
        except ValidationError as error:
            self._set_aside(f"not one of ours: {error.errors()[0]['msg']}")
            return None
        except ValueError as error:
            self._set_aside(str(error))
            return None
        return state

    def recall(self, health: Health, socket: str, now: float, timestamp: float) -> tuple[Health, ServerTraces | None]:
        """Return a health that goes on from what was saved, and what is known of the server that ran then.

        Args:
            health: what is known without the file.
            socket: the path that is to be probed; what was saved of another server does not hold for this one.
            now: monotonic seconds.
            timestamp: UTC epoch seconds.
        """
        saved = self.load()
        if saved is None:
            return health, None
        self._saved = saved.essence()
        self._log.info("state_restored", path=str(self._path), pending=saved.recovery.pending())
        # After a boot, numbers of processes and files are given out anew: what is equal is so by chance.
        traces = saved.traces if saved.socket == socket and saved.is_of_this_boot() else None
        return saved.restored(health, socket, now, timestamp), traces

    def keep(  # noqa: PLR0913  # the arguments of `recall`, and how it is to be kept
        self,
        health: Health,
        socket: str,
        traces: ServerTraces | None,
        now: float,
        timestamp: float,
        *,
        is_last: bool = False,
    ) -> None:
        """Write down what changed since it was written last; never raises. The arguments are those of `recall`.

        The last time also when fail2ban was seen last, which alone is no change: it may end while nobody looks.
        """
        state = SavedState.of(health, socket, traces, now, timestamp)
        essence = state.essence()
        if essence == self._saved and not is_last:
            return
        try:
            self._write(self._adapter.dump_json(state))
        except OSError as error:
            self._failed("state_file_unwritable", error)
            return
        self._saved = essence
        if self._fails:
            self._fails = False
            self._log.info("state_file_writable_again", path=str(self._path))

    def _write(self, content: bytes) -> None:
        expect_regular(self._path)
        if len(content) > MAX_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(self._path))
        # Of one name, so that a kill in between leaves one file behind at most, which the next write takes away.
        write_whole(self._path, content, mode=0o600, temporary=self._path.with_name(f".{self._path.name}.new"))

    def _set_aside(self, reason: str) -> None:
        moved_to: str | None = f"{self._path}.corrupt"
        self._on_error()
        try:
            self._path.replace(f"{self._path}.corrupt")
        except OSError:  # a write, which takes its place, would fail too, and tell
            moved_to = None
        self._log.error("state_file_corrupt", path=str(self._path), reason=reason, moved_to=moved_to)

    def _failed(self, event: str, error: OSError) -> None:
        self._on_error()
        if not self._fails:
            self._fails = True
            self._log.error(
                event, path=str(self._path), error=error, consequence="a restart forgets what it would hold"
            )


def boot_id() -> str:
    """Return what names this boot of the machine; empty where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
