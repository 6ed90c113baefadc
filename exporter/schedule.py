"""When the next probe is due, if nothing happens before. Pure."""

from __future__ import annotations

from typing import Final

from exporter.health import Health
from exporter.model import State

RETRY_SECONDS: Final = 1.0
"""The shortest wait before another probe while fail2ban is not online."""
WATCHFUL_SECONDS: Final = 2.0
"""The wait between probes for a window after the configuration changed: jails are about to be loaded."""
_BACKING_OFF: Final = 0.1
"""While fail2ban is not online, the wait is this share of how long it has not been: news is at most that much late."""


def next_probe(health: Health, interval: float, started: float, now: float) -> float:
    """Return when the next probe is due, in monotonic seconds.

    Online, that is an interval after the start of the latest, or two seconds for a window after a change of the
    configuration. Otherwise it is every second at first, then less often the longer fail2ban is away, until it is the
    interval. A probe that took longer than the interval is followed by a pause, not by another at once. It is never
    later than the moment at which an outage begins to count.

    Args:
        health: as the latest probe left it.
        interval: the probe interval, in seconds.
        started: when the latest probe was started.
        now: when it had ended.
    """
    shortest = min(RETRY_SECONDS, interval)
    if health.state is State.ONLINE or health.changed_at is None:
        pause = min(interval, WATCHFUL_SECONDS) if now < health.watchful_until else interval
        due = max(started + pause, now + (shortest if now > started + pause else 0))
    else:
        due = now + min(max(shortest, (now - health.changed_at) * _BACKING_OFF), interval)
    deadline = health.recovery.deadline()
    # One that has passed had its probe; that one may have been refused permission, and so may be all that follow.
    return due if deadline is None or deadline <= now else min(due, deadline)
