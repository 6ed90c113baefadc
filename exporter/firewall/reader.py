"""Reads many places of the firewall in few runs of its programs: one for a table, one for all sets of ipset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from exporter.firewall import listings, programs
from exporter.firewall.addresses import AddressSet
from exporter.firewall.listings import Rules, UnreadableListingError
from exporter.firewall.places import IptablesChain, NftSet, Place
from exporter.firewall.programs import FirewallError
from exporter.model import FirewallFault

_EMPTY: Final = AddressSet()

_Listing = TypeVar("_Listing")

Run = Callable[..., "str | None"]


class Reading:
    """The firewall at one moment, each listing made when it is first wanted. Used by one thread, for one check."""

    def __init__(self, run: Run = programs.run) -> None:
        """Prepare; `run` takes a program's name and its arguments, and returns what it prints, as `programs.run`."""
        self._run = run
        self._listings: dict[tuple[str, ...], object] = {}

    def read(self, places: Iterable[Place]) -> dict[Place, AddressSet | FirewallError]:
        """Return what each place holds, or why that can't be known. What is not there holds nothing."""
        found: dict[Place, AddressSet | FirewallError] = {}
        for place in places:
            try:
                found[place] = self._read(place)
            except FirewallError as error:
                found[place] = error
        return found

    def _read(self, place: Place) -> AddressSet:
        if isinstance(place, NftSet):
            return self._nft_table(place.family, place.table).get(place.name, _EMPTY)
        if isinstance(place, IptablesChain):
            return self._rules(place.program).chains.get(place.chain, _EMPTY)
        if place.program is not None and place.name not in self._rules(place.program).ipsets:
            return _EMPTY
        return self._ipsets().get(place.name, _EMPTY)

    def _nft_table(self, family: str, table: str) -> dict[str, AddressSet]:
        return self._once(listings.of_nft_table, {}, "nft", "-j", "list", "table", family, table)

    def _rules(self, program: str) -> Rules:
        return self._once(listings.of_iptables, Rules(), f"{program}-save", "-t", "filter")

    def _ipsets(self) -> dict[str, AddressSet]:
        return self._once(listings.of_ipset, {}, "ipset", "save")

    def _once(self, parse: Callable[[str], _Listing], nothing: _Listing, *words: str) -> _Listing:
        if words not in self._listings:
            self._listings[words] = self._listing(parse, nothing, words)
        found = self._listings[words]
        if isinstance(found, FirewallError):
            raise found
        return found  # type: ignore[return-value]  # the same words are always read by the same parser

    def _listing(
        self, parse: Callable[[str], _Listing], nothing: _Listing, words: tuple[str, ...]
    ) -> _Listing | FirewallError:
        try:
            text = self._run(*words)
            return nothing if text is None else parse(text)
        except FirewallError as error:
            return error
        except UnreadableListingError as error:
            return FirewallError(FirewallFault.PROGRAM_FAILED, str(error))
