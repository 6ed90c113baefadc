from __future__ import annotations

import resource

import pytest

from exporter.web.limits import Limits, descriptor_limit


@pytest.mark.parametrize(
    ("descriptors", "arrivals", "connections", "turn"),
    [
        pytest.param(20_000, 512, 256, 16, id="plenty"),
        pytest.param(1024, 512, 256, 16, id="the usual limit"),
        pytest.param(464, 256, 128, 8, id="half of what the limits ask for"),
        pytest.param(100, 13, 6, 1, id="few"),
        pytest.param(10, 1, 1, 1, id="next to none"),
    ],
)
def test_fewer_descriptors_mean_fewer_connections(descriptors: int, arrivals: int, connections: int, turn: int) -> None:
    limits = Limits().within(descriptors)

    assert (arrivals, connections, turn) == (limits.arrivals, limits.connections, limits.turn)


def test_the_limit_that_counts_is_the_one_in_force() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == descriptor_limit()
