"""Each version is asked in words that it knows: an unknown one is an error in fail2ban's own log."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import PLAIN, SHORT, STATS, Dialect, JailCounts, Roster, for_version
from exporter.fail2ban.failures import ProbeError, ProtocolError, ServerError
from exporter.fail2ban.pickles import RemoteError
from tests.fail2ban.strategies import texts, values
from tests.fakes import FakeConnection
from tests.fuzz import examples

DIALECTS = [STATS, SHORT, PLAIN]


def asked(dialect: Dialect, answer: Callable[[list[str]], Any]) -> tuple[Roster, list[list[str]]]:
    """What a dialect makes of a server's replies, and what it asked."""
    connection = FakeConnection(answer)
    return dialect.ask(cast("Connection", connection), Deadline.after(60)), connection.requests


def status(figures: tuple[int, int, int, int], watched: tuple[str, Any] = ("File list", ["/log"])) -> Any:
    """A jail's status as `status JAIL short` has it."""
    failed, failures, banned, bans = figures
    return [
        ("Filter", [("Currently failed", failed), ("Total failed", failures), watched]),
        ("Actions", [("Currently banned", banned), ("Total banned", bans)]),
    ]


def listing(names: str, number: int) -> Any:
    """The reply to `status`."""
    return (0, [("Number of jail", number), ("Jail list", names)])


def jails_of(names: str, number: int, **replies: Any) -> Callable[[list[str]], Any]:
    """A server with that list, and a status for each; `replies` are of jails that answer otherwise."""

    def answer(command: list[str]) -> Any:
        return listing(names, number) if command == ["status"] else replies.get(command[1], (0, status((1, 2, 3, 4))))

    return answer


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("0.9.7", PLAIN),
        ("0.10.6", PLAIN),
        ("0.11.0.dev1", PLAIN),
        ("0.11.0", SHORT),
        ("0.11.2", SHORT),
        ("1.0.2", SHORT),
        ("1.0.3.dev1", SHORT),
        ("1.1.0.dev1", SHORT),
        ("1.1.0-rc1", SHORT),
        ("1.1", STATS),
        ("1.1.0", STATS),
        ("1.1.1.dev1", STATS),
        ("1.1.1", STATS),
        ("1.10.0", STATS),
        ("2.0.0", STATS),
        ("", PLAIN),
        ("unknown", PLAIN),
        ("v1.1.0", PLAIN),
        ("1", PLAIN),
        ("99999999999999999999.1.0", PLAIN),
        ("\n1.1.0", PLAIN),
    ],
)
def test_a_version_is_asked_in_its_own_words(version: str, dialect: Dialect) -> None:
    assert for_version(version) is dialect


def test_stats_is_one_request_for_all_jails() -> None:
    reply = (0, {"web": ["systemd", (5, 6), (7, 8)], "sshd": ["polling", (1, 2), (3, 4)]})

    roster, requests = asked(STATS, lambda _: reply)

    assert requests == [["stats"]]
    assert roster == Roster(
        2, (JailCounts("sshd", 1, 2, 3, 4, "polling", None), JailCounts("web", 5, 6, 7, 8, "systemd", None))
    )


@pytest.mark.parametrize(("dialect", "more"), [(SHORT, ["short"]), (PLAIN, [])], ids=["short", "plain"])
def test_the_others_are_a_list_and_then_each_jail(dialect: Dialect, more: list[str]) -> None:
    journal = (0, status((5, 6, 7, 8), ("Journal matches", ["_SYSTEMD_UNIT=ssh.service"])))

    roster, requests = asked(dialect, jails_of("sshd, web", 2, web=journal))

    assert requests == [["status"], ["status", "sshd", *more], ["status", "web", *more]]
    assert roster == Roster(
        2, (JailCounts("sshd", 1, 2, 3, 4, None, ("/log",)), JailCounts("web", 5, 6, 7, 8, None, None))
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_no_jails_are_none_and_not_one_without_a_name(dialect: Dialect) -> None:
    roster, requests = asked(dialect, lambda command: (0, {}) if command == ["stats"] else listing("", 0))

    assert roster == Roster(0, ())
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("names", "number", "expected"),
    [
        ("a, b", 2, ["a", "b"]),
        ("a, b", 1, []),  # one jail named "a, b", or two that are in the middle of a change
        ("a, b, c", 2, []),
        ("a", 2, []),
        ("a, a", 2, []),
        ("a, a, b", 2, []),
        ("", 1, [""]),
        ('quo"te, back\\slash, größe', 3, ['quo"te', "back\\slash", "größe"]),
        ("new\nline, \udcff, a,b", 3, ["new\nline", "\udcff", "a,b"]),
    ],
)
def test_a_list_that_could_mean_other_names_names_none(names: str, number: int, expected: list[str]) -> None:
    roster, _ = asked(SHORT, jails_of(names, number))

    assert expected == [jail.name for jail in roster.jails]
    assert number == roster.count


def test_a_jail_that_vanishes_between_two_requests_costs_that_jail_only() -> None:
    gone = (1, RemoteError("UnknownJailException", "b"))

    roster, _ = asked(SHORT, jails_of("a, b, c", 3, b=gone))

    assert [jail.name for jail in roster.jails] == ["a", "c"]
    assert roster.count == 2


def test_all_jails_may_vanish() -> None:
    gone = (1, RemoteError("UnknownJailException", "a"))

    assert asked(SHORT, jails_of("a", 1, a=gone))[0] == Roster(0, ())


def test_a_jail_whose_status_is_an_error_runs_all_the_same() -> None:
    broken = (1, RemoteError("OperationalError", "database is locked"))

    roster, _ = asked(SHORT, jails_of("a, b", 2, b=broken))

    assert [jail.name for jail in roster.jails] == ["a"]
    assert roster.count == 2


def test_where_no_jail_has_a_status_the_probe_fails_with_the_error() -> None:
    broken = (1, RemoteError("OperationalError", "database is locked"))

    with pytest.raises(ServerError, match="OperationalError: database is locked"):
        asked(SHORT, jails_of("a, b", 2, a=broken, b=broken))


def test_a_server_that_shuts_down_meanwhile_has_not_lost_its_jails() -> None:
    with pytest.raises(ServerError, match="shutting down"):
        asked(SHORT, jails_of("a, b", 2, b=["SHUTDOWN"]))


@pytest.mark.parametrize("dialect", [SHORT, PLAIN], ids=lambda dialect: dialect.name)
def test_a_jail_named_like_an_option_is_counted_and_not_asked_for(dialect: Dialect) -> None:
    roster, requests = asked(dialect, jails_of("--all, sshd", 2))

    assert [jail.name for jail in roster.jails] == ["sshd"]
    assert roster.count == 2
    assert len(requests) == 2


MANY = {f"jail {number:05}": ["polling", (0, 0), (0, 0)] for number in range(10_001)}
LONG = {f"{number:0600}": ["polling", (0, 0), (0, 0)] for number in range(1_000)}


@pytest.mark.parametrize(
    ("dialect", "reply"),
    [
        pytest.param(STATS, (0, MANY), id="10,001 jails by stats"),
        pytest.param(SHORT, listing(", ".join(MANY), len(MANY)), id="10,001 jails by list"),
        pytest.param(SHORT, listing("a, b", 2**53), id="more jails than the list has"),
        pytest.param(STATS, (0, {"x" * 1001: ["polling", (0, 0), (0, 0)]}), id="a long name by stats"),
        pytest.param(SHORT, listing("x" * 1001, 1), id="a long name by list"),
        pytest.param(STATS, (0, LONG), id="long names by stats"),
        pytest.param(SHORT, listing(", ".join(LONG), len(LONG)), id="long names by list"),
    ],
)
def test_more_names_than_a_host_can_have_are_refused(dialect: Dialect, reply: Any) -> None:
    with pytest.raises(ProtocolError, match="over 10,000 jails, a name of over 1,000 characters"):
        asked(dialect, lambda _: reply)


STATS_OF_A_JAIL: dict[str, Any] = {
    "nothing": None,
    "an empty list": [],
    "no backend": [(0, 0), (0, 0)],
    "a number as backend": [1, (0, 0), (0, 0)],
    "a backend of a book's length": ["x" * 101, (0, 0), (0, 0)],
    "too few figures": ["polling", (0, 0)],
    "too many figures": ["polling", (0, 0), (0, 0), (0, 0)],
    "a lone figure": ["polling", 0, 0],
    "a negative figure": ["polling", (-1, 0), (0, 0)],
    "a fraction": ["polling", (0.5, 0), (0, 0)],
    "a truth": ["polling", (True, 0), (0, 0)],
    "a text": ["polling", ("0", 0), (0, 0)],
}


@pytest.mark.parametrize("jail", STATS_OF_A_JAIL.values(), ids=STATS_OF_A_JAIL.keys())
def test_stats_of_an_odd_shape_show_no_figure(jail: Any) -> None:
    with pytest.raises(ProtocolError):
        asked(STATS, lambda _: (0, {"sshd": jail}))


STATUS_OF_A_JAIL: dict[str, Any] = {
    "nothing": None,
    "no sections": [],
    "no actions": [("Filter", [("Currently failed", 0), ("Total failed", 0)])],
    "a figure missing": [("Filter", [("Currently failed", 0)]), ("Actions", [])],
    "a section that is none": [("Filter", 0), ("Actions", 0)],
    "log files that are none": status((0, 0, 0, 0), ("File list", "/log")),
}


@pytest.mark.parametrize("jail", STATUS_OF_A_JAIL.values(), ids=STATUS_OF_A_JAIL.keys())
def test_a_status_of_an_odd_shape_shows_no_figure(jail: Any) -> None:
    with pytest.raises(ProtocolError):
        asked(SHORT, jails_of("sshd", 1, sshd=(0, jail)))


def replies() -> st.SearchStrategy[Any]:
    """Replies that come ever nearer to those of a real server."""
    figures = st.tuples(st.integers(-1), st.integers(-1))
    stats = st.dictionaries(texts(), values() | st.tuples(texts(), figures, figures).map(list), max_size=4)
    sections = st.sampled_from(["Filter", "Actions", "Currently failed", "Number of jail", "Jail list", "File list"])
    pairs = st.lists(st.tuples(sections | texts(), values()), max_size=4)
    lists = st.builds(listing, texts() | st.just("a, b"), st.integers(-1, 3))
    return values() | st.tuples(st.just(0), values() | stats | pairs) | lists


@examples(300)
@given(st.sampled_from(DIALECTS), st.lists(replies(), min_size=1, max_size=5))
def test_no_reply_at_all_is_more_than_a_failed_probe(dialect: Dialect, sent: list[Any]) -> None:
    left = list(sent)

    with suppress(ProbeError):
        roster, _ = asked(dialect, lambda _: left.pop(0) if len(left) > 1 else left[0])

        assert len(roster.jails) <= roster.count
