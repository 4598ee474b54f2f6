"""The report in a real Chromium: drawn, quiet, offline, and fitting the screen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from reporting import reported
from synthetic_run import Recipe, make, write
from test_report_pages import hostile

from glm_locust.regression import parse_condition
from glm_locust.report.diff import write_diff

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name)) is not None
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


class Visit:
    """An opened report, and everything it said or asked for."""

    def __init__(
        self,
        browser: Browser,
        directory: Path,
        width: int = 1400,
        scheme: str = "light",
        name: str = "report.html",
    ) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = (directory / name).as_uri()
        self.page.goto(self.url)
        expect(self.page.locator(".plot:not(:has(svg.main-svg))")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1400])
def test_drawn_quiet_offline_and_as_wide_as_the_screen(
    browser: Browser, plain: Path, width: int, scheme: str
) -> None:
    visit = Visit(browser, plain, width, scheme)
    assert visit.said == []
    assert visit.asked == [visit.url]
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.locator("figure:not([hidden]) svg.main-svg").count() >= 6
    assert visit.page.locator(".plot .bars path").count() > 10
    visit.page.close()


def test_tables_need_no_sideways_scrolling_on_a_desktop(browser: Browser, plain: Path) -> None:
    visit = Visit(browser, plain)
    too_wide = visit.page.evaluate(
        "[...document.querySelectorAll('section:not(:has(details)) .scroll')]"
        ".filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.ariaLabel)"
    )
    assert too_wide == []
    visit.page.close()


def test_charts_follow_the_colour_scheme(browser: Browser, plain: Path) -> None:
    visit = Visit(browser, plain)
    label = visit.page.locator(".plot .xtick text").first
    light = label.evaluate("(text) => getComputedStyle(text).fill")
    visit.page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_css("fill", light, timeout=60_000)
    visit.page.close()


def test_without_javascript_there_is_no_empty_frame(browser: Browser, plain: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((plain / "report.html").as_uri())
    assert page.locator("figure:visible").count() == 0
    assert page.locator("table:visible").count() >= 8
    context.close()


def test_hostile_words_run_nothing(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, reported(tmp_path, hostile()))
    assert visit.said == []
    assert visit.asked == [visit.url]
    assert visit.page.locator("img").count() == 0
    assert visit.page.locator(".plot a").count() == 0
    legends = " ".join(visit.page.locator(".legendtext").all_text_contents())
    assert "<script>alert(1)</script>" in legends, "shown as it was said"
    visit.page.close()


def test_a_report_without_charts_has_no_script_error(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, reported(tmp_path, Recipe(repeats=0, warmup=0)))
    assert visit.said == []
    visit.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light")])
def test_a_comparison_of_two_runs_is_drawn(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    base, new = (
        write(make(Recipe(paths=("api", "web"), tasks=("ocr", "chart"), seed=seed)), tmp_path / str(seed))
        for seed in (1, 2)
    )
    write_diff(base, new, lang="zh", conditions=[parse_condition("ttft p50 > +10 %")])
    visit = Visit(browser, new, width, scheme, "diff.html")
    assert visit.said == []
    assert visit.asked == [visit.url]
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.locator(".plot .scatterlayer .trace").count() == 2
    visit.page.close()
