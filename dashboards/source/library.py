"""Which dashboards there are, and the JSON that Grafana reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.source import fleet, host

FOLDER: Final = Path(__file__).parents[1] / "grafana"
DASHBOARDS: Final = {"fleet": fleet.build, "host": host.build}
"""How each dashboard is built, by the name of its file."""


def text(name: str) -> str:
    """Return a dashboard's JSON, with keys in a fixed order: a difference shows what changed and nothing else."""
    return json.dumps(DASHBOARDS[name](), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every dashboard to its file."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
