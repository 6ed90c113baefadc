"""Settings that are read again: what is said to be in force is in force."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.live_settings import LiveSettings
from exporter.own import OwnMetrics
from exporter.settings import Settings

pytestmark = pytest.mark.usefixtures("log_as_found")


def reload(old: dict[str, Any], new: dict[str, Any], *only_at_start: str) -> None:
    """Read settings again that have changed from the old to the new ones."""
    live = LiveSettings(
        Settings.model_validate(old),
        lambda: Settings.model_validate({**new, "log": {"format": "json"}}),
        OwnMetrics(of_process=False),
        only_at_start,
    )
    assert live.read_again(lambda _: None) == ()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_takes_effect_at_the_next_start_is_said_to_and_shown_as_it_is_until_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = {"recovery": {"state_file": "/old"}}, {"recovery": {"state_file": "/new"}, "probe": {"timeout": "5s"}}

    reload(old, new, "recovery.state-file")

    incomplete, done = logged(capsys)
    assert (incomplete["event"], incomplete["setting"]) == ("reload_incomplete", "recovery.state-file")
    assert (done["event"], done["recovery.state-file"], done["probe.timeout"]) == ("reloaded", "/old", "5s")


def test_a_reload_that_changes_all_that_there_is_says_so_alone(capsys: pytest.CaptureFixture[str]) -> None:
    reload({}, {"probe": {"timeout": "5s"}}, "recovery.state-file")

    (done,) = logged(capsys)
    assert (done["event"], done["recovery.state-file"]) == ("reloaded", "")
