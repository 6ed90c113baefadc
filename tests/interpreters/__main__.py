"""`python -m tests.interpreters [arguments for pytest]`: the suite on each Python, and a line for each at the end."""

import sys
from collections.abc import Callable, Iterable

from tests.interpreters.debian import python_of_debian
from tests.interpreters.suite import Outcome, find_installed, run
from tests.interpreters.versions import SUITES, Interpreter, Missing


def test_all(
    versions: Iterable[str], find: Callable[[str], Interpreter | Missing], run: Callable[[Interpreter], Outcome]
) -> tuple[list[str], bool]:
    """Run the suite on each version that can be had.

    Returns:
        A line for each version, and whether there was one at all and nothing failed.
    """
    ends: list[Outcome | Missing] = []
    for found in map(find, versions):
        print(f"== Python {found.version}", flush=True)
        ends.append(found if isinstance(found, Missing) else run(found))
    outcomes = [end for end in ends if isinstance(end, Outcome)]
    return [end.line() for end in ends], bool(outcomes) and all(outcome.succeeded for outcome in outcomes)


def _find(version: str) -> Interpreter | Missing:
    return find_installed(version) or python_of_debian(version)


if __name__ == "__main__":
    lines, succeeded = test_all(SUITES, _find, lambda interpreter: run(interpreter, sys.argv[1:]))
    print("\n".join(["== Pythons", *lines]), flush=True)
    sys.exit(not succeeded)
