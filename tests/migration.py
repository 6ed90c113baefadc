"""The tables of docs/migration.md, which people go by one line at a time."""

import re
from pathlib import Path
from typing import Final, NamedTuple

_DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "migration.md"


class Move(NamedTuple):
    """One line of a table: what one had, and what takes its place; what stands in backquotes in either cell."""

    old: list[str]
    new: list[str]


def moves(heading: str) -> list[Move]:
    """The lines of the table under a heading."""
    section = _DOCUMENT.read_text(encoding="utf-8").partition(f"# {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [[cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    found = [[re.findall(r"`([^`]+)`", cell) for cell in row] for row in rows]
    return [Move(row[0], row[2] if len(row) > 2 else row[1]) for row in found]
