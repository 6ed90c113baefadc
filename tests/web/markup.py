"""What a browser makes of the page's HTML, as far as the tests ask."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"link", "meta", "line", "rect", "use", "path", "circle"})


class Markup(HTMLParser):
    """The parsed page.

    Attributes:
        tags: Every element's name and attributes, in order.
        rows: The text of the table's cells, row by row, the head first.
        text: All text that is shown, with single spaces.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        assert self._open == [], "an element is not closed"

    @property
    def text(self) -> str:
        """All text that is shown, with single spaces."""
        return " ".join("".join(self._texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def links(self) -> list[str]:
        """The addresses of all links, in order."""
        return [attributes["href"] for attributes in self.all("a")]

    def column(self, number: int) -> list[str]:
        """The cells of one column, without its head."""
        return [row[number] for row in self.rows[1:]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, and leave it."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note it."""
        if {"style", "title"} & set(self._open):
            return
        self._texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
