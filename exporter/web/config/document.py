"""The text of a web config file, as values that remember their line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.sources import quoted, visible

Key = tuple[str | int, ...]
"""Where a value stands: ``("tls_server_config", "cipher_suites", 0)``."""

_NULL = "tag:yaml.org,2002:null"
_MAX_DEPTH = 20


class Scalar(str):
    """A value as it was written, and what YAML takes it for: ``int`` for ``10``, ``str`` for ``"10"``."""

    __slots__ = ("kind",)

    kind: str

    def __new__(cls, text: str, kind: str) -> Scalar:  # noqa: PYI034 - final in all but name
        """Make one; ``kind`` is the last part of YAML's tag."""
        scalar = super().__new__(cls, text)
        scalar.kind = kind
        return scalar


@dataclass
class Document:
    """A file taken apart: mappings, lists, `Scalar`s and None."""

    name: str
    """The file's, quoted, for messages."""
    root: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    """The line of each key or list item."""
    faults: list[str] = field(default_factory=list)

    def at(self, key: Key) -> Any:
        """Return the value of a key, None if there is none."""
        value: Any = self.root
        for part in key:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return the mapping at a key of the root, an empty one if there is none."""
        value = self.root.get(name)
        return value if isinstance(value, dict) else {}

    def place(self, key: Key) -> str:
        """Return ``in 'web.yml' line 3``, for the key or the closest one above it."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"in {self.name} line {self.lines[key]}" if key else f"in {self.name}"


def parse(content: bytes, path: Path) -> Document:
    """Take apart a YAML file without building anything that its tags ask for, in time linear in its length.

    Aliases (they make a short file long), deep nests, keys given twice and a document that is no mapping are refused:
    each is a fault of the document, and what remains can still be looked at.
    """
    import yaml  # noqa: PLC0415 - for those who have such a file

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = Document(quoted(str(path)))
    try:
        text = content.decode()
        document.faults += _unwelcome(yaml.parse(text, loader), document.name)
        root = None if document.faults else yaml.compose(text, loader)
    except UnicodeDecodeError as error:
        document.faults.append(f"{document.name} is not UTF-8 at byte {error.start}")
    except RecursionError:
        document.faults.append(f"{document.name} is nested too deeply")
    except yaml.YAMLError as error:
        document.faults.append(f"{document.name} is not YAML: {_said(error)}")
    except ValueError as error:
        document.faults.append(f"{document.name} is not YAML: {visible(str(error))}")
    else:
        if root is not None:
            _take_root(root, document)
    return document


def _take_root(root: Any, document: Document) -> None:
    import yaml  # noqa: PLC0415 - as above

    if isinstance(root, yaml.MappingNode):
        document.root = _value(root, (), document)
    elif root.tag != _NULL:
        document.faults.append(f"{document.name} holds no mapping; accepted: keys such as tls_server_config")


def _unwelcome(events: Iterable[Any], name: str) -> Iterator[str]:
    """Look for what must not be composed, one event after the other: composing is recursive."""
    import yaml  # noqa: PLC0415 - as above

    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            yield f"an alias in {name} line {_line(event)}; accepted: the value written out"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            yield f"{name} line {_line(event)} is nested too deeply"
            return


def _value(node: Any, key: Key, document: Document) -> Any:
    import yaml  # noqa: PLC0415 - as above

    if isinstance(node, yaml.MappingNode):
        return dict(_items(node, key, document))
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[*key, index] = _line(item)
            items.append(_value(item, (*key, index), document))
        return items
    return None if node.tag == _NULL else Scalar(node.value, node.tag.rpartition(":")[2])


def _items(node: Any, key: Key, document: Document) -> Iterator[tuple[str, Any]]:
    import yaml  # noqa: PLC0415 - as above

    for name, value in node.value:
        line = _line(name)
        if not isinstance(name, yaml.ScalarNode):
            document.faults.append(f"a key that is no text in {document.name} line {line}")
            continue
        inner = (*key, name.value)
        if inner in document.lines:
            spelt = ".".join(map(str, inner))
            first = document.lines[inner]
            document.faults.append(f"{visible(spelt)}: given twice in {document.name}, in lines {first} and {line}")
            continue
        document.lines[inner] = line
        if value.tag != _NULL:  # a key without a value is one that was left out
            yield name.value, _value(value, inner, document)


def _line(part: Any) -> int:
    """The line where an event or a node begins, counted from 1."""
    return int(part.start_mark.line) + 1


def _said(error: Exception) -> str:
    """What PyYAML complains of, and where, on one line and without the text of the file, which may be secret."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be read"
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{visible(' '.join(str(problem).split()))}{place}"
