"""A real Chromium, and all that a page in it said or asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.sync_api import Browser, Page, sync_playwright

SLOW_MS = 60_000
"""Longer than anything takes on a busy machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = next(
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name)) is not None
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


class Visit:
    """An opened page."""

    def __init__(self, browser: Browser, url: str, *, width: int = 1400, dark: bool = False) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        self.page.set_default_timeout(SLOW_MS)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.page.close()
