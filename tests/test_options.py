"""What the settings ask of each part that runs in the background."""

from pathlib import Path

import pytest

from exporter import options
from exporter.settings import load


@pytest.mark.parametrize(
    ("argv", "is_on", "databases"),
    [
        ([], False, {}),
        (["--geoip.asn-limit=5", "--geoip.interval=1h"], False, {}),
        (["--geoip.families"], True, {}),
        (["--geoip.database=/c.mmdb"], True, {"country": Path("/c.mmdb")}),
        (["--geoip.asn-database=/a.mmdb"], True, {"asn": Path("/a.mmdb")}),
    ],
)
def test_fail2ban_is_asked_for_all_its_bans_only_if_they_are_to_be_counted_by_where_they_come_from(
    argv: list[str], *, is_on: bool, databases: dict[str, Path]
) -> None:
    asked = options.of_geoip(load(argv, {}))

    assert (is_on, databases) == (asked.is_on, asked.databases)
