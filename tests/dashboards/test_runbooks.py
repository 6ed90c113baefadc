"""Whoever is woken follows the alert's link: it must lead to a runbook that says all there is to say."""

import re
from typing import Any, Final

import pytest

from tests.dashboards.rule_files import ROOT, alerts

RUNBOOKS: Final = ROOT / "dashboards" / "runbooks.md"
HOME: Final = "https://github.com/fail2ban-exporter/fail2ban-exporter/blob/main/dashboards/runbooks.md"
PARTS: Final = ["Meaning", "Impact", "What to look at", "How to fix"]


def sections() -> dict[str, str]:
    """What is written under each heading of the second level."""
    _, *parts = re.split(r"^## ", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(part.split("\n", 1) for part in parts)
    assert len(found) == len(parts)
    return found


NAMES: Final = pytest.mark.parametrize("name", [alert["alert"] for alert in alerts()])


def test_there_is_a_runbook_for_every_alert_in_their_order_and_none_besides() -> None:
    assert [alert["alert"] for alert in alerts()] == list(sections())


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_links_to_its_runbook(alert: dict[str, Any]) -> None:
    assert f"{HOME}#{alert['alert'].lower()}" == alert["annotations"]["runbook_url"]


@NAMES
def test_a_runbook_has_its_four_parts_each_with_something_in_it(name: str) -> None:
    _, *found = re.split(r"^\*\*(.+?)\.\*\*", sections()[name], flags=re.MULTILINE)

    assert found[::2] == PARTS
    assert all(len(text.split()) >= 3 for text in found[1::2])


@NAMES
def test_a_runbook_has_commands_to_look_with(name: str) -> None:
    looking = sections()[name].split("**What to look at.**")[1].split("**How to fix.**")[0]

    assert re.search(r"^```sh\n(?:.+\n)+```$", looking, re.MULTILINE)


def test_no_other_heading_is_there_to_be_taken_for_a_runbook() -> None:
    prose = re.sub(r"```.*?```", "", RUNBOOKS.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ .*", prose, re.MULTILINE)

    assert ["# Runbooks", *(f"## {name}" for name in sections())] == headings
