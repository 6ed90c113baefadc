"""What a TLS client says of itself in its greeting, as far as that must be known before OpenSSL takes it up."""

from __future__ import annotations

from collections.abc import Iterator

_RECORD_HEAD = 5
_MESSAGE_HEAD = 4
_VERSION_AND_RANDOM = 34
_CLIENT_HELLO = 1
_SUPPORTED_GROUPS = 10
_SUPPORTED_VERSIONS = 43
_KEY_SHARE = 51
_TLS_1_3 = 0x0304


def groups_without_key(greeting: bytes) -> list[int]:
    """Find the groups for the key exchange that a client supports, and has sent no key of.

    By these alone TLS 1.3 can ask it to greet once more.

    Args:
        greeting: All that it has sent.

    Returns:
        The groups by their numbers in TLS (RFC 8446, 4.2.7); none where it speaks no TLS 1.3, or has not sent just
        one greeting in one record.
    """
    try:
        extensions = dict(_extensions(greeting))
        versions = _numbers(extensions[_SUPPORTED_VERSIONS][1:])
        groups = _numbers(extensions[_SUPPORTED_GROUPS][2:])
        keys = set(_groups_of_keys(extensions[_KEY_SHARE]))
    except (IndexError, KeyError):
        return []
    return [group for group in groups if group not in keys] if _TLS_1_3 in versions else []


def _extensions(greeting: bytes) -> Iterator[tuple[int, bytes]]:
    """Read each extension's number and content.

    Raises:
        IndexError: It ends too early.
    """
    hello = greeting[_RECORD_HEAD:]
    if len(hello) != int.from_bytes(greeting[3:_RECORD_HEAD]) or hello[0] != _CLIENT_HELLO:
        return
    if len(hello) != _MESSAGE_HEAD + int.from_bytes(hello[1:_MESSAGE_HEAD]):
        return
    at = _MESSAGE_HEAD + _VERSION_AND_RANDOM
    at += 1 + hello[at]  # a session's id
    at += 2 + int.from_bytes(hello[at : at + 2])  # cipher suites
    at += 1 + hello[at]  # ways to compress
    at += 2  # the length of all extensions
    while at < len(hello):
        end = at + 4 + int.from_bytes(hello[at + 2 : at + 4])
        yield int.from_bytes(hello[at : at + 2]), hello[at + 4 : end]
        at = end


def _groups_of_keys(extension: bytes) -> Iterator[int]:
    at = 2
    while at < len(extension):
        yield int.from_bytes(extension[at : at + 2])
        at += 4 + int.from_bytes(extension[at + 2 : at + 4])


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]
