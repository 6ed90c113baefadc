"""The list of faults in this package's docstring is true: each test in it exists, with its case, and is run."""

import ast
import re
from pathlib import Path

import pytest

import tests.faults

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^(\S.*):\n    (\S+\.py)\n    (\w+)(?:\[(.+)\])?$", tests.faults.__doc__ or "", re.MULTILINE)


def test_no_fault_is_in_the_list_twice() -> None:
    assert len(ROWS) > 30
    assert len({name for name, *_ in ROWS}) == len(ROWS)
    assert len({tuple(shown) for _, *shown in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("file", "name", "case"), [pytest.param(*shown, id=fault) for fault, *shown in ROWS])
def test_what_shows_a_fault_is_there(file: str, name: str, case: str) -> None:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    found = [node for node in tree.body if _name(node) == name]

    assert len(found) == 1
    if case:
        # The case stands in the table, or in the list of parameters in front of the test.
        words = {node.value for node in ast.walk(found[0]) if isinstance(node, ast.Constant)}
        words |= {node.id for node in ast.walk(found[0]) if isinstance(node, ast.Name)}
        assert case in words


def _name(node: ast.stmt) -> str | None:
    match node:
        case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return None
