"""When the next probe is due: too late and an outage goes unseen, too early and fail2ban pays for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.health import Health
from exporter.health.activations import Span
from exporter.health.recovery import Cause, Outage
from exporter.model import State
from exporter.schedule import next_probe

NOW = 1000.0


def health(
    state: State = State.ONLINE,
    *,
    changed_at: float | None = 0.0,
    watchful_until: float = float("-inf"),
    due: float | None = None,
    counts: bool = False,
) -> Health:
    """A health in which this is so; `due` is when the outage under way begins to count."""
    fresh = Health.initial(10)
    outage = None if due is None else Outage(Span(0, 0), Cause.EXIT, due, counts=counts)
    recovery = replace(fresh.recovery, outage=outage)
    return replace(fresh, state=state, changed_at=changed_at, watchful_until=watchful_until, recovery=recovery)


@pytest.mark.parametrize(
    ("found", "interval", "started", "expected"),
    [
        pytest.param(health(), 30, NOW, 30, id="online: the interval"),
        pytest.param(health(), 30, NOW - 4, 26, id="online: from start to start"),
        pytest.param(health(), 30, NOW - 30, 0, id="online: took just the interval"),
        pytest.param(health(), 30, NOW - 31, 1, id="online: took longer than the interval: a pause"),
        pytest.param(health(), 0, NOW, 0, id="online: back to back"),
        pytest.param(health(State.UNKNOWN, changed_at=None), 30, NOW, 30, id="nothing is known: the interval"),
        pytest.param(health(watchful_until=NOW + 1), 30, NOW, 2, id="watchful: two seconds"),
        pytest.param(health(watchful_until=NOW + 1), 30, NOW - 2.5, 1, id="watchful, and slow: a pause"),
        pytest.param(health(watchful_until=NOW), 30, NOW, 30, id="watchful no more"),
        pytest.param(health(watchful_until=NOW + 1), 0.5, NOW, 0.5, id="watchful, but the interval is shorter"),
        pytest.param(health(State.OFFLINE, changed_at=NOW), 30, NOW, 1, id="down: a second"),
        pytest.param(health(State.OFFLINE, changed_at=NOW - 10), 30, NOW, 1, id="down for 10 s: still a second"),
        pytest.param(health(State.OFFLINE, changed_at=NOW - 50), 30, NOW, 5, id="down for 50 s: a tenth of it"),
        pytest.param(health(State.OFFLINE, changed_at=NOW - 999), 30, NOW, 30, id="down for long: the interval"),
        pytest.param(health(State.OFFLINE, changed_at=NOW), 0.25, NOW, 0.25, id="down, the interval is shorter"),
        pytest.param(health(State.UNRESPONSIVE, changed_at=NOW), 30, NOW - 10, 1, id="hangs: from its end"),
        pytest.param(health(State.OFFLINE, changed_at=NOW, due=NOW + 0.5), 30, NOW, 0.5, id="it is to count before"),
        pytest.param(health(State.OFFLINE, changed_at=NOW, due=NOW + 9), 30, NOW, 1, id="it is to count later"),
        pytest.param(health(State.OFFLINE, changed_at=NOW, due=NOW + 0.5, counts=True), 30, NOW, 1, id="it counts"),
        pytest.param(health(due=NOW + 3), 30, NOW, 3, id="online, and an exit became clear"),
        pytest.param(
            health(State.INACCESSIBLE, changed_at=NOW, due=NOW - 5),
            30,
            NOW,
            1,
            id="it would count, but nobody may look: no loop",
        ),
        pytest.param(health(State.INACCESSIBLE, changed_at=NOW, due=NOW), 30, NOW, 1, id="the same to the moment"),
    ],
)
def test_the_next_probe_is_so_many_seconds_from_now(
    found: Health, interval: float, started: float, expected: float
) -> None:
    assert next_probe(found, interval, started, NOW) - NOW == expected


SECONDS = st.floats(0, 1e5)


@given(
    st.sampled_from(State),
    st.none() | SECONDS,
    st.none() | SECONDS,
    st.floats(0.25, 86_400),
    SECONDS,
    st.floats(0, 600),
    SECONDS,
)
def test_whatever_is_known_it_is_not_before_now_not_at_once_again_and_again_and_not_later_than_an_interval(  # noqa: PLR0913, PLR0917
    state: State,
    changed_at: float | None,
    due: float | None,
    interval: float,
    watchful_until: float,
    took: float,
    now: float,
) -> None:
    known = health(state, changed_at=changed_at, due=due, watchful_until=watchful_until)

    next_at = next_probe(known, interval, now - took, now)

    assert now <= next_at <= now + interval
    # A probe that takes no time is never followed by another at once: that would be a loop.
    following = next_probe(known, interval, next_at, next_at)
    assert following > next_at
