"""Where settings come from: flags, environment and file, read without knowing any setting in particular.

Each reader returns what was given and every fault that it met, so that one fault never hides another. A fault is one
line: the setting, the value, where it came from, and what is accepted.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import core_schema

from exporter.whole_file import read_small

ENV_PREFIX = "FAIL2BAN_EXPORTER_"
CONFIG_FILE = "config.file"
"""The one setting that the file itself can't hold."""

# Kubernetes sets these in every pod beside a Service called fail2ban-exporter, or fail2ban-exporter-ANYTHING.
# Settings can't be mistaken for them: a setting's name has a double underscore.
_KUBERNETES = re.compile(
    ENV_PREFIX + r"(?:[A-Z0-9]+_)*(?:"
    r"SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9]+)*|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Takes:
    """How a setting's value is read and written; annotates a field of the settings model."""

    accepted: str
    """In words, for messages and the reference."""
    parse: Callable[[Any], Any]
    """Turn text, or a value from the file, into the setting's; a ValueError names the reason. Takes its own results."""
    text: Callable[[Any], str] = str
    """The opposite of `parse`."""
    placeholder: str = "TEXT"
    repeatable: bool = False
    """A flag given again adds to the value; its text is split at commas."""
    secret: bool = False
    """The value is never shown."""
    switch: bool = False
    """A flag without a value turns it on."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Let pydantic validate the field by `parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)


@dataclass(frozen=True)
class Setting:
    """One setting by all its names."""

    path: tuple[str, ...]
    """Attribute names from the model's root: ``("web", "listen_address")``."""
    description: str
    default: Any
    takes: Takes

    @property
    def name(self) -> str:
        """The flag without its dashes, and the dotted key in the file: ``web.listen-address``."""
        return ".".join(self.path).replace("_", "-")

    @property
    def flag(self) -> str:
        """``--web.listen-address``."""
        return f"--{self.name}"

    @property
    def env(self) -> str:
        """``FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS``."""
        return ENV_PREFIX + "__".join(self.path).upper()

    def text(self, value: object) -> str:
        """Write a value for people, hidden if the setting is a secret."""
        return "(hidden)" if self.takes.secret else self.takes.text(value)


class Given(NamedTuple):
    """A value that somebody gave, not yet checked."""

    setting: Setting
    value: Any
    origin: str
    """``flag --probe.timeout``, ``environment variable …``, ``key probe.timeout in FILE``."""

    def fault(self, reason: object) -> str:
        """Return the line that refuses this value."""
        takes = self.setting.takes
        # A reason may quote the value.
        why = _shortened(str(reason))
        what = f"(hidden) from {self.origin}" if takes.secret else f"{quoted(self.value)} from {self.origin}: {why}"
        return f"{self.setting.name}: {what}; accepted: {takes.accepted}"

    def check(self) -> str | None:
        """Return the fault of this value, if it has one."""
        try:
            self.setting.takes.parse(self.value)
        except ValueError as error:
            return self.fault(error)
        return None


class Reading(NamedTuple):
    """What one source gave."""

    given: list[Given]
    faults: list[str]


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean …?)`` for a name close to a known one, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""


def from_flags(argv: Sequence[str], known: Sequence[Setting]) -> Reading:
    """Read ``--flag value`` and ``--flag=value``."""
    by_flag = {setting.flag: setting for setting in known}
    values: dict[str, list[str]] = {}
    faults: list[str] = []
    words = deque(argv)
    switch = ""
    while words:
        word = words.popleft()
        if not word.startswith("-"):
            advice = "a command comes before the flags, a value after its flag"
            if switch:
                advice = f"{switch} alone turns it on, and a value stands behind an equals sign: {switch}=false"
            faults.append(f"unexpected argument {quoted(word)}; {advice}")
            continue
        flag, equals, text = word.partition("=")
        switch = flag if not equals and flag in by_flag and by_flag[flag].takes.switch else ""
        if switch:
            equals, text = "=", "true"
        # An unknown flag takes its value along: that isn't a fault of its own.
        value = text if equals else words.popleft() if words and not words[0].startswith("--") else None
        if flag not in by_flag:
            faults.append(f"unknown flag {visible(flag)}{suggestion(flag, by_flag)}")
        elif value is None:
            takes = by_flag[flag].takes
            faults.append(f"{flag[2:]}: no value after flag {flag}; accepted: {takes.accepted}")
        else:
            values.setdefault(flag, []).append(value)
    given: list[Given] = []
    for flag, texts in values.items():
        setting = by_flag[flag]
        if setting.takes.repeatable:
            given.append(Given(setting, ",".join(filter(str.strip, texts)), f"flag {flag}"))
            continue
        given += [Given(setting, text, f"flag {flag}") for text in texts]
        if len(texts) > 1:
            shown = "values" if setting.takes.secret else " and ".join(map(quoted, texts))
            faults.append(f"{setting.name}: {shown} from flag {flag}: given {len(texts)} times; accepted: one value")
    return Reading(given, faults)


def from_environment(environ: Mapping[str, str], known: Sequence[Setting]) -> Reading:
    """Read the variables that start with `ENV_PREFIX`, those that Kubernetes sets for a Service aside."""
    by_env = {setting.env: setting for setting in known}
    given: list[Given] = []
    faults: list[str] = []
    for name in sorted(name for name in environ if name.startswith(ENV_PREFIX)):
        if name in by_env:
            given.append(Given(by_env[name], environ[name], f"environment variable {name}"))
        elif not _KUBERNETES.fullmatch(name):
            faults.append(f"unknown environment variable {visible(name)}{suggestion(name, by_env)}")
    return Reading(given, faults)


def from_file(path: Path, known: Sequence[Setting]) -> Reading:
    """Read a TOML file whose keys are spelt as the flags are: ``[probe]``, then ``interval = "30s"``.

    Raises:
        ValueError: The file can't be read or is not TOML; the message says why, and where in it.
    """
    by_name = {setting.name: setting for setting in known}
    given: list[Given] = []
    faults: list[str] = []
    for key, value in _leaves(_read(path), {name.rpartition(".")[0] for name in by_name}):
        if key == CONFIG_FILE:
            faults.append(f"{key}: a file can't name another; accepted: the flag --{key} or its environment variable")
        elif key in by_name:
            given.append(Given(by_name[key], value, f"key {key} in {quoted(str(path))}"))
        elif isinstance(value, _NoTable):
            faults.append(
                f"{visible(key)}: {quoted(value.value)} in {quoted(str(path))}; accepted: a table of settings"
            )
        else:
            faults.append(f"unknown key {visible(key)} in {quoted(str(path))}{suggestion(key, by_name)}")
    return Reading(given, faults)


def nested(given: Iterable[Given]) -> dict[str, Any]:
    """Put values in the shape of the model: ``{"web": {"listen_address": …}}``."""
    tree: dict[str, Any] = {}
    for setting, value, _ in given:
        branch = tree
        for part in setting.path[:-1]:
            branch = branch.setdefault(part, {})
        branch[setting.path[-1]] = value
    return tree


class _NoTable(NamedTuple):
    """What the file holds in the place of a group of settings."""

    value: object


def _read(path: Path) -> dict[str, Any]:
    content = read_small(path)
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not TOML: {error}") from None


def _leaves(table: Mapping[str, Any], groups: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys with their values, going into groups of settings and nothing else."""
    for key, value in table.items():
        # A quoted key that holds a dot is no path of two keys, and would be a second spelling.
        name = prefix + (f'"{key}"' if "." in key else key)
        if not any(group == name or group.startswith(f"{name}.") for group in groups):
            yield name, value
        elif isinstance(value, dict):
            yield from _leaves(value, groups, f"{name}.")
        else:
            yield name, _NoTable(value)


def quoted(value: object) -> str:
    """Quote a value for one line, control characters escaped, no longer than a person reads."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes; TOML can spell one in hexadecimal
        return f"a huge {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _shortened(reason: str) -> str:
    """Leave out the middle of a reason, which may quote a value of any length."""
    return reason if len(reason) <= 4 * _MAX_SHOWN else f"{reason[: 2 * _MAX_SHOWN]}…{reason[-2 * _MAX_SHOWN :]}"


def visible(text: str) -> str:
    """Return text as it is, or quoted where it would break its line."""
    return text if text.isprintable() and len(text) <= _MAX_SHOWN else quoted(text)
