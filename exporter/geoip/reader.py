"""A database, read by the library: for a process of its own alone, since a corrupt file can crash the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import maxminddb

from exporter.errors import ExporterError
from exporter.geoip.records import UNKNOWN, asn_of, country_of

COUNTRY: Final = "country"
ASN: Final = "asn"
_LABELS: Final[dict[str, Callable[[object], str]]] = {COUNTRY: country_of, ASN: asn_of}
_SAYS: Final = {COUNTRY: "a country", ASN: "an autonomous system"}
_LOOKED_AT: Final = 10_000
"""Networks of a database among which one has to say what it is asked for."""


class UnusableDatabaseError(ExporterError):
    """A database can't be used; the text says why, to people."""


@dataclass(slots=True)
class Database:
    """One open database."""

    kind: str
    """`COUNTRY` or `ASN`: what is taken from its records."""
    reader: Any
    faulty_lookups: int = 0
    """Addresses whose record could not be read: part of the file is corrupt."""

    @classmethod
    def open(cls, kind: str, descriptor: int) -> Database:
        """Open the file behind a descriptor.

        Raises:
            UnusableDatabaseError: it is no database of this format.
        """
        try:
            return cls(kind, maxminddb.open_database(f"/proc/self/fd/{descriptor}"))
        except OSError as error:
            raise UnusableDatabaseError(f"its copy in memory can't be opened: {error.strerror or error}") from None
        except (maxminddb.InvalidDatabaseError, ValueError, RecursionError):
            raise UnusableDatabaseError(
                "no MaxMind database (.mmdb, unpacked), or corrupt, or cut short on its way here"
            ) from None

    def label(self, address: str) -> str:
        """Return what the database says of an address, or ``unknown``; one that can't be read is counted."""
        try:
            return _LABELS[self.kind](self.reader.get(address))
        except (maxminddb.InvalidDatabaseError, ValueError, RecursionError):
            # An address of IPv6 in a database of IPv4 is a ValueError too, and no fault of the file.
            if ":" not in address or self.reader.metadata().ip_version == 6:  # noqa: PLR2004
                self.faulty_lookups += 1
            return UNKNOWN

    def inspect(self) -> float:
        """Return when it was built, in seconds since the epoch.

        Raises:
            UnusableDatabaseError: it can't be read, or is of another kind.
        """
        try:
            built_at = float(self.reader.metadata().build_epoch)
            of_this_kind = any(_LABELS[self.kind](record) != UNKNOWN for _, record in islice(self.reader, _LOOKED_AT))
        except (maxminddb.InvalidDatabaseError, ValueError, RecursionError, OverflowError):
            raise UnusableDatabaseError("corrupt, or cut short on its way here") from None
        if not of_this_kind:
            raise UnusableDatabaseError(
                f"none of its first networks names {_SAYS[self.kind]}: a database of another kind"
            )
        return built_at
