"""Rules and configuration that run faster must be ours in all else: what a changed copy does proves nothing of ours."""

import re
from typing import Any

import yaml

from tests.monitoring import alertmanager, rules

DURATION = r"\b(?:\d+[dhms])+\b"


def without_durations(text: str) -> str:
    return re.sub(DURATION, "DURATION", re.sub(r"(time\(\) - \w+\s+<) \d+", r"\1 AGE", text))


def test_rules_differ_in_nothing_but_durations() -> None:
    ours = rules.ours()
    faster = rules.faster(ours)

    assert ours == rules.ours()
    assert ours != faster
    assert without_durations(yaml.safe_dump(ours, width=1000)) == without_durations(yaml.safe_dump(faster, width=1000))


def test_every_duration_of_a_rule_is_a_twentieth() -> None:
    rule = {
        "alert": "A",
        "expr": "increase(a_total[1h]) > 3600 and max_over_time(b[7d] offset 1d) > 0\nunless time() - c2 < 3600 # x\n"
        "or time() - d > 3 * e",
        "for": "1m30s",
        "keep_firing_for": "10s",
    }
    loaded: dict[str, Any] = {"groups": [{"name": "g", "interval": "5m", "rules": [rule]}, {"name": "h", "rules": []}]}

    expected = {
        "alert": "A",
        "expr": "increase(a_total[180s]) > 3600 and max_over_time(b[30240s] offset 4320s) > 0\n"
        "unless time() - c2 < 180 # x\nor time() - d > 3 * e",
        "for": "5s",
        "keep_firing_for": "1s",
    }
    assert rules.faster(loaded) == {
        "groups": [{"name": "g", "interval": "15s", "rules": [expected]}, {"name": "h", "rules": []}]
    }


def test_alertmanagers_configuration_differs_in_nothing_but_receivers_and_timings() -> None:
    sample = alertmanager.sample()
    derived = alertmanager.derived(sample, "http://127.0.0.1:1/")

    assert sample == alertmanager.sample()
    assert [receiver["name"] for receiver in sample["receivers"]] == [one["name"] for one in derived["receivers"]]
    del sample["receivers"], derived["receivers"]
    assert without_durations(yaml.safe_dump(sample)) == without_durations(yaml.safe_dump(derived))
    assert "1s" == derived["route"]["group_wait"]
    assert "5s" == derived["route"]["group_interval"]
    assert sample["route"]["repeat_interval"] == derived["route"]["repeat_interval"]
