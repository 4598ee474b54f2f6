"""The report in Chinese: whole, and without a word of English prose left in it."""

import re
from pathlib import Path

import pytest
from reporting import summary_of
from synthetic_run import Recipe, make, write

from glm_locust.cli import main
from glm_locust.records import ErrorKind
from glm_locust.report.catalogue import catalogue

HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES_ONLY = {
    "path.api",
    "path.web",
    "kind.tls",
    "first.ttft_s",
    "first.ttfo_s",
    "nothing",
    "pair",
    "tile.value",
}
"""Texts that are the same in every language."""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(
        paths=("api", "web"),
        tasks=("ocr", "chart"),
        levels=(1, 4),
        repeats=20,
        failures={("web", ErrorKind.CONNECT): 2},
    )
    directory = write(make(recipe), tmp_path_factory.mktemp("zh"))
    slo = ["--slo=ttft p95 < 2 s", "--slo=web: ttft p95 < 1 ms over 30 s"]
    assert main(["report", str(directory), "--lang=zh", f"--junit={directory / 'junit.xml'}", *slo]) == 3
    return directory


def test_whoever_reads_chinese_reads_chinese(run_dir: Path) -> None:
    page = (run_dir / "report.html").read_text()
    assert '<html lang="zh">' in page
    for tag in ("h1", "h2", "th", "caption", "figcaption"):
        for words in re.findall(rf"<{tag}\b[^>]*>([^<]{{12,}})</{tag}>", page):
            assert HAN.search(words) or not re.search(r"[a-z]{3,} [a-z]{3,}", words), words
    assert "未达标" in (run_dir / "summary.md").read_text()
    assert "未达标" not in (run_dir / "junit.xml").read_text().split("<testcase")[0]
    summary = summary_of(run_dir)
    assert summary["run"]["language"] == "zh"
    assert HAN.search(summary["headline"][0])


def test_every_text_is_translated() -> None:
    english, chinese = catalogue("en").texts, catalogue("zh").texts
    same = {key for key, text in chinese.items() if text == english[key] and re.search("[a-z]{3,}", text)}
    assert {key for key in same if not re.fullmatch(r"[A-Za-z0-9 ./,|-]*", english[key])} <= NAMES_ONLY
    left = [
        key
        for key, text in chinese.items()
        if not HAN.search(text) and re.search(r"[a-z]{3,} [a-z]{3,}", text)
    ]
    assert left == []


def test_the_style_asks_for_the_systems_own_chinese_letters(run_dir: Path) -> None:
    assert '"Noto Sans CJK SC"' in (run_dir / "report.html").read_text()
