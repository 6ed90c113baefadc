"""``python -m benchmarks``: run the benchmarks, one after the other, and write ``docs/performance.md`` anew."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Final

from benchmarks import bounds, report
from benchmarks.figures import load

USUAL: Final = ("probe", "growth", "scrape", "standing", "detection")
ALL: Final = (*USUAL, "geoip", "fleet")


def main() -> None:
    """Run them; ends the process with status 1 where one failed or a bound is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all, the whole grid and the full counts; takes far longer")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"these, of {', '.join(ALL)}; without any, the first {len(USUAL)}"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(ALL):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names, failed, started = arguments.names or (ALL if arguments.full else USUAL), [], time.monotonic()
    for number, name in enumerate(names, 1):
        print(f"== {name} ({number} of {len(names)}), after {time.monotonic() - started:.0f} s", flush=True)
        call = [sys.executable, "-m", f"benchmarks.{name}", *(["--full"] if arguments.full else [])]
        if subprocess.run(call, check=False).returncode != 0:
            failed.append(name)
    report.write()
    _, figures = load()
    print("\n".join(["== bounds", *bounds.report(figures), f"all: {time.monotonic() - started:.0f} s"]), flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
