"""`python -m tests.browser`: make the pictures of the README anew, from the real program."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import programs
from tests.browser.conftest import Look, tab
from tests.browser.states import online, pending

IMAGES = Path(__file__).parents[2] / "docs" / "images"

IMAGES.mkdir(parents=True, exist_ok=True)
with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="shots-") as scratch:
    browser = playwright.chromium.launch(executable_path=programs.chromium())
    # Over a minute, so that it is a page that has seen something.
    with online(Path(scratch), "--probe.interval=1s") as url, tab(browser, Look(1280, 900, "light")) as page:
        page.goto(url)
        page.screenshot(path=IMAGES / "status-online.png", full_page=True)
    with pending(Path(scratch)) as url, tab(browser, Look(390, 804, "dark")) as page:
        page.goto(url)
        page.screenshot(path=IMAGES / "status-pending.png")
    browser.close()
