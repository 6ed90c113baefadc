from __future__ import annotations

import resource

import pytest

from exporter.web.limits import Limits, descriptor_limit


@pytest.mark.parametrize(
    ("descriptors", "places", "handshakes", "connections", "turn", "hellos"),
    [
        pytest.param(20_000, 944, 176, 256, 16, 4, id="plenty"),
        pytest.param(1024, 944, 176, 256, 16, 4, id="the usual limit"),
        pytest.param(552, 472, 88, 128, 8, 4, id="half of what the limits ask for"),
        pytest.param(100, 20, 3, 5, 1, 1, id="few"),
        pytest.param(10, 3, 1, 1, 1, 1, id="next to none"),
    ],
)
def test_fewer_descriptors_mean_fewer_connections(  # noqa: PLR0913, PLR0917 - a column for each limit
    descriptors: int, places: int, handshakes: int, connections: int, turn: int, hellos: int
) -> None:
    limits = Limits().within(descriptors)

    assert (places, handshakes, connections) == (limits.places, limits.handshakes, limits.connections)
    assert (turn, hellos) == (limits.turn, limits.hellos)


@pytest.mark.parametrize("descriptors", [20_000, 1024, 552, 100, 10])
def test_those_who_have_come_further_leave_places_to_newcomers(descriptors: int) -> None:
    limits = Limits().within(descriptors)

    kept = limits.places - limits.handshakes - limits.connections

    assert kept >= limits.places // 3
    assert limits.places >= limits.arrivals >= limits.bulky >= 1
    assert limits.handshakes >= limits.unasked >= 1


def test_the_limit_that_counts_is_the_one_in_force() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == descriptor_limit()
