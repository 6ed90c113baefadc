"""`python -m tests.programs`: fetch everything that the tests want from Debian; done again, what is missing."""

import sys

from tests.programs.catalogue import CATALOGUE
from tests.programs.fetch import fetch, say
from tests.programs.wanted import must_be_there

if fetch(CATALOGUE.values()):
    fate = "fail, since CI=true" if must_be_there() else "be skipped"
    say(f"the tests that need what is missing will {fate}")
    sys.exit(1 if must_be_there() else 0)
