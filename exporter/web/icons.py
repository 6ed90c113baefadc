"""Small signs drawn as SVG: a shape each, so that none depends on its colour, or on a font that has it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from exporter.model import State

_LINE: Final = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
_STROKE: Final = _LINE.replace("currentColor", "var(--page)")
_DRAWN: Final = {
    "tick": f'<circle cx="8" cy="8" r="8" fill="currentColor"/><path d="M4.5 8.5 7 11l4.5-5.5" {_STROKE}/>',
    "cross": (
        '<path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z" fill="currentColor"/>'
        f'<path d="m5.2 5.2 5.6 5.6m0-5.6-5.6 5.6" {_STROKE}/>'
    ),
    "triangle": f'<path d="M8 .8 16 15H0z" fill="currentColor"/><path d="M8 6v4m0 2.6v.1" {_STROKE}/>',
    "question": (
        '<circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<path d="M6 6.2a2 2 0 1 1 2.8 1.9q-.8.4-.8 1.2m0 2.4v.1" {_LINE}/>'
    ),
}

_SYMBOLS: Final = "".join(f'<symbol id="{name}" viewBox="0 0 16 16">{drawn}</symbol>' for name, drawn in _DRAWN.items())
SPRITE: Final = f'<svg class="sprite" aria-hidden="true">{_SYMBOLS}</svg>'
"""The drawings, which the page has once; the icons refer to them."""


def _icon(name: str) -> str:
    return f'<svg class="icon" aria-hidden="true"><use href="#{name}"/></svg>'


TICK: Final = _icon("tick")
CROSS: Final = _icon("cross")
TRIANGLE: Final = _icon("triangle")
QUESTION: Final = _icon("question")

MOOD: Final = {
    State.ONLINE: "good",
    State.OFFLINE: "bad",
    State.UNRESPONSIVE: "bad",
    State.INACCESSIBLE: "unsure",
    State.UNKNOWN: "unsure",
}
"""The class that a state's parts of the page have."""

_NAMES: Final = {
    State.ONLINE: "tick",
    State.OFFLINE: "cross",
    State.UNRESPONSIVE: "triangle",
    State.INACCESSIBLE: "question",
    State.UNKNOWN: "question",
}
_COLOURS: Final = {"good": "#1a7f37", "bad": "#c0262d", "unsure": "#9a6700"}

OF_STATE: Final = {state: _icon(name) for state, name in _NAMES.items()}
"""A state's icon."""


def _favicon(state: State) -> str:
    drawn = _DRAWN[_NAMES[state]].replace("currentColor", _COLOURS[MOOD[state]]).replace("var(--page)", "#fff")
    return "data:image/svg+xml," + quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{drawn}</svg>')


FAVICON: Final = {state: _favicon(state) for state in State}
"""A state's icon as an address that holds the whole of it, for the browser's tab."""
