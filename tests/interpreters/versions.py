"""Which Pythons there are to test with, and what is known of one that was found, or was not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUITES: Final[dict[str, tuple[str, ...]]] = {
    "3.11": ("bookworm",),
    # Debian never released it, and no package of PyPI that one would trust is a Python.
    "3.12": (),
    "3.13": ("trixie", "forky", "sid"),
    "3.14": ("forky", "sid"),
}
"""Every version that the exporter is for, and the Debian suites that have it, best first."""


@dataclass(frozen=True)
class Interpreter:
    """A Python to test with.

    Attributes:
        version: Such as `3.14`.
        path: The program.
        origin: Where it is from, for people.
    """

    version: str
    path: Path
    origin: str


@dataclass(frozen=True)
class Missing:
    """A Python that could not be had.

    Attributes:
        version: Such as `3.12`.
        reason: Why.
    """

    version: str
    reason: str

    def line(self) -> str:
        """What to tell people, with what they can do."""
        name = f"python{self.version}"
        return (
            f"{self.version}: not tested, {self.reason}. Have {name} on PATH, from your distribution, pyenv or "
            f"`uv python install {self.version}` (which downloads it from GitHub), and it is found by itself"
        )
