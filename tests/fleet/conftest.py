"""One fleet for all tests of this folder, watched by both generations of Prometheus from before trouble begins."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from tests.fleet.program import Fleet
from tests.monitoring import rules
from tests.monitoring.prometheus import Prometheus
from tests.waiting import wait_until

HOSTS: Final = 300
GENERATIONS: Final = ("prometheus-2.42", "prometheus-3.5")
# The rules are twenty times as fast as they are, so that this stands for one scrape in a hundred seconds.
_INTERVAL: Final = "5s"


@dataclass(frozen=True)
class Watched:
    """The fleet, who watches it, and what its own rules said while all was well.

    Attributes:
        fleet: All hosts, with trouble on one in ten.
        observers: By generation.
        firing_when_well: The alerts that fired before trouble began.
    """

    fleet: Fleet
    observers: dict[str, Prometheus]
    firing_when_well: list[dict[str, str]]


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The fleet, since a moment at which every host had been seen in good health."""
    faster = rules.faster(rules.ours())
    for group in faster["groups"]:
        group.pop("interval", None)  # each of them in the time that a test has
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(HOSTS))
        observers = {
            name: stack.enter_context(
                Prometheus(name, folder / name, faster, None, None, interval=_INTERVAL, job=fleet.discovery())
            )
            for name in GENERATIONS
        }
        for observer in observers.values():
            wait_until(
                lambda: observer.query("sum(instance:fail2ban_up:last)") == [({}, HOSTS)],  # noqa: B023
                f"{HOSTS} hosts are recorded as online",
                seconds=180,
            )
        firing = [alert for observer in observers.values() for alert in observer.alerts()]
        fleet.begin_trouble()
        yield Watched(fleet, observers, firing)


@pytest.fixture(params=GENERATIONS)
def prometheus(request: pytest.FixtureRequest, watched: Watched) -> Prometheus:
    """Each Prometheus in turn."""
    return watched.observers[request.param]


@pytest.fixture
def fleet(watched: Watched) -> Fleet:
    """The fleet."""
    return watched.fleet
