"""The actions of jails, with the properties that tell where they put banned addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from exporter.fail2ban import commands
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.failures import ServerError
from exporter.fail2ban.pickles import Value
from exporter.fail2ban.replies import answer

_MAX_ACTIONS: Final = 100
"""Of one jail; what a jail has more is not looked at."""
_MAX_TEXT: Final = 20_000


@dataclass(frozen=True, slots=True)
class JailAction:
    r"""One action of a jail.

    `properties` holds text alone, as ``{'actionban': 'nft add element inet f2b-table <addr_set> \\{ <ip> \\}',
    'addr_set': 'addr-set-<name>', 'addr_set?family=inet6': 'addr6-set-<name>', 'name': 'sshd'}``: fail2ban puts in
    the tags between ``<`` and ``>`` when it bans.
    """

    name: str
    properties: dict[str, str] = field(default_factory=dict)


def read(connection: Connection, jails: Iterable[str], deadline: Deadline) -> dict[str, tuple[JailAction, ...]]:
    """Return the actions of each jail, in three round trips, and without a question for what there is not.

    A jail or an action that vanishes meanwhile, or answers with an error, is left out.

    Raises:
        ProbeError: the connection ended, or the deadline passed.
    """
    names = [jail for jail in jails if commands.has_readable_settings(jail)]
    replies = connection.ask_all([commands.property_of(jail, "actions") for jail in names], deadline)
    actions = [(jail, action) for jail, reply in zip(names, replies, strict=True) for action in _names(reply)]
    replies = connection.ask_all([commands.properties_of_action(jail, action) for jail, action in actions], deadline)
    wanted = [
        (jail, action, name)
        for (jail, action), reply in zip(actions, replies, strict=True)
        for name in sorted(commands.ACTION_PROPERTIES.intersection(_texts(reply)))
    ]
    replies = connection.ask_all([commands.property_of_action(*one) for one in wanted], deadline)
    properties: dict[tuple[str, str], dict[str, str]] = {one: {} for one in actions}
    for (jail, action, name), reply in zip(wanted, replies, strict=True):
        value = _value(reply)
        if isinstance(value, (str, int)) and len(str(value)) <= _MAX_TEXT:
            properties[jail, action][name] = str(value)
    return {
        jail: tuple(JailAction(action, found) for (of, action), found in properties.items() if of == jail)
        for jail in names
    }


def _names(reply: Value) -> list[str]:
    return [name for name in _texts(reply) if commands.can_be_asked_for(name)][:_MAX_ACTIONS]


def _texts(reply: Value) -> list[str]:
    value = _value(reply)
    return [text for text in value if type(text) is str] if type(value) is list else []


def _value(reply: Value) -> Value:
    try:
        return answer(reply)
    except ServerError:
        return None
