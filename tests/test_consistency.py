"""Two scrapers and a prober that never pauses: every scrape is one probe's figures, all of them or none."""

from __future__ import annotations

import asyncio
import http.client
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from exporter.addresses import ListenAddress
from exporter.exposition import Exposition
from exporter.model import Probe, Result
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.prober import Prober
from exporter.snapshot import ProbeOptions
from exporter.web.server import serve
from exporter.web.site import Site
from exporter.web.sockets import bind
from tests.lifecycles import lifecycle
from tests.quiet_client import QuietClient
from tests.snapshots import failure, jail, server, snapshot, success
from tests.waiting import DEADLINE

SCRAPES = 10_200
SCRAPERS = 2
PROBE_SECONDS = 0.001
"""What a probe takes; a real one waits for fail2ban meanwhile as well."""

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_JAIL_SERIES = (
    "fail2ban_jail_up",
    "fail2ban_jail_banned_ips",
    "fail2ban_jail_failed_ips",
    "fail2ban_jail_failures_total",
    "fail2ban_jail_ban_time_seconds",
    "fail2ban_jail_info",
)


class Restless(QuietClient):
    """A fail2ban that answers every probe with other figures, which all follow from the probe's number."""

    def __init__(self) -> None:
        self.number = 0
        self._pause = threading.Event()

    def probe(self, timeout: float) -> Probe:
        """Answer with the next figures; every seventh time not at all."""
        del timeout
        self._pause.wait(PROBE_SECONDS)
        self.number += 1
        if self.number % 7 == 0:
            return failure(Result.TIMEOUT)
        return of_number(self.number)


def of_number(number: int) -> Probe:
    """The probe with a number: it is told by every figure."""
    jails = [
        jail(f"jail{place}", banned=number, failed=number, bans=number, failures=number * place)
        for place in range(1 + number % 9)
    ]
    return success(*jails, server=server(version=str(number), start_time=number))


def check(text: str) -> int:
    """Tell which probe a scrape shows, 0 for one that failed; it must show all of it and nothing of another."""
    samples: dict[str, list[tuple[str, float]]] = {}
    for name, labels, value in _SAMPLE.findall(text):
        samples.setdefault(name, []).append((labels, float(value)))
    probes = sum(value for _, value in samples["fail2ban_probes_total"])
    assert samples["fail2ban_probe_duration_seconds_count"] == [("", probes)]
    online = samples["fail2ban_up"] == [("", 1.0)]
    assert ('fail2ban_state="online"', float(online)) in samples["fail2ban_state"]
    if not online:
        assert not samples.keys() & {*_JAIL_SERIES, "fail2ban_jails", "fail2ban_server_info"}
        return 0
    [(_, number)] = samples["fail2ban_server_start_time_seconds"]
    # The fake counts its probes as the exporter does: counters, too, are those of this very probe.
    assert number == probes
    assert samples["fail2ban_server_info"] == [(f'version="{number:.0f}"', 1.0)]
    [(_, count)] = samples["fail2ban_jails"]
    assert count == 1 + number % 9
    assert {name: len(samples[name]) for name in _JAIL_SERIES} == dict.fromkeys(_JAIL_SERIES, count)
    assert sum(value for _, value in samples["fail2ban_jail_banned_ips"]) == number * count
    assert sum(value for _, value in samples["fail2ban_jail_failures_total"]) == number * sum(range(int(count)))
    return int(number)


class Scraper(threading.Thread):
    """Scrapes over one connection and checks each answer; keeps the first error."""

    def __init__(self, port: int, accept: str) -> None:
        super().__init__(name="scraper")
        self.shown: list[int] = []
        self.error: BaseException | None = None
        self._port = port
        self._accept = accept

    def run(self) -> None:
        """Do it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        try:
            for _ in range(SCRAPES // SCRAPERS):
                connection.request("GET", "/metrics", headers={"Accept": self._accept})
                self.shown.append(check(connection.getresponse().read().decode()))
        except BaseException as error:  # noqa: BLE001 - it's shown by the test
            self.error = error
        finally:
            connection.close()


@contextmanager
def prober(died: list[BaseException]) -> Iterator[Prober]:
    """A prober that makes one probe after the other; ended with the block."""
    client = Restless()
    running = Prober(ProbeOptions("/run/f2b.sock", interval=0, timeout=10), lambda *_: client, died.append)
    with structlog.testing.capture_logs():
        running.start()
        try:
            yield running
        finally:
            running.stop(DEADLINE)


@contextmanager
def serving(running: Prober) -> Iterator[int]:
    """The real server with the real routes; its port. Ended with the block."""
    exposition = Exposition(lambda: running.snapshot, OwnMetrics().registry)
    application = Site(lambda: running.snapshot, exposition, "/metrics", lifecycle()).application()
    sockets = bind([ListenAddress("127.0.0.1", 0)])
    port = sockets[0].getsockname()[1]
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(application, sockets, stop)))
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(DEADLINE)
        loop.close()


@contextmanager
def restless_threads() -> Iterator[None]:
    """Let threads take turns all the time: what could be torn is."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@pytest.mark.timeout(240)
def test_ten_thousand_scrapes_while_every_moment_brings_other_figures_are_each_one_probe() -> None:
    died: list[BaseException] = []
    with restless_threads(), prober(died) as running, serving(running) as port:
        scrapers = [Scraper(port, accept) for accept in ("text/plain", "text/plain;version=1.0.0")]
        for scraper in scrapers:
            scraper.start()
        for scraper in scrapers:
            scraper.join()
        probes = sum(running.snapshot.health.probes.values())

    assert [scraper.error for scraper in scrapers] == [None, None]
    assert died == []
    for scraper in scrapers:
        assert len(scraper.shown) == SCRAPES // SCRAPERS
        online = [number for number in scraper.shown if number]
        assert online == sorted(online)
        # Else it was no test: nothing changed meanwhile.
        assert len(set(online)) > 500
    assert probes > 1000


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(("fail2ban_jails 9.0", "fail2ban_jails 8.0"), id="the count is another probe's"),
        pytest.param(('fail2ban_jail_up{jail="jail3"} 1.0\n', ""), id="a series is missing"),
        pytest.param(('failed_ips{jail="jail3"}', 'banned_ips{jail="jail9"}'), id="a series too many"),
        pytest.param(('banned_ips{jail="jail3"} 8.0', 'banned_ips{jail="jail3"} 7.0'), id="a figure is another's"),
        pytest.param(("fail2ban_up 1.0", "fail2ban_up 0.0"), id="figures of a server that is down"),
    ],
)
def test_the_check_sees_a_scrape_that_is_torn(torn: tuple[str, str]) -> None:
    text = _rendered_after(8)
    assert check(text) == 8
    assert torn[0] in text

    with pytest.raises(AssertionError):
        check(text.replace(*torn))


def _rendered_after(number: int) -> str:
    shown = snapshot(*(of_number(each) for each in range(1, number + 1)))
    return Exposition(lambda: shown, OwnMetrics().registry, lambda: 0.0).render(Format.TEXT_0_0_4).decode()
