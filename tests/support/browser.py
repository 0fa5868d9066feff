"""A real browser, and what is wrong with a page that it shows: for eyes, keyboards and screen readers."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FAULTS = (Path(__file__).with_name("page_faults.js")).read_text(encoding="utf-8")
WIDTHS = (1280, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_PATIENCE_MS = 30_000
_WRONG = 400


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Skipped on a laptop that has none, a failure in CI."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium: apt-get install chromium", pytrace=False)
        pytest.skip(f"no Chromium: none of {', '.join(_NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A browser window of one person, which remembers whatever went wrong in it."""

    def __init__(self, browser: Browser, url: str) -> None:
        """``url``: of the keeper; whatever is asked of another host is remembered as wrong."""
        self.url = url
        self.wrong: list[str] = []
        self._host = urlsplit(url).netloc
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"{self.page.url}: {error}"))
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)
        self.page.on("dialog", lambda dialog: dialog.accept())

    def go(self, path: str) -> Page:
        """Open the page at ``path`` below ``/console``."""
        self.page.goto(f"{self.url}/console{path}")
        return self.page

    def log_in(self, name: str, password: str) -> None:
        """As people do."""
        self.go("/login")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/console/")

    def faults(self) -> list[str]:
        """What is wrong with the page that is open, in every width and colour scheme."""
        found: list[str] = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                told: list[Any] = self.page.evaluate(_FAULTS)
                found += [f"{urlsplit(self.page.url).path} at {width} px, {scheme}: {each}" for each in told]
        return found

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.netloc != self._host:
            self.wrong.append(f"{self.page.url} asked {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= _WRONG:
            self.wrong.append(f"{response.url} answered {response.status}")
