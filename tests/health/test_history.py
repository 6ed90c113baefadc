"""The history of probes: the latest ones, bounded, of this server alone."""

from __future__ import annotations

from exporter.health import Health, PastProbe, ProbeEnded, reduce
from exporter.health.history import MAX_PROBES
from exporter.model import Result
from tests.snapshots import TIMESTAMP, failure, success


def test_it_keeps_when_each_probe_ended_how_long_it_took_and_how_it_ended() -> None:
    health = Health.initial(10)
    for number, probe in enumerate((success(duration=0.5), failure(Result.TIMEOUT, duration=10.0))):
        health = reduce(health, ProbeEnded(probe, at=number, timestamp=TIMESTAMP + number))

    assert health.history == (
        PastProbe(TIMESTAMP, 0.5, Result.SUCCESS),
        PastProbe(TIMESTAMP + 1, 10.0, Result.TIMEOUT),
    )


def test_the_oldest_leaves_when_it_is_full() -> None:
    health = Health.initial(10)
    for number in range(MAX_PROBES + 5):
        health = reduce(health, ProbeEnded(success(), at=number, timestamp=number))

    assert [past.ended for past in health.history] == list(range(5, MAX_PROBES + 5))


def test_another_server_begins_anew() -> None:
    health = reduce(Health.initial(10), ProbeEnded(success(), at=1, timestamp=TIMESTAMP))

    assert health.of_another_server().history == ()
