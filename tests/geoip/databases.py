"""Databases of countries and of autonomous systems, as their makers write them, for addresses that nobody has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

LANGUAGES = ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")


def country(code: str) -> dict[str, Any]:
    """A record as large as MaxMind's are."""
    names = {language: f"{code} in {language}" for language in LANGUAGES}
    return {
        "continent": {"code": "EU", "geoname_id": 6255148, "names": names},
        "country": {"iso_code": code, "geoname_id": 1, "names": names},
        "registered_country": {"iso_code": "US", "geoname_id": 2, "names": names},
    }


def asn(number: int) -> dict[str, Any]:
    """A record as MaxMind writes it."""
    return {"autonomous_system_number": number, "autonomous_system_organization": f"Network {number}"}


def write(path: Path, records: Mapping[str, Any], *, ip_version: int = 6, ipv4_compatible: bool = True) -> Path:
    """Write a database of networks, each with its record; a file that is there whole or not at all, and a new one."""
    writer = MMDBWriter(ip_version, "Test", ipv4_compatible=ipv4_compatible)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    new = path.with_name(f"{path.name}.new")
    writer.to_db_file(str(new))
    new.replace(path)
    return path


COUNTRIES = {
    "192.0.2.0/24": country("DE"),
    "198.51.100.0/24": country("FR"),
    "203.0.113.0/24": {"continent": {"code": "EU"}},
    "2001:db8::/33": country("NL"),
}
NETWORKS = {
    "192.0.2.0/25": asn(64500),
    "192.0.2.128/25": asn(64501),
    "198.51.100.0/24": asn(64502),
    "2001:db8::/32": asn(64503),
}
