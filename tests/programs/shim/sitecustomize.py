# ruff: noqa: INP001 - a folder for PYTHONPATH, not a package
"""Lets fail2ban 0.11 run on a Python that is newer than it: names that left `collections` in 3.10.

Python imports this at start when its folder is on PYTHONPATH.
"""

import collections
import collections.abc

for _name in ("Mapping", "MutableMapping"):
    setattr(collections, _name, getattr(collections.abc, _name))
