"""What a record of a database says, in the shapes that their makers use. Pure; never trusts a record.

MaxMind and DB-IP write ``{"country": {"iso_code": "DE", …}}`` and ``{"autonomous_system_number": 64500, …}``, IPinfo
``{"country_code": "DE", …}``, in older files ``{"country": "DE"}``, and ``{"asn": "AS64500", …}``.
"""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "unknown"
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_ASN: Final = re.compile(r"AS([0-9]{1,10})")
_LARGEST_ASN: Final = 2**32 - 1


def country_of(record: object) -> str:
    """Return the country's two letters, as ISO 3166 has them, or `UNKNOWN`."""
    if type(record) is not dict:
        return UNKNOWN
    country = record.get("country")
    code = country.get("iso_code") if type(country) is dict else record.get("country_code", country)
    return code if type(code) is str and _COUNTRY.fullmatch(code) else UNKNOWN


def asn_of(record: object) -> str:
    """Return the autonomous system as in ``AS64500``, or `UNKNOWN`."""
    if type(record) is not dict:
        return UNKNOWN
    number = record.get("autonomous_system_number")
    if number is None and type(record.get("asn")) is str and (match := _ASN.fullmatch(record["asn"])):
        number = int(match.group(1))
    return f"AS{number}" if type(number) is int and 0 < number <= _LARGEST_ASN else UNKNOWN
