"""The log: every event is one honest line, and a broken log never stops the exporter."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from exporter import log

FORMATS: tuple[log.Format, ...] = ("logfmt", "json", "console")
FORGERY = 'x" \r\ntimestamp=2026-01-01T00:00:00Z level=error event=forged\x1b[2J\x85\u2028\u202e\0\udcff'


pytestmark = pytest.mark.usefixtures("log_as_found")


@contextmanager
def configured(format_: log.Format = "logfmt", level: log.Level = "info") -> Iterator[io.StringIO]:
    """Log into memory."""
    stream = io.StringIO()
    log.configure(level, format_, stream)
    yield stream


def without_time(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME", line)


def fail(text: str) -> None:
    _local = "hunter2"  # must not be found in any line
    raise ValueError(text)


@pytest.mark.parametrize(
    ("format_", "line"),
    [
        ("logfmt", "timestamp=TIME level=info event=fail2ban_online jails=a,b note="),
        (
            "json",
            '{"timestamp": "TIME", "level": "info", "event": "fail2ban_online", "jails": ["a", "b"], "note": null}',
        ),
        ("console", "TIME [info     ] fail2ban_online                jails=a,b note=None"),
    ],
)
def test_an_event_is_one_line_with_utc_time_level_name_and_data(format_: log.Format, line: str) -> None:
    with configured(format_) as stream:
        structlog.get_logger().info("fail2ban_online", jails=("a", "b"), note=None)

    assert f"{line}\n" == without_time(stream.getvalue())


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("level", ["info", "debug"])
def test_nothing_that_an_attacker_writes_makes_a_line_of_its_own(format_: log.Format, level: log.Level) -> None:
    with configured(format_, level) as stream:
        structlog.get_logger().info("jail", name=FORGERY, names=[FORGERY], tree={FORGERY: FORGERY}, **{FORGERY: 1})
        logging.getLogger("library").warning("%s", FORGERY)
        structlog.get_logger().info("failed", error=ValueError(FORGERY))
        try:
            fail(FORGERY)
        except ValueError:
            structlog.get_logger().exception("raised")

    lines = stream.getvalue().split("\n")
    assert [] == [line for line in lines if line.startswith("timestamp=2026-01-01") or not line.isprintable()]
    assert 4 == len([line for line in lines if line and not line.startswith("    ")])


def test_a_value_stays_inside_its_key_in_logfmt() -> None:
    with configured("logfmt") as stream:
        structlog.get_logger().info("jail", name='a" level=error b="\\', last=1)

    assert r'name="a\" level=error b=\"\\" last=1' == stream.getvalue().rstrip().partition("event=jail ")[2]


def test_json_stays_json_for_what_json_lacks() -> None:
    with configured("json") as stream:
        structlog.get_logger().info("jail", ban_time=float("inf"), rest=[float("nan")], names={"x"}, thing=ValueError)

    event = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    assert ("inf", ["nan"], ["x"], "<class 'ValueError'>") == tuple(
        event[key] for key in ("ban_time", "rest", "names", "thing")
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_an_exception_is_one_line_at_info_and_shows_no_local_variables_ever(format_: log.Format) -> None:
    texts = []
    levels: tuple[log.Level, ...] = ("info", "debug")
    for level in levels:
        with configured(format_, level) as stream:
            try:
                fail("broken")
            except ValueError:
                structlog.get_logger().exception("probe_failed")
        texts.append(stream.getvalue())

    assert "ValueError: broken" in texts[0]
    assert ["Traceback" in text for text in texts] == [False, True]
    assert 1 == texts[0].count("\n")
    assert "hunter2" not in "".join(texts)


def test_an_exception_given_as_a_value_or_as_exc_info_is_named_with_its_type() -> None:
    error = TimeoutError("late")
    with configured() as stream:
        structlog.get_logger().error("a", cause=error)
        structlog.get_logger().error("b", exc_info=error)
        structlog.get_logger().error("c", exc_info=(type(error), error, None))
        structlog.get_logger().error("d", exc_info=True)
        structlog.get_logger().error("e", cause=KeyError())

    assert [
        'cause="TimeoutError: late"',
        'error="TimeoutError: late"',
        'error="TimeoutError: late"',
        "",
        "cause=KeyError",
    ] == [line.partition("event=")[2][2:] for line in stream.getvalue().splitlines()]


def test_a_value_whose_text_raises_costs_only_that_value() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    with configured() as stream:
        structlog.get_logger().info("event", thing=Broken(), other=1)

    assert stream.getvalue().endswith("event=event thing=<Broken> other=1\n")


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_the_chosen_level_and_above_is_logged(level: log.Level, events: list[str]) -> None:
    with configured("json", level) as stream:
        logger = structlog.get_logger()
        for name in ("debug", "info", "warning", "error"):
            getattr(logger, name)(name)

    assert events == [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def test_warnings_of_libraries_come_the_same_way_once_and_their_chatter_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own would raise for bad arguments
    log.configure("debug", "console", io.StringIO())
    with configured("json", "debug") as stream:
        library = logging.getLogger("library")
        library.info("chatter")
        library.warning("careful: %s", "x")
        library.warning("bad arguments: %d", "x")
        library.log(35, "between the levels")
        try:
            fail("broken")
        except ValueError:
            library.exception("raised")

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [
        ("warning", "library_message", "library", "careful: x", None),
        ("warning", "library_message", "library", "bad arguments: %d", None),
        ("warning", "library_message", "library", "between the levels", None),
        ("error", "library_message", "library", "raised", "ValueError: broken"),
    ] == [(e["level"], e["event"], e["logger"], e["message"], e.get("error")) for e in events]


def test_a_reload_reaches_loggers_that_were_bound_before_it() -> None:
    log.configure("error", "logfmt", io.StringIO())
    bound = structlog.get_logger().bind(jail="sshd")
    with configured("json", "debug") as stream:
        bound.debug("seen")

    assert "sshd" == json.loads(stream.getvalue())["jail"]


@contextmanager
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A terminal's stream to write to, and the descriptor that shows what arrived."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        yield stream, master
    os.close(master)


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_auto_is_for_people_on_a_terminal(monkeypatch: pytest.MonkeyPatch, no_color: str, *, colored: bool) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    with terminal() as (stream, master):
        log.configure("info", "auto", stream)
        structlog.get_logger().info("fail2ban_online", jails=3)
        line = os.read(master, 4096).decode()

    assert colored == ("\x1b[" in line)
    assert "[info     ] fail2ban_online" in re.sub(r"\x1b\[\d*m", "", line)


def test_auto_is_logfmt_where_nobody_watches() -> None:
    with configured("auto") as stream:
        structlog.get_logger().info("fail2ban_online")

    assert "timestamp=TIME level=info event=fail2ban_online\n" == without_time(stream.getvalue())


def test_standard_error_is_the_stream_unless_another_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "logfmt")
    structlog.get_logger().info("fail2ban_online")

    captured = capsys.readouterr()
    assert ("", True) == (captured.out, "event=fail2ban_online" in captured.err)


def closed_stream() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


def stream_without_reader() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def full_pipe() -> TextIO:
    """A pipe that takes nothing more and doesn't wait, as a supervisor's can be."""
    _, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    return os.fdopen(writer, "w")


class Interrupted(io.StringIO):
    """A stream that a signal handler reaches while the same thread is inside it."""

    def write(self, _text: str) -> int:
        """Do what a buffered stream does then."""
        raise RuntimeError("reentrant call")


def full_disk() -> TextIO:
    return Path("/dev/full").open("w")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(closed_stream, id="closed"),
        pytest.param(stream_without_reader, id="reader-gone"),
        pytest.param(full_pipe, id="pipe-full"),
        pytest.param(Interrupted, id="interrupted"),
        pytest.param(full_disk, id="disk-full"),
        pytest.param(lambda: io.TextIOWrapper(io.BytesIO(), "ascii"), id="cannot-encode"),
    ],
)
def test_a_log_that_cannot_be_written_does_not_stop_the_exporter(make: Callable[[], TextIO]) -> None:
    stream = make()
    log.configure("debug", "auto", stream)

    for _ in range(100):
        structlog.get_logger().error("fail2ban_offline", reason="é" * 100)
        logging.getLogger("library").error("é")

    with suppress(OSError):
        stream.close()


def test_no_standard_error_at_all_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)

    log.configure("info", "auto")
    structlog.get_logger().error("fail2ban_offline")
