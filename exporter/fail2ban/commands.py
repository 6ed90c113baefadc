"""The commands that may be sent to fail2ban. Whoever can write to its socket is root, so nothing else ever is.

Exact shapes are allowed, not verbs: ``status JAIL cymru`` would make the server do DNS look-ups, and an unknown
property is an error in fail2ban's own log.
"""

from __future__ import annotations

from typing import Final

_BARE: Final = frozenset({("ping",), ("version",), ("status",), ("stats",), ("banned",), ("get", "dbfile")})
_JAIL_PROPERTIES: Final = frozenset({"bantime", "findtime", "maxretry", "logpath", "actions", "banip"})
_OF_FAMILY: Final = "?family=inet6"
_ACTION_TAGS: Final = (
    "actionban",
    "actionstart",
    "addr_family",
    "addr_set",
    "default-ipsettime",
    "ipmset",
    "ipsettime",
    "iptables",
    "lockingopt",
    "name",
    "nftables",
    "table",
    "table_family",
    "timeout-bantime",
)
ACTION_PROPERTIES: Final = frozenset(tag + family for tag in _ACTION_TAGS for family in ("", _OF_FAMILY))
"""What may be asked of an action: how it bans, and the tags of which that is put together, for IPv6 apart."""
_SERVER_OPTIONS: Final = frozenset(
    {"dbfile", "dbmaxmatches", "dbpurgeage", "loglevel", "logtarget", "syslogsocket", "thread"}
)
"""What ``get`` takes for the server's own option, whatever follows, and not for a jail of that name."""
_MARK: Final = "<F2B_"
"""How the marks begin that end a request or close a connection."""

PING: Final = ["ping"]
VERSION: Final = ["version"]
STATUS: Final = ["status"]
STATS: Final = ["stats"]
DATABASE_FILE: Final = ["get", "dbfile"]
BANNED: Final = ["banned"]
"""Ask for every address that any jail bans now, by jail; known to fail2ban 0.11.2 and later."""


def status_of(jail: str) -> list[str]:
    """Ask for a jail's counts, log files and every banned address."""
    return ["status", jail]


def short_status_of(jail: str) -> list[str]:
    """Ask for the same without the addresses; known to fail2ban 0.11 and later."""
    return ["status", jail, "short"]


def property_of(jail: str, name: str) -> list[str]:
    """Ask for one of ``bantime``, ``findtime``, ``maxretry``, ``logpath``, ``actions``."""
    return ["get", jail, name]


def banned_in(jail: str) -> list[str]:
    """Ask for every address that a jail bans now."""
    return ["get", jail, "banip"]


def banned_with_times_in(jail: str) -> list[str]:
    """Ask for the same with the time and the length of each ban; known to fail2ban 0.11 and later."""
    return ["get", jail, "banip", "--with-time"]


def properties_of_action(jail: str, action: str) -> list[str]:
    """Ask which properties an action has; one that it has not is an error in fail2ban's log when it is asked for."""
    return ["get", jail, "actionproperties", action]


def property_of_action(jail: str, action: str, name: str) -> list[str]:
    """Ask for one of `ACTION_PROPERTIES`."""
    return ["get", jail, "action", action, name]


def can_be_asked_for(jail: str) -> bool:
    """Tell whether a jail, or an action, of this name can be named in a request.

    Some versions take ``--all`` for an option, and a name that holds the mark between two requests would end its
    request early: what follows in the name would be a request of its own, and no longer one of these.
    """
    return not jail.startswith("--") and _MARK not in jail


def has_readable_settings(jail: str) -> bool:
    """Tell whether ``get JAIL …`` answers for a jail of this name."""
    return can_be_asked_for(jail) and jail not in _SERVER_OPTIONS


def is_read_only(command: list[str]) -> bool:
    """Tell whether the command is one of those that only read."""
    if not all(type(word) is str for word in command):
        return False
    match command:
        case ["status", jail] | ["status", jail, "short"]:
            return can_be_asked_for(jail)
        case ["get", jail, *words] if len(words) == 1 or words == ["banip", "--with-time"]:
            return has_readable_settings(jail) and words[0] in _JAIL_PROPERTIES
        case ["get", jail, "actionproperties", action]:
            return has_readable_settings(jail) and can_be_asked_for(action)
        case ["get", jail, "action", action, name]:
            return has_readable_settings(jail) and can_be_asked_for(action) and name in ACTION_PROPERTIES
        case _:
            return tuple(command) in _BARE
