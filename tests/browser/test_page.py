"""The page in a real browser: whoever opens it, on whatever screen, sees how things stand and gets everywhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.conftest import SCREENSHOTS, Look, Shown
from tests.browser.states import many_jails, serving

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

_OVERHANGING = """() => [...document.querySelectorAll('body *')]
    .filter(each => !each.closest('.scroll, svg') || each.matches('.scroll'))
    .filter(each => each.getBoundingClientRect().right > innerWidth || each.getBoundingClientRect().left < 0)
    .map(each => each.outerHTML.slice(0, 200))"""

_FOCUSED = """() => {
    const focused = document.activeElement, style = getComputedStyle(focused), box = focused.getBoundingClientRect();
    if (focused === document.body) return null;
    const top = document.elementFromPoint(
        Math.max(1, Math.min(box.left + box.width / 2, innerWidth - 2)),
        Math.max(1, Math.min(box.top + Math.min(box.height / 2, 20), innerHeight - 2)));
    return {
        what: focused.getAttribute('href') ?? focused.getAttribute('role'),
        outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        onTop: top === focused || focused.contains(top),
    };
}"""


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    width: int = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return width


def test_it_is_shown_whole_without_a_complaint_and_asks_for_nothing_else(page: Page, shown: Shown, look: Look) -> None:
    complaints: list[str] = []
    requests: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("request", lambda request: requests.append(request.url))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', event => console.error(event.violatedDirective))"
    )

    response = page.goto(shown.url)

    assert response is not None
    assert response.status == 200
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{shown.state}-{look}.png", full_page=True)
    assert sideways(page) <= 0
    assert page.evaluate(_OVERHANGING) == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert sideways(page) <= 0
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [shown.url]


def test_axe_finds_nothing_that_shuts_anybody_out(page: Page, shown: Shown) -> None:
    page.goto(shown.url)
    page.evaluate(AXE)

    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations', 'incomplete']})")

    assert _summary(found["violations"]) == []
    print("not for axe to judge:", _summary(found["incomplete"]))
    assert len(found["passes"]) > 15


def _summary(rules: list[dict[str, Any]]) -> list[str]:
    return [
        json.dumps([rule["id"], rule["help"], len(rule["nodes"]), [node["html"][:200] for node in rule["nodes"][:3]]])
        for rule in rules
    ]


def test_its_parts_have_the_names_that_a_screen_reader_speaks(desk: Page, shown: Shown) -> None:
    desk.goto(shown.url)

    expect(desk.get_by_role("main")).to_have_count(1)
    expect(desk.get_by_role("banner")).to_have_count(1)
    expect(desk.get_by_role("contentinfo")).to_have_count(1)
    expect(desk.get_by_role("navigation", name="Endpoints")).to_have_count(1)
    expect(desk.get_by_role("heading", level=1)).to_have_text(re.compile(r"^fail2ban"))
    assert desk.title().startswith(desk.get_by_role("heading", level=1).inner_text())
    for role in ("link", "heading", "columnheader", "rowheader", "img"):
        for part in desk.get_by_role(role).all()[:60]:
            expect(part).to_have_accessible_name(re.compile(r"\S"))


def test_the_keyboard_reaches_every_link_and_sees_where_it_is(page: Page, shown: Shown) -> None:
    page.goto(shown.url)
    links = page.evaluate("() => [...document.links].map(link => link.getAttribute('href'))")
    reached = []
    for _ in range(len(links) + 5):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            break
        reached.append(focused)

    assert [each["what"] for each in reached if each["what"] != "region"] == links
    assert [each for each in reached if each["outline"] < 2 or not each["inView"] or not each["onTop"]] == []


def test_the_enter_key_sorts_the_jails_and_stays_at_the_table(desk: Page) -> None:
    with serving(many_jails(60)) as url:
        desk.goto(url)
        desk.get_by_role("link", name="Bans", exact=True).focus()
        desk.keyboard.press("Enter")
        desk.wait_for_url(re.compile("sort=bans"))

        expect(desk.get_by_role("columnheader", name="Bans")).to_have_attribute("aria-sort", "descending")
        expect(desk.get_by_role("rowheader").first).to_have_text("jail-059")
        expect(desk.get_by_role("heading", name="Jails")).to_be_in_viewport()


def test_a_page_of_500_jails_is_there_at_once(desk: Page) -> None:
    with serving(many_jails(500)) as url:
        desk.goto(url)
        seconds = desk.evaluate("() => performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")

    print(f"500 jails loaded and laid out in {seconds:.2f} s")
    assert seconds < 10
