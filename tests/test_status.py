"""The status document: what other programs read instead of asking fail2ban themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exporter import __version__
from exporter.health import Canary, CanaryResult, ProbeEnded
from exporter.model import ExitKind, Result
from exporter.snapshot import Snapshot
from exporter.status import status_document
from tests.snapshots import (
    FOREVER,
    HOSTILE_NAMES,
    TIMESTAMP,
    blamed_snapshot,
    canary,
    exited,
    failure,
    files,
    jail,
    jail_with,
    log_files,
    server,
    snapshot,
    success,
    then,
)


def document(shown: Snapshot) -> dict[str, Any]:
    """The document after a way through JSON, which strictly has no infinity."""
    read: dict[str, Any] = json.loads(json.dumps(status_document(shown), allow_nan=False))
    return read


def test_online_it_holds_the_whole_answer() -> None:
    assert document(replace(snapshot(success(jail()), expected=["nginx"]), files=files(log_files()))) == {
        "state": "online",
        "since_timestamp_seconds": TIMESTAMP,
        "reason": "fail2ban answered",
        "remedy": None,
        "concerns": [
            {
                "problem": "1 jail is enabled or expected, and not running.",
                "remedy": "`fail2ban-client reload` starts what the configuration enables; `fail2ban-client -t` says "
                "what is wrong with it.",
            }
        ],
        "server": {"version": "1.1.0", "pid": 42, "start_time_seconds": 1_600_000_000.25},
        "jail_count": 1,
        "jails": [
            {
                "name": "sshd",
                "up": True,
                "banned_ips": 4,
                "bans_total": 50,
                "bans_with_restored_total": 50,
                "failed_ips": 2,
                "failures_total": 30,
                "ban_time_seconds": 600.0,
                "permanent": False,
                "find_time_seconds": 5400.0,
                "max_retries": 5,
                "actions": 1,
                "backend": "polling",
                "log_files": 2,
                "log_files_missing": 0,
                "log_last_modified_timestamp_seconds": TIMESTAMP - 5,
            },
            {"name": "nginx", "up": False},
        ],
        "probe": {
            "result": "success",
            "duration_seconds": 0.002,
            "last_timestamp_seconds": TIMESTAMP,
            "last_success_timestamp_seconds": TIMESTAMP,
            "consecutive_failures": 0,
            "interval_seconds": 30.0,
            "timeout_seconds": 10.0,
        },
        "pending_recoveries": [],
        "recoveries": 0,
        "server_exits": {"clean": 0, "crash": 0, "unknown": 0},
        "server_restarts": 0,
        "database_size_bytes": 4096,
        "database_bans": 70,
        "canary": None,
        "exporter": {"version": __version__},
    }


def test_the_canary_says_how_its_latest_attack_ended() -> None:
    assert document(replace(snapshot(), canary=canary(CanaryResult.SUCCESS, CanaryResult.TIMEOUT)))["canary"] == {
        "up": False,
        "result": "timeout",
        "reason": "so it was",
        "last_timestamp_seconds": TIMESTAMP,
        "last_success_timestamp_seconds": TIMESTAMP,
        "last_ban_delay_seconds": 0.75,
        "interval_seconds": 300.0,
        "timeout_seconds": 60.0,
    }


def test_a_canary_that_has_not_attacked_yet_is_neither_up_nor_down() -> None:
    found = document(replace(snapshot(), canary=Canary.initial(300.0, 60.0)))["canary"]

    assert (found["up"], found["result"], found["last_success_timestamp_seconds"]) == (None, None, None)


def test_a_permanent_ban_is_null_and_says_so_since_json_has_no_infinity() -> None:
    [found] = document(snapshot(success(FOREVER)))["jails"]

    assert found["ban_time_seconds"] is None
    assert found["permanent"] is True


@pytest.mark.parametrize(
    "unknown",
    [jail(settings=None), jail_with(ban_time=None, find_time=None, max_retries=None, actions=None)],
    ids=["no settings", "no setting makes sense"],
)
def test_what_is_not_known_is_null_and_not_permanent(unknown: object) -> None:
    [found] = document(snapshot(success(unknown)))["jails"]  # type: ignore[arg-type]  # ids want a plain list

    assert found["permanent"] is False
    assert {found[key] for key in ("ban_time_seconds", "find_time_seconds", "max_retries", "actions")} == {None}


def test_a_journal_backed_jail_has_no_log_files_and_one_without_any_has_zero() -> None:
    found = document(snapshot(success(jail("a", log_files=None), jail("b", log_files=()))))["jails"]

    assert [each["log_files"] for each in found] == [None, 0]


def test_what_was_not_found_out_of_log_files_and_database_is_null() -> None:
    found = document(snapshot(success(jail())))

    assert (found["database_size_bytes"], found["database_bans"]) == (None, None)
    assert found["jails"][0]["log_files"] == 2
    assert found["jails"][0]["log_files_missing"] is None
    assert found["jails"][0]["log_last_modified_timestamp_seconds"] is None


@pytest.mark.parametrize("result", [result for result in Result if result is not Result.SUCCESS])
def test_not_online_it_says_why_and_shows_no_earlier_figure(result: Result) -> None:
    found = document(replace(snapshot(success(jail()), failure(result, "try this")), files=files(log_files())))

    assert found["reason"] == "try this"
    assert found["probe"]["result"] == str(result)
    assert found["probe"]["consecutive_failures"] == 1
    assert (found["server"], found["jail_count"], found["jails"], found["database_size_bytes"]) == (
        None,
        None,
        [],
        None,
    )


def test_offline_the_expected_jails_are_down() -> None:
    assert document(snapshot(failure(), expected=["sshd"]))["jails"] == [{"name": "sshd", "up": False}]


def test_before_the_first_probe_everything_is_null_and_nothing_raises() -> None:
    found = document(snapshot(expected=["sshd"]))

    assert found["state"] == "unknown"
    assert found["since_timestamp_seconds"] is None
    assert found["jails"] == []
    assert found["probe"]["result"] is None


def test_a_stale_snapshot_is_unknown_and_says_for_how_long_nobody_has_probed() -> None:
    found = document(snapshot(success(jail())).as_of(1000))

    assert (found["state"], found["since_timestamp_seconds"], found["jails"]) == ("unknown", None, [])
    assert "has not probed for 1000 s" in found["reason"]
    assert found["probe"]["last_success_timestamp_seconds"] == TIMESTAMP


def test_a_server_whose_process_is_not_to_be_seen_has_only_its_version() -> None:
    shown = snapshot(success(server=server(pid=None, start_time=None, usage=None)))

    assert document(shown)["server"] == {"version": "1.1.0", "pid": None, "start_time_seconds": None}


def test_exits_and_restarts_are_counted() -> None:
    shown = snapshot(success(), success(server=server(identity="pid:2:2")))
    crashed = then(shown, exited(ExitKind.CRASH, identity="pid:2:2"))

    assert document(crashed)["server_exits"] == {"clean": 0, "crash": 1, "unknown": 0}
    assert document(crashed)["server_restarts"] == 1


def test_the_jails_that_are_blamed_are_pending_until_fail2ban_is_back() -> None:
    down = blamed_snapshot("nginx", "apache")
    back = then(down, ProbeEnded(success(jail()), at=9, timestamp=TIMESTAMP))

    assert document(down)["pending_recoveries"] == [
        {"jail": "apache", "detected_timestamp_seconds": TIMESTAMP + 3},
        {"jail": "nginx", "detected_timestamp_seconds": TIMESTAMP + 3},
    ]
    assert document(down)["recoveries"] == 0
    assert document(back)["pending_recoveries"] == []
    assert document(back)["recoveries"] == 1


def test_hostile_names_come_out_as_they_are() -> None:
    found = document(snapshot(success(*map(jail, HOSTILE_NAMES))))

    assert [each["name"] for each in found["jails"]] == list(HOSTILE_NAMES)
