"""The command line: what a person or a script sees, down to the exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

import exporter
from exporter import cli, docs
from exporter.errors import ExporterError
from exporter.settings import KNOWN, Settings, load

ROOT = Path(exporter.__file__).parent.parent
SEE = "see 'fail2ban-exporter --help'"
COMMANDS = ("serve", "demo", "probe", "textfile", "check-config", "docs")
OUTPUT = "--output=/run/f2b.prom"


class App:
    """Stands in for the program behind the commands; notes what it is asked for."""

    def __init__(self, outcome: int | BaseException = 0) -> None:
        self.outcome = outcome
        self.calls: list[tuple[str, Settings]] = []
        self.textfiles: list[tuple[Path, bool]] = []
        self.reload: Callable[[], Settings] | None = None
        self.stdout: TextIO | None = None

    def _end(self, name: str, settings: Settings) -> int:
        self.calls.append((name, settings))
        self.stdout = sys.stdout
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def serve(self, settings: Settings, reload: Callable[[], Settings]) -> int:
        """Note the call."""
        self.reload = reload
        return self._end("serve", settings)

    def demo(self, settings: Settings, reload: Callable[[], Settings]) -> int:
        """Note the call."""
        self.reload = reload
        return self._end("demo", settings)

    def textfile(self, settings: Settings, reload: Callable[[], Settings], output: Path, *, once: bool) -> int:
        """Note the call."""
        self.reload = reload
        self.textfiles.append((output, once))
        return self._end("textfile", settings)

    def probe(self, settings: Settings) -> int:
        """Note the call."""
        sys.stdout.write('{"state": "online"}\n')
        return self._end("probe", settings)


def own_flags(command: str) -> list[str]:
    """What a command can't do without."""
    return [OUTPUT] if command == "textfile" else []


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FAIL2BAN_EXPORTER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    app = App()
    monkeypatch.setitem(sys.modules, "exporter.app", app)
    monkeypatch.setattr(exporter, "app", app, raising=False)
    return app


@pytest.mark.parametrize(
    ("argv", "call"),
    [
        ([], "serve"),
        (["serve"], "serve"),
        (["--probe.timeout=2s"], "serve"),
        (["serve", "--probe.timeout", "2s"], "serve"),
        (["demo", "--probe.timeout=2s"], "demo"),
        (["probe", "--probe.timeout=2s"], "probe"),
    ],
)
def test_a_command_runs_with_its_settings_and_its_status_is_the_program_s(app: App, argv: list[str], call: str) -> None:
    app.outcome = 7

    assert 7 == cli.main(argv)
    assert [(call, load([word for word in argv if word != call], {}))] == app.calls


@pytest.mark.parametrize(
    ("argv", "output", "once"),
    [
        pytest.param(["--output", "f.prom"], "f.prom", False, id="two words"),
        pytest.param(["--output=/d/f.prom"], "/d/f.prom", False, id="one word"),
        pytest.param(["--once", "--output", "f.prom"], "f.prom", True, id="once"),
        pytest.param(["--output", "f.prom", "--probe.timeout=2s", "--once=false"], "f.prom", False, id="once=false"),
        pytest.param(["--jails.expected", "a", "--output", "f.prom", "--once"], "f.prom", True, id="after a setting"),
    ],
)
def test_textfile_takes_its_own_flags_among_those_of_the_settings(
    app: App, argv: list[str], output: str, *, once: bool
) -> None:
    assert 0 == cli.main(["textfile", *argv])

    others = [word for word in argv if word.startswith(("--probe", "--jails"))]
    others = ["--jails.expected", "a"] if others == ["--jails.expected"] else others
    assert [(Path(output), once)] == app.textfiles
    assert [("textfile", load(others, {}))] == app.calls


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        pytest.param([], "output: not given", id="none"),
        pytest.param(["--once"], "output: not given", id="once-alone"),
        pytest.param(["--output"], "output: no value after flag --output", id="no-value"),
        pytest.param(["--output="], "output: '' from flag --output: no name of a file", id="empty"),
        pytest.param(["--output=/d/"], "output: '/d/' from flag --output: no name of a file", id="folder"),
        pytest.param(["--output=.."], "output: '..' from flag --output: no name of a file", id="dots"),
        pytest.param(["--output=a\0b"], r"output: 'a\x00b' from flag --output: not a path", id="zero-byte"),
        pytest.param(["--output=a", "--output=b"], "output: 'a' and 'b' from flag --output: given 2 times", id="twice"),
        pytest.param(["--output=a", "--once=1"], "once: '1' from flag --once: neither", id="once-with-a-number"),
    ],
)
def test_textfile_without_a_file_to_write_is_bad_usage(
    app: App, capsys: pytest.CaptureFixture[str], argv: list[str], line: str
) -> None:
    assert 2 == cli.main(["textfile", *argv])

    [fault, see] = capsys.readouterr().err.splitlines()
    assert f"fail2ban-exporter: {line}; accepted: " == f"{fault.partition('; accepted: ')[0]}; accepted: "
    assert SEE == see
    assert [] == app.calls


def test_every_fault_of_textfile_is_named_at_once(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == cli.main(["textfile", "--ouput=x", "--probe.timeout=soon"])

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fail2ban-exporter: unknown flag --ouput (did you mean --output?)"
    assert [line.split(": ")[1] for line in lines[1:3]] == ["probe.timeout", "output"]
    assert [] == app.calls


@pytest.mark.parametrize("command", ["serve", "demo", "probe", "check-config"])
def test_no_other_command_takes_the_flags_of_textfile(
    app: App, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert 2 == cli.main([command, OUTPUT])
    assert "unknown flag --output" in capsys.readouterr().err
    assert [] == app.calls


@pytest.mark.parametrize("command", ["serve", "demo", "textfile"])
def test_a_reload_reads_environment_and_file_anew(
    app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text("probe.timeout = 1\n")
    cli.main([command, *own_flags(command), "--config.file", str(file)])
    assert app.reload is not None

    file.write_text("probe.timeout = 2\n")
    monkeypatch.setenv("FAIL2BAN_EXPORTER_LOG__LEVEL", "error")
    settings = app.reload()

    assert (2.0, "error") == (settings.probe.timeout, settings.log.level)


@pytest.mark.parametrize(
    ("command", "at_once"), [("serve", True), ("demo", True), ("textfile", True), ("probe", False)]
)
def test_a_command_that_runs_until_it_is_told_to_end_writes_as_it_goes(
    app: App, command: str, *, at_once: bool
) -> None:
    cli.main([command, *own_flags(command)])

    assert at_once == (app.stdout is sys.stdout)


def test_what_probe_prints_reaches_standard_output(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    app.outcome = 1

    assert 1 == cli.main(["probe"])
    assert '{"state": "online"}\n' == capsys.readouterr().out


@pytest.mark.parametrize("command", ["serve", "demo", "probe", "textfile", "check-config"])
def test_invalid_settings_end_every_command_with_2_and_one_line_a_fault(
    app: App, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    status = cli.main([command, *own_flags(command), "--probe.timout=5s", "--probe.timeout=soon", "--log.level=loud"])

    lines = capsys.readouterr().err.splitlines()
    assert 2 == status
    assert [] == app.calls
    assert [
        "fail2ban-exporter: unknown flag --probe.timout (did you mean --probe.timeout?)",
        "fail2ban-exporter: probe.timeout: 'soon' from flag --probe.timeout",
        "fail2ban-exporter: log.level: 'loud' from flag --log.level",
        SEE,
    ] == [line.partition(": not ")[0] for line in lines]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        pytest.param(
            ["serv"],
            "unknown command 'serv' (did you mean serve?); accepted: serve, demo, probe, textfile, check-config, docs",
            id="close-to-a-command",
        ),
        pytest.param(
            ["restart"],
            "unknown command 'restart'; accepted: serve, demo, probe, textfile, check-config, docs",
            id="far-from-any",
        ),
        pytest.param(
            [""],
            "unknown command ''; accepted: serve, demo, probe, textfile, check-config, docs",
            id="empty-is-not-serve",
        ),
        pytest.param(
            ["--log.level=info", "probe"],
            "unexpected argument 'probe'; a command comes before the flags, a value after its flag",
            id="command-after-flags",
        ),
        pytest.param(["docs"], "docs: no topic; accepted: metrics, configuration", id="no-topic"),
        pytest.param(
            ["docs", "metrix"],
            "docs: unknown topic 'metrix' (did you mean metrics?); accepted: metrics, configuration",
            id="unknown-topic",
        ),
        pytest.param(
            ["docs", "configuration", "x\ny"],
            r"docs: unexpected argument 'x\ny'; accepted: one topic",
            id="two-topics",
        ),
    ],
)
def test_bad_usage_is_2_with_the_known_words_and_where_help_is(
    app: App, capsys: pytest.CaptureFixture[str], argv: list[str], line: str
) -> None:
    status = cli.main(argv)

    assert (2, "", f"fail2ban-exporter: {line}\n{SEE}\n") == (status, *capsys.readouterr())
    assert [] == app.calls


@pytest.mark.parametrize("argv", [["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)])
def test_help_is_on_every_level(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    status = cli.main(argv)

    text = capsys.readouterr().out
    assert 0 == status
    assert [] == [part for part in ("usage: ", "examples:", "exit status:", "--version") if part not in text]
    assert max(map(len, text.splitlines())) <= 110
    if "docs" in argv:
        assert [] == [topic for topic in ("metrics ", "configuration ") if topic not in text]
    else:
        assert [] == [name for setting in KNOWN for name in (f"  {setting.flag} ", setting.env) if name not in text]
        assert "[default: 30s; FAIL2BAN_EXPORTER_PROBE__INTERVAL]" in text


def test_help_of_the_program_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--help"])

    text = capsys.readouterr().out
    assert [] == [command for command in COMMANDS if f"\n  {command} " not in text]


@pytest.mark.parametrize("argv", [["--version"], *([command, "--version"] for command in COMMANDS)])
def test_version_is_on_every_level(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert 0 == cli.main(argv)
    assert capsys.readouterr().out.startswith(f"fail2ban-exporter {exporter.__version__} ")


def test_check_config_shows_the_settings_in_force_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["check-config", "--jails.expected=a\nlog.level = forged", "--fail2ban.socket=/\udcff"])

    lines = capsys.readouterr().out.splitlines()
    assert 0 == status
    assert [setting.name for setting in KNOWN] == [line.partition(" = ")[0] for line in lines]
    assert "probe.interval = 30s" in lines
    assert r"jails.expected = 'a\nlog.level = forged'" in lines


def test_docs_prints_the_reference_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "metrics", lambda: "# Metrics\n", raising=False)

    assert [(0, docs.configuration()), (0, "# Metrics\n")] == [
        (cli.main(["docs", topic]), capsys.readouterr().out) for topic in ("configuration", "metrics")
    ]


@pytest.mark.parametrize("command", ["serve", "demo", "probe"])
@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ExporterError("address :9191\nis taken"), (1, "fail2ban-exporter: address :9191 is taken\n")),
        (KeyboardInterrupt(), (130, "")),
    ],
)
def test_an_error_that_a_user_can_act_on_is_one_line_and_an_interrupt_none(
    app: App, capsys: pytest.CaptureFixture[str], command: str, error: BaseException, end: tuple[int, str]
) -> None:
    app.outcome = error

    assert end == (cli.main([command]), capsys.readouterr().err)


def test_a_fault_of_the_program_itself_is_not_dressed_up(app: App) -> None:
    app.outcome = BrokenPipeError("a bug in the server, not a closed standard output")

    with pytest.raises(BrokenPipeError):
        cli.main(["serve"])


@pytest.mark.parametrize("argv", [["--help"], ["check-config"], ["docs", "configuration"], ["--log.level=loud"]])
def test_what_needs_no_server_does_not_load_one(argv: list[str]) -> None:
    script = (
        "import sys\n"
        "from exporter import cli\n"
        "cli.main(sys.argv[1:])\n"
        "heavy = {'exporter.app', 'uvicorn', 'starlette', 'prometheus_client', 'structlog', 'rich', 'yaml'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *argv], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stderr
