"""The state file, without the disk: its content is what the exporter writes, and when it would write it."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter

from exporter.health import Health
from exporter.state_file import SavedState

_ADAPTER: Final = TypeAdapter(SavedState)
_SOCKET: Final = "fail2ban.sock"


class Storage:
    """Keeps the state over a restart of the exporter."""

    def __init__(self) -> None:
        self._content: bytes | None = None
        self._essence: SavedState | None = None

    def save(self, health: Health, now: float, timestamp: float) -> None:
        """Write the state down if what is worth it has changed."""
        state = SavedState.of(health, _SOCKET, None, now, timestamp)
        if state.essence() != self._essence:
            self._essence = state.essence()
            self._content = _ADAPTER.dump_json(state)

    def load(self, health: Health, now: float, timestamp: float) -> Health | None:
        """Return the health with what was written down; None if nothing was."""
        self._essence = None
        return None if self._content is None else decode(self._content, health, now, timestamp)

    def lose(self) -> None:
        """Forget it all."""
        self._content = self._essence = None


def encode(health: Health, now: float, timestamp: float) -> bytes:
    """Return the content of the state file for this health."""
    return _ADAPTER.dump_json(SavedState.of(health, _SOCKET, None, now, timestamp))


def decode(content: bytes, health: Health, now: float, timestamp: float) -> Health:
    """Return the health with what the content of the state file says."""
    return _ADAPTER.validate_json(content, strict=False).restored(health, _SOCKET, now, timestamp)
