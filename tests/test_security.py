"""SECURITY.md promises nothing that no test or code holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
POINTERS = re.findall(r"`((?:tests|exporter)/[\w/]+\.py)(?:::(\w+))?`", TEXT)


def test_statements_of_what_an_attacker_cannot_do_name_what_holds_them() -> None:
    assert len(POINTERS) > 20
    for statement in re.findall(r"^- \*\*(?:can't|finds no)[^*]*\*\*(?:.|\n(?!- |\n))*", TEXT, re.MULTILINE):
        assert re.search(r"`tests/|\(README\.md#", statement), statement


@pytest.mark.parametrize(("file", "name"), POINTERS)
def test_what_it_points_at_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    assert not name or functions.count(name) == 1


def test_the_commands_that_it_lists_are_those_that_may_be_sent() -> None:
    code = (ROOT / "exporter/fail2ban/commands.py").read_text(encoding="utf-8")
    properties = re.findall(r'"(\w+)"', re.search(r"_JAIL_PROPERTIES.*", code)[0])  # type: ignore[index]
    listed = TEXT.split("## What the exporter sends")[1].split("\n- ")[1]

    words = {word for phrase in re.findall(r"`([^`]+)`", listed) if "/" not in phrase for word in phrase.split()}

    others = {"ping", "version", "status", "stats", "banned", "JAIL", "short", "get", "dbfile", "--with-time"}
    assert words == {*others, *properties}
