"""Whether Python itself saw code run: measured by an audit hook, which no code can go round."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_FORBIDDEN: Final = frozenset(
    {"builtins", "code", "compile", "ctypes", "exec", "import", "marshal", "open", "os", "pickle", "pty", "shutil"}
    | {"socket", "subprocess"}
)
"""The beginnings of events that reading a reply never causes."""
_listening: list[list[str]] = []


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if _listening and event.partition(".")[0] in _FORBIDDEN:
        _listening[-1].append(event)


@contextmanager
def listening() -> Iterator[list[str]]:
    """The events that mean that code ran, a module was imported, a file opened or a process started meanwhile."""
    if not hasattr(sys, "_audits_replies"):
        # A hook can't be taken off again, so it is told when to listen.
        sys.addaudithook(_audit)
        sys._audits_replies = True  # type: ignore[attr-defined]  # noqa: SLF001
    seen: list[str] = []
    _listening.append(seen)
    try:
        yield seen
    finally:
        _listening.pop()


@contextmanager
def no_code_runs() -> Iterator[None]:
    """Fail if there was any such event."""
    with listening() as seen:
        yield
    assert seen == []
