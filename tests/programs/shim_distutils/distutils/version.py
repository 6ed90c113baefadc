"""Versions that are compared with texts, number by number, as fail2ban compares that of a library."""

import re


class LooseVersion:
    """A version such as `0.9.6`.

    Args:
        text: The version.
    """

    def __init__(self, text: str) -> None:
        self._numbers = tuple(map(int, re.findall(r"\d+", text)))

    def __lt__(self, text: str) -> bool:
        return self._numbers < LooseVersion(text)._numbers
