"""A client that greets twice: what it is asked, and what is kept of it meanwhile."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from exporter.web.config.loading import load
from exporter.web.security import Security
from exporter.web.tls_stream import SessionError, TlsStream
from tests.web.certificates import Certificates, write_web_config
from tests.web.peer import Peer

MOST = 16 * 1024


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def secured(certificates: Certificates, text: str = "") -> Security:
    """What the server uses of a web config file with this in its TLS section."""
    security = load(write_web_config(certificates.folder, text)).security
    assert security
    return security


def greeted(stream: TlsStream, peer: Peer) -> bytes:
    """Have the client greet; return its greeting."""
    greeting = peer.hear(b"")
    assert stream.hold(greeting, MOST)
    return greeting


def complete(stream: TlsStream, peer: Peer, said: bytes) -> None:
    """Have the client answer, and see that both come to terms."""
    answer = peer.hear(said)
    assert stream.hold(answer, MOST)
    stream.feed(b"")
    stream.feed(peer.hear(stream.outgoing()))
    assert (True, True) == (stream.is_open, peer.is_open)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  min_version: TLS13\n",
        "  prefer_server_cipher_suites: false\n",
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n",
    ],
)
def test_a_client_that_greets_twice_gets_its_session(certificates: Certificates, text: str) -> None:
    certificates.issue("prometheus", "prometheus.example")
    stream, peer = TlsStream(secured(certificates, text)), Peer(certificates.client("prometheus"))
    greeted(stream, peer)

    assert stream.ask_again()
    complete(stream, peer, stream.outgoing())

    assert "TLSv1.3" == peer.session.version()


def test_nothing_but_the_greeting_is_kept_of_a_client_that_was_asked(certificates: Certificates) -> None:
    stream = TlsStream(secured(certificates))
    greeting = greeted(stream, Peer(certificates.client()))

    assert stream.ask_again()

    assert len(greeting) == stream.held_bytes
    assert not stream.has_begun


def test_nobody_is_asked_twice(certificates: Certificates) -> None:
    stream, peer = TlsStream(secured(certificates)), Peer(certificates.client())
    greeted(stream, peer)
    assert stream.ask_again()
    assert stream.was_asked

    assert stream.hold(peer.hear(stream.outgoing()), MOST)

    assert not stream.ask_again()


def test_a_client_of_before_tls_1_3_is_not_asked(certificates: Certificates) -> None:
    context = certificates.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    stream, peer = TlsStream(secured(certificates)), Peer(context)
    greeted(stream, peer)

    assert not stream.ask_again()
    stream.feed(b"")
    stream.feed(peer.hear(stream.outgoing()))

    assert stream.is_open


@pytest.mark.parametrize("text", ["  curve_preferences: [CurveP384]\n", "  max_version: TLS12\n"])
def test_nobody_is_asked_for_what_the_config_does_not_allow(certificates: Certificates, text: str) -> None:
    stream = TlsStream(secured(certificates, text))
    greeted(stream, Peer(certificates.client()))

    assert not stream.ask_again()
    assert b"" == stream.outgoing()


def test_the_second_greeting_may_come_byte_by_byte(certificates: Certificates) -> None:
    stream, peer = TlsStream(secured(certificates)), Peer(certificates.client())
    greeted(stream, peer)
    assert stream.ask_again()

    *held, is_whole = [stream.hold(bytes([byte]), MOST) for byte in peer.hear(stream.outgoing())]

    assert (False, True) == (any(held), is_whole)
    stream.feed(b"")
    stream.feed(peer.hear(stream.outgoing()))
    assert stream.is_open


def test_both_greetings_together_may_not_be_too_long(certificates: Certificates) -> None:
    stream, peer = TlsStream(secured(certificates)), Peer(certificates.client())
    greeting = greeted(stream, peer)
    assert stream.ask_again()

    with pytest.raises(SessionError, match="too long a greeting"):
        stream.hold(peer.hear(stream.outgoing()), len(greeting) + 10)


@pytest.mark.parametrize(
    "sent", [b"\x15\3\3\0\2\2\x28", b"\x14\3\3\0\1\1\x15\3\3\0\2\2\x28", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_an_alert_or_nonsense_in_place_of_the_second_greeting_ends_it(certificates: Certificates, sent: bytes) -> None:
    stream = TlsStream(secured(certificates))
    greeted(stream, Peer(certificates.client()))
    assert stream.ask_again()

    def listen() -> None:
        if stream.hold(sent, MOST):
            stream.feed(b"")

    with pytest.raises(SessionError):
        listen()


def test_the_first_greeting_sent_again_ends_it(certificates: Certificates) -> None:
    stream = TlsStream(secured(certificates))
    greeting = greeted(stream, Peer(certificates.client()))
    assert stream.ask_again()

    assert stream.hold(greeting, MOST)
    with pytest.raises(SessionError):
        stream.feed(b"")


def test_a_client_that_has_no_suite_in_common_is_told_so(certificates: Certificates) -> None:
    stream, peer = TlsStream(secured(certificates)), Peer(certificates.client())
    greeting = peer.hear(b"")
    for suite in (b"\x13\1", b"\x13\2", b"\x13\3"):
        greeting = greeting.replace(suite, b"\x13\x7f", 1)
    assert stream.hold(greeting, MOST)

    with pytest.raises(SessionError, match="NO_SHARED_CIPHER"):
        stream.ask_again()

    assert b"\x15" == stream.outgoing()[:1]
