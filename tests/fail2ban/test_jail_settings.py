"""Settings are asked for seldom, and what they say is never taken for more than it is."""

import math
from typing import Any, cast

import pytest

from exporter.fail2ban import jail_settings
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import SHORT, STATS, Dialect, JailCounts
from exporter.fail2ban.failures import ProtocolError
from exporter.fail2ban.jail_settings import MAX_AGE, SettingsRead
from exporter.fail2ban.pickles import RemoteError
from exporter.model import JailSettings
from tests.fakes import FakeConnection

SSHD = JailCounts("sshd", 1, 2, 3, 4, "polling", None)
WEB = SSHD._replace(name="web")
JOURNAL = SSHD._replace(name="journal", backend="systemd")
GONE = (1, RemoteError("UnknownJailException", "sshd"))

ORDINARY: dict[str, Any] = {
    "dbfile": (0, "/var/lib/fail2ban/fail2ban.sqlite3"),
    "bantime": (0, 600),
    "findtime": (0, 5400.0),
    "maxretry": (0, 5),
    "actions": (0, ["nftables", "mail"]),
    "logpath": (0, ["/var/log/auth.log"]),
}


def read(
    *jails: JailCounts, dialect: Dialect = STATS, now: float = 0.0, **replies: Any
) -> tuple[SettingsRead, list[list[str]]]:
    """What is read of jails, and what was asked; `replies` differ from the ordinary."""
    answers = ORDINARY | replies
    connection = FakeConnection(lambda command: answers[command[-1]])
    found = jail_settings.read(cast("Connection", connection), dialect, jails, Deadline.after(60), now)
    return found, connection.requests


def test_a_jails_settings_are_those_in_force() -> None:
    found, requests = read(SSHD)

    assert found.settings == {"sshd": JailSettings(ban_time=600, find_time=5400, max_retries=5, actions=2)}
    assert found.log_files == {"sshd": ("/var/log/auth.log",)}
    assert found.database == "/var/lib/fail2ban/fail2ban.sqlite3"
    assert requests[0] == ["get", "dbfile"]
    assert [["get", "sshd", name] for name in ("bantime", "findtime", "maxretry", "actions", "logpath")] == requests[1:]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ((0, -1), math.inf),
        ((0, -600), math.inf),
        ((0, 0), 0.0),
        ((0, 6311520000), 6311520000.0),
        ((0, 10**600), None),
        ((0, math.nan), None),
        ((0, "600"), None),
        ((0, None), None),
        (GONE, None),
        ("ERROR: x", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_ban_time_is_seconds_or_for_ever_or_not_known(reply: Any, expected: float | None) -> None:
    assert expected == read(SSHD, bantime=reply)[0].settings["sshd"].ban_time


def test_a_jail_without_actions_bans_nobody_and_that_is_known() -> None:
    assert read(SSHD, actions=(0, []))[0].settings["sshd"].actions == 0


def test_a_jail_that_vanishes_costs_no_other_its_settings() -> None:
    def answer(command: list[str]) -> Any:
        return GONE if "sshd" in command else ORDINARY[command[-1]]

    connection = cast("Connection", FakeConnection(answer))
    found = jail_settings.read(connection, STATS, [SSHD, WEB], Deadline.after(60), 0.0)

    assert found.settings["sshd"] == JailSettings(None, None, None, None)
    assert found.settings["web"].ban_time == 600
    assert found.log_files == {"web": ("/var/log/auth.log",)}


def test_a_journal_is_not_asked_for_files_which_would_be_a_line_in_fail2bans_log() -> None:
    found, requests = read(JOURNAL)

    assert ["get", "journal", "logpath"] not in requests
    assert found.log_files == {}


def test_log_files_that_came_with_the_counts_are_not_asked_for_again() -> None:
    assert ["get", "sshd", "logpath"] not in read(SSHD, dialect=SHORT)[1]


def test_a_jail_named_like_an_option_is_not_asked_about_and_hides_no_other() -> None:
    found, requests = read(SSHD._replace(name="--all"), WEB)

    assert all("--all" not in request for request in requests)
    assert found.settings["--all"] == JailSettings(None, None, None, None)
    assert found.settings["web"].ban_time == 600


def test_jails_of_more_log_files_than_memory_are_refused() -> None:
    with pytest.raises(ProtocolError, match="more log files"):
        read(SSHD, WEB, logpath=(0, ["/log"] * 11_000))


@pytest.mark.parametrize("reply", [(0, None), (0, 1), (0, "x" * 5000), GONE], ids=lambda value: repr(value)[:12])
def test_no_database_is_none(reply: Any) -> None:
    assert read(SSHD, dbfile=reply)[0].database is None


def test_settings_stand_for_a_minute_and_for_the_same_jails() -> None:
    found, _ = read(SSHD, WEB, now=100.0)

    assert found.is_current([SSHD, WEB], 100.0 + MAX_AGE - 0.1)
    assert not found.is_current([SSHD, WEB], 100.0 + MAX_AGE)
    assert not found.is_current([SSHD], 100.0)
    assert not found.is_current([SSHD, WEB, JOURNAL], 100.0)
    assert not found.is_current([SSHD, JOURNAL], 100.0)


@pytest.mark.parametrize("name", ["dbfile", "dbpurgeage", "loglevel", "thread"])
def test_a_jail_with_the_name_of_a_server_option_does_not_get_that_options_value_as_its_ban_time(name: str) -> None:
    found, requests = read(SSHD, SSHD._replace(name=name))

    assert found.settings[name] == JailSettings(ban_time=None, find_time=None, max_retries=None, actions=None)
    assert found.settings["sshd"].ban_time == 600
    assert not [request for request in requests if request[:2] == ["get", name] and len(request) > 2]
