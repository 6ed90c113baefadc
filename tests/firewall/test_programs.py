"""A program of the firewall may hang, flood or refuse: none of it costs more than one check."""

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.firewall import programs
from exporter.firewall.programs import FirewallError, run
from exporter.model import FirewallFault
from tests.waiting import wait_until

MakeProgram = Callable[[str], Path]


@pytest.fixture
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """A factory: `make_program("echo listing")` is `nft` for the test."""
    monkeypatch.setattr(programs, "SEARCHED", (str(tmp_path / "none"), str(tmp_path), "/usr/bin", "/bin"))

    def make(text: str) -> Path:
        path = tmp_path / "nft"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def test_what_a_program_prints_is_returned(make_program: MakeProgram) -> None:
    make_program('printf "%s|" "$@"')

    assert "-j|list|table|$(id) ; x|" == run("nft", "-j", "list", "table", "$(id) ; x")


def test_nothing_of_the_exporters_environment_reaches_a_program(
    make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program("env; pwd; cat")
    monkeypatch.setenv("LD_PRELOAD_OF_NOBODY", "secret")

    printed = run("nft") or ""

    assert "secret" not in printed
    assert "LC_ALL=C" in printed.splitlines()
    assert "/" == printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('echo "Operation not permitted (you must be root)" >&2; exit 1', FirewallFault.PERMISSION_DENIED),
        ('echo "Can\'t open socket to ipset." >&2; exit 1', FirewallFault.PERMISSION_DENIED),
        ('echo "Segmentation fault" >&2; exit 139', FirewallFault.PROGRAM_FAILED),
        ("exit 3", FirewallFault.PROGRAM_FAILED),
    ],
)
def test_a_program_that_fails_says_why(make_program: MakeProgram, text: str, fault: FirewallFault) -> None:
    make_program(text)

    with pytest.raises(FirewallError) as caught:
        run("nft")

    assert fault is caught.value.fault


@pytest.mark.parametrize(
    "said",
    [
        "Error: No such file or directory",
        "iptables: No chain/target/match by that name.",
        "The set with the given name does not exist",
    ],
)
def test_what_is_not_there_is_no_failure(make_program: MakeProgram, said: str) -> None:
    make_program(f'echo "{said}" >&2; exit 1')

    assert run("nft") is None


def test_a_program_that_is_not_there_is_named(make_program: MakeProgram) -> None:
    del make_program

    with pytest.raises(FirewallError, match="no program nft in") as caught:
        run("nft")

    assert FirewallFault.PROGRAM_MISSING is caught.value.fault


def test_a_program_that_is_none_is_a_failure_and_no_error(make_program: MakeProgram) -> None:
    make_program("").write_bytes(b"\x7fELF")

    with pytest.raises(FirewallError, match="can't be run"):
        run("nft")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("echo $$ > PIDFILE; exec sleep 600", id="it hangs"),
        pytest.param("echo $$ > PIDFILE; exec sleep 600 >&- 2>&-", id="it hangs with its output closed"),
        pytest.param("sh -c 'echo $$ > PIDFILE; exec sleep 600' & exit 0", id="its child outlives it"),
        pytest.param("sh -c 'echo $$ > PIDFILE; exec sleep 600' & wait", id="its child hangs"),
    ],
)
def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    make_program(text.replace("PIDFILE", str(tmp_path / "pid")))
    monkeypatch.setattr(programs, "MAX_SECONDS", 1.0)
    started = time.monotonic()

    with pytest.raises(FirewallError, match="did not end within 1 s"):
        run("nft")

    assert time.monotonic() - started < 30
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    wait_until(lambda: not _is_there(pid), "it is gone")


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_that_prints_without_end_is_cut_off(
    make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program("exec cat /dev/zero")
    monkeypatch.setattr(programs, "MAX_BYTES", 1024 * 1024)

    with pytest.raises(FirewallError, match="printed over 1 MiB"):
        run("nft")


def test_a_program_that_complains_without_end_takes_no_memory(make_program: MakeProgram) -> None:
    make_program("head -c 20000000 /dev/zero >&2; exit 1")

    tracemalloc.start()
    try:
        with pytest.raises(FirewallError) as caught:
            run("nft")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000
