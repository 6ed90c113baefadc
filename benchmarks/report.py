"""The tables of ``docs/performance.md`` and ``docs/fleet.md``, from the latest figures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import fleet_table
from benchmarks.bounds import BOUNDS
from benchmarks.figures import Figure, load

PAGE: Final = Path(__file__).parents[1] / "docs/performance.md"
FLEET_PAGE: Final = PAGE.with_name("fleet.md")
_BEGIN: Final = "<!-- what follows is written by make bench -->\n"
_END: Final = "<!-- what was written by make bench ends here -->\n"
_GROWTHS: Final = {
    "growth.by jails.probe": "probe, by jails",
    "growth.by jails.rendering": "rendering of a snapshot, by jails",
    "growth.by jails.scrape": "size of a scrape, by jails",
    "growth.by jails.memory": "resident memory, by jails",
    "growth.by bans.probe": "probe, by bans",
    "fleet.rules": "rules in Prometheus, by hosts",
    "fleet.memory": "Prometheus's memory, by hosts",
}
_CONSTANT_TO: Final = 0.2
_LINEAR_TO: Final = 1.2


def render(machine: Mapping[str, int], figures: Mapping[str, Figure]) -> str:
    """Return what stands between the marks of the page."""
    parts = [
        f"A machine with {machine['cores']} cores and {machine['memory_gib']} GiB of memory.\n",
        _bounds(figures),
        _growth(figures),
        _all(figures),
    ]
    return "\n".join(parts)


def _bounds(figures: Mapping[str, Figure]) -> str:
    lines = ["| figure | measured | bound | kept |", "| --- | --- | --- | --- |"]
    for bound in BOUNDS:
        measured = bound.measured(figures)
        unit = figures[bound.figure].unit if measured is not None else ""
        shown = "not measured" if measured is None else f"{measured:g} {unit}".strip()
        kept = "" if measured is None else "yes" if bound.is_kept_by(measured) else "**no**"
        lines.append(f"| {bound.says} | {shown} | {bound.text(unit)} | {kept} |")
    return "\n".join([*lines, ""])


def _growth(figures: Mapping[str, Figure]) -> str:
    lines = ["| what | grows as size to the power of | that is |", "| --- | --- | --- |"]
    for name, says in _GROWTHS.items():
        figure = figures.get(f"{name}.exponent")
        if figure is not None:
            power = figure.value
            word = "constant" if power <= _CONSTANT_TO else "linear, or less" if power <= _LINEAR_TO else "**worse**"
            lines.append(f"| {says} | {power:g} | {word} |")
    return "\n".join([*lines, ""])


def _all(figures: Mapping[str, Figure]) -> str:
    lines = ["| figure | median | least | 95 % up to | most | measured |", "| --- | --- | --- | --- | --- | --- |"]
    for name, one in sorted(figures.items()):
        unit = f" {one.unit}" if one.unit else ""
        spread = f"{one.low:g} | {one.p95:g} | {one.high:g}" if one.measurements > 1 else " | | "
        lines.append(f"| {name} | {one.value:g}{unit} | {spread} | {one.measurements} |")
    return "\n".join([*lines, ""])


def written(page: str) -> str:
    """Return what stands between the marks of a page now."""
    return page.partition(_BEGIN)[2].partition(_END)[0].strip("\n") + "\n"


def write() -> None:
    """Write the pages anew."""
    machine, figures = load()
    _write(PAGE, render(machine, figures))
    _write(FLEET_PAGE, fleet_table.render(figures))


def _write(path: Path, table: str) -> None:
    page = path.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    path.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")


def main() -> None:
    """Write it, or say what this is."""
    argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__).parse_args()
    write()


if __name__ == "__main__":
    main()
