"""`python -m tests.soak --minutes 10`: soak, print the report; exit status 1 if anything was wrong."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import soak


def main() -> int:
    """Read the arguments and soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long (10)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults (1)")
    parser.add_argument("--fail2ban", default="1.1.1", help="version of fail2ban (1.1.1)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"soaking for {options.minutes:g} min", flush=True)
    try:
        report = soak(options.minutes * 60, options.seed, folder, options.fail2ban)
    except BaseException:
        print(f"what the programs wrote is in {folder}", file=sys.stderr)
        raise
    print(report.text())
    if report.wrong:
        print(f"what the programs wrote is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
