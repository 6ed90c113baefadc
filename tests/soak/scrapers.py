"""Clients that scrape all the time, each in its own way, and keep what they saw that can't be."""

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.soak.invariants import STATES, Follower, Scrape, faults_of
from tests.soak.truth import Truth
from tests.waiting import DEADLINE

_PAUSE = 0.1
_MOST_FAULTS = 20


class Client(threading.Thread):
    """Asks, checks, pauses, until it is told to stop.

    Attributes:
        faults: What can't be, at most some twenty.
        took: The seconds that each answer took.
    """

    def __init__(self, port: int, truth: Truth) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.port = port
        self.truth = truth
        self.faults: list[str] = []
        self.took: list[float] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        """Do it; an error is a fault, and the client goes on."""
        while not self._stop_asked.wait(_PAUSE):
            try:
                found = list(self.turn())
            except Exception as error:  # noqa: BLE001 - told at the end, as all that goes wrong
                found = [f"{type(error).__name__}: {error}"]
            self.faults += [f"{self.name}: {fault}" for fault in found][: _MOST_FAULTS - len(self.faults)]
        self.hang_up()

    def finish(self) -> None:
        """Stop, and wait for it."""
        self._stop_asked.set()
        self.join(DEADLINE)

    def turn(self) -> Iterator[str]:
        """One visit; what was wrong with it."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Close what is open."""

    def ask(self, connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
        """GET a path; the answer must be good."""
        started = time.monotonic()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        self.took.append(time.monotonic() - started)
        if answer.status != http.HTTPStatus.OK:
            raise AssertionError(f"{path} is answered with {answer.status}: {body[:200]!r}")
        return gzip.decompress(body) if answer.headers["content-encoding"] == "gzip" else body


class Scraper(Client):
    """Scrapes over one connection that it keeps, in Prometheus's text format, compressed."""

    headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"}  # noqa: RUF012 - never changed
    is_openmetrics = False

    def __init__(self, port: int, truth: Truth) -> None:
        super().__init__(port, truth)
        self._follower = Follower(lambda: truth.jails_begun)
        self._connection = self._connect()

    def turn(self) -> Iterator[str]:
        """Scrape and check."""
        begun = self.truth.jails_begun
        scrape = Scrape.read(self.fetch(), is_openmetrics=self.is_openmetrics)
        yield from faults_of(scrape)
        yield from self._follower.follow(scrape, begun)
        yield from self.truth.denies(scrape)

    def fetch(self) -> str:
        """The text of a scrape."""
        return self.ask(self._connection, "/metrics", self.headers).decode()

    def hang_up(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)


class NewcomingScraper(Scraper):
    """The same in OpenMetrics, over a connection of its own each time."""

    headers = {"Accept": "application/openmetrics-text;version=1.0.0"}  # noqa: RUF012
    is_openmetrics = True

    def fetch(self) -> str:
        """The text of a scrape."""
        self.hang_up()
        self._connection = self._connect()
        return super().fetch()


class Reader(Client):
    """A person's browser and a script: the page and the status as JSON."""

    def turn(self) -> Iterator[str]:
        """Ask for each."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            page = self.ask(connection, "/", {}).decode()
            document = json.loads(self.ask(connection, "/api/v1/status", {}))
        finally:
            connection.close()
        if document["state"] not in STATES:
            yield f"the state is {document['state']!r}"
        if document["state"] == "online" and document["pending_recoveries"]:
            yield f"online, and recovery is pending for {document['pending_recoveries']}"
        if "</html>" not in page:
            yield "half a page"


class Probe(Client):
    """What restarts an exporter that is not healthy: it must have cause for that hardly ever.

    With an interval of 200 ms a machine that stalls for a second is cause enough.
    """

    def __init__(self, port: int, truth: Truth) -> None:
        super().__init__(port, truth)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        self._visits = 0
        self._ill = 0

    def turn(self) -> Iterator[str]:
        """Ask for its health."""
        self._visits += 1
        self._connection.request("GET", "/-/healthy")
        answer = self._connection.getresponse()
        reason = answer.read().decode()
        self._ill += answer.status != http.HTTPStatus.OK
        if self._ill > 5 + self._visits // 100:
            yield f"not healthy {self._ill} times of {self._visits}, now since {reason}"

    def hang_up(self) -> None:
        """Close the connection."""
        self._connection.close()


class Rude(Client):
    """Sends the beginning of a request, or rubbish, and leaves."""

    WORDS = (b"", b"GET /metr", b"\x16\x03\x01\x02", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n\r\n")

    def turn(self) -> Iterator[str]:
        """Do all of it."""
        for word in self.WORDS:
            place = ("127.0.0.1", self.port)
            with socket.create_connection(place, DEADLINE) as connection, suppress(ConnectionError):
                connection.sendall(word)
        yield from ()


CLIENTS: tuple[type[Client], ...] = (Scraper, Scraper, NewcomingScraper, Reader, Probe, Rude)
