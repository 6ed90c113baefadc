"""Whatever bytes come to the web server, it answers or hangs up in time, smuggles nothing and serves the next one."""

import asyncio
import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.limits import Limits
from tests.fuzz import examples
from tests.waiting import wait_until
from tests.web.serving import Serving

SECONDS = 0.2
"""That a request, and a connection between two, may take here."""


class Site(logging.Handler):
    """The routes under attack, and an ear for complaints.

    Attributes:
        asked: The paths that were asked for.
        errors: What was logged at WARNING or above, or the event loop was told of: it must be nothing.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.asked: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a complaint."""
        self.errors.append(record.getMessage())

    def application(self) -> Starlette:
        """One route that reads the whole body, whatever the path."""

        async def everything(request: Request) -> Response:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: self.errors.append(str(context)))
            self.asked.append(request.url.path)
            await request.body()
            return PlainTextResponse("served")

        return Starlette(routes=[Route("/{path:path}", everything, methods=["GET", "POST"])])


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, Serving]]:
    made = Site()
    limits = Limits(request_seconds=SECONDS, keep_alive_seconds=SECONDS, answer_seconds=SECONDS)
    logging.getLogger().addHandler(made)
    try:
        with Serving(made.application(), limits) as serving:
            yield made, serving
    finally:
        logging.getLogger().removeHandler(made)
    assert made.errors == []


def send(serving: Serving, data: bytes) -> bytes:
    """Send bytes to it as a client that then waits; all that it answers until it hangs up, which it must."""
    received = b""
    with serving.client() as client:
        client.drip(data)
        try:
            while chunk := client.socket.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
    return received


def serves(serving: Serving) -> None:
    """The next client gets its answer."""
    assert (200, b"served") == ((answer := serving.get("/next")).status, answer.body)


METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"get", b"PRI", b"CONNECT", b"G\x00T", b""])
TARGETS = st.sampled_from(
    [b"/", b"/metrics", b"*", b"http://a/", b"/%00", b"/\xff", b"//a", b"a:1", b"/" + b"a" * 9000]
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b""])
NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Connection", b"Upgrade", b"Accept", b"X" * 400]
)
VALUES = st.one_of(
    st.sampled_from([b"a", b"5", b"-1", b"9" * 30, b"chunked", b"gzip, chunked", b"100-continue", b"close", b"h2c"]),
    st.binary(max_size=30),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\x00\r\n"])
LINES = st.lists(st.tuples(NAMES, st.sampled_from([b": ", b":", b" : ", b""]), VALUES, ENDS).map(b"".join), max_size=5)
REQUESTS = st.tuples(METHODS, TARGETS, VERSIONS, ENDS, LINES, ENDS, st.binary(max_size=60)).map(
    lambda drawn: drawn[0] + b" " + drawn[1] + b" " + drawn[2] + drawn[3] + b"".join(drawn[4]) + drawn[5] + drawn[6]
)


@examples(100)
@given(data=st.one_of(st.binary(max_size=200), REQUESTS, st.lists(REQUESTS, max_size=3).map(b"".join)))
def test_any_bytes_are_answered_or_hung_up_on_in_time_and_the_next_is_served(
    site: tuple[Site, Serving], data: bytes
) -> None:
    made, serving = site

    received = send(serving, data)

    assert received == b"" or re.match(rb"HTTP/1\.1 \d{3} ", received)
    serves(serving)
    assert made.errors == []


SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = len(SMUGGLED)
LENGTHS = st.sampled_from(
    [
        f"Content-Length: {LENGTH}",
        f"content-length:{LENGTH}",
        f"Content-Length: {LENGTH}, {LENGTH}",
        f"Content-Length: 0{LENGTH}",
        f"Content-Length: {LENGTH}\r\nContent-Length: 5",
        f"Content-Length: +{LENGTH}",
        f"Content-Length : {LENGTH}",
        f"Content-Length: {LENGTH:#x}",
    ]
)
ENCODINGS = st.sampled_from(
    [
        "Transfer-Encoding: chunked",
        "transfer-encoding:chunked",
        "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: a\r\n Transfer-Encoding: chunked",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\nTransfer-Encoding: chunked",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding: chunked;a=b",
        'Transfer-Encoding: "chunked"',
    ]
)


@examples(150)
@given(
    length=LENGTHS,
    encoding=ENCODINGS,
    lengths_first=st.booleans(),
    start=st.sampled_from(["1.1", "1.0", "1.1\r\nConnection: keep-alive", "1.1\r\nConnection: Content-Length"]),
)
def test_no_request_is_smuggled_inside_another_whichever_of_two_framings_a_proxy_believes(
    site: tuple[Site, Serving], length: str, encoding: str, start: str, *, lengths_first: bool
) -> None:
    made, serving = site
    made.asked.clear()
    framing = (length, encoding) if lengths_first else (encoding, length)
    head = f"POST /first HTTP/{start}\r\nHost: a\r\n" + "".join(f"{line}\r\n" for line in framing) + "\r\n"

    send(serving, head.encode("latin-1") + SMUGGLED)

    assert "/smuggled" not in made.asked


def test_a_request_behind_another_is_served_where_the_first_has_one_end(site: tuple[Site, Serving]) -> None:
    """So that the test above would see a smuggled one."""
    made, serving = site
    made.asked.clear()

    send(serving, b"POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED)

    wait_until(lambda: made.asked == ["/first", "/smuggled"], lambda: f"both are served: {made.asked}")
