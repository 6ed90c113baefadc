"""The routes that act: nobody acts who may not, every fault is named, and an answer is never of an older probe."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest
import structlog
from prometheus_client.core import Metric
from starlette.applications import Starlette

from exporter.exposition import Exposition
from exporter.model import Probe
from exporter.prober import Prober
from exporter.snapshot import ProbeOptions, Snapshot
from exporter.web import lifecycle as lifecycle_module
from exporter.web.lifecycle import Lifecycle
from exporter.web.site import Site
from tests.asgi import Answer, call
from tests.lifecycles import lifecycle
from tests.quiet_client import QuietClient
from tests.snapshots import failure, jail, server, snapshot, success
from tests.waiting import DEADLINE

ROUTES = ("/-/probe", "/-/activations", "/-/reload")
SHOWN = snapshot(success(jail()))


class NothingOwn:
    """No metrics of the exporter's own."""

    def collect(self) -> Iterable[Metric]:
        """None."""
        return []


@dataclass
class Doings:
    """What the routes did."""

    is_enabled: bool = True
    reported: list[tuple[str, float | None]] = field(default_factory=list)
    probes: int = 0
    reloads: int = 0
    faults: tuple[str, ...] = ()
    answer: Snapshot | None = SHOWN
    """The snapshot of a probe; None for one that never ends."""

    def _probe(self) -> Future[Snapshot]:
        self.probes += 1
        asked: Future[Snapshot] = Future()
        if self.answer is not None:
            asked.set_result(self.answer)
        return asked

    def _report(self, jail_name: str, at: float | None) -> None:
        self.reported.append((jail_name, at))

    def _reload(self) -> tuple[str, ...]:
        self.reloads += 1
        return self.faults

    def all(self) -> tuple[int, int, int]:
        """How many of each."""
        return self.probes, len(self.reported), self.reloads

    def post(self, path: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST") -> Answer:
        """The answer; nothing may have been raised."""
        made = lifecycle(self._probe, self._report, self._reload, is_enabled=self.is_enabled, probe_timeout=0.0)
        answer = call(site(made), path, headers, method=method, body=body)
        assert answer.error is None
        return answer


def site(made: Lifecycle) -> Starlette:
    return Site(lambda: SHOWN, Exposition(lambda: SHOWN, NothingOwn()), "/metrics", made).application()


# -- who may


@pytest.mark.parametrize("path", ROUTES)
def test_turned_off_nothing_is_done_and_the_answer_says_what_turns_it_on(path: str) -> None:
    doings = Doings(is_enabled=False)

    answer = doings.post(path, b'{"jail": "sshd"}')

    assert answer.status == 403
    assert "--web.enable-lifecycle" in answer.text
    assert doings.all() == (0, 0, 0)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("is_enabled", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_acts_so_that_no_link_does(path: str, method: str, *, is_enabled: bool) -> None:
    doings = Doings(is_enabled=is_enabled)

    answer = doings.post(path, method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert doings.all() == (0, 0, 0)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        pytest.param({}, True, id="no browser"),
        pytest.param({"Host": "h:9191"}, True, id="no browser, with its host"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, True, id="a page of this exporter"),
        pytest.param({"Sec-Fetch-Site": "none"}, True, id="the user's own doing"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, False, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, False, id="another host of the same site"),
        pytest.param({"Sec-Fetch-Site": "anything"}, False, id="something new"),
        pytest.param({"Host": "h:9191", "Origin": "http://h:9191"}, True, id="plain HTTP: the same origin"),
        pytest.param({"Host": "h:9191", "Origin": "http://evil"}, False, id="plain HTTP: another"),
        pytest.param({"Host": "h:9191", "Origin": "http://h:80"}, False, id="plain HTTP: another port"),
        pytest.param({"Host": "h:9191", "Origin": "null"}, False, id="plain HTTP: a sandboxed page"),
        pytest.param({"Host": "h:9191", "Origin": ""}, False, id="plain HTTP: an empty origin"),
        pytest.param(
            {"Host": "inside", "Origin": "https://outside", "Sec-Fetch-Site": "same-origin"},
            True,
            id="behind a proxy that gives another host",
        ),
    ],
)
def test_a_page_of_another_site_can_not_act_through_a_visitor_s_browser(
    path: str, headers: dict[str, str], *, allowed: bool
) -> None:
    doings = Doings()

    answer = doings.post(path, b'{"jail": "sshd"}', headers)

    assert (answer.status == 403) is not allowed
    assert sum(doings.all()) == allowed


# -- activations


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        pytest.param({"jail": "sshd"}, ("sshd", None), id="now"),
        pytest.param({"jail": "sshd", "at": None}, ("sshd", None), id="null is now"),
        pytest.param({"jail": "sshd", "at": 1_700_000_000.25}, ("sshd", 1_700_000_000.25), id="a time"),
        pytest.param({"jail": "sshd", "at": 1_700_000_000}, ("sshd", 1_700_000_000.0), id="a whole number"),
        pytest.param({"jail": "sshd", "at": 0}, ("sshd", 0.0), id="the epoch"),
        pytest.param({"jail": "sshd", "at": 9e10}, ("sshd", 9e10), id="the far future"),
        pytest.param({"at": 1, "jail": "größe \n\u202e"}, ("größe \n\u202e", 1.0), id="any name"),
        pytest.param({"jail": "x" * 1000}, ("x" * 1000, None), id="a long name"),
    ],
)
def test_a_report_is_taken_and_told_back(body: Mapping[str, object], reported: tuple[str, float | None]) -> None:
    doings = Doings()

    answer = doings.post("/-/activations", json.dumps(body).encode())

    assert answer.status == 202
    assert json.loads(answer.body) == {"jail": reported[0], "at": reported[1]}
    assert doings.reported == [reported]


def test_the_same_report_twice_is_taken_twice_since_whether_it_is_the_same_is_not_for_the_route_to_say() -> None:
    doings = Doings()
    for _ in range(2):
        assert doings.post("/-/activations", b'{"jail": "sshd", "at": 5}').status == 202

    assert doings.reported == [("sshd", 5.0)] * 2


NO_JSON, NO_OBJECT, NO_NAME, NO_TIME = "not JSON", "not an object with", '"jail" is not a name', '"at" is not a time'


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(b"", NO_JSON, id="nothing"),
        pytest.param(b"jail=sshd", NO_JSON, id="a form"),
        pytest.param(b'{"jail": "sshd"', NO_JSON, id="cut off"),
        pytest.param(b"\xff\xfe", NO_JSON, id="not UTF-8"),
        pytest.param(b"[" * 5000, NO_JSON, id="nested deeply"),
        pytest.param(b'{"at": ' + b"9" * 5000 + b"}", NO_JSON, id="an endless integer"),
        pytest.param(b"[]", NO_OBJECT, id="a list"),
        pytest.param(b'"sshd"', NO_OBJECT, id="text"),
        pytest.param(b"null", NO_OBJECT, id="null"),
        pytest.param(b'{"jail": "sshd", "jial": 1}', NO_OBJECT, id="an unknown key"),
        pytest.param(b"{}", NO_NAME, id="no jail"),
        pytest.param(b'{"at": 1}', NO_NAME, id="only a time"),
        pytest.param(b'{"jail": ""}', NO_NAME, id="an empty name"),
        pytest.param(b'{"jail": 3}', NO_NAME, id="a number for a name"),
        pytest.param(b'{"jail": ["sshd"]}', NO_NAME, id="a list of names"),
        pytest.param(b'{"jail": null}', NO_NAME, id="null for a name"),
        pytest.param(json.dumps({"jail": "x" * 1001}).encode(), NO_NAME, id="a name too long"),
        pytest.param(b'{"jail": "\\ud800"}', NO_NAME, id="a name that no label can hold"),
        pytest.param(b'{"jail": "sshd", "at": -1}', NO_TIME, id="before the epoch"),
        pytest.param(b'{"jail": "sshd", "at": NaN}', NO_TIME, id="NaN"),
        pytest.param(b'{"jail": "sshd", "at": Infinity}', NO_TIME, id="infinity"),
        pytest.param(b'{"jail": "sshd", "at": -Infinity}', NO_TIME, id="minus infinity"),
        pytest.param(b'{"jail": "sshd", "at": 1e400}', NO_TIME, id="too large for a number"),
        pytest.param(b'{"jail": "sshd", "at": 1700000000000}', NO_TIME, id="milliseconds"),
        pytest.param(b'{"jail": "sshd", "at": ' + b"9" * 400 + b"}", NO_TIME, id="a huge integer"),
        pytest.param(b'{"jail": "sshd", "at": true}', NO_TIME, id="a boolean"),
        pytest.param(b'{"jail": "sshd", "at": "1700000000"}', NO_TIME, id="text"),
        pytest.param(b'{"jail": "sshd", "at": [1]}', NO_TIME, id="a list for a time"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_by_name_and_does_nothing(body: bytes, fault: str) -> None:
    doings = Doings()

    answer = doings.post("/-/activations", body)

    assert answer.status == 400
    assert fault in answer.text
    assert len(answer.text) < 200
    assert doings.all() == (0, 0, 0)


# -- a probe


def test_a_probe_is_answered_with_what_it_found_as_the_status_is() -> None:
    doings = Doings(answer=snapshot(failure(reason="try this")))

    answer = doings.post("/-/probe")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    document = json.loads(answer.body)
    assert (document["state"], document["reason"], document["probe"]["result"]) == (
        "offline",
        "try this",
        "socket_missing",
    )
    assert doings.probes == 1


class Slow(QuietClient):
    """A fail2ban whose version is the number of the probe; the first probe takes until it is let."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.let = threading.Event()
        self._number = 0

    def probe(self, timeout: float) -> Probe:
        """Answer when let."""
        del timeout
        self._number += 1
        number = self._number
        self.started.set()
        self.let.wait(DEADLINE)
        return success(server=server(version=str(number)))


def test_the_answer_is_of_a_probe_that_started_after_the_request() -> None:
    """A tool that has just mended a jail must not be told how things stood before."""
    slow, asked = Slow(), threading.Event()
    prober = Prober(ProbeOptions("/run/f2b.sock", interval=3600, timeout=10), lambda *_: slow, lambda _: None)

    def probe() -> Future[Snapshot]:
        future = prober.probe_now()
        asked.set()
        return future

    answers: list[Answer] = []
    application = site(lifecycle(probe, is_enabled=True))
    request = threading.Thread(target=lambda: answers.append(call(application, "/-/probe", method="POST")))
    with structlog.testing.capture_logs():
        prober.start()
        try:
            assert slow.started.wait(DEADLINE)  # the first probe is under way, and may have looked already
            request.start()
            assert asked.wait(DEADLINE)
            slow.let.set()
            request.join(DEADLINE)
        finally:
            slow.let.set()
            prober.stop(DEADLINE)

    assert json.loads(answers[0].body)["server"]["version"] == "2"


def test_a_probe_that_does_not_end_is_a_504_and_nobody_waits_for_it_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_module, "_PATIENCE_SECONDS", 0.01)
    never: Future[Snapshot] = Future()

    answer = call(site(lifecycle(lambda: never, is_enabled=True, probe_timeout=0.0)), "/-/probe", method="POST")

    assert answer.error is None
    assert answer.status == 504
    assert "/-/healthy" in answer.text
    assert never.cancelled()


# -- a reload


def test_a_reload_that_works_says_so() -> None:
    doings = Doings()

    answer = doings.post("/-/reload")

    assert (answer.status, answer.text) == (200, "reloaded\n")
    assert doings.reloads == 1


def test_a_reload_that_fails_names_every_fault_and_that_nothing_changed() -> None:
    doings = Doings(faults=("probe.timeout: too short", "log.level: not one of them"))

    answer = doings.post("/-/reload")

    assert answer.status == 500
    assert answer.text.splitlines() == [
        "the old settings stay:",
        "probe.timeout: too short",
        "log.level: not one of them",
    ]
