"""Where the bans of the dashboard *host* come from: countries, networks, families."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units

from dashboards.source.panels import Caption, PanelBuilder, Query, graph
from dashboards.source.queries import ATTACKED, CHOSEN_JAIL, of, top, total

_LINES: Final = 15


def origins() -> list[PanelBuilder]:
    """Return the graphs, which are empty where bans are not counted in this way."""
    return [
        _graph(
            "Bans by country",
            "country",
            f"Addresses banned, by the {_LINES} countries with most. Only with --geoip.database.",
        ),
        _graph(
            "Bans by network",
            "asn",
            f"Addresses banned, by the {_LINES} autonomous systems with most. Only with --geoip.asn-database.",
        ),
        _graph(
            "Bans by family",
            "family",
            "Addresses banned of IPv4 and of IPv6, and other: bans of users, host names and the like. "
            "Only with --geoip.families or one of the databases.",
        ),
    ]


def _graph(title: str, label: str, meaning: str) -> PanelBuilder:
    counted = total(of(f"fail2ban_jail_banned_ips_by_{label}", CHOSEN_JAIL, ATTACKED), label)
    return graph(Caption(title, meaning, units.Short), Query(top(_LINES, counted), f"{{{{{label}}}}}"))
