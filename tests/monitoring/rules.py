"""Our rules as they are, and the same made to run twenty times as fast, since no test can wait for half an hour."""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.dashboards import rule_files

FASTER: Final = 20

_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION: Final = r"(?:\d+[dhms])+"
# The window of a range selector, how far it is offset, and an age that is compared with so many seconds.
_WINDOW: Final = re.compile(rf"(?<=\[){_DURATION}(?=\])|(?<=offset ){_DURATION}")
_AGE: Final = re.compile(r"(time\(\) - [a-z0-9_]+\s*[<>]=?\s*)(\d+)\b(?!\s*\*)")


@dataclass(frozen=True)
class Rule:
    """One rule of ours.

    Attributes:
        name: Of the alert, or of the series that it records.
        expression: As it stands in the file.
        recording: Whether it records.
    """

    name: str
    expression: str
    recording: bool


def ours() -> dict[str, Any]:
    """All our rule files as if they were one."""
    return {"groups": list(rule_files.groups())}


def rules(loaded: dict[str, Any]) -> Iterator[Rule]:
    """Each rule of a rule file."""
    for group in loaded["groups"]:
        for rule in group["rules"]:
            recording = "record" in rule
            yield Rule(rule["record" if recording else "alert"], rule["expr"], recording)


def faster(loaded: dict[str, Any]) -> dict[str, Any]:
    """The same rules with every duration divided by `FASTER`, and nothing else changed.

    That is `interval`, `for` and `keep_firing_for`, windows, offsets, and ages in seconds.
    """
    changed = copy.deepcopy(loaded)
    for group in changed["groups"]:
        _shorten(group, "interval")
        for rule in group["rules"]:
            _shorten(rule, "for", "keep_firing_for")
            rule["expr"] = _WINDOW.sub(lambda found: _shortened(found[0]), rule["expr"])
            rule["expr"] = _AGE.sub(lambda found: f"{found[1]}{_divided(int(found[2]))}", rule["expr"])
    return changed


def seconds(duration: str) -> int:
    """How long a duration is, as Prometheus and Alertmanager write it, such as `1h30m`."""
    assert re.fullmatch(_DURATION, duration), duration
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def _shorten(section: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if key in section:
            section[key] = _shortened(section[key])


def _shortened(duration: str) -> str:
    return f"{_divided(seconds(duration))}s"


def _divided(whole: int) -> int:
    return max(1, -(-whole // FASTER))
