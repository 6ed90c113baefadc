"""What other threads want of the prober, and the descriptor that wakes it for that."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exporter.health import ActivationReported, BansRecounted, Recount

if TYPE_CHECKING:
    from exporter.snapshot import Snapshot

MAX_REPORTS: Final = 1_000
"""Reports that may wait; the oldest leave first."""


@dataclass(frozen=True, slots=True)
class Report:
    """A tool says that it activated a jail."""

    jail: str
    timestamp: float | None
    """UTC epoch seconds; None for the moment at which it was told."""
    told_at: float
    """The two clocks at that moment: monotonic seconds,"""
    told_timestamp: float
    """and UTC epoch seconds."""

    def event(self, now: float) -> ActivationReported:
        """Return it as an event of the monotonic time `now`, or of its own if it came in since."""
        # A report from the future is one of a clock that is ahead.
        age = 0.0 if self.timestamp is None else max(0.0, self.told_timestamp - self.timestamp)
        return ActivationReported(
            self.jail, happened=self.told_at - age, at=max(now, self.told_at), timestamp=self.told_timestamp - age
        )


class Inbox:
    """Requests to the prober. Any thread may put something in; the prober's thread alone takes it out."""

    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._reports: deque[Report] = deque(maxlen=MAX_REPORTS)
        self._recounts: dict[str, Recount] = {}
        self._asking: list[Future[Snapshot]] = []
        self._probe_wanted = False

    def fileno(self) -> int:
        """Return the descriptor that is readable while something is in the inbox."""
        return self._wake

    def want_probe(self) -> None:
        """Have the prober probe at once; again before it does changes nothing."""
        with self._lock:
            self._probe_wanted = True
        os.eventfd_write(self._wake, 1)

    def ask_for_probe(self) -> Future[Snapshot]:
        """Have the prober probe at once, and return what is to be the snapshot of a probe that starts from now on."""
        asked: Future[Snapshot] = Future()
        with self._lock:
            self._asking.append(asked)
        self.want_probe()
        return asked

    def report(self, report: Report) -> None:
        """Tell the prober of an activation."""
        with self._lock:
            self._reports.append(report)
        os.eventfd_write(self._wake, 1)

    def recounted(self, recount: Recount) -> None:
        """Tell the prober how many of a jail's bans were restored, and have it probe at once: figures of one moment."""
        with self._lock:
            self._recounts[recount.jail] = recount
        self.want_probe()

    def clear(self) -> None:
        """Make the descriptor unreadable until something new is put in; call it before taking anything out."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return

    def take_reports(self, now: float) -> list[ActivationReported]:
        """Take out all reports, oldest first, as events of the monotonic time `now`, or of their own."""
        with self._lock:
            reports = list(self._reports)
            self._reports.clear()
        return [report.event(now) for report in reports]

    def take_recounts(self, now: float, timestamp: float) -> list[BansRecounted]:
        """Take out what was told of restored bans, the latest of each jail, as events of this time."""
        with self._lock:
            recounts = list(self._recounts.values())
            self._recounts.clear()
        return [BansRecounted(recount, at=now, timestamp=timestamp) for recount in recounts]

    def wants_probe(self) -> bool:
        """Tell whether a probe is wanted."""
        with self._lock:
            return self._probe_wanted

    def take_asking(self) -> list[Future[Snapshot]]:
        """Take out those who wait for the probe that starts now, and with them every wish for a probe.

        Who has given up meanwhile is not among them, and who is can't give up any more: each wants its result set.
        """
        with self._lock:
            asking, self._asking = self._asking, []
            self._probe_wanted = False
        return [asked for asked in asking if asked.set_running_or_notify_cancel()]
