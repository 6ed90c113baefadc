"""The reference of the settings, generated from the code that it describes, as Markdown."""

from __future__ import annotations

from exporter import durations, sources
from exporter.settings import KNOWN, ONLY_AT_START, Settings, effective
from exporter.web.config import names, schema

_HEAD = """\
# Configuration

Each setting is a flag, an environment variable and a key in an optional TOML file. Flags win over the environment, the
environment over the file, the file over the default. The names follow one rule: the environment variable is
`{prefix}` and the flag in capitals, `.` as `__` and `-` as `_`; the key in the file is the flag without its
dashes in front.

"""

_BODY = """
A flag takes its value as `--flag value` or `--flag=value`. A repeatable flag may be given several times, or once with
commas; in the file it may be an array, whose elements are taken as they are. Any other flag is given once.

Durations: {duration}. The units are `d`, `h`, `m`, `s` and `ms`, largest first, each at most
once. In the file a number is seconds.

Everything is checked, and everything wrong is named at once: unknown flags, unknown keys in the file, unknown
environment variables that start with `{prefix}` (those that Kubernetes sets for a Service called
`fail2ban-exporter` aside), and every value, also one that is overridden: a faulty value in the file is an error even
if a flag overrides it. `fail2ban-exporter check-config` does the check and nothing else; its exit status is 0 or 2.

## File

The file that `--config.file` names; relative paths are relative to the working directory. This one holds the defaults:

```toml
"""

_TAIL = """\
```

## Reload

SIGHUP reads flags, environment and file again. If anything is wrong, it is logged and the old settings stay. All of
them change in the running process but these, which take effect at the next start:
{only_at_start}.

The web config file, and the certificates that it names, need no signal: they are looked at once a second.

## Web config file

The file that `--web.config.file` names is the one that Prometheus's own exporters read; one file can serve them all.
Relative paths are relative to its folder. Every fault is named at once, with its line: by `check-config`, at the start
(which fails), and in the log when a file changes, where the old one then stays in force.

| key | default | accepted |
| --- | --- | --- |
{web_config}

What Python's ssl can't do is refused by name: {refused}. Several `curve_preferences` need Python 3.15. TLS sessions are
never resumed, so a client shows its certificate on each connection.
"""


def configuration() -> str:
    """Return the reference of every setting: names, default, meaning, file, precedence, reload."""
    rows = [
        "| flag | environment variable | key in the file | default | meaning | accepted |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for setting in KNOWN:
        default = setting.text(setting.default)
        key = "none" if setting.name == sources.CONFIG_FILE else f"`{setting.name}`"
        repeatable = " (repeatable)" if setting.takes.repeatable else ""
        cells = (
            f"`{setting.flag}`{repeatable}",
            f"`{setting.env}`",
            key,
            f"`{default}`" if default else "none",
            setting.description,
            setting.takes.accepted,
        )
        rows.append(f"| {' | '.join(cells)} |")
    words = {"prefix": sources.ENV_PREFIX, "duration": durations.ACCEPTED}
    return _HEAD.format(**words) + "\n".join(rows) + "\n" + _BODY.format(**words) + _example() + _tail()


def _tail() -> str:
    refused = (names.CLIENT_AUTH_REFUSED, names.VERSIONS_REFUSED, names.CIPHER_SUITES_REFUSED, names.CURVES_REFUSED)
    *all_but_last, last = (f"`--{name}`" for name in ONLY_AT_START)
    return _TAIL.format(
        only_at_start=f"{', '.join(all_but_last)} and {last}",
        web_config="\n".join(
            f"| `{key}` | {default} | {meaning} |" for key, default, meaning in schema.reference(schema.File)
        ),
        refused=", ".join(f"`{name}`" for each in refused for name in each),
    )


def _example() -> str:
    """Return a TOML file with every default, in tables as a person would write it."""
    tables: dict[str, list[str]] = {}
    texts = effective(Settings())
    for setting in KNOWN:
        if setting.name == sources.CONFIG_FILE:
            continue
        table, _, key = setting.name.rpartition(".")
        text = texts[setting.name]
        items = ", ".join(f'"{item}"' for item in text.split(",") if item)
        line = f"{key} = [{items}]" if setting.takes.repeatable else f'{key} = "{text}"'
        tables.setdefault(table, []).append(line)
    return "\n".join("\n".join([f"[{table}]", *lines, ""]) for table, lines in tables.items())
