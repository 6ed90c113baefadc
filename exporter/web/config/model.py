"""What a web config file says, ready for use."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ExporterError
from exporter.web.security import Security


class InvalidWebConfig(ExporterError):  # noqa: N818 - it says what is wrong, as the program's users read it
    """The web config file, or a file that it names, can't be used."""

    def __init__(self, faults: Sequence[str], files: Sequence[Path]) -> None:
        super().__init__("invalid web config: " + " | ".join(faults))
        self.faults = tuple(faults)
        """One line each: the key, the value, the line, what is accepted."""
        self.files = tuple(files)
        """All that was looked at: a change to one of them may mend it."""


@dataclass(frozen=True)
class RateLimit:
    """A token bucket for all requests together."""

    interval: float = 0.0
    """Seconds between two requests; 0 is no limit."""
    burst: int = 0
    """So many may come at once."""


@dataclass(frozen=True)
class WebConfig:
    """Who may come in, and how; the default lets in everybody, in plain HTTP."""

    security: Security | None = None
    """None is plain HTTP."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Bcrypt hashes by user; with none, nobody is asked for a password."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """For every answer whose route has none of its own by that name."""
    rate_limit: RateLimit = RateLimit()
    http2_wanted: bool = False
    """It is accepted, and HTTP/1.1 is served."""
    files: tuple[Path, ...] = ()
    """The file itself and all that it names."""
    tls_digest: bytes = b""
    """Of all that makes up `security`."""

    @property
    def is_guarded(self) -> bool:
        """Whether all clients have to show who they are."""
        verifies = self.security is not None and self.security.context.verify_mode == ssl.CERT_REQUIRED
        return bool(self.users) or verifies
