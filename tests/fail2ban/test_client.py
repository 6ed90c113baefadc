"""What a good server says is told as it says it, on a connection that is held for as long as it is good."""

import math
import select
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.fail2ban import Client, commands
from exporter.fail2ban.commands import is_read_only
from exporter.model import Jail, JailSettings, Probe, Result
from tests.data.capture import COMMANDS, REPLIES
from tests.fakes import (
    END,
    Conversation,
    FakeJail,
    FakeServer,
    Honest,
    Script,
    closing_after,
    good,
    in_turn,
    replying,
    silent,
)
from tests.waiting import wait_until

PLENTY = 30.0


# -- what a good server says


VERSIONS = ["0.10.6", "0.11.2", "1.0.2", "1.1.0", "1.1.1", "who knows"]


def probed(honest: Honest, clients: Callable[..., Client]) -> tuple[Probe, list[list[str]]]:
    """One probe of an honest server, which must succeed, and what it was asked."""
    with FakeServer(honest) as server:
        probe = clients(server.path).probe(PLENTY)
        assert probe.result is Result.SUCCESS, probe
        return probe, server.requests


@pytest.mark.parametrize("version", VERSIONS)
def test_the_figures_are_the_servers_own(version: str, clients: Callable[..., Client]) -> None:
    jails = {
        "sshd": FakeJail(1, 2, 3, 4, addresses=("192.0.2.1", "2001:db8::1")),
        "ever": FakeJail(0, 0, 0, 0, bantime=-1, actions=(), log_files=("/a", "/b")),
        "journal": FakeJail(backend="systemd"),
    }

    probe, _ = probed(Honest(jails, version, "/var/lib/fail2ban.sqlite3"), clients)

    has_stats = version.startswith("1.1")
    settings = JailSettings(ban_time=600, find_time=300, max_retries=4, actions=1)
    assert probe.jail_count == 3
    assert probe.database == "/var/lib/fail2ban.sqlite3"
    assert probe.server is not None
    assert probe.server.is_trusted
    assert probe.server.version == version
    assert probe.jails == (
        Jail(
            "ever",
            failed=0,
            failures=0,
            banned=0,
            bans=0,
            backend="polling" if has_stats else None,
            log_files=("/a", "/b"),
            settings=replace(settings, ban_time=math.inf, actions=0),
        ),
        Jail("journal", 1, 5, 2, 3, "systemd" if has_stats else None, None, settings),
        Jail("sshd", 1, 2, 3, 4, "polling" if has_stats else None, ("/var/log/auth.log",), settings),
    )


@pytest.mark.parametrize("version", ["0.11.2", "1.0.2", "1.1.0", "1.1.1"])
def test_the_real_replies_of_each_version_become_figures(version: str, clients: Callable[..., Client]) -> None:
    real = {tuple(command): (REPLIES / version / f"{name}.pickle").read_bytes() for name, command in COMMANDS.items()}
    others = dict.fromkeys(("web", "forever", "no-action"), FakeJail(0, 0, 0, 0))

    probe, _ = probed(Honest(others, version, replies=real), clients)

    sshd = next(jail for jail in probe.jails if jail.name == "sshd")
    assert [jail.name for jail in probe.jails] == ["forever", "no-action", "sshd", "web"]
    assert (sshd.failed, sshd.failures, sshd.banned, sshd.bans) == (1, 10, 3, 3)
    assert sshd.settings == JailSettings(ban_time=600, find_time=600, max_retries=3, actions=1)
    assert sshd.log_files == ("/tmp/f2b/log/sshd.log",)  # noqa: S108 - what was captured says so
    by_name = {jail.name: jail.settings for jail in probe.jails}
    assert by_name["web"] is not None
    assert by_name["web"].ban_time == 6311520000
    assert by_name["forever"] is not None
    assert by_name["forever"].ban_time == math.inf
    assert by_name["no-action"] is not None
    assert by_name["no-action"].actions == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_is_asked_nothing_but_what_it_knows_and_what_only_reads(
    version: str, clients: Callable[..., Client]
) -> None:
    jails = {"sshd": FakeJail(), "journal": FakeJail(backend="systemd")}

    _, requests = probed(Honest(jails, version), clients)

    assert all(is_read_only(request) for request in requests)
    assert {request[0] for request in requests} <= {"version", "status", "stats", "get"}
    assert (["stats"] in requests) == version.startswith("1.1")
    assert (["status", "sshd", "short"] in requests) == version.startswith(("0.11", "1.0"))
    assert (["status", "sshd"] in requests) == version.startswith(("0.10", "who"))
    assert version.startswith("1.1") <= (["get", "journal", "logpath"] not in requests)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_jails_are_a_success_with_none(version: str, clients: Callable[..., Client]) -> None:
    probe, _ = probed(Honest({}, version), clients)

    assert probe.jail_count == 0
    assert probe.jails == ()


ODD = [
    'quo"te',
    "apo'strophe",
    "back\\slash",
    "new\nline",
    "größe",
    "日本",
    "\U0001f600",
    "{a=b}",
    "--all",
    "with space",
]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_jail_of_any_name_is_told(version: str, clients: Callable[..., Client]) -> None:
    probe, _ = probed(Honest({name: FakeJail() for name in ODD}, version), clients)

    told = sorted(ODD if version.startswith("1.1") else set(ODD) - {"--all"})
    assert told == [jail.name for jail in probe.jails]
    assert probe.jail_count == len(ODD)
    assert all(jail.settings is not None for jail in probe.jails)
    assert [jail.name for jail in probe.jails if jail.settings and jail.settings.ban_time is None] == (
        ["--all"] if "--all" in told else []
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_name_that_is_no_utf8_is_shown_so_that_every_output_can_hold_it(
    version: str, clients: Callable[..., Client]
) -> None:
    probe, _ = probed(Honest({"bad\udcffname": FakeJail(), "\ud800": FakeJail()}, version), clients)

    assert [jail.name for jail in probe.jails] == ["\\ud800", "bad\\udcffname"]
    assert all(jail.settings and jail.settings.ban_time == 600 for jail in probe.jails)


def test_two_names_that_are_shown_alike_do_not_make_one_series_twice(clients: Callable[..., Client]) -> None:
    probe, _ = probed(Honest({"\udcff": FakeJail(), "\\udcff": FakeJail()}), clients)

    assert [jail.name for jail in probe.jails] == ["\\udcff"]
    assert probe.jail_count == 2


@pytest.mark.parametrize("version", ["0.11.2", "1.0.2", "who knows"])
def test_names_that_hold_a_comma_and_a_blank_are_counted_and_not_guessed(
    version: str, clients: Callable[..., Client]
) -> None:
    probe, requests = probed(Honest({"a, b": FakeJail(), "sshd": FakeJail()}, version), clients)

    assert probe.jail_count == 2
    assert probe.jails == ()
    assert all(request[0] in {"version", "status"} or request[1:] == ["dbfile"] for request in requests)


def test_stats_tells_names_that_hold_a_comma_and_a_blank(clients: Callable[..., Client]) -> None:
    probe, _ = probed(Honest({"a, b": FakeJail(), "sshd": FakeJail()}), clients)

    assert [jail.name for jail in probe.jails] == ["a, b", "sshd"]


# -- the connection between two probes


def test_the_connection_is_held_and_the_next_probe_asks_less(clients: Callable[..., Client]) -> None:
    with FakeServer(Honest()) as server:
        client = clients(server.path)
        client.probe(PLENTY)
        first = len(server.requests)
        client.probe(PLENTY)

        assert server.connections == 1
        assert server.requests[first:] == [["stats"]]


def test_settings_are_asked_again_after_a_minute_and_when_the_jails_change(clients: Callable[..., Client]) -> None:
    ahead = 0.0
    honest = Honest()
    with FakeServer(honest) as server:
        client = clients(server.path, clock=lambda: time.monotonic() + ahead)

        def asked() -> set[str]:
            before = len(server.requests)
            assert client.probe(PLENTY).result is Result.SUCCESS
            return {" ".join(request[:2]) for request in server.requests[before:]}

        assert asked() == {"version", "stats", "get dbfile", "get sshd"}
        assert asked() == {"stats"}
        ahead = 61.0
        assert asked() == {"stats", "get dbfile", "get sshd"}
        honest.jails = {"sshd": FakeJail(), "web": FakeJail()}
        assert asked() == {"stats", "get dbfile", "get sshd", "get web"}
        assert asked() == {"stats"}


@pytest.mark.parametrize("version", ["1.0.2", "1.1.1"])
def test_every_figure_that_changes_shows_in_the_next_probe(version: str, clients: Callable[..., Client]) -> None:
    jails = {"sshd": FakeJail(0, 0, 0, 0), "web": FakeJail(9, 9, 9, 9)}
    now = 0.0
    with FakeServer(Honest(jails, version)) as server:
        client = clients(server.path, clock=lambda: now)
        first = client.probe(PLENTY)

        for counts in ((1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0), (1, 1, 1, 1), (0, 1, 1, 1)):
            jails["sshd"] = FakeJail(*counts)
            sshd, web = client.probe(PLENTY).jails

            assert counts == (sshd.failed, sshd.failures, sshd.banned, sshd.bans)
            assert first.jails[1] == web

        jails["sshd"] = FakeJail(0, 1, 1, 1, maxretry=99)
        now = 60.0
        settings = client.probe(PLENTY).jails[0].settings

        assert settings is not None
        assert settings.max_retries == 99


def test_a_connection_that_the_server_drops_between_probes_costs_no_probe(clients: Callable[..., Client]) -> None:
    with FakeServer(Honest()) as server:
        client = clients(server.path)
        for _ in range(3):
            assert client.probe(PLENTY).result is Result.SUCCESS
            server.drop_all()
        assert client.probe(PLENTY).result is Result.SUCCESS
        assert client.exits() == []
        assert server.connections == 4


def test_a_connection_that_the_server_drops_during_a_probe_costs_no_probe(clients: Callable[..., Client]) -> None:
    with FakeServer(in_turn(closing_after(good("1.1.1") + END), Honest())) as server:
        client = clients(server.path)

        assert client.probe(PLENTY).result is Result.SUCCESS
        assert client.exits() == []


def test_a_server_that_speaks_unasked_is_asked_on_a_new_connection(clients: Callable[..., Client]) -> None:
    def chatty(conversation: Conversation) -> None:
        honest = Honest()
        while (command := conversation.request()) != ["get", "sshd", "logpath"]:
            conversation.reply(honest.answer(command))
        conversation.send(honest.answer(command) + END + good("stray") + END)
        conversation.hold()

    with FakeServer(in_turn(chatty, Honest())) as server:
        client = clients(server.path)
        assert client.probe(PLENTY).result is Result.SUCCESS
        assert client.probe(PLENTY).result is Result.SUCCESS
        assert server.connections == 2
        assert client.exits() == []


def test_a_connection_that_ends_wakes_who_watches(clients: Callable[..., Client]) -> None:
    with FakeServer(Honest()) as server:
        client = clients(server.path)
        assert client.watched() == []
        client.probe(PLENTY)
        poller = select.poll()
        for descriptor, events in client.watched():
            poller.register(descriptor, events)
        assert poller.poll(0) == []
        server.drop_all()

        assert poller.poll(10_000) != []


def test_late_replies_wake_nobody(clients: Callable[..., Client]) -> None:
    """Else a server that is slow for once is probed in a loop."""
    released: list[bool] = []

    def script(conversation: Conversation) -> None:
        conversation.request()
        wait_until(lambda: bool(released), "the probe has given up")
        conversation.reply(good("1.1.1"))
        released.append(True)
        conversation.hold()

    with FakeServer(script) as server:
        client = clients(server.path)
        assert client.probe(0.1).result is Result.TIMEOUT
        released.append(True)
        wait_until(lambda: len(released) > 1, "the late reply is sent")
        poller = select.poll()
        for descriptor, events in client.watched():
            poller.register(descriptor, events)

        assert poller.poll(0) == []


@pytest.mark.parametrize(
    "script",
    [Honest(), lambda _conversation: None, silent, replying(b"x")],
    ids=["honest", "closes at once", "says nothing", "garbage"],
)
def test_many_probes_leave_no_descriptor_behind(script: Script) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    with FakeServer(script) as server:
        before = descriptors()
        with closing(Client(str(server.path))) as client:
            for _ in range(50):
                client.probe(0.005)
                client.exits()
        server.drop_all()

        wait_until(lambda: descriptors() == before, "the server's ends are closed too")


def test_a_duration_is_that_of_the_whole_probe(clients: Callable[..., Client]) -> None:
    with FakeServer(silent) as server:
        probe = clients(server.path).probe(0.2)

    assert 0.2 <= probe.duration < 0.7
    assert probe.reason == ("fail2ban gave no complete answer within 0.2 s: it hangs, is stopping, or is overloaded")


def test_only_what_reads_is_ever_in_the_clients_words() -> None:
    whole = [value for name, value in vars(commands).items() if name.isupper() and isinstance(value, list)]

    assert len(whole) >= 5
    assert all(map(is_read_only, whole))


def test_late_replies_to_a_probe_that_gave_up_are_never_taken_for_those_to_the_next(
    clients: Callable[..., Client],
) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        late.wait_for(conversation)
        conversation.reply(good("9.9.9"))
        conversation.hold()

    class Late:
        """Holds back the answer until it is too late."""

        is_over = False

        def wait_for(self, _conversation: Conversation) -> None:
            wait_until(lambda: self.is_over, "the probe has given up")

    late = Late()
    with FakeServer(in_turn(script, Honest())) as server:
        client = clients(server.path)
        assert client.probe(0.1).result is Result.TIMEOUT
        late.is_over = True
        probe = client.probe(PLENTY)

    assert probe.server is not None
    assert probe.server.version == "1.1.1"
