"""A client for a prober that has nothing to tell but its probes."""

from collections.abc import Sequence

from exporter.model import ServerExit


class QuietClient:
    """Sees no server end, leaves no traces and watches nothing. What it probes is for a subclass to say."""

    def exits(self) -> list[ServerExit]:
        """None."""
        return []

    def traces(self) -> None:
        """Leaves none."""

    def was_alive(self, at: float) -> None:
        """Does not care."""

    def watched(self) -> Sequence[tuple[int, int]]:
        """Nothing."""
        return []

    def settles_in(self) -> None:
        """Nothing is unsettled."""

    def close(self) -> None:
        """Nothing is open."""
