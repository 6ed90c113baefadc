"""What fail2ban's configuration files say, in fail2ban's own dialect of INI. No I/O, and nothing in it is ever run.

The rules are those of `configparserinc.py`, `configreader.py` and `jailreader.py` in fail2ban's client. From 0.11.2 to
1.1.1 they are the same in all that decides whether a jail is enabled. Time and memory are bounded whatever a file says.
"""

from __future__ import annotations

import configparser
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

_Options = dict[str, str]

INCLUDES: Final = "INCLUDES"
_DEFAULT: Final = configparser.DEFAULTSECT
_KNOWN: Final = "KNOWN/"
_TRUE: Final = frozenset({"1", "on", "true", "yes"})
"""As `_as_bool` in fail2ban's helpers.py; all else is false."""

_CONDITIONAL: Final = re.compile(r"(\w+)(\?.+)")
_PERCENT: Final = re.compile(r"%(?:(?P<percent>%)|\((?P<name>[^)]+)\)s|)")
_QUALIFIED: Final = re.compile(r"([\w\-]+)/(.+)", re.DOTALL)
_HEADER: Final = re.compile(r"^[^\S\n]*\[.+\]", re.MULTILINE)

# `enabled` is a word and a list of includes some lines; each reference may name a value that has ten more.
_VALUE_CAP: Final = 16 * 1024
_TOTAL_CAP: Final = 2 * 1024 * 1024
_SHOWN: Final = 60


class InterpolationError(Exception):
    """A value whose references can't be resolved; fail2ban refuses the whole configuration for one."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file, as far as it could be parsed.

    Attributes:
        defaults: Options of `[DEFAULT]`, before interpolation.
        sections: The options of each other section's own.
        fault: Why fail2ban does not take the file as it is; None if it does.
        size: In bytes.
    """

    defaults: Mapping[str, str]
    sections: Mapping[str, Mapping[str, str]]
    fault: str | None
    size: int


def parse(content: bytes) -> ConfigFile:
    """Parse a file, as much of it as can be made out.

    fail2ban skips a file that is not UTF-8 (1.1.1 refuses to start, as all versions do for broken syntax). What the
    file enables is told all the same: these jails are meant to run and won't, and may be what keeps fail2ban down.
    """
    faults = []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.append(f"line {line} is not UTF-8")
        text = content.decode(errors="replace")
    if text.startswith("\ufeff"):
        faults.append("it starts with a byte order mark")
        text = text[1:]
    # Universal newlines, as open() has them for fail2ban.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parser = _Parser(strict=True)
    try:
        parser.read_lines(text)
    except configparser.Error as error:
        faults.append(_reason(error))
        parser = _Parser(strict=False)
        header = _HEADER.search(text)
        with contextlib.suppress(configparser.Error):
            parser.read_lines(text[header.start() :] if header else "")
    if parser.first_stray_line:
        faults.append(f"line {parser.first_stray_line} is neither a section nor an option")
    defaults, sections = parser.contents()
    return ConfigFile(defaults, sections, next(iter(faults), None), len(content))


class _Parser(configparser.RawConfigParser):
    """Python's parser as fail2ban sets it up, less two ways to keep it busy for hours with a megabyte.

    Its pattern of an option takes quadratic time for blanks, and collecting the lines that are no option takes
    quadratic time for their number. Here the name of an option keeps its delimiter until `optionxform`, so that a line
    without one is an option like any other, and known for what it is.
    """

    OPTCRE = re.compile(r"(?P<option>[^=:]*[=:]?)(?P<vi>)\s*(?P<value>.*)$")

    def __init__(self, *, strict: bool) -> None:
        super().__init__(strict=strict, inline_comment_prefixes=(";",))
        self.first_stray_line = 0
        self._line = 0

    def read_lines(self, text: str) -> None:
        """Parse a text.

        Raises:
            configparser.Error: An option comes before any section; if strict, also when one is there twice.
        """
        self.read_file(self._numbered(text))

    def _numbered(self, text: str) -> Iterator[str]:
        for self._line, line in enumerate(text.split("\n"), start=1):
            yield line + "\n"

    def optionxform(self, optionstr: str) -> str:
        """Return the name of an option, and note a line that has none or no delimiter."""
        name = optionstr.rstrip("=:").rstrip()
        if not name or name == optionstr:
            self.first_stray_line = self.first_stray_line or self._line
        return name.lower()

    def contents(self) -> tuple[_Options, dict[str, _Options]]:
        """Return `[DEFAULT]`, and the other sections without what they inherit of it. For the end: it empties them."""
        defaults = dict(self.defaults())
        # A section's items include the defaults, except when there are none. It is the parser's own dictionary.
        cast("_Options", self.defaults()).clear()
        return defaults, {section: dict(self.items(section)) for section in self.sections()}


def _reason(error: configparser.Error) -> str:
    """Return what is wrong, without the text of the line, which may be a secret."""
    match error:
        case configparser.MissingSectionHeaderError():
            return f"line {error.lineno} comes before any section"
        case configparser.DuplicateOptionError():
            return f"line {error.lineno} repeats an option of its section"
        case configparser.DuplicateSectionError():
            return f"line {error.lineno} repeats a section"
        case _:
            return "it can't be parsed"


class Settings:
    """The settings of one file, or of many merged in fail2ban's way: later ones win, option by option."""

    def __init__(
        self, defaults: Mapping[str, str] | None = None, sections: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._defaults = dict(defaults or {})
        self._sections = {name: dict(options) for name, options in (sections or {}).items()}
        self._left_for_value = 0
        self._left = _TOTAL_CAP

    def merge(self, file: ConfigFile) -> None:
        """Lay a file over what is there. What a section loses stays known, for `%(known/option)s`."""
        self._defaults.update(file.defaults)
        for header, found in file.sections.items():
            name, options = header, found
            # `[sshd?family=inet6]` holds options of `sshd`, each with the condition in its name.
            if match := _CONDITIONAL.fullmatch(header):
                name, condition = match.groups()
                options = {f"{option}{condition}": value for option, value in found.items()}
            if name not in self._sections:
                self._sections[name] = dict(options)
                continue
            section = self._sections[name]
            known = self._sections.setdefault(_KNOWN + name, {})
            known.update({option: section[option] for option in options if option in section})
            section.update(options)

    def jails(self) -> list[str]:
        """Return the names of all jails, enabled or not: every section is one, but these two kinds."""
        return [name for name in self._sections if name != INCLUDES and not name.startswith(_KNOWN)]

    def is_enabled(self, jail: str) -> bool:
        """Return whether a jail is enabled.

        Raises:
            InterpolationError: Its option `enabled` can't be made out.
        """
        return (self.value(jail, "enabled") or "").lower() in _TRUE

    def value(self, section: str, option: str) -> str | None:
        """Return the value of an option of a section or of `[DEFAULT]`; None if neither, or no such section.

        Raises:
            InterpolationError: Its references can't be resolved.
        """
        if section not in self._sections:
            return None
        raw = self._lookup(section, option)
        if raw is None or "%" not in raw:
            return raw
        self._left_for_value = _VALUE_CAP
        return self._expand(section, raw, 1)

    def _expand(self, section: str, raw: str, depth: int) -> str:
        """Resolve references, as `configparser.BasicInterpolation` does, which has no limit but the depth."""
        if depth > configparser.MAX_INTERPOLATION_DEPTH:
            raise InterpolationError("its references go round in a circle or too deep")
        self._spend(raw)
        parts, end = [], 0
        for match in _PERCENT.finditer(raw):
            parts.append(raw[end : match.start()])
            end = match.end()
            if match["percent"]:
                parts.append("%")
            elif match["name"]:
                parts.append(self._resolve(section, match["name"], depth))
            else:
                raise InterpolationError("it has a % that is neither %% nor a reference")
        return "".join([*parts, raw[end:]])

    def _resolve(self, section: str, name: str, depth: int) -> str:
        value = self._lookup(section, name)
        if value is None:
            raise InterpolationError(f"it refers to {name[:_SHOWN]!r}, which is nowhere")
        if "%" in value:
            return self._expand(section, value, depth + 1)
        self._spend(value)
        return value

    def _spend(self, value: str) -> None:
        self._left_for_value -= len(value) + 1
        self._left -= len(value) + 1
        if self._left_for_value < 0 or self._left < 0:
            raise InterpolationError("its references make too much text")

    def _lookup(self, section: str, name: str) -> str | None:
        """Return the text that a name stands for: `option`, or `known/`, `default/` or a section before it."""
        option = name.lower()
        if option == "__name__":
            return section
        own = self._sections[section]
        if option in own or option in self._defaults:
            return own.get(option, self._defaults.get(option))
        # fail2ban files these as they are written and looks for them in lower case: capitals find nothing (unless the
        # same value has the same reference in lower case too, which is not followed here).
        match = _QUALIFIED.fullmatch(name) if option == name else None
        if match is None:
            return None
        other, option = match.groups()
        if other == "default":
            return self._defaults.get(option)
        place = self._sections.get(_KNOWN + section, {}) if other == "known" else self._sections.get(other)
        return None if place is None else place.get(option, self._defaults.get(option))
