"""TLS: who may connect, in which version, and what happens to connections when a certificate is replaced."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.web.config.loading import load
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.tls_stream import TlsStream
from exporter.web.tls_transport import TlsTransport
from tests import programs
from tests.waiting import DEADLINE, wait_until
from tests.web.attacker import client_hello
from tests.web.certificates import Certificates, write_web_config
from tests.web.peer import Peer
from tests.web.serving import BIG_PAGE, PAGE, Client, Serving

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"
MUTUAL = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
OPTIONAL = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"
QUICK = Limits(request_seconds=0.2)
EVERYBODY_IS_ASKED = Limits(unasked=0)
NOBODY_S_TIME_IS_UP = {"hello_seconds": 60, "retry_seconds": 60, "request_seconds": 60}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


Serve = Callable[..., Serving]


@pytest.fixture
def serve(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Serve]:
    """Make a server whose TLS settings are those of the text; it may not say a word, whatever a test does to it."""
    made: list[Serving] = []

    def serve(text: str = "", limits: Limits | None = None) -> Serving:
        made.append(Serving(limits=limits, security=secured(certificates, text)).__enter__())
        return made[-1]

    yield serve
    for serving in made:
        serving.__exit__(None, None, None)
    assert [] == [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert "" == capfd.readouterr().err


def secured(certificates: Certificates, text: str = "") -> Security:
    """What the server uses of a web config file with this in its TLS section."""
    security = load(write_web_config(certificates.folder, text)).security
    assert security
    return security


def foreign(tmp_path: Path) -> Certificates:
    """Certificates of another authority."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    return Certificates(folder)


def test_answers_are_the_same_under_tls(serve: Serve, certificates: Certificates) -> None:
    serving = serve()
    with serving.client(tls=certificates.client()) as client:
        assert PAGE == client.get("/metrics").body
        assert BIG_PAGE == client.get("/big").body
        client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello")
        assert b"hello" == client.answer().body


def test_http_1_1_is_agreed_on_where_the_client_offers_http_2_too(serve: Serve, certificates: Certificates) -> None:
    context = certificates.client()
    context.set_alpn_protocols(["h2", "http/1.1"])

    with serve().client(tls=context) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert "http/1.1" == client.socket.selected_alpn_protocol()


def test_a_request_in_many_records_and_many_requests_in_one_are_answered(
    serve: Serve, certificates: Certificates
) -> None:
    with serve().client(tls=certificates.client()) as client:
        for byte in REQUEST:
            client.send(bytes([byte]))
        assert PAGE == client.answer().body
        client.send(REQUEST * 3)
        assert [PAGE] * 3 == [client.answer().body for _ in range(3)]


def test_a_client_that_waits_for_acknowledgements_is_answered_without_delay(
    serve: Serve, certificates: Certificates
) -> None:
    """One that does not set TCP_NODELAY: the kernel acknowledges the end of its handshake after 40 ms by itself."""
    serving = serve()
    took = []
    for _ in range(20):
        with serving.client(tls=certificates.client()) as client:
            started = time.monotonic()
            client.get("/metrics")
            took.append(time.monotonic() - started)

    assert min(took) < 0.03


@pytest.mark.parametrize("text", ["", MUTUAL, "  min_version: TLS13\n", "  max_version: TLS12\n"])
def test_a_client_that_is_asked_to_greet_twice_or_can_t_be_is_served(
    serve: Serve, certificates: Certificates, text: str
) -> None:
    certificates.issue("prometheus", "prometheus.example")
    serving = serve(text, EVERYBODY_IS_ASKED)

    assert PAGE == serving.get("/metrics", certificates.client("prometheus")).body


def test_openssl_s_own_client_greets_twice_where_many_have_greeted_and_say_no_more(serve: Serve) -> None:
    serving = serve(limits=Limits(request_seconds=DEADLINE))
    quiet = s_client(serving, "-tls1_3")
    silent = []
    try:
        for _ in range(Limits().unasked):
            silent.append(serving.client())
            silent[-1].send(client_hello())
            silent[-1].peek()

        crowded = s_client(serving, "-tls1_3")
    finally:
        for client in silent:
            client.socket.close()

    assert "Server Temp Key: X25519" in quiet
    assert "Server Temp Key: ECDH, prime256v1" in crowded


def test_a_certificate_replaced_between_two_greetings_costs_no_client_its_session(
    serve: Serve, certificates: Certificates
) -> None:
    serving = serve(limits=EVERYBODY_IS_ASKED)
    peer = Peer(certificates.client())
    with serving.client() as client:
        client.send(peer.hear(b""))
        client.peek()
        certificates.issue("server", "localhost")
        serving.security = secured(certificates)

        while not peer.is_open:
            client.send(peer.hear(client.socket.recv(65536)))

        with serving.client(tls=certificates.client()) as other:
            assert shown_certificate(other) != peer.session.getpeercert(binary_form=True)


def test_a_client_that_was_asked_to_greet_twice_has_its_time_whoever_comes_meanwhile(
    serve: Serve, certificates: Certificates
) -> None:
    serving = serve(limits=replace(EVERYBODY_IS_ASKED, arrivals=2, hello_seconds=60, retry_seconds=60))
    with serving.client() as leaves, serving.client() as asked:
        for client in (leaves, asked):
            client.send(client_hello())
            client.peek()
        for _ in range(3):
            serving.client().socket.close()

        leaves.socket.close()
        assert PAGE == serving.get("/metrics", certificates.client()).body

        assert not asked.is_closed()


def test_a_crowd_of_old_clients_that_wait_for_their_handshakes_does_not_keep_others_out(serve: Serve) -> None:
    """Who can't be asked to greet twice costs a handshake: each newcomer takes the place of one of those who wait."""
    limits = replace(EVERYBODY_IS_ASKED, arrivals=6, handshakes=1, crowd=3, **NOBODY_S_TIME_IS_UP)
    serving = serve(limits=replace(limits, retry_seconds=0))  # so that whoever is asked has had his time at once
    with ExitStack() as clients:

        def arrive(data: bytes) -> Client:
            client = clients.enter_context(serving.client())
            client.send(data)
            return client

        old = client_hello(ssl.TLSVersion.TLSv1_2)
        under_way = arrive(old)
        under_way.peek()
        asked = arrive(client_hello())
        asked.peek()
        crowd = [arrive(old) for _ in range(4)]
        # Those who came before one that is refused have been heard.
        wait_until(arrive(REQUEST).is_closed, "plain HTTP is refused")
        crowd.append(arrive(old))
        newcomer = arrive(client_hello())

        assert newcomer.peek().startswith(b"\x16")
        assert [True, False, False, False, False] == [client.is_reset() for client in crowd]
        assert not under_way.is_reset()
        assert not asked.is_reset()


def test_who_was_cut_off_for_a_long_greeting_is_none_of_a_crowd_any_more(serve: Serve) -> None:
    few = {"places": 8, "arrivals": 8, "bulky": 2, "handshakes": 1, "crowd": 3}
    serving = serve(limits=replace(EVERYBODY_IS_ASKED, **few, **NOBODY_S_TIME_IS_UP))
    with ExitStack() as clients:

        def old(protocols: int = 0) -> Client:
            client = clients.enter_context(serving.client())
            client.send(client_hello(ssl.TLSVersion.TLSv1_2, protocols))
            return client

        old().peek()
        bulky = [old(protocols=20) for _ in range(4)]
        wait_until(lambda: [True, True, False, False] == [each.is_reset() for each in bulky], "two may be bulky")
        crowd = [old() for _ in range(5)]
        newcomer = clients.enter_context(serving.client())
        newcomer.send(client_hello())

        assert newcomer.peek().startswith(b"\x16")
        assert [True, False] == [each.is_reset() for each in bulky[2:]]
        assert not any(each.is_reset() for each in crowd)


def test_plain_http_is_told_to_come_by_https(serve: Serve) -> None:
    with serve().client() as client:
        client.send(REQUEST)

        received = b""
        while data := client.socket.recv(4096):
            received += data

    assert received.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert received.endswith(b"this port speaks HTTPS: use https:// in place of http://\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 100,
        b"\x16\x03\x01\x00\x05aaaaa",
        b"\x16\x03\x01\xff\xff" + b"a" * 20_000,
        client_hello()[:9] + b"\xff" * (len(client_hello()) - 9),
        b"\x80\x00",
    ],
)
def test_what_is_neither_gets_no_connection(serve: Serve, sent: bytes) -> None:
    serving = serve(limits=Limits(request_seconds=600))
    with serving.client() as client:
        client.send(sent)

        wait_until(client.is_closed, "the connection is closed")


VERSIONS = ("tls1", "tls1_1", "tls1_2", "tls1_3")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", {"tls1_2", "tls1_3"}),
        ("  min_version: TLS13\n", {"tls1_3"}),
        ("  max_version: TLS12\n", {"tls1_2"}),
    ],
)
def test_openssl_s_own_client_connects_with_the_allowed_versions_alone(
    serve: Serve, text: str, allowed: set[str]
) -> None:
    serving = serve(text)

    connected = {
        version
        for version in VERSIONS
        if "-----BEGIN CERTIFICATE-----" in s_client(serving, f"-{version}", "-cipher", "ALL:@SECLEVEL=0")
    }

    assert allowed == connected


@pytest.mark.parametrize(
    ("suite", "is_taken"), [("ECDHE-ECDSA-AES256-GCM-SHA384", True), ("ECDHE-ECDSA-AES128-GCM-SHA256", False)]
)
def test_the_chosen_suites_alone_are_taken(serve: Serve, suite: str, *, is_taken: bool) -> None:
    serving = serve("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n")

    assert is_taken == (f"Cipher is {suite}" in s_client(serving, "-tls1_2", "-cipher", suite))


@pytest.mark.parametrize(("curve", "is_taken"), [("P-384", True), ("P-256", False)])
def test_the_chosen_curve_alone_is_taken(serve: Serve, curve: str, *, is_taken: bool) -> None:
    serving = serve("  curve_preferences: [CurveP384]\n")

    assert is_taken == ("Server Temp Key: ECDH, secp384r1" in s_client(serving, "-curves", curve))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_resumes_a_session_gets_nothing(serve: Serve, certificates: Certificates, version: ssl.TLSVersion) -> None:
    """A client whose certificate is no longer welcome must not get in by a ticket of yesterday."""
    serving = serve()
    context = certificates.client()
    context.maximum_version = version
    # OpenSSL has a session of TLS 1.2 at hand for as long as its first connection is open.
    with serving.client(tls=context) as client:
        client.get("/metrics")
        assert isinstance(client.socket, ssl.SSLSocket)
        session = client.socket.session
        with (
            Client(serving.port) as raw,
            context.wrap_socket(raw.socket, server_hostname="localhost", session=session) as again,
        ):
            assert not again.session_reused or is_refused(again)
        client.get("/metrics")


def is_refused(client: ssl.SSLSocket) -> bool:
    """Whether the connection ends without an answer to a request."""
    try:
        client.sendall(REQUEST)
        return client.recv(1) == b""
    except OSError:
        return True


def s_client(serving: Serving, *options: str) -> str:
    """What `openssl s_client` prints."""
    done = subprocess.run(
        [programs.openssl(), "s_client", "-connect", f"127.0.0.1:{serving.port}", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_client_certificate_of_the_authority_lets_in_and_nothing_else_does(
    serve: Serve, certificates: Certificates, tmp_path: Path
) -> None:
    serving = serve(MUTUAL)
    certificates.issue("prometheus", "prometheus.example")
    stranger = foreign(tmp_path)
    stranger.issue("prometheus", "prometheus.example")
    shown = certificates.client()
    shown.load_cert_chain(stranger.folder / "prometheus.pem", stranger.folder / "prometheus.key")

    assert PAGE == serving.get("/metrics", certificates.client("prometheus")).body
    for refused in (certificates.client(), shown):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            serving.get("/metrics", refused)


def test_a_certificate_that_need_not_be_shown_is_verified_if_it_is(
    serve: Serve, certificates: Certificates, tmp_path: Path
) -> None:
    serving = serve(OPTIONAL)
    certificates.issue("prometheus", "prometheus.example")
    stranger = foreign(tmp_path)
    shown = certificates.client()
    shown.load_cert_chain(stranger.folder / "server.pem", stranger.folder / "server.key")

    assert PAGE == serving.get("/metrics", certificates.client()).body
    assert PAGE == serving.get("/metrics", certificates.client("prometheus")).body
    with pytest.raises((ssl.SSLError, ConnectionError)):
        serving.get("/metrics", shown)


@pytest.mark.parametrize(
    ("identities", "is_let_in"),
    [
        (["prometheus.example"], True),
        (["other.example", "10.0.0.1"], True),
        (["2001:db8::1"], True),
        (["ops@example.org"], True),
        (["other.example"], False),
        (["10.0.0.2"], False),
        (["prometheus.example.evil"], False),
        (["*.example"], False),
    ],
)
def test_of_verified_clients_those_with_an_allowed_name_are_let_in(
    serve: Serve, certificates: Certificates, identities: list[str], *, is_let_in: bool
) -> None:
    names = "[prometheus.example, 10.0.0.1, '2001:0db8::0001', ops@example.org]"
    serving = serve(f"{MUTUAL}  client_allowed_sans: {names}\n")
    certificates.issue("client", *identities)
    context = certificates.client("client")

    if is_let_in:
        assert PAGE == serving.get("/metrics", context).body
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            serving.get("/metrics", context)


def test_a_new_certificate_is_what_new_connections_see_and_kept_ones_end_with_their_next_answer(
    serve: Serve, certificates: Certificates
) -> None:
    serving = serve()
    with serving.client(tls=certificates.client()) as kept:
        kept.get("/metrics")
        before = shown_certificate(kept)
        certificates.issue("server", "localhost")
        serving.security = secured(certificates)

        with serving.client(tls=certificates.client()) as client:
            assert before != shown_certificate(client)
        answer = kept.get("/metrics")

        assert (PAGE, "close") == (answer.body, answer.headers["connection"])
        assert b"" == kept.socket.recv(1)


def test_a_client_whose_authority_was_removed_gets_one_more_answer_at_most(
    serve: Serve, certificates: Certificates, tmp_path: Path
) -> None:
    serving = serve(MUTUAL)
    certificates.issue("prometheus", "prometheus.example")
    with serving.client(tls=certificates.client("prometheus")) as kept:
        kept.get("/metrics")
        (tmp_path / "ca.pem.old").write_text(certificates.text("ca.pem"))
        (tmp_path / "ca.pem").write_text(foreign(tmp_path).text("ca.pem"))
        serving.security = secured(certificates, MUTUAL)
        assert "close" == kept.get("/metrics").headers["connection"]

    (tmp_path / "ca.pem").write_text((tmp_path / "ca.pem.old").read_text())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        serving.get("/metrics", certificates.client("prometheus"))


def test_tls_can_be_turned_on_and_off_while_it_serves(serve: Serve, certificates: Certificates) -> None:
    serving = serve()
    security = serving.security
    serving.security = None
    assert PAGE == serving.get("/metrics").body
    with serving.client() as kept:
        kept.get("/metrics")

        serving.security = security

        assert "close" == kept.get("/metrics").headers["connection"]
    assert PAGE == serving.get("/metrics", certificates.client()).body


def test_no_request_is_lost_while_certificates_are_replaced_under_load(
    serve: Serve, certificates: Certificates
) -> None:
    serving = serve()
    stop = threading.Event()

    def scrape(*, keeps: bool) -> int:
        count = 0
        while not stop.is_set():
            with serving.client(tls=certificates.client()) as client:
                is_open = True
                while is_open and not stop.is_set():
                    answer = client.get("/metrics")
                    assert PAGE == answer.body
                    count += 1
                    is_open = keeps and answer.headers.get("connection") != "close"
        return count

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(scrape, keeps=keeps) for keeps in (True, True, False, False)]
        try:
            for _ in range(30):
                certificates.issue("server", "localhost")
                serving.security = secured(certificates)
                serving.get("/metrics", certificates.client())
        finally:
            stop.set()
        counts = [client.result(DEADLINE) for client in clients]

    print(f"30 certificates, {sum(counts)} answers")
    assert all(counts)


def shown_certificate(client: Client) -> bytes:
    """The server's certificate as this client sees it."""
    assert isinstance(client.socket, ssl.SSLSocket)
    certificate = client.socket.getpeercert(binary_form=True)
    assert certificate
    return certificate


@pytest.mark.parametrize(
    "sent", [b"", client_hello()[:3], client_hello()[:50], client_hello()], ids=["nothing", "head", "part", "all"]
)
@pytest.mark.parametrize("limits", [QUICK, replace(QUICK, unasked=0)], ids=["", "asked"])
def test_half_a_handshake_is_given_no_more_time_than_half_a_request(serve: Serve, limits: Limits, sent: bytes) -> None:
    serving = serve(limits=limits)
    with serving.client() as client:
        if sent:
            client.send(sent)

        wait_until(client.is_reset, "the connection is cut off")


def test_a_request_dripped_after_the_handshake_is_given_no_more_time(serve: Serve, certificates: Certificates) -> None:
    with serve(limits=QUICK).client(tls=certificates.client()) as client:
        client.send(REQUEST[:20])

        wait_until(client.is_reset, "the connection is cut off")


def test_a_reader_that_stalls_is_given_no_more_time_under_tls(serve: Serve, certificates: Certificates) -> None:
    serving = serve(limits=Limits(answer_seconds=0.2, send_buffer_bytes=4096))
    with serving.client(receive_buffer=2048, tls=certificates.client()) as client:
        client.send(REQUEST.replace(b"metrics", b"big"))

        wait_until(client.is_reset, "the connection is cut off")


def test_a_client_that_says_goodbye_is_let_go(serve: Serve, certificates: Certificates) -> None:
    serving = serve()
    with serving.client(tls=certificates.client()) as client:
        client.get("/metrics")
        assert isinstance(client.socket, ssl.SSLSocket)
        client.socket = client.socket.unwrap()

        assert b"" == client.socket.recv(1)


@pytest.mark.parametrize("sent", [b"", client_hello()[:50], client_hello()], ids=["nothing", "part", "all"])
def test_the_server_ends_at_once_with_handshakes_under_way(serve: Serve, sent: bytes) -> None:
    serving = serve()
    with serving.client() as client:
        client.send(sent)

        assert serving.stop() < 2.0


@pytest.mark.parametrize("unasked", [0, 44])
def test_clients_that_break_off_the_handshake_leave_nothing_behind(
    serve: Serve, certificates: Certificates, unasked: int
) -> None:
    serving = serve(limits=Limits(arrivals=2, handshakes=2, unasked=unasked))
    for length in range(0, len(client_hello()) + 1, 7):
        with serving.client() as client:
            client.send(client_hello()[:length])

    assert PAGE == serving.get("/metrics", certificates.client()).body


@pytest.mark.parametrize("unasked", [0, 1, 44])
def test_more_clients_at_once_than_there_are_places_wait_and_none_is_pushed_out(
    serve: Serve, certificates: Certificates, unasked: int
) -> None:
    serving = serve(limits=Limits(arrivals=2, handshakes=1, unasked=unasked, hello_seconds=60, retry_seconds=60))
    context = certificates.client()
    release = threading.Event()
    serving.call(lambda: release.wait(DEADLINE))
    sockets = []
    for _ in range(12):
        sock = context.wrap_socket(socket.socket(), server_hostname="localhost", do_handshake_on_connect=False)
        sock.connect(("127.0.0.1", serving.port))
        sock.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            sock.do_handshake()  # the greeting is sent
        sock.settimeout(DEADLINE)
        sockets.append(sock)

    def scrape(sock: ssl.SSLSocket) -> bytes:
        with sock:
            sock.do_handshake()
            sock.sendall(REQUEST.replace(b"Host", b"Connection: close\r\nHost"))
            received = b""
            while data := sock.recv(65536):
                received += data
        return received

    with ThreadPoolExecutor(len(sockets)) as pool:
        release.set()
        answers = list(pool.map(scrape, sockets))

    assert all(answer.endswith(PAGE) for answer in answers)


def test_a_client_that_makes_the_session_answer_and_never_reads_is_cut_off(certificates: Certificates) -> None:
    """By key updates, for one: the session answers each of them by itself."""

    class Wire(asyncio.Transport):
        unsent = 0
        is_cut = False

        def get_write_buffer_size(self) -> int:
            return self.unsent

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self.unsent += len(data)

        def abort(self) -> None:
            self.is_cut = True

        def is_closing(self) -> bool:
            return self.is_cut

    class Answering(TlsStream):
        def feed(self, _: bytes) -> bytes:
            return b""

        def outgoing(self) -> bytes:
            return b"x" * 1000

    wire = Wire()
    transport = TlsTransport(Answering(secured(certificates)), asyncio.Protocol())
    transport.connection_made(wire)

    for _ in range(100):
        transport.data_received(b"update")
    assert not wire.is_cut
    for _ in range(100):
        transport.data_received(b"update")
    assert wire.is_cut
