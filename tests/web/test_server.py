from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.addresses import ListenAddress
from exporter.web.limits import Limits
from exporter.web.server import serve
from exporter.web.sockets import bind
from tests.waiting import DEADLINE, wait_until
from tests.web.serving import BIG_PAGE, PAGE, Client, Serving, application

HOST = b"Host: test\r\n"


@pytest.fixture
def serving(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Serving]:
    """The server with its usual limits; neither it nor the event loop may say a word, whatever a test does to it."""
    with Serving() as serving:
        yield serving
    assert [] == [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert ("", "") == capfd.readouterr()


def test_an_answer_comes_whole_and_says_nothing_of_the_server(serving: Serving) -> None:
    answer = serving.get("/metrics")

    assert (200, PAGE) == (answer.status, answer.body)
    assert {"content-type", "content-length", "date"} == set(answer.headers)


def test_a_long_answer_sent_in_pieces_is_the_same_answer(serving: Serving) -> None:
    answer = serving.get("/big")

    assert BIG_PAGE == answer.body


def test_head_is_answered_without_a_body_however_long(serving: Serving) -> None:
    with serving.client() as client:
        client.send(b"HEAD /big HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = client.answer(has_body=False)

        assert str(len(BIG_PAGE)) == answer.headers["content-length"]
        assert PAGE == client.get("/metrics").body


def test_a_kept_connection_answers_at_once(serving: Serving) -> None:
    """Without TCP_NODELAY each answer but the first waits 40 ms for the client's delayed acknowledgement."""
    took = []
    with serving.client() as client:
        for _ in range(10):
            started = time.perf_counter()
            client.get("/metrics")
            took.append(time.perf_counter() - started)

    assert min(took[1:]) < 0.03


def test_pipelined_requests_are_answered_in_order(serving: Serving) -> None:
    with serving.client() as client:
        client.send(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\nHEAD /big HTTP/1.1\r\n" + HOST + b"\r\n")
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\nhello")

        assert PAGE == client.answer().body
        assert 200 == client.answer(has_body=False).status
        assert b"hello" == client.answer().body


def test_a_request_may_come_in_any_parts(serving: Serving) -> None:
    request = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n5\r\nhello\r\n0\r\n\r\n"
    with serving.client() as client:
        for byte in request:
            client.send(bytes([byte]))

        assert b"hello" == client.answer().body


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(serving: Serving) -> None:
    with serving.client() as client:
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n" + HOST + b"\r\n")
        assert 100 == client.answer(has_body=False).status
        client.send(b"hello")

        assert b"hello" == client.answer().body


def test_a_body_that_nobody_wants_does_not_spoil_the_connection(serving: Serving) -> None:
    with serving.client() as client:
        client.get("/metrics")
        client.send(b"POST /deaf HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\n")
        assert 403 == client.answer().status
        client.send(b"hello")

        assert PAGE == client.get("/metrics").body


def test_what_a_client_sends_after_its_last_request_does_not_spoil_the_answer(serving: Serving) -> None:
    with serving.client(receive_buffer=2048) as client:
        client.send(b"GET /big HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        client.peek()  # the answer has begun
        client.send(b"\r\nmore")

        assert BIG_PAGE == client.answer().body


def test_an_application_that_fails_is_answered_for_in_silence(serving: Serving) -> None:
    assert 500 == serving.get("/broken").status
    assert 200 == serving.get("/metrics").status


def test_a_client_that_leaves_in_the_middle_is_nobodys_trouble(serving: Serving) -> None:
    for request in (b"", b"GET /met", b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /never HTTP/1.1\r\n" + HOST):
        with serving.client() as client:
            client.send(request)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert 200 == serving.get("/metrics").status


POST = b"POST /echo HTTP/1.1\r\n" + HOST


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="CL.TE"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, id="TE.CL"),
        pytest.param(POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, id="two lengths"),
        pytest.param(POST + b"Content-Length: +5\r\n\r\nhello", 400, id="length with a sign"),
        pytest.param(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, id="space before the colon"),
        pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, id="unknown encoding"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400, id="negative chunk"),
        pytest.param(
            b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, id="encoding in HTTP/1.0"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, id="NUL in the path"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rC: d\r\n" + HOST + b"\r\n", 400, id="bare CR"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", 400, id="TLS on the plain port"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\n", 400, id="empty first line"),
        pytest.param(b"hello\r\n\r\n", 400, id="no HTTP at all"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 17_000, 431, id="endless header"),
        pytest.param(b"GET /" + b"a" * 17_000, 431, id="endless path"),
        pytest.param(POST + b"Content-Length: 100000\r\n\r\n" + b"a" * 40_000, 413, id="long body"),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"a" * 1024 + b"\r\n" * 40,
            400,
            id="chunk without end",
        ),
    ],
)
def test_a_faulty_request_is_refused_and_the_connection_closed(serving: Serving, request_: bytes, status: int) -> None:
    with serving.client() as client:
        client.send(request_)
        answer = client.answer()

        assert (status, "close") == (answer.status, answer.headers["connection"])
        wait_until(client.is_closed, "the connection is closed")
    assert 200 == serving.get("/metrics").status


def test_a_faulty_request_whose_answer_has_no_body_is_refused_without_one(serving: Serving) -> None:
    with serving.client() as client:
        client.send(b"HEAD /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n\r\n\r\n")

        assert 400 == client.answer(has_body=False).status
        wait_until(client.is_closed, "the connection is closed")


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"not a chunk\r\n", id="faulty"),
        pytest.param(b"400\r\n" + b"a" * 1024 + b"\r\n" + b"9000\r\n" + b"a" * 0x9000 + b"\r\n", id="too long"),
    ],
)
def test_a_body_that_goes_wrong_after_the_answer_ends_the_connection_in_silence(serving: Serving, rest: bytes) -> None:
    with serving.client() as client:
        client.get("/metrics")
        client.send(b"POST /deaf HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n")
        assert 403 == client.answer().status
        client.drip(rest)

        wait_until(client.is_closed, "the connection is closed")


def test_signals_stay_with_the_caller() -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    async def handlers_while_serving() -> list[object]:
        stop = asyncio.Event()
        [sock] = bind([ListenAddress("127.0.0.1", 0)])
        task = asyncio.create_task(serve(application(), [sock], stop))
        with await asyncio.to_thread(Client, sock.getsockname()[1]) as client:
            await asyncio.to_thread(client.get, "/metrics")
            found = handlers()
        stop.set()
        await task
        return found

    before = handlers()
    loop = asyncio.new_event_loop()  # asyncio.run takes SIGINT itself
    try:
        assert before == loop.run_until_complete(handlers_while_serving())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert before == handlers()


def test_stopping_ends_idle_connections_at_once_and_closes_the_sockets() -> None:
    with (
        Serving(limits=Limits(shutdown_seconds=DEADLINE)) as serving,
        serving.client() as idle,
        serving.client() as new,
    ):
        idle.get("/metrics")

        assert serving.stop() < DEADLINE / 2

        assert idle.is_closed()
        assert new.is_closed()
        assert [-1] == [sock.fileno() for sock in serving.sockets]


def test_stopping_lets_an_answer_in_progress_end() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        asked.set()
        await answered.wait()
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/slow", slow)])
    with Serving(app, Limits(shutdown_seconds=DEADLINE)) as serving, serving.client() as client:
        client.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_until(asked.is_set, "the request is in progress")
        serving.begin_stop()
        serving.call(answered.set)

        assert b"done" == client.answer().body
        wait_until(client.is_closed, "the connection is closed")


def test_stopping_does_not_wait_for_an_answer_that_never_comes() -> None:
    with Serving(limits=Limits(shutdown_seconds=0.1)) as serving, serving.client() as client:
        client.send(b"GET /never HTTP/1.1\r\n" + HOST + b"\r\n")
        serving.get("/metrics")

        assert serving.stop() < DEADLINE / 2

        assert client.is_closed()
