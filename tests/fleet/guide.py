"""The examples of docs/fleet.md, as people copy them."""

import json
import re
from pathlib import Path
from typing import Any, Final

import yaml

PAGE: Final = Path(__file__).parents[2] / "docs" / "fleet.md"


def text() -> str:
    """The page."""
    return PAGE.read_text(encoding="utf-8")


def examples() -> list[Any]:
    """Every example in YAML, in the order of the page."""
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text(), re.DOTALL)]


def configurations() -> list[dict[str, Any]]:
    """Those that are Prometheus's configuration."""
    return [example for example in examples() if isinstance(example, dict)]


def target_file() -> list[dict[str, Any]]:
    """The example of a file with hosts."""
    (found,) = (example for example in examples() if isinstance(example, list))
    return found


def inventory() -> list[dict[str, Any]]:
    """The example of what an inventory answers."""
    (block,) = re.findall(r"```json\n(.*?)```", text(), re.DOTALL)
    found: list[dict[str, Any]] = json.loads(block)
    return found


def job_with(key: str) -> dict[str, Any]:
    """The first example's scrape job that has a key."""
    jobs = (job for configuration in configurations() for job in configuration.get("scrape_configs", ()))
    return next(job for job in jobs if key in job)
