"""The table of jails: every one, in the order that was asked for, and readable to everybody."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from exporter.snapshot import Snapshot
from exporter.web.table import COLUMNS, Order
from tests.asgi import call
from tests.snapshots import FOREVER, failure, files, jail, jail_with, log_files, snapshot, success
from tests.web.markup import Markup
from tests.web.sites import site

TITLES = ["Jail", "State", "Banned now", "Bans", "Failing now", "Failures", "Ban time"]


def table(shown: Snapshot, query: str = "") -> Markup:
    """The page that has the table."""
    return Markup(call(site(shown), "/" + query).text)


def names(shown: Snapshot, query: str) -> list[str]:
    """The jails in their order."""
    return table(shown, query).column(0)


def test_missing_jails_come_first_and_then_what_each_one_does() -> None:
    shown = snapshot(
        success(jail("sshd", bans=12345), FOREVER, jail_with("odd", ban_time=None), jail_with("idle", actions=0)),
        expected=["nginx"],
    )

    assert table(shown).rows[1:] == [
        ["nginx", "not running", "", "", "", "", ""],
        ["idle", "running, no action", "4", "50", "2", "30", "10m"],
        ["odd", "running", "4", "50", "2", "30", ""],
        ["recidive", "running", "4", "50", "2", "30", "permanent"],
        ["sshd", "running", "4", "12,345", "2", "30", "10m"],
    ]


def test_a_jail_whose_log_file_is_missing_says_so_and_comes_before_those_that_are_well() -> None:
    shown = replace(
        snapshot(success(jail("a"), jail("b"), jail_with("c", actions=0), jail("d"))),
        files=files(log_files("a"), log_files("b", missing=1), log_files("c", missing=1), log_files("d", missing=None)),
    )

    assert [row[:2] for row in table(shown).rows[1:]] == [
        ["b", "running, log file missing"],
        ["c", "running, no action, log file missing"],
        ["a", "running"],
        ["d", "running"],
    ]


def test_where_none_runs_there_are_only_names_and_states() -> None:
    shown = snapshot(failure(), expected=["b", "a"])

    for query in ("", "?sort=bans"):
        assert table(shown, query).rows == [["Jail", "State ▲"], ["a", "not running"], ["b", "not running"]]


def test_each_cell_is_headed_by_its_column_and_its_jail() -> None:
    read = table(snapshot(success(jail("sshd")), expected=["nginx"]))

    assert [attributes["scope"] for attributes in read.all("th")] == ["col"] * 7 + ["row"] * 2
    assert len(read.all("caption")) == 1
    assert "1 running, 1 not running." in read.text


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (snapshot(success()), "JailsNo jail runs."),
        (
            snapshot(success(jail_count=4)),
            "4 more jails run: this version of fail2ban does not tell their names apart.",
        ),
        (snapshot(success(jail(), jail_count=2)), "1 more jail runs: this version"),
        (snapshot(failure()), "JailsNone is known to be enabled."),
        (snapshot(), "JailsNot known while fail2ban's state is unknown."),
    ],
)
def test_a_page_without_rows_says_why(shown: Snapshot, says: str) -> None:
    assert says in table(shown).text.replace("Jails ", "Jails")


# -- sorting

SORTED = snapshot(
    success(
        jail("b", banned=1, bans=30, failed=3, failures=2, settings=None),
        jail_with("a", ban_time=math.inf),
        jail_with("C", ban_time=60.0, actions=0),
    ),
    expected=["d"],
)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ["d", "C", "a", "b"]),
        ("?sort=name", ["a", "b", "C", "d"]),
        ("?sort=name&order=desc", ["d", "C", "b", "a"]),
        ("?sort=state&order=asc", ["d", "C", "a", "b"]),
        ("?sort=state&order=desc", ["a", "b", "C", "d"]),
        ("?sort=banned", ["a", "C", "b", "d"]),
        ("?sort=banned&order=asc", ["b", "a", "C", "d"]),
        ("?sort=bans", ["a", "C", "b", "d"]),
        ("?sort=failing", ["b", "a", "C", "d"]),
        ("?sort=failures&order=asc", ["b", "a", "C", "d"]),
        ("?sort=ban_time", ["a", "C", "b", "d"]),
        ("?sort=ban_time&order=asc", ["C", "a", "b", "d"]),
    ],
)
def test_the_rows_come_in_the_order_that_is_asked_for_the_unknown_last(query: str, order: list[str]) -> None:
    assert names(SORTED, query) == order


@pytest.mark.parametrize(
    ("query", "same_as"),
    [
        ("?sort=nonsense", ""),
        ("?sort=", ""),
        ("?order=desc", "?sort=state&order=desc"),
        ("?sort=bans&order=up", "?sort=bans"),
        ("?sort=Bans", ""),
        ("?sort=bans&sort=nonsense", ""),
        ("?SORT=bans", ""),
        ("?%ff=%00&&=", ""),
    ],
)
def test_an_unknown_order_falls_back_and_is_no_error(query: str, same_as: str) -> None:
    assert call(site(SORTED), "/" + query).status == 200
    assert names(SORTED, query) == names(SORTED, same_as)


@pytest.mark.parametrize("key", COLUMNS)
def test_the_head_says_how_it_is_sorted_and_a_click_turns_it_round(key: str) -> None:
    title = list(COLUMNS).index(key)
    for order, other, word in (("asc", "desc", "ascending"), ("desc", "asc", "descending")):
        read = table(SORTED, f"?sort={key}&order={order}")
        heads = read.all("th")[:7]
        links = [link for link in read.links() if link.endswith("#jails")]

        assert [head.get("aria-sort") for head in heads] == [word if n == title else None for n in range(7)]
        assert read.rows[0][title] == f"{TITLES[title]} {'▲' if order == 'asc' else '▼'}"
        turned = "./#jails" if (key, other) == ("state", "asc") else f"./?sort={key}&order={other}#jails"
        assert links[title] == turned


def test_a_first_click_on_a_figure_shows_the_largest_first() -> None:
    assert Order().by("bans") == Order("bans", descending=True)
    assert Order().by("name") == Order("name", descending=False)
