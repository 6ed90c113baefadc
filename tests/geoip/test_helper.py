"""Counting is a process of its own: it ends with the count, or is ended, and what kills it kills nothing else."""

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from exporter.geoip import process
from exporter.geoip.helper import SECONDS
from exporter.geoip.process import Helper, HelperError
from tests.fakes import FakeServer, good
from tests.geoip import databases
from tests.waiting import wait_until

BANS = [{"sshd": ["192.0.2.1", "192.0.2.200", "::ffff:192.0.2.2", "2001:db8::1", "203.0.113.1", "root"]}, {"web": []}]


def _script(bans: Any, version: str = "1.1.0") -> Any:
    def script(conversation: Any) -> None:
        while True:
            match conversation.request():
                case ["version"]:
                    conversation.reply(good(version))
                case ["banned"]:
                    conversation.reply(good(bans))
                case other:
                    raise AssertionError(other)

    return script


def _request(server: FakeServer, **descriptors: int) -> dict[str, Any]:
    return {"task": "count", "socket": str(server.path), "asn_limit": 20, "databases": descriptors}


def _descriptor(path: Path) -> int:
    return os.open(path, os.O_RDONLY)


def test_bans_are_counted_by_family_country_and_network(tmp_path: Path) -> None:
    country = _descriptor(databases.write(tmp_path / "country.mmdb", databases.COUNTRIES))
    asn = _descriptor(databases.write(tmp_path / "asn.mmdb", databases.NETWORKS))
    with FakeServer(_script(BANS)) as server:
        reply = Helper().ask(_request(server, country=country, asn=asn), 10)

    assert {
        "tables": {
            "family": {"sshd": {"ipv4": 4, "ipv6": 1, "other": 1}, "web": {"ipv4": 0, "ipv6": 0, "other": 0}},
            "country": {"sshd": {"DE": 3, "NL": 1, "unknown": 2}, "web": {}},
            "asn": {"sshd": {"AS64500": 2, "AS64501": 1, "AS64503": 1, "unknown": 2}, "web": {}},
        },
        "faulty_lookups": {"country": 0, "asn": 0},
    } == reply
    assert [["version"], ["banned"]] == server.requests
    os.close(country)
    os.close(asn)


def test_in_a_database_of_ipv4_an_address_of_ipv6_is_unknown_and_no_fault_of_the_file(tmp_path: Path) -> None:
    path = databases.write(
        tmp_path / "c.mmdb", {"192.0.2.0/24": databases.country("DE")}, ip_version=4, ipv4_compatible=False
    )
    country = _descriptor(path)
    with FakeServer(_script(BANS)) as server:
        reply = Helper().ask(_request(server, country=country), 10)

    assert {"DE": 3, "unknown": 3} == reply["tables"]["country"]["sshd"]
    assert {"country": 0} == reply["faulty_lookups"]
    os.close(country)


@pytest.mark.parametrize(
    "bans",
    ["no list", [["sshd"]], [{"a": [], "b": []}], [{"sshd": "192.0.2.1"}], [{f"jail{n}": []} for n in range(10_001)]],
)
def test_what_is_no_list_of_bans_is_refused(bans: Any) -> None:
    with FakeServer(_script(bans)) as server:
        reply = Helper().ask(_request(server), 10)

    assert "fail2ban_silent" == reply["fault"]
    assert "is not fail2ban" in reply["reason"]


def test_a_version_without_the_command_is_not_asked() -> None:
    with FakeServer(_script(BANS, "0.11.1")) as server:
        reply = Helper().ask(_request(server), 10)

    assert "fail2ban 0.11.1 does not tell all its bans at once; 0.11.2 and later do" == reply["reason"]
    assert [["version"]] == server.requests


def test_what_is_no_text_and_names_that_are_not_utf_8_harm_nothing() -> None:
    with FakeServer(_script([{"j\udcff": ["192.0.2.1", 5, None, "\udcff"]}])) as server:
        reply = Helper().ask(_request(server), 10)

    assert {"j\\udcff": {"ipv4": 1, "ipv6": 0, "other": 1}} == reply["tables"]["family"]


def test_a_fail2ban_that_is_not_there_is_said() -> None:
    request = {"task": "count", "socket": "/nowhere/f.sock", "asn_limit": 1, "databases": {}}

    assert "no socket at /nowhere/f.sock" in Helper().ask(request, 10)["reason"]


def _corrupt(good_file: bytes, seed: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311
    broken = bytearray(good_file)
    for _ in range(chance.choice((1, 2, 4, 30))):
        broken[chance.randrange(chance.choice((0, len(broken) - 300)), len(broken))] = chance.choice((0, 255, 32, 64))
    return bytes(broken)


def test_no_corrupt_database_does_more_than_kill_the_helper(tmp_path: Path) -> None:
    good_file = databases.write(tmp_path / "c.mmdb", databases.COUNTRIES).read_bytes()
    outcomes = set()
    for seed in range(40):
        descriptor = os.memfd_create("corrupt")
        os.write(descriptor, _corrupt(good_file, seed))
        try:
            outcomes |= set(Helper().ask({"task": "inspect", "databases": {"country": descriptor}}))
        except HelperError as error:
            outcomes.add(str(error).partition(" of ")[0])
        finally:
            os.close(descriptor)

    assert {"built_at", "fault", "reason"} <= outcomes


def test_a_helper_that_dies_is_said_with_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "import os; os.kill(os.getpid(), 11)")

    with pytest.raises(HelperError, match="died of SIGSEGV: the database is corrupt"):
        Helper().ask({"task": "inspect", "databases": {}})


def test_one_that_says_nothing_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "raise SystemExit(3)")

    with pytest.raises(HelperError, match="without a word"):
        Helper().ask({"task": "inspect", "databases": {}})


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "import time; time.sleep(600)")
    monkeypatch.setitem(SECONDS, "inspect", 0.2 - process._GRACE)  # noqa: SLF001

    with pytest.raises(HelperError, match="took too long"):
        Helper().ask({"task": "inspect", "databases": {}})


def test_one_that_runs_is_ended_from_another_thread_and_none_is_started_any_more() -> None:
    helper = Helper()
    raised: list[str] = []

    def count(server: FakeServer) -> None:
        try:
            helper.ask(_request(server), 60)
        except HelperError as error:
            raised.append(str(error))

    with FakeServer(lambda conversation: conversation.hold()) as server:
        thread = threading.Thread(target=count, args=(server,))
        thread.start()
        wait_until(lambda: server.connections > 0, "it asks")
        helper.end()
        thread.join(60)
        with pytest.raises(HelperError, match="about to end"):
            helper.ask(_request(server))

    assert ["died of SIGKILL"] == [text[text.index("died") :].partition(":")[0] for text in raised]


@pytest.mark.parametrize(
    ("does", "dies_of"),
    [
        ("while True: pass", "SIGALRM"),
        ("bytearray(2**30)", "SIGABRT"),
        ("print('x' * 2**25, flush=True)", "SIGABRT"),
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
    ],
    ids=["time", "memory", "output", "no dump"],
)
def test_it_is_bounded_from_within_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, dies_of: str
) -> None:
    start = (
        "import os, sys; sys.path[:] = sys.argv[1:]\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "from exporter.geoip.helper import _bound; _bound(0.3)\n"
        "try:\n"
        f"    {does}\n"
        "except (MemoryError, OSError):\n"
        "    os.abort()"
    )
    monkeypatch.setattr(process, "_START", start)

    with pytest.raises(HelperError, match=f"died of {dies_of}:"):
        Helper().ask({"task": "inspect", "databases": {}})

    assert [] == list(tmp_path.iterdir())


def test_whatever_breaks_in_it_no_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    start = (
        "import sys; sys.path[:] = sys.argv[1:]\n"
        "from exporter.geoip import helper, tally\n"
        "def broken(ban): raise ValueError(ban)\n"
        "tally.address_of = broken\n"
        "helper.main()"
    )
    monkeypatch.setattr(process, "_START", start)

    with FakeServer(_script(BANS)) as server:
        reply = Helper().ask(_request(server), 10)

    assert {"fault": "unexpected", "reason": "the count broke: ValueError"} == reply
