"""One check: what fail2ban bans, where its actions put that, and what of it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.fail2ban import JailAction, ProbeError
from exporter.firewall.addresses import AddressSet, Lookup
from exporter.firewall.namespace import check_namespace
from exporter.firewall.places import NoPlaceError, Place, Places, places_of
from exporter.firewall.programs import FirewallError, check_capability
from exporter.firewall.reader import Reading
from exporter.model import Enforcement, FirewallFault


class Asks(Protocol):
    """What a check needs of fail2ban; see `exporter.fail2ban.Bulk`."""

    pid: int | None
    identity: str

    def jails(self) -> list[str]: ...  # noqa: D102
    def actions(self, jails: Iterable[str]) -> dict[str, tuple[JailAction, ...]]: ...  # noqa: D102
    def bans(self, jails: Iterable[str]) -> dict[str, frozenset[str]]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Findings:
    """What one check found; jails by their names as fail2ban spells them."""

    jails: tuple[Enforcement, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    """Jails whose actions put addresses nowhere that can be looked at, and why."""
    fault: FirewallFault | None = None
    reason: str = "the firewall was compared with the bans"
    is_first: bool = False
    """Some jail's bans were seen for the first time, so that nothing can be said yet of those that are missing."""


class Checker:
    """Compares bans and firewall, time and again. Belongs to one thread.

    A ban that is not in the firewall counts as missing only if it was banned at the check before already, and is still
    banned after the firewall was read: fail2ban lists an address a moment before it has put it there, and takes it off
    the list before it takes it out. So nothing is said of a jail at the first check.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Asks]],
        read: Callable[[], Reading] = Reading,
        checks: Sequence[Callable[[int | None], None]] = (lambda _: check_capability(), check_namespace),
    ) -> None:
        """Prepare.

        Args:
            connect: opens a conversation with fail2ban; raises `ProbeError`.
            read: makes a reading of the firewall.
            checks: each raises `FirewallError` when the firewall can't be looked at; given the server's process id.
        """
        self._connect = connect
        self._read = read
        self._checks = checks
        self._identity: str | None = None
        self._before: dict[str, frozenset[str]] = {}

    def check(self) -> Findings:
        """Check once; what goes wrong is among the findings."""
        try:
            with self._connect() as fail2ban:
                for check in self._checks:
                    check(fail2ban.pid)
                return self._compare(fail2ban)
        except FirewallError as error:
            return Findings(fault=error.fault, reason=str(error))
        except ProbeError as error:
            self._before = {}
            return Findings(fault=FirewallFault.FAIL2BAN_SILENT, reason=str(error))

    def _compare(self, fail2ban: Asks) -> Findings:
        if fail2ban.identity != self._identity:
            # Another server puts its bans into the firewall anew.
            self._identity, self._before = fail2ban.identity, {}
        places, left_out = _sorted_out(fail2ban.actions(fail2ban.jails()))
        bans = fail2ban.bans(places)
        reading = self._read().read({place for jail in places.values() for both in jail for place in _each(both)})
        findings = Findings(left_out=left_out, is_first=any(jail not in self._before for jail in bans))
        looked_up: dict[str, Lookup] = {}
        for jail, banned in bans.items():
            try:
                looked_up[jail] = _look_up(banned, places[jail], reading)
            except FirewallError as error:
                if findings.fault is None:
                    findings = replace(findings, fault=error.fault, reason=str(error))
        again = fail2ban.bans(jail for jail, found in looked_up.items() if found.missing)
        enforcement = [
            Enforcement(
                _printable(jail),
                enforced=len(bans[jail]) - len(found.missing) - len(found.no_address),
                unenforced=len(found.missing & again.get(jail, frozenset()) & self._before[jail]),
            )
            for jail, found in looked_up.items()
            if jail in self._before
        ]
        self._before = bans
        return replace(findings, jails=tuple(enforcement))


def _sorted_out(
    actions: Mapping[str, Sequence[JailAction]],
) -> tuple[dict[str, tuple[Places, ...]], dict[str, str]]:
    """Return the places of the jails that have some, and of the others why they have none."""
    places: dict[str, tuple[Places, ...]] = {}
    left_out: dict[str, str] = {}
    for jail, those in actions.items():
        found: list[Places] = []
        reasons: list[str] = []
        for action in those:
            try:
                found.append(places_of(action.properties))
            except NoPlaceError as error:
                reasons.append(f"{action.name}: {error}")
        if found:
            places[jail] = tuple(found)
        else:
            left_out[jail] = "; ".join(reasons) or "it has no action"
    return places, left_out


def _each(places: Places) -> tuple[Place, Place]:
    return places.inet4, places.inet6


def _look_up(
    bans: frozenset[str], actions: Iterable[Places], reading: Mapping[Place, AddressSet | FirewallError]
) -> Lookup:
    """Tell which bans are not in the place of every action."""
    inet6 = [ban for ban in bans if ":" in ban]
    inet4 = [ban for ban in bans if ":" not in ban] if inet6 else bans
    missing: frozenset[str] = frozenset()
    no_address: frozenset[str] = frozenset()
    for places in actions:
        for those, place in ((inet4, places.inet4), (inet6, places.inet6)):
            if not those:
                continue
            holds = reading[place]
            if isinstance(holds, FirewallError):
                raise holds
            found = holds.look_up(those)
            missing, no_address = missing | found.missing, no_address | found.no_address
    return Lookup(missing, no_address)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
