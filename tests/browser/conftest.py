"""A headless Chromium, the page in each of its states, and the ways in which people look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests import programs
from tests.browser.states import STATES

SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"


@dataclass(frozen=True)
class Look:
    """How somebody looks at the page."""

    width: int
    height: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{'wide' if self.width > 600 else 'narrow'}-{self.scheme}"


@dataclass(frozen=True)
class Shown:
    """The page in one of its states."""

    state: str
    url: str


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all; it ends with the tests of this folder, since its event loop would be in others' way."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=programs.chromium())
        yield found
        found.close()


@pytest.fixture(scope="package", params=STATES)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The page in each of its states, one after the other."""
    state: str = request.param
    with STATES[state](tmp_path_factory.mktemp(state)) as url:
        yield Shown(state, url)


LOOKS = [Look(width, height, scheme) for width, height in ((1280, 900), (390, 844)) for scheme in ("light", "dark")]


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """Wide and narrow, light and dark."""
    look: Look = request.param
    return look


@pytest.fixture
def page(browser: Browser, look: Look) -> Iterator[Page]:
    """An empty tab that looks that way, each in turn."""
    with tab(browser, look) as page:
        yield page


@pytest.fixture
def desk(browser: Browser) -> Iterator[Page]:
    """An empty tab, wide and light: for what looks make no difference to."""
    with tab(browser, LOOKS[0]) as page:
        yield page


@contextmanager
def tab(browser: Browser, look: Look) -> Iterator[Page]:
    """An empty tab that looks that way."""
    with browser.new_context(
        viewport={"width": look.width, "height": look.height}, color_scheme=look.scheme
    ) as context:
        yield context.new_page()
