"""What the benchmarks' commands have in common: ``--help``, ``--full``, figures printed, kept and judged."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Protocol

import pytest

from benchmarks import bounds
from benchmarks.figures import Notebook


class Measure(Protocol):
    """A benchmark."""

    def __call__(self, notebook: Notebook, *, full: bool) -> None:
        """Take down figures: the most telling ones, or all that there are."""
        ...


def run(benchmark: str, meaning: str | None, measure: Measure) -> None:
    """Run a benchmark's command; ends the process with status 1 where a bound is not kept or a program is missing."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark}", description=meaning)
    parser.add_argument("--full", action="store_true", help="the whole grid and the full counts; takes far longer")
    parser.add_argument("--no-save", action="store_true", help="leave benchmarks/results.json as it is")
    arguments = parser.parse_args()
    notebook, started = Notebook(), time.monotonic()
    try:
        measure(notebook, full=arguments.full)
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    if not arguments.no_save:
        notebook.save(benchmark)
    verdicts = bounds.report(notebook.figures, benchmark)
    print("\n".join([*verdicts, f"{benchmark}: {time.monotonic() - started:.0f} s"]), flush=True)
    sys.exit(any(verdict.startswith("FAIL") for verdict in verdicts))
