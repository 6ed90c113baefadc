"""The command line: commands, help, and what becomes of errors and exit statuses."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO

from exporter import __version__, sources, values
from exporter.errors import ExporterError
from exporter.settings import KNOWN, Inspectors, InvalidSettings, Settings, effective, load, load_with
from exporter.sources import Setting

PROGRAM = "fail2ban-exporter"
_WIDTH = 100


class UsageError(ExporterError):
    """The command line makes no sense before any setting is looked at."""


@dataclass(frozen=True)
class Command:
    """One command of the program."""

    summary: str
    run: Callable[[Sequence[str]], int]
    """Takes the arguments after the command; returns the exit status."""
    examples: tuple[str, ...]
    statuses: str
    options: tuple[Setting, ...] = ()
    """Flags of its own, beside those of the settings."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """What it takes in the place of flags, each with its meaning."""
    serves: bool = False
    """It runs until it is told to end, and writes as it goes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: Arguments without the program's name; those of the process if None.

    Returns:
        The exit status: 0 all is well, 1 the command failed, 2 bad usage or an invalid setting, 130 interrupted.
    """
    # Written in one place, where a full disk or a reader that has gone is dealt with.
    output = io.StringIO()
    try:
        status = _dispatch(sys.argv[1:] if argv is None else list(argv), output)
    except KeyboardInterrupt:
        status = 130
    except UsageError as error:
        status = _refuse([str(error)])
    except InvalidSettings as error:
        status = _refuse(error.faults)
    except ExporterError as error:
        _complain(f"{PROGRAM}: {' '.join(str(error).split())}")
        status = 1
    return _write(output.getvalue(), status)


def _dispatch(words: list[str], output: TextIO) -> int:
    """Find the command, answer what every level answers, and run it."""
    name = words.pop(0) if words and not words[0].startswith("-") else None
    if name is not None and name not in COMMANDS:
        hint = sources.suggestion(name, COMMANDS)
        raise UsageError(f"unknown command {sources.quoted(name)}{hint}; accepted: {', '.join(COMMANDS)}")
    if {"--help", "-h"} & set(words):
        output.write(_help(name))
        return 0
    if "--version" in words:
        output.write(f"{PROGRAM} {__version__} (Python {platform.python_version()})\n")
        return 0
    command = COMMANDS[name or "serve"]
    if command.serves:
        return command.run(words)
    with contextlib.redirect_stdout(output):
        return command.run(words)


def _serve(argv: Sequence[str], *, demo: bool = False) -> int:
    settings = load(argv, os.environ, _INSPECTORS)
    from exporter import app  # noqa: PLC0415 - the server's libraries are for those who serve

    run = app.demo if demo else app.serve
    return run(settings, reload=lambda: load(argv, os.environ, _INSPECTORS))


def _probe(argv: Sequence[str]) -> int:
    settings = load(argv, os.environ)
    from exporter import app  # noqa: PLC0415 - as above

    return app.probe(settings)


def _textfile(argv: Sequence[str]) -> int:
    settings, own = load_with(_TEXTFILE_OPTIONS, argv, os.environ, _OF_DATABASES)
    from exporter import app  # noqa: PLC0415 - as above

    def reload() -> Settings:
        return load_with(_TEXTFILE_OPTIONS, argv, os.environ, _OF_DATABASES)[0]

    return app.textfile(settings, reload, own["output"], once=own["once"])


def _check_config(argv: Sequence[str]) -> int:
    for name, text in effective(load(argv, os.environ, _INSPECTORS)).items():
        sys.stdout.write(f"{name} = {sources.visible(text)}\n")
    return 0


def _web_config_faults(path: Path) -> Sequence[str]:
    from exporter.web.config.loading import load as load_web_config  # noqa: PLC0415 - for those who have such a file
    from exporter.web.config.model import InvalidWebConfig  # noqa: PLC0415 - the same

    try:
        load_web_config(path)
    except InvalidWebConfig as error:
        return error.faults
    return ()


def _database_faults(name: str, kind: str, path: Path) -> Sequence[str]:
    from exporter.geoip.database import database_faults  # noqa: PLC0415 - for those who have a database

    return [f"{name}: {fault}" for fault in database_faults(kind, path)]


_OF_DATABASES: Inspectors = {
    name: partial(_database_faults, name, kind)
    for name, kind in (("geoip.database", "country"), ("geoip.asn-database", "asn"))
}
_INSPECTORS: Inspectors = {"web.config.file": _web_config_faults, **_OF_DATABASES}


def _docs(argv: Sequence[str]) -> int:
    accepted = f"accepted: {', '.join(_TOPICS)}"
    if not argv:
        raise UsageError(f"docs: no topic; {accepted}")
    if argv[0] not in _TOPICS:
        hint = sources.suggestion(argv[0], _TOPICS)
        raise UsageError(f"docs: unknown topic {sources.quoted(argv[0])}{hint}; {accepted}")
    if len(argv) > 1:
        raise UsageError(f"docs: unexpected argument {sources.quoted(argv[1])}; accepted: one topic")
    from exporter import docs  # noqa: PLC0415 - what the generator needs, no server does

    sys.stdout.write(docs.metrics() if argv[0] == "metrics" else docs.configuration())
    return 0


_TEXTFILE_OPTIONS = (
    Setting(("output",), "The file to write, in the folder that node_exporter reads.", ..., values.output()),
    Setting(("once",), "Probe once, write the file and end: for a timer.", False, values.switch()),  # noqa: FBT003
)
_TOPICS = {"metrics": "every metric with its type, labels and meaning", "configuration": "every setting"}
_SERVING = "0 ended by SIGTERM or SIGINT; 1 failed, the listen address taken for example; 2 bad usage"

COMMANDS = {
    "serve": Command(
        "probe fail2ban in the background and serve the metrics; the command when none is named",
        _serve,
        ("", "--jails.expected=sshd,nginx-http-auth", "serve --config.file /etc/fail2ban-exporter.toml"),
        _SERVING,
        serves=True,
    ),
    "demo": Command(
        "the same against a simulated fail2ban that lives: the way to try it without one",
        partial(_serve, demo=True),
        ("demo", "demo --web.listen-address=127.0.0.1:9191"),
        _SERVING,
        serves=True,
    ),
    "probe": Command(
        "probe once and print the result as JSON",
        _probe,
        ("probe", "probe --probe.timeout 2s"),
        "0 online; 1 not online; 2 bad usage",
    ),
    "textfile": Command(
        "write the metrics to a file for node_exporter's textfile collector, without HTTP",
        _textfile,
        (
            "textfile --output /var/lib/prometheus/node-exporter/fail2ban.prom",
            "textfile --output /var/lib/prometheus/node-exporter/fail2ban.prom --once",
        ),
        "0 told to end, or online; 1 failed, or not online; 2 bad usage; 3 file not written (--once)",
        options=_TEXTFILE_OPTIONS,
        serves=True,
    ),
    "check-config": Command(
        "check flags, environment and configuration files, and print the settings in force",
        _check_config,
        ("check-config --config.file /etc/fail2ban-exporter.toml",),
        "0 all valid; 2 with every fault named",
    ),
    "docs": Command(
        "print the generated reference as Markdown",
        _docs,
        ("docs metrics", "docs configuration"),
        "0 printed; 2 bad usage",
        topics=_TOPICS,
    ),
}


def _help(name: str | None) -> str:
    """Return the help of a command, or of the whole program."""
    command = COMMANDS[name or "serve"]
    flags = "\n".join(map(_flag_help, KNOWN))
    own = "\n".join(map(_flag_help, command.options))
    takes = (
        f"flags of its own:\n{own}\n\n" if own else ""
    ) + f"flags, which win over environment, file and default:\n{flags}"
    if command.topics:
        takes = "topics:\n" + "\n".join(f"  {topic:15} {meaning}" for topic, meaning in command.topics.items())
    words = [name or "[command]", *map(_usage, command.options), "|".join(command.topics) or "[flags]"]
    usage = f"usage: {PROGRAM} {' '.join(words)}"
    if name:
        what = [usage, f"{command.summary[0].upper()}{command.summary[1:]}."]
        examples, statuses = command.examples, command.statuses
    else:
        commands = "\n".join(f"  {each:15} {COMMANDS[each].summary}" for each in COMMANDS)
        what = [
            usage,
            "Prometheus exporter that says whether fail2ban still guards the host.",
            f"commands:\n{commands}",
        ]
        examples = tuple(each.examples[0] for each in COMMANDS.values())
        statuses = "0 all is well; 1 failed, or not online; 2 bad usage"
    parts = [
        *what,
        takes,
        "on every level:\n  --help, -h      print this help\n  --version       print the version",
        "examples:\n" + "\n".join(f"  {PROGRAM} {example}".rstrip() for example in examples),
        f"exit status:\n  {statuses}; 130 interrupted",
    ]
    return "\n\n".join(parts) + "\n"


def _usage(option: Setting) -> str:
    word = option.flag if option.takes.switch else f"{option.flag} {option.takes.placeholder}"
    return word if option.default is ... else f"[{word}]"


def _flag_help(setting: Setting) -> str:
    default = "required" if setting.default is ... else f"default: {setting.text(setting.default) or 'none'}"
    repeatable = "; repeatable" if setting.takes.repeatable else ""
    env = f"; {setting.env}" if setting in KNOWN else ""
    text = f"{setting.description} Accepted: {setting.takes.accepted}. [{default}{repeatable}{env}]"
    indent = " " * 8
    # Names are what people search for and copy: they are never broken.
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return "\n".join([f"  {setting.flag} {setting.takes.placeholder}", *lines])


def _refuse(faults: Sequence[str]) -> int:
    for fault in faults:
        _complain(f"{PROGRAM}: {fault}")
    _complain(f"see '{PROGRAM} --help'")
    return 2


def _complain(line: str) -> None:
    """Write a line to standard error, or nowhere if that is closed or full."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _write(text: str, status: int) -> int:
    """Write to standard output, and return the exit status that remains."""
    if sys.stdout is None:  # closed by whoever started the program
        return status
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:
        # What could not be written is still in the buffer, and would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader that has seen enough, such as head, is no failure.
        if isinstance(error, BrokenPipeError):
            return status
        _complain(f"{PROGRAM}: standard output: {error.strerror}")
        return status or 1
    return status
