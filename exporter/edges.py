"""What the prober needs of the world: a client of fail2ban, a memory, and clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.health import Health
from exporter.model import Probe, ServerExit, ServerTraces


class ProbeClient(Protocol):
    """What the prober needs of a client; see `exporter.fail2ban.Client`."""

    def probe(self, timeout: float) -> Probe: ...  # noqa: D102
    def exits(self) -> list[ServerExit]: ...  # noqa: D102
    def traces(self) -> ServerTraces | None: ...  # noqa: D102
    def was_alive(self, at: float) -> None: ...  # noqa: D102
    def watched(self) -> Sequence[tuple[int, int]]: ...  # noqa: D102
    def settles_in(self) -> float | None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Memory(Protocol):
    """What survives a restart; see `exporter.state_file.StateFile`."""

    def recall(  # noqa: D102
        self, health: Health, socket: str, now: float, timestamp: float
    ) -> tuple[Health, ServerTraces | None]: ...
    def keep(  # noqa: D102, PLR0913
        self,
        health: Health,
        socket: str,
        traces: ServerTraces | None,
        now: float,
        timestamp: float,
        *,
        is_last: bool = False,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: monotonic for durations and deadlines, wall for timestamps."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
