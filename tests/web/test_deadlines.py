from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from exporter.web.limits import Limits
from tests.waiting import DEADLINE, wait_until
from tests.web.serving import BIG_PAGE, PAGE, Client, Serving

HOST = b"Host: test\r\n"
SHORT = 0.3
PATIENT = Limits(request_seconds=DEADLINE, answer_seconds=DEADLINE, keep_alive_seconds=DEADLINE)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends whatever a test has entered."""
    with ExitStack() as stack:
        yield stack


def serve(stack: ExitStack, limits: Limits) -> Serving:
    return stack.enter_context(Serving(limits=limits))


def connect(stack: ExitStack, serving: Serving, receive_buffer: int | None = None) -> Client:
    return stack.enter_context(serving.client(receive_buffer))


def wait_until_cut(client: Client, drip: bytes = b"") -> None:
    def cut() -> bool:
        if drip:
            client.drip(drip)
        return client.is_reset()

    wait_until(cut, "the connection is cut off", DEADLINE / 2)


@pytest.mark.parametrize("kept", [pytest.param(False, id="new"), pytest.param(True, id="kept")])
@pytest.mark.parametrize(
    ("first", "drip"),
    [
        pytest.param(b"GET /metrics HTTP/1.1\r\nA: ", b"", id="the head stops"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nA: ", b"a", id="the head drips"),
        pytest.param(b"POST /echo HTTP/1.1\r\nContent-Length: 10000\r\n" + HOST + b"\r\n", b"", id="the body stops"),
        pytest.param(b"POST /echo HTTP/1.1\r\nContent-Length: 10000\r\n" + HOST + b"\r\n", b"a", id="the body drips"),
        pytest.param(
            b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n", b"1\r\na\r\n", id="chunks drip"
        ),
        pytest.param(
            b"POST /deaf HTTP/1.1\r\nContent-Length: 10000\r\n" + HOST + b"\r\n", b"a", id="a body drips unread"
        ),
        pytest.param(
            b"POST /echo HTTP/1.1\r\nContent-Length: 10000\r\nExpect: 100-continue\r\n" + HOST + b"\r\n",
            b"a",
            id="a body drips with leave",
        ),
    ],
)
def test_a_request_that_takes_too_long_is_cut_off(stack: ExitStack, first: bytes, drip: bytes, *, kept: bool) -> None:
    client = connect(stack, serve(stack, replace(PATIENT, request_seconds=SHORT)))
    if kept:
        client.get("/metrics")

    client.send(first)

    wait_until_cut(client, drip)


def test_a_connection_on_which_nothing_is_sent_is_cut_off(stack: ExitStack) -> None:
    client = connect(stack, serve(stack, replace(PATIENT, request_seconds=SHORT)))

    wait_until_cut(client)


def test_a_pipelined_beginning_counts_as_a_request_that_has_begun(stack: ExitStack) -> None:
    client = connect(stack, serve(stack, replace(PATIENT, request_seconds=SHORT)))

    client.send(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\nGET /metrics HTTP/1.1\r\n")

    assert PAGE == client.answer().body
    wait_until_cut(client)


def test_an_idle_connection_outlives_the_deadline_for_requests(stack: ExitStack) -> None:
    """Else a Prometheus that scrapes every minute would find its connection gone each time."""
    serving = serve(stack, replace(PATIENT, request_seconds=SHORT))
    kept, dripping = connect(stack, serving), connect(stack, serving)
    kept.get("/metrics")

    wait_until_cut(dripping)

    assert PAGE == kept.get("/metrics").body


def test_an_idle_connection_ends_at_its_own_deadline(stack: ExitStack) -> None:
    client = connect(stack, serve(stack, replace(PATIENT, keep_alive_seconds=SHORT)))
    client.get("/metrics")

    wait_until_cut(client)


def test_a_late_body_that_nobody_wanted_does_not_stop_the_clock_of_an_idle_connection(stack: ExitStack) -> None:
    client = connect(stack, serve(stack, replace(PATIENT, keep_alive_seconds=SHORT)))
    client.get("/metrics")
    client.send(b"POST /deaf HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\n")
    assert 403 == client.answer().status
    client.send(b"hello")

    wait_until_cut(client)


def test_slow_work_on_a_request_is_not_held_against_its_client(stack: ExitStack) -> None:
    limits = Limits(request_seconds=SHORT, answer_seconds=SHORT, keep_alive_seconds=SHORT, shutdown_seconds=0.1)
    serving = serve(stack, limits)
    patient, dripping = connect(stack, serving), connect(stack, serving)
    patient.send(b"GET /never HTTP/1.1\r\n" + HOST + b"\r\n")

    wait_until_cut(dripping)

    assert not patient.is_closed()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n", id="long answer"),
        pytest.param(b"GET /big HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", id="last answer"),
        pytest.param((b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n") * 100, id="many answers"),
    ],
)
def test_a_client_that_does_not_take_its_answer_is_cut_off(stack: ExitStack, request_: bytes) -> None:
    limits = replace(PATIENT, answer_seconds=SHORT, send_buffer_bytes=4096)
    client = connect(stack, serve(stack, limits), receive_buffer=2048)

    client.send(request_)

    wait_until_cut(client)


def test_a_client_that_reads_slowly_gets_its_whole_answer(stack: ExitStack) -> None:
    serving = serve(stack, Limits(request_seconds=SHORT, keep_alive_seconds=SHORT, send_buffer_bytes=4096))
    slow, dripping = connect(stack, serving, receive_buffer=2048), connect(stack, serving)
    slow.send(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")

    wait_until_cut(dripping)

    assert BIG_PAGE == slow.answer().body


def test_past_the_cap_the_longest_silent_connections_make_room(stack: ExitStack) -> None:
    serving = serve(stack, replace(PATIENT, arrivals=3))
    clients = [connect(stack, serving) for _ in range(5)]

    for client in clients[:2]:
        wait_until_cut(client)
    assert [False, False, False] == [client.is_closed() for client in clients[2:]]
    for client in clients[2:]:
        assert PAGE == client.get("/metrics").body


def test_past_the_cap_the_longest_idle_connections_make_room(stack: ExitStack) -> None:
    serving = serve(stack, replace(PATIENT, connections=3, shutdown_seconds=0.1))
    working = connect(stack, serving)
    working.send(b"GET /never HTTP/1.1\r\n" + HOST + b"\r\n")
    clients = []
    for _ in range(4):
        clients.append(connect(stack, serving))
        assert PAGE == clients[-1].get("/metrics").body

    for client in clients[:2]:
        wait_until_cut(client)
    assert [False, False, False] == [client.is_closed() for client in (working, *clients[2:])]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nA: ", id="head begun"),
        pytest.param(b"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n" + HOST + b"\r\n", id="body begun"),
        pytest.param(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n1\r\na", id="chunk begun"),
    ],
)
def test_slow_connections_never_push_out_a_scraper_that_keeps_its_own(stack: ExitStack, first: bytes) -> None:
    serving = serve(stack, replace(PATIENT, arrivals=3, connections=3))
    kept = connect(stack, serving)
    kept.get("/metrics")

    slow = []
    for _ in range(20):
        slow.append(connect(stack, serving))
        slow[-1].send(first)
    wait_until_cut(slow[16])

    assert PAGE == kept.get("/metrics").body


def test_silent_connections_have_the_places_that_nobody_else_needs_and_give_them_back(stack: ExitStack) -> None:
    serving = serve(stack, replace(PATIENT, places=4))
    silent = [connect(stack, serving) for _ in range(3)]

    kept = connect(stack, serving)
    assert PAGE == kept.get("/metrics").body
    assert [False, False, False] == [client.is_closed() for client in silent]
    another = connect(stack, serving)
    assert PAGE == another.get("/metrics").body

    wait_until_cut(silent[0])
    assert [False, False] == [client.is_closed() for client in silent[1:]]
    assert PAGE == kept.get("/metrics").body


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 5000, id="a long head"),
        pytest.param(b"POST /echo HTTP/1.1\r\nContent-Length: 8000\r\n" + HOST + b"\r\n" + b"a" * 5000, id="a body"),
    ],
)
def test_few_may_have_sent_a_lot_of_a_request_and_push_out_none_but_their_own(
    stack: ExitStack, beginning: bytes
) -> None:
    serving = serve(stack, replace(PATIENT, bulky=2))
    silent = connect(stack, serving)
    bulky = []
    for _ in range(4):
        bulky.append(connect(stack, serving))
        bulky[-1].send(beginning)
        assert PAGE == connect(stack, serving).get("/metrics").body  # what was sent before has been read

    for client in bulky[:2]:
        wait_until_cut(client)
    assert [False, False, False] == [client.is_closed() for client in (silent, *bulky[2:])]


def test_those_who_have_sent_a_lot_of_a_request_have_no_more_time_for_the_rest(stack: ExitStack) -> None:
    client = connect(stack, serve(stack, Limits(request_seconds=SHORT)))
    client.send(b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 5000)

    wait_until_cut(client, b"a")


def test_in_a_burst_no_request_is_dropped_unread(stack: ExitStack) -> None:
    serving = Serving(limits=replace(PATIENT, arrivals=1))
    clients = [connect(stack, serving) for _ in range(40)]
    for client in clients:
        client.send(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")

    stack.enter_context(serving)  # only now does it begin to accept

    for client in clients:
        assert PAGE == client.answer().body
