"""`python -m tests.programs`: fetch everything that the tests want from Debian; done again, what is missing."""

import os
import sys

from tests.programs.browser import fetch_chromium
from tests.programs.catalogue import CATALOGUE
from tests.programs.fetch import fetch
from tests.programs.firewall import fetch_firewall_tools

failures = [*fetch(CATALOGUE.values()), *fetch_chromium(), *fetch_firewall_tools()]
if failures:
    wanted = os.environ.get("CI") == "true"
    fate = "fail, since CI=true" if wanted else "be skipped"
    print(f"test programs: the tests that need what is missing will {fate}", flush=True)
    sys.exit(1 if wanted else 0)
