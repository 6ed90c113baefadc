"""`python -m tests.recovery`: as many timelines as wanted, and how the blame stands against the truth."""

from __future__ import annotations

import argparse
import sys
import time

from tests.recovery.trial import run

parser = argparse.ArgumentParser(prog="python -m tests.recovery", description=__doc__)
parser.add_argument("--timelines", type=int, default=10_000)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()
began = time.monotonic()


def _progress(number: int) -> None:
    if number % 100 == 0 or number == arguments.timelines:
        end = "\n" if number == arguments.timelines else ""
        print(f"\r{number} of {arguments.timelines} timelines", end=end, file=sys.stderr, flush=True)


trial = run(arguments.timelines, arguments.seed, _progress)
print(
    f"{arguments.timelines} timelines of seed {arguments.seed} in {time.monotonic() - began:.0f} s\n\n{trial.table()}"
)
for text in (trial.faults + trial.broken)[:3]:
    print(f"\n{text}")
if trial.faults or trial.broken:
    print(
        f"\n{len(trial.faults)} timelines against the truth under no limit, {len(trial.broken)} with a broken promise"
    )
    sys.exit(1)
