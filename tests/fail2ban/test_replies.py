"""What a server says is believed only after a look at its type and size."""

import math
from typing import Any

import pytest
from hypothesis import given

from exporter.fail2ban.failures import ProbeError, ProtocolError, ServerError
from exporter.fail2ban.pickles import RemoteError
from exporter.fail2ban.replies import LogFiles, RemoteFault, answer, count, number, pairs, printable, text, word
from tests.fail2ban.strategies import texts, values
from tests.fuzz import examples


def test_the_value_of_a_good_reply_comes_out() -> None:
    assert answer((0, "pong")) == "pong"
    assert answer((0, None)) is None


def test_an_error_reply_says_which_error() -> None:
    with pytest.raises(RemoteFault, match="an error: UnknownJailException: sshd") as caught:
        answer((1, RemoteError("UnknownJailException", "sshd")))

    assert caught.value.no_such_jail


def test_another_error_is_no_missing_jail() -> None:
    with pytest.raises(RemoteFault) as caught:
        answer((1, RemoteError("OperationalError", "database is locked")))

    assert not caught.value.no_such_jail


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("ERROR: unpickling failed", "could not take the request: ERROR: unpickling failed"),
        ("ERROR: " + "x" * 1000, "x$"),
        (["SHUTDOWN"], "shutting down"),
    ],
)
def test_a_server_that_can_not_answer_is_no_stranger(reply: Any, message: str) -> None:
    with pytest.raises(ServerError, match=message) as caught:
        answer(reply)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("reply", [(1, RemoteError("E", "\udcff")), (1, RemoteError("\ud800", "")), "ERROR \udcff"])
def test_a_reason_is_text_that_every_log_can_hold(reply: Any) -> None:
    with pytest.raises(ServerError) as caught:
        answer(reply)

    assert str(caught.value).encode()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        0,
        "pong",
        [],
        (),
        (0,),
        [0, "pong"],
        (0, 1, 2),
        (2, "pong"),
        (0.0, "pong"),
        (False, "pong"),
        ("0", "pong"),
        (1, "an error that is none"),
        {"SHUTDOWN": 0},
        ["SHUTDOWN", 0],
    ],
    ids=repr,
)
def test_what_is_neither_answer_nor_error_is_not_fail2ban(reply: Any) -> None:
    with pytest.raises(ProtocolError, match="is not fail2ban"):
        answer(reply)


@pytest.mark.parametrize("value", [0, 1, 2**53])
def test_a_count_counts(value: int) -> None:
    assert count(value) == value


@pytest.mark.parametrize("value", [-1, 2**53 + 1, 10**600, True, 1.0, "1", None, [], (1,)], ids=lambda x: repr(x)[:9])
def test_what_does_not_count_is_no_count(value: Any) -> None:
    with pytest.raises(ProtocolError):
        count(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (600, 600.0),
        (-1, -1.0),
        (5400.5, 5400.5),
        (6311520000, 6311520000.0),
        (10**600, None),
        (math.inf, None),
        (math.nan, None),
        (True, None),
        ("600", None),
        (None, None),
        ([], None),
    ],
    ids=lambda value: repr(value)[:9],
)
def test_a_setting_that_makes_no_sense_is_not_known(value: Any, expected: float | None) -> None:
    assert expected == number(value)


def test_a_word_is_short() -> None:
    assert word("1.1.0") == "1.1.0"
    with pytest.raises(ProtocolError):
        word("x" * 101)


def test_pairs_come_out_by_name() -> None:
    assert pairs([("Number of jail", 2), ("Jail list", "a, b")]) == {"Number of jail": 2, "Jail list": "a, b"}


@pytest.mark.parametrize("value", [None, {}, [1], [(1, 2)], [("a",)], [("a", 1, 2)], [["a", 1]], (("a", 1),)], ids=repr)
def test_a_section_without_pairs_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError):
        pairs(value)


def test_log_files_are_taken_as_they_are() -> None:
    assert LogFiles().take(["/var/log/auth.log", "/var/log/\udcff"]) == ("/var/log/auth.log", "/var/log/\udcff")


@pytest.mark.parametrize("value", [None, "x", ("x",), [1], [["x"]], {"x": 1}], ids=repr)
def test_what_is_no_list_of_paths_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError):
        LogFiles().take(value)


@pytest.mark.parametrize("paths", [["x" * 100_000], [""] * 1000])
def test_log_files_of_all_jails_together_can_not_fill_the_memory(paths: list[Any]) -> None:
    taken = LogFiles()

    with pytest.raises(ProtocolError, match="more log files"):
        _ = [taken.take(paths) for _ in range(30)]


@given(texts())
def test_every_name_becomes_text_that_prometheus_takes(name: str) -> None:
    shown = printable(name)

    assert shown == shown.encode().decode()
    assert shown == name or any("\ud800" <= character <= "\udfff" for character in name)


@examples(200)
@given(values())
def test_no_value_at_all_is_more_than_a_failed_probe(value: Any) -> None:
    for take in (answer, count, text, word, pairs, LogFiles().take):
        try:
            take(value)
        except ProbeError:
            continue
    number(value)
