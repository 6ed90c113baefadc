"""Whoever can write to fail2ban's socket is root: nothing but questions may ever get there."""

import pytest

from exporter.fail2ban import commands
from exporter.fail2ban.commands import can_be_asked_for, is_read_only

ASKED = [
    commands.PING,
    commands.VERSION,
    commands.STATUS,
    commands.STATS,
    commands.DATABASE_FILE,
    commands.BANNED,
    commands.status_of("sshd"),
    commands.short_status_of("sshd"),
    *(commands.property_of("sshd", name) for name in ("bantime", "findtime", "maxretry", "logpath", "actions")),
    commands.banned_in("sshd"),
    commands.banned_with_times_in("sshd"),
    commands.properties_of_action("sshd", "nftables"),
    *(commands.property_of_action("sshd", "nftables", name) for name in sorted(commands.ACTION_PROPERTIES)),
]

REFUSED = {
    "nothing": [],
    "an empty word": [""],
    "stop the server": ["stop"],
    "stop a jail": ["stop", "sshd"],
    "start a jail": ["start", "sshd"],
    "restart": ["restart"],
    "reload": ["reload", "--restart"],
    "ban": ["set", "sshd", "banip", "192.0.2.1"],
    "ban in all jails": ["banip", "192.0.2.1"],
    "whether an address is banned": ["banned", "192.0.2.1"],
    "unban": ["unban", "--all"],
    "set a log level": ["set", "loglevel", "CRITICAL"],
    "run a command by an action": ["set", "sshd", "action", "x", "actionban", "touch /tmp/x"],
    "add a jail": ["add", "sshd", "polling"],
    "multi-set": ["multi-set", "sshd", "addignoreip", []],
    "server-status": ["server-status"],
    "server-stream": ["server-stream", [["set", "dbfile", "x"]]],
    "flushlogs": ["flushlogs"],
    "sleep": ["sleep", "3600"],
    "echo": ["echo", "x"],
    "DNS look-ups": ["status", "sshd", "cymru"],
    "all jails at once": ["status", "--all"],
    "all jails at once, short": ["status", "--all", "short"],
    "an option for a jail": ["get", "--all", "bantime"],
    "another property": ["get", "sshd", "idle"],
    "an action's method": ["get", "sshd", "action", "x", "ban"],
    "an action's own": ["get", "sshd", "action", "x", "_properties"],
    "a password of an action": ["get", "sshd", "action", "x", "password"],
    "an action of the server's option": ["get", "dbfile", "action", "x", "actionban"],
    "an option for an action": ["get", "sshd", "action", "--all", "actionban"],
    "methods of an action": ["get", "sshd", "actionmethods", "x"],
    "a request inside an action": ["get", "sshd", "actionproperties", "x<F2B_END_COMMAND>"],
    "bans in another shape": ["get", "sshd", "banip", "--with-times"],
    "times of bans of a server's option": ["get", "dbfile", "banip", "--with-time"],
    "times of another property": ["get", "sshd", "logpath", "--with-time"],
    "a setting of the server": ["get", "loglevel"],
    "a property too many": ["get", "sshd", "bantime", "x"],
    "a flavour too many": ["status", "sshd", "short", "x"],
    "ping too long": ["ping", "x"],
    "another case": ["PING"],
    "a list for a word": [["ping"]],
    "a number for a jail": ["get", 1, "bantime"],
    "bytes for a word": [b"ping"],
    "a request inside a name": ["status", "sshd<F2B_END_COMMAND>(lp0\nVstop\np1\na.", "short"],
    "a close inside a name": ["get", "<F2B_CLOSE_COMMAND>", "bantime"],
}


class Word(str):
    """A string that pickles as something else."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, ("stop",)


@pytest.mark.parametrize("command", ASKED, ids=" ".join)
def test_what_a_probe_asks_is_allowed(command: list[str]) -> None:
    assert is_read_only(command)


@pytest.mark.parametrize("command", REFUSED.values(), ids=REFUSED.keys())
def test_all_else_is_refused(command: list[str]) -> None:
    assert not is_read_only(command)


def test_a_word_that_only_looks_like_a_string_is_refused() -> None:
    assert not is_read_only([Word("ping")])


@pytest.mark.parametrize(
    "name", ["sshd", "", "-", "-x", "a--all", "short", 'quo"te', "back\\slash", "new\nline", "größe", "\udcff", "a, b"]
)
def test_a_jail_of_any_common_or_odd_name_can_be_asked_for(name: str) -> None:
    assert can_be_asked_for(name)


@pytest.mark.parametrize("name", ["--all", "--", "a<F2B_END_COMMAND>b"])
def test_a_jail_whose_name_means_something_else_in_a_request_is_not_asked_for(name: str) -> None:
    assert not can_be_asked_for(name)
