"""What comes from outside, at random: it runs no code, takes no more time and memory than it may, and no state lies.

In CI each property is tried with a bounded number of examples; `make fuzz` tries many times as many, from random seeds:

=====================  ===============================================================================================
input                  where
=====================  ===============================================================================================
replies                here (`replies.py`, `test_replies.py`); as values in `tests/fail2ban/test_pickles.py`
HTTP requests          here (`test_http.py`)
settings               here (`test_settings.py`)
jail configuration     here (`test_jail_configuration.py`); against fail2ban's reader in `tests/integration`
state file             `tests/test_state_file.py`
what happens when      `tests/health/test_blame_machine.py`
=====================  ===============================================================================================

Whatever is read from outside next, such as the web configuration file, gets a `test_*.py` here beside the others.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

FACTOR: Final = int(os.environ.get("FUZZ_FACTOR", "1"))
"""How many times as many examples as in CI; above 1 they are random ones, other ones each time."""


def examples(number: int) -> settings:
    """So many examples of a property in CI, the same in each run."""
    return settings(
        max_examples=number * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
