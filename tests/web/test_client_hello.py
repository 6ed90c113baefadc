"""By which keys a TLS client can be asked to greet once more: what is taken for a greeting, and what isn't."""

from __future__ import annotations

import ssl

import pytest

from exporter.web.client_hello import groups_without_key
from tests.web.attacker import client_hello

P256, P384, X25519 = 23, 24, 29
KEY_SHARE, GROUPS, VERSIONS = 51, 10, 43
TLS_1_2, TLS_1_3 = 0x0303, 0x0304


def vector(content: bytes, length_bytes: int = 2) -> bytes:
    """Bytes behind their length, as TLS has them."""
    return len(content).to_bytes(length_bytes) + content


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def greeting(groups: list[int], keys: list[int], versions: tuple[int, ...] = (TLS_1_3, TLS_1_2)) -> bytes:
    """A greeting with a key of some groups."""
    shares = b"".join(numbers(group) + vector(bytes(32)) for group in keys)
    extensions = {
        0: vector(b"\0" + vector(b"localhost")),
        VERSIONS: vector(numbers(*versions), 1),
        GROUPS: vector(numbers(*groups)),
        KEY_SHARE: vector(shares),
    }
    written = b"".join(numbers(number) + vector(content) for number, content in extensions.items())
    hello = b"\3\3" + bytes(32) + vector(bytes(32), 1) + vector(numbers(0x1302)) + vector(b"\0", 1) + vector(written)
    return b"\x16\3\1" + vector(b"\1" + vector(hello, 3))


@pytest.mark.parametrize(
    ("groups", "keys", "expected"),
    [
        ([X25519, P256, P384], [X25519], [P256, P384]),
        ([P256, X25519], [P256], [X25519]),
        ([X25519, P256, P384], [X25519, P256], [P384]),
        ([X25519], [X25519], []),
        ([X25519, P256], [], [X25519, P256]),
    ],
)
def test_groups_without_a_key_are_found(groups: list[int], keys: list[int], expected: list[int]) -> None:
    assert expected == groups_without_key(greeting(groups, keys))


def test_openssl_s_greeting_has_some() -> None:
    assert P256 in groups_without_key(client_hello())


def test_a_client_of_before_tls_1_3_has_none() -> None:
    assert [] == groups_without_key(greeting([X25519, P256], [X25519], versions=(TLS_1_2,)))
    assert [] == groups_without_key(client_hello(ssl.TLSVersion.TLSv1_2))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(greeting([P256], [X25519]) + b"\x17\3\3\0\1a", id="early data after it"),
        pytest.param(greeting([P256], [X25519])[:-1], id="half of it"),
        pytest.param(b"\x16\3\1" + vector(b"\2" + vector(bytes(80), 3)), id="another message"),
        pytest.param(b"\x16\3\1" + vector(b"\1" + vector(bytes(80), 3) + b"more"), id="more than one message"),
        pytest.param(b"\x16\3\1\0\0", id="nothing"),
        pytest.param(b"", id="not a byte"),
    ],
)
def test_what_is_not_one_greeting_in_one_record_has_none(sent: bytes) -> None:
    assert [] == groups_without_key(sent)


def test_nothing_is_raised_whatever_byte_is_wrong() -> None:
    hello = client_hello()
    for at in range(len(hello)):
        for byte in (0, 1, 0x7F, 0xFF):
            groups_without_key(hello[:at] + bytes([byte]) + hello[at + 1 :])
            cut = hello[5 : at + 1]
            groups_without_key(hello[:3] + vector(cut[:1] + vector(cut[4:], 3)))
