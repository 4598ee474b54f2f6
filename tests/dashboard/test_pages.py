"""The dashboard's pages in a real Chromium, while a real run with two workers is on."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from glm_locust.dashboard.pages import FILES, PLOTLY, STATIC
from glm_locust.testbed import Testbed
from tests.dashboard.chromium import SLOW_MS, Visit, chromium
from tests.dashboard.hostile import PATH, TASKS
from tests.exporter.rig import Exporter, Journal, built_library
from tests.plugin.team import ROOT, Team, free_port, until

pytestmark = [pytest.mark.servers, pytest.mark.browser]

ROUTES = (
    "",
    "?view=gpu",
    "data",
    *(f"static/{name}" for name in (*STATIC, PLOTLY)),
    *(f"files/{n}" for n in FILES),
)
STRANGE = Path(__file__).with_name("strange.py")
LLM_CHARTS = ("ttft", "tokens", "requests", "in_flight", "lag", "cpu")


class Web:
    """Locust's web app of one team, asked over HTTP."""

    def __init__(self, team: Team, *options: str, base: str = "", workers: int = 2) -> None:
        self.team = team
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{base}"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), _Stay())
        web = ["--web-host", "127.0.0.1", "--web-port", str(port)]
        if base:
            web += ["--web-base-path", base]
        if workers:
            for number in range(workers):
                team.locust(f"worker{number}", "--worker", "--master-port", str(team.port))
            team.start_master(*web, *options)
        else:
            team.locust("master", *web, *options)
        until(self.is_up, "the web app answers")
        until(lambda: team.said().count("reported as ready") == workers, "all workers are there")

    def is_up(self) -> bool:
        assert self.team.processes["master"].poll() is None, self.team.said()[-3000:]
        try:
            self.get("/login")
        except OSError:
            return False
        return True

    def get(self, path: str, form: dict[str, object] | None = None) -> tuple[int, bytes]:
        body = None if form is None else urllib.parse.urlencode(form).encode()
        try:
            with self.opener.open(self.url + path, body, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def swarm(self, **fields: object) -> None:
        code, body = self.get("/swarm", {"user_count": 4, "spawn_rate": 4, **fields})
        assert code == 200
        assert json.loads(body)["success"], body

    def data(self) -> dict:
        code, body = self.get("/glm/data")
        assert code == 200
        told: dict = json.loads(body)
        return told

    def answered(self) -> int:
        told = self.data()
        return int(told["counts"]["answered"]) if told["run"] else 0


class _Stay(urllib.request.HTTPRedirectHandler):
    """Shows redirects instead of following them."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Web versus API on the testbed, with a scripted GPU, for as long as the tests need it."""
    directory = tmp_path_factory.mktemp("comparison")
    journal = Journal(directory / "journal")
    journal.add("gpus = 2", "0.util = 93", "1.util = 12")
    with (
        Testbed(workdir=directory / "testbed") as testbed,
        Exporter(built_library(), journal) as exporter,
        Team(directory, locustfile=ROOT / "locustfiles" / "web_vs_api.py") as team,
    ):
        assert testbed.web_url is not None
        web = Web(
            team,
            *("--glm-api", testbed.api_url, "--glm-web", testbed.web_url),
            *("--glm-exporter", exporter.url, "--glm-metrics", testbed.api_url),
            *("--glm-design", "mixed", "--glm-tasks", "ocr,chart", "--run-time", "600s"),
            *("--glm-slo", "goodput(e2e < 20 s) > 1 %"),
        )
        web.swarm()
        until(lambda: web.answered() >= 24, "24 measured answers", 120)
        yield web


@pytest.mark.compiler
class TestWhileARunIsOn:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [1400, 390])
    def test_filled_drawn_quiet_and_as_wide_as_the_screen(
        self, browser: Browser, comparison: Web, width: int, dark: bool
    ) -> None:
        with Visit(browser, f"{comparison.url}/glm/", width=width, dark=dark) as visit:
            page = visit.page
            for chart in (*LLM_CHARTS, "busy", "memory", "power", "host"):
                expect(page.locator(f"#chart-{chart} path.js-line").first).to_be_attached(timeout=SLOW_MS)
            expect(page.locator("#table tbody tr")).to_have_count(6)
            expect(page.locator("#table tbody tr.whole th")).to_have_text(["API", "Web"])
            expect(page.locator("#devices tbody tr")).to_have_count(4)
            expect(page.locator("#state")).to_have_text("Measuring")
            expect(page.locator("#tiles li")).to_have_count(6)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
            assert visit.said == []
            assert all(url.startswith(comparison.url) or url.startswith("data:") for url in visit.asked)

    def test_it_moves_and_asks_only_for_what_is_new(self, browser: Browser, comparison: Web) -> None:
        with Visit(browser, f"{comparison.url}/glm/") as visit:
            n = visit.page.locator("#table tbody tr.whole td").first
            expect(n).not_to_have_text("", timeout=SLOW_MS)
            before = n.inner_text()
            expect(n).not_to_have_text(before, timeout=SLOW_MS)
            polls = [url for url in visit.asked if "/glm/data" in url]
            assert "since=0" in polls[0]
            assert "since=0" not in polls[-1]
            with urllib.request.urlopen(polls[-1]) as response:
                later = json.load(response)
            assert len(later["points"].get("t", [])) < later["next"]

    @pytest.mark.parametrize(("tab", "chart"), [("llm", "ttft"), ("gpu", "busy")])
    def test_a_tab_in_locusts_own_page(self, browser: Browser, comparison: Web, tab: str, chart: str) -> None:
        with Visit(browser, f"{comparison.url}/?tab=stats") as visit:
            page = visit.page
            expect(page.locator("#glm-frame")).to_have_count(0)
            page.get_by_role("tab", name=tab.upper()).click()
            inside = page.frame_locator("#glm-frame")
            expect(inside.locator(f"#chart-{chart} path.js-line").first).to_be_attached(timeout=SLOW_MS)
            expect(inside.locator("#chart-tokens")).to_be_visible(visible=tab == "llm")
            expect(inside.locator("#gpu-section")).to_be_visible(visible=tab == "gpu")
            page.get_by_role("tab", name="Statistics").click()
            expect(page.locator("#glm-frame")).to_have_count(0)
            assert visit.said == []

    def test_the_tab_has_the_colours_of_locusts_page(self, browser: Browser, comparison: Web) -> None:
        with Visit(browser, f"{comparison.url}/?tab=llm", dark=True) as visit:
            theirs = "getComputedStyle(document.body).backgroundColor"
            scheme = visit.page.frame_locator("#glm-frame").locator("html")
            is_dark = visit.page.evaluate(theirs) != "rgb(255, 255, 255)"
            expect(scheme).to_have_attribute("data-scheme", "dark" if is_dark else "light", timeout=SLOW_MS)
            visit.page.locator("header button:has(svg)").last.click()
            expect(scheme).to_have_attribute("data-scheme", "light" if is_dark else "dark", timeout=SLOW_MS)

    def test_files_of_the_run_and_nothing_else(self, comparison: Web) -> None:
        code, body = comparison.get("/glm/files/run.jsonl")
        assert code == 200
        assert body.startswith(b'{"line":"header"')
        for name in ("report.html", "spool", "..%2f..%2fserver.log", "samples.newest.json"):
            assert comparison.get(f"/glm/files/{name}")[0] == 404, name

    def test_the_start_form_has_our_fields(self, comparison: Web) -> None:
        page = comparison.get("/")[1].decode()
        fields = json.loads(page.partition("window.templateArgs = ")[2].partition("\n")[0])["extra_options"]
        assert fields["glm_repeats"]["help_text"].startswith("questions per task")
        assert not {"glm_api", "glm_out", "glm_api_key_env", "glm_header"} & fields.keys()

    def test_the_end(self, browser: Browser, comparison: Web) -> None:
        """Last in its class: it ends the run. The page then says what the report says."""
        with Visit(browser, f"{comparison.url}/glm/") as visit:
            assert comparison.get("/stop", {})[0] == 200
            expect(visit.page.locator("#state")).to_have_text("Ended", timeout=2 * SLOW_MS)
            expect(visit.page.locator("#report")).to_be_visible()
            (run_dir,) = comparison.team.run_dirs
            summary = json.loads((run_dir / "summary.json").read_text())
            for row, path in zip(comparison.data()["rows"][::3], ("api", "web"), strict=True):
                told = summary["paths"][path]["ttft_s"]
                assert (row["path"], row["n"]) == (path, told["n"])
                assert row["ttft_s"] == pytest.approx([told["p50"], told["p95"], told["p99"]], rel=0.01)
                shown = visit.page.locator(
                    "#table tbody tr.whole", has_text={"api": "API", "web": "Web"}[path]
                )
                cells = [text.replace(",", "") for text in shown.locator("td").all_inner_texts()]
                assert float(cells[3]) == pytest.approx(told["p50"] * 1000, rel=0.01)
                if told["p95"] is not None:
                    assert float(cells[4]) == pytest.approx(told["p95"] * 1000, rel=0.01)
            assert visit.said == []
        assert not (run_dir / "samples.newest.json").exists()
        for name in FILES:
            assert comparison.get(f"/glm/files/{name}")[0] == 200, name
        with Visit(browser, f"{comparison.url}/glm/files/report.html") as visit:
            expect(visit.page.locator("svg.main-svg").first).to_be_attached(timeout=SLOW_MS)
            assert visit.said == []
        report = comparison.get("/stats/report")[1].decode()
        assert report.count('id="glm-report"') == 1


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path, locustfile=STRANGE, answer_s=0.05) as team:
        yield team


def test_an_open_loop_shows_what_is_due_and_dropped(browser: Browser, tmp_path: Path) -> None:
    with Team(tmp_path, answer_s=2) as team:
        web = Web(team, "--glm-arrivals", "constant:10/s", workers=0)
        web.swarm(user_count=6, spawn_rate=6)
        until(lambda: (web.data()["arrivals"] or {"dropped": 0})["dropped"] > 10, "some were dropped")
        with Visit(browser, f"{web.url}/glm/") as visit:
            tiles = visit.page.locator("#tiles li")
            expect(tiles).to_have_count(7, timeout=SLOW_MS)
            expect(tiles.filter(has_text="Started per second")).to_contain_text("10.0 per second are due")
            expect(tiles.filter(has_text="Dropped")).to_contain_text("% of all")
            assert visit.said == []


def test_hostile_names_are_text_and_the_page_is_chinese(browser: Browser, team: Team) -> None:
    web = Web(team, "--glm-lang", "zh", "--web-base-path", "/load", base="/load", workers=0)
    with Visit(browser, f"{web.url}/glm/") as visit:
        expect(visit.page.locator("#banner")).to_have_text("启动一次压测后在此显示。")
        web.swarm()
        names = visit.page.locator("#table tbody th")
        expect(names).to_have_count(3, timeout=SLOW_MS)
        assert names.all_inner_texts()[0] == PATH
        assert set(names.all_inner_texts()[1:]) == set(TASKS)
        expect(visit.page.locator("#chart-ttft .legendtext").first).to_have_text(
            f"{PATH} p50", timeout=SLOW_MS
        )
        assert visit.page.locator("img, b").count() == 0
        assert visit.said == []
    web.get("/stop", {})
    until(lambda: web.data()["run"]["state"] == "ended", "the run has ended")
    with Visit(browser, f"{web.url}/stats/report") as visit:
        expect(visit.page.locator("#glm-report tbody th")).to_have_count(3)
        assert visit.page.locator("#glm-report img, #glm-report b, #glm-report script").count() == 0
        # Locust asks for icons that are not there under a base path; a name that ran would say its number.
        assert [said for said in visit.said if "404" not in said] == []
    assert web.get("/glm/files/run.jsonl")[0] == 200


def test_a_field_that_is_wrong_is_told_on_the_page(browser: Browser, team: Team) -> None:
    web = Web(team, workers=0)
    web.swarm(glm_repeats="many")
    with Visit(browser, f"{web.url}/glm/") as visit:
        expect(visit.page.locator("#banner")).to_contain_text("--glm-repeats: expected", timeout=SLOW_MS)
        expect(visit.page.locator("#banner")).to_contain_text('"many"')


def test_everything_of_ours_is_behind_the_login(team: Team) -> None:
    web = Web(team, "--web-login", workers=0)
    for route in ROUTES:
        code, _ = web.get(f"/glm/{route}")
        assert code in (302, 401), route
    assert web.get("/enter")[0] == 200
    for route in ("", "data", "static/dashboard.js"):
        assert web.get(f"/glm/{route}")[0] == 200, route


def test_no_other_origin_may_read_our_pages(team: Team) -> None:
    web = Web(team, workers=0)
    for route in ("", "data", "static/dashboard.js"):
        asked = urllib.request.Request(
            f"{web.url}/glm/{route}", headers={"Origin": "http://elsewhere.example"}
        )
        with urllib.request.urlopen(asked, timeout=60) as response:
            assert response.headers["Access-Control-Allow-Origin"] is None
            assert "frame-ancestors 'self'" in response.headers["Content-Security-Policy"]


def test_a_headless_run_has_our_section_in_locusts_report(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "locust.html"
    # Locust writes the file after our drain only where the run time ends it; long enough for a busy machine.
    team.locust("master", "--headless", "-u", "2", "-t", "12s", "--html", str(file))
    team.wait_for_answers(4)
    assert team.code() == 0, team.said()
    page = file.read_text()
    assert page.count('id="glm-report"') == 1
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
