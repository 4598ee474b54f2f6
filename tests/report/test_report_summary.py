"""summary.json against runs whose truth is known, and against its schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from reporting import overhead, reported, summarised, summary_of, verdicts
from synthetic_run import MODEL_MS, TASKS, Recipe, make, write

from glm_locust.records import ErrorKind, Outcome
from glm_locust.report import write_report

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "summary.schema.json").read_text())
NOISE_S = 0.004

RECIPES: dict[str, tuple[Recipe, dict[str, bool]]] = {
    "plain": (Recipe(), {}),
    "several levels": (Recipe(levels=(1, 2, 8), repeats=6), {}),
    "no level": (Recipe(levels=(None,)), {}),
    "one path": (Recipe(paths=("api",)), {}),
    "page only": (Recipe(paths=("web",)), {}),
    "pages without API": (Recipe(paths=("web", "web-jupyter")), {}),
    "a path of the user's own": (Recipe(paths=("api", "web", "web-light")), {}),
    "tasks of the user's own": (Recipe(tasks=("describe", "my task")), {}),
    "one request": (Recipe(paths=("api", "web"), tasks=("ocr",), repeats=1, warmup=0), {}),
    "everything failed": (Recipe(repeats=0, failures={("api", ErrorKind.CONNECT): 3}, warmup=0), {}),
    "failures": (Recipe(failures={("web", ErrorKind.TIMEOUT_STALL): 3}, cancelled=4), {}),
    "reasoning": (Recipe(reasoning_on_api=True), {}),
    "not streamed": (Recipe(not_streamed=5), {}),
    "real deployment": (Recipe(simulated=False), {"truth": False}),
    "partial": (Recipe(), {"footer": False}),
    "nothing measured": (Recipe(repeats=0), {}),
    "empty": (Recipe(repeats=0, warmup=0), {}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_kind_of_run_has_a_whole_report(name: str, tmp_path: Path) -> None:
    recipe, how = RECIPES[name]
    run_dir = reported(tmp_path, recipe, **how)
    jsonschema.validate(summary_of(run_dir), SCHEMA)
    assert sorted(
        path.name for path in run_dir.iterdir() if "summary" in path.name or "report" in path.name
    ) == [
        "report.html",
        "summary.json",
        "summary.md",
    ]
    assert "nan" not in (run_dir / "summary.md").read_text().lower().split()


def test_times_by_task_and_path_are_the_truth(plain: Path) -> None:
    summary = summary_of(plain)
    for task in TASKS:
        at_one = summary["levels"]["1"]["tasks"][task]
        for path, extra_ms in (("api", 3.2), ("web", 80.2), ("web-jupyter", 95.2)):
            stat = at_one[path]["ttft_s"]
            assert stat["p50"] == pytest.approx((MODEL_MS[task] + extra_ms) / 1000, abs=NOISE_S), (task, path)
            assert stat["n"] == at_one[path]["n"] == 20
            assert stat["min"] <= stat["p50"] <= stat["p95"] <= stat["max"]
            assert stat["p99"] is None, "20 requests are too few for p99"
        assert summary["tasks"][task]["web"]["n"] == 40


def test_upload_is_in_one_metric_and_not_in_the_other(plain: Path) -> None:
    paths = summary_of(plain)["paths"]
    for path, upload_s in (("api", 0.0), ("web", 0.012)):
        for bare, uploaded in (("ttft_s", "ttft_incl_upload_s"), ("e2e_s", "e2e_incl_upload_s")):
            extra = paths[path][uploaded]["mean"] - paths[path][bare]["mean"]
            assert extra == pytest.approx(upload_s, abs=1e-9)


def test_overhead_is_the_truth_and_its_interval_holds_it(plain: Path) -> None:
    summary = summary_of(plain)
    for pair, at_level in (
        (("web", "api"), {1: 0.077, 4: 0.101}),
        (("web-jupyter", "api"), {1: 0.092, 4: 0.116}),
        (("web-jupyter", "web"), {1: 0.015, 4: 0.015}),
    ):
        for level, truth in at_level.items():
            row = overhead(summary, *pair, level=level)
            one = row["p50"]["difference"]
            assert one["low"] - 0.001 <= truth <= one["high"] + 0.001, (pair, level)
            assert one["low"] < one["value"] < one["high"]
            assert one["high"] - one["low"] < 0.005
            assert (row["n"], row["n_base"]) == (100, 100)
        whole = overhead(summary, *pair)["p50"]["difference"]["value"]
        assert whole == pytest.approx(sum(at_level.values()) / 2, abs=0.002)


def test_one_level_and_all_levels_of_one_level_say_the_same(tmp_path: Path) -> None:
    summary = summarised(tmp_path, Recipe())
    assert overhead(summary, "web", "api")["p50"] == overhead(summary, "web", "api", level=1)["p50"]


def test_the_same_run_gives_the_same_report(tmp_path: Path, plain: Path) -> None:
    write(make(Recipe(levels=(1, 4), repeats=20)), tmp_path)
    write_report(tmp_path)
    for name in ("summary.json", "summary.md", "report.html"):
        assert (tmp_path / name).read_bytes() == (plain / name).read_bytes()


def test_layers_are_the_truth(tmp_path: Path) -> None:
    layers = summarised(tmp_path, Recipe())["layers"]
    assert (layers["joined"], layers["unmatched"], layers["ambiguous"]) == (150, 0, 0)
    rows = {row["path"]: row["layers_s"] for row in layers["rows"] if row["task"] is None}
    truth = {
        "api": {"network_in": 2, "network_out": 1},
        "web": {"streamlit_in": 60, "streamlit_out": 20, "upload": 12, "script_start": 15},
        "web-jupyter": {"streamlit_in": 69, "streamlit_out": 26, "upload": 12},
    }
    for path, known in truth.items():
        for layer, ms in known.items():
            assert rows[path][layer]["p50"] == pytest.approx(ms / 1000, abs=NOISE_S), (path, layer)
        assert rows[path]["model"]["p50"] == pytest.approx(0.160, abs=NOISE_S)
    assert "upload" not in rows["api"]
    assert "network_in" not in rows["web"]


def test_without_a_servers_log_there_are_no_layers_and_no_zeros(tmp_path: Path) -> None:
    layers = summarised(tmp_path, Recipe(), truth=False)["layers"]
    assert layers["log_lines"] is None
    assert layers["rows"] == []


def test_failed_and_cancelled_requests_are_counted_and_in_no_metric(tmp_path: Path) -> None:
    failures = {("web", ErrorKind.TIMEOUT_STALL): 3, ("api", ErrorKind.REJECTED): 1}
    summary = summarised(tmp_path, Recipe(failures=failures, cancelled=4))
    web, api = summary["paths"]["web"], summary["paths"]["api"]
    assert (web["n"], web["failed"], web["cancelled"]) == (50, 3, 0)
    assert (api["n"], api["failed"], api["cancelled"]) == (50, 1, 4)
    assert web["failed_share"] == pytest.approx(3 / 53)
    assert web["ttft_s"]["max"] < 1, "failures took 8 s"
    assert summary["counts"]["cancelled"] == 4
    assert [(row["path"], row["kind"], row["n"]) for row in summary["failures"]] == [
        ("api", "rejected", 1),
        ("web", "timeout_stall", 3),
    ]
    assert summary["counts"]["by_phase"]["warmup"] == {"ok": 6, "failed": 0, "cancelled": 0}
    assert summary["counts"]["ok"] == 156


def test_reasoning_that_the_page_hides_moves_the_comparison_to_ttfo(tmp_path: Path) -> None:
    summary = summarised(tmp_path, Recipe(reasoning_on_api=True))
    assert summary["compared_on"] == "ttfo_s"
    row = overhead(summary, "web", "api", "ttfo_s")
    assert row["p50"]["difference"]["value"] == pytest.approx(0.077, abs=0.003)
    assert row["stamps"] == "python", "the kernel's stamp is of the first token, not of the first answer text"
    assert "first answer text" in summary["headline"][0]
    uploaded = overhead(summary, "web", "api", "ttfo_incl_upload_s")
    assert uploaded["p50"]["difference"]["value"] == pytest.approx(0.089, abs=0.003)
    web = next(row for row in summary["layers"]["rows"] if row["path"] == "web" and row["task"] is None)
    assert "streamlit_out" not in web["layers_s"]


@pytest.mark.parametrize(
    ("stamped", "expected"),
    [(("api", "web", "web-jupyter"), "kernel"), (("api",), "python"), ((), "python")],
)
def test_a_difference_uses_one_kind_of_stamp(stamped: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    summary = summarised(tmp_path, Recipe(kernel_stamps=stamped))
    assert overhead(summary, "web", "api")["stamps"] == expected
    assert summary["quality"]["stamps"]["api"] == ("kernel" if "api" in stamped else "python")


def test_answers_differ_past_ten_percent(tmp_path: Path) -> None:
    same = summarised(tmp_path / "same", Recipe(chars_factor={"web": 1.02}))
    other = summarised(tmp_path / "other", Recipe(chars_factor={"web": 1.3}))
    assert not same["answers"]["reason"]["differ"]
    assert other["answers"]["reason"]["differ"]
    per_char = other["answers"]["reason"]["e2e_per_char_s_p50"]
    assert per_char["web"] < per_char["web-jupyter"], "longer answers in the same time"


def test_bytes_per_image(plain: Path) -> None:
    sent = summary_of(plain)["bytes"]
    assert sent["api"]["image_bytes_ratio"]["p50"] == pytest.approx(4 / 3, abs=0.003)
    assert sent["web"]["image_bytes_ratio"]["p50"] == pytest.approx(1.014, abs=0.001)
    assert sent["web"]["image_bytes"]["p50"] == 15_000


def test_counts_of_workers_and_lost_records(tmp_path: Path) -> None:
    run = make(Recipe())
    lost = [record for record in run.records if (record.worker_id, record.seq) not in {("w0", 4), ("w1", 7)}]
    twice = [*lost, lost[0]]
    foreign = msgspec.structs.replace(lost[0], run_id="another run", seq=900)
    run.records = [*twice, foreign]
    run.footer = msgspec.structs.replace(run.footer, workers=run.footer.workers | {"w2": {"lost": True}})
    write_report(write(run, tmp_path))
    quality = summary_of(tmp_path)["quality"]
    assert (quality["missing"], quality["duplicates"], quality["foreign"]) == (2, 1, 1)
    assert quality["workers"]["w0"]["missing"] == 1
    assert quality["workers"]["w2"]["lost"]
    assert "Records missing" in (tmp_path / "summary.md").read_text()


def test_a_record_missing_at_the_end_is_missed_too(tmp_path: Path) -> None:
    run = make(Recipe())
    last = max((record for record in run.records if record.worker_id == "w1"), key=lambda one: one.seq)
    run.records.remove(last)
    write_report(write(run, tmp_path))
    assert summary_of(tmp_path)["quality"]["workers"]["w1"]["missing"] == 1


def judged(directory: Path, recipe: Recipe) -> dict[str, str]:
    return verdicts(summarised(directory, recipe))


def test_claims_that_the_preset_decides_are_not_judged(tmp_path: Path) -> None:
    found = judged(tmp_path, Recipe(levels=(1, 4)))
    assert {claim for claim, verdict in found.items() if verdict == "set_by_the_preset"} == {
        "api_ttft",
        "api_total",
        "web_ttft",
        "web_total",
        "web_share",
    }
    assert found["grows_with_concurrency"] == "supported"
    assert found["streamlit_layer"] == "not_supported", "80 ms, not 300"
    assert found["jupyter_layer"] == "not_supported", "15 ms, not 200"
    assert found["base64"] == "supported"
    assert found["grows_with_complexity"] == "not_supported"
    assert {found[name] for name in ("browser_layer", "gpu_memory", "gpu_utilisation", "cpu", "ram")} == {
        "not_measured"
    }


def test_claims_of_a_run_like_the_article_are_supported(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        Recipe(streamlit_in_ms=250, streamlit_out_ms=60, jupyter_ms=210, simulated=False, repeats=10),
    )
    assert found["streamlit_layer"] == "supported"
    assert found["jupyter_layer"] == "supported"
    assert found["api_ttft"] == "not_supported", "eight times faster than claimed"
    assert found["grows_with_concurrency"] == "not_measured"


def test_too_few_requests_decide_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, Recipe(repeats=2))
    for claim in ("web_adds_ttft", "streamlit_layer", "jupyter_layer", "grows_with_complexity"):
        assert found[claim] == "not_measured"


RECOMMENDED: dict[str, tuple[Recipe, dict[str, bool]]] = {
    "all paths at several levels": (
        Recipe(levels=(1, 4)),
        {"quick_trial": True, "ci_and_batch": True, "shared_debugging": True, "production": True},
    ),
    "one level": (Recipe(), {"quick_trial": True, "shared_debugging": True, "production": False}),
    "no Jupyter": (Recipe(paths=("api", "web")), {"quick_trial": True, "shared_debugging": False}),
    "API alone": (
        Recipe(paths=("api",)),
        {"quick_trial": False, "ci_and_batch": False, "shared_debugging": False, "production": False},
    ),
}


@pytest.mark.parametrize("case", RECOMMENDED)
def test_recommendations_rest_on_figures_or_say_not_measured(case: str, tmp_path: Path) -> None:
    recipe, expected = RECOMMENDED[case]
    found = {one["use"]: one for one in summarised(tmp_path, recipe)["recommendations"]}
    assert set(found) == {"quick_trial", "ci_and_batch", "shared_debugging", "production"}
    for use, measured in expected.items():
        assert found[use]["measured"] is measured
        assert ("not measured" in found[use]["rests_on"]) is not measured
        assert any(character.isdigit() for character in found[use]["rests_on"]) or not measured


HEADLINES: dict[str, tuple[Recipe, str]] = {
    "a slower page": (Recipe(), "Web shows its first token 7"),
    "a faster page": (Recipe(streamlit_in_ms=0, streamlit_out_ms=-40, jupyter_ms=0), "sooner than API"),
    "alike": (
        Recipe(streamlit_in_ms=2, streamlit_out_ms=1, jupyter_ms=0, kernel_stamps=()),
        "no difference in time to first token",
    ),
    "too few": (Recipe(repeats=1), "too few requests for an interval"),
    "API alone": (Recipe(paths=("api",)), "Only API can be judged"),
    "nothing": (
        Recipe(repeats=0, failures={("api", ErrorKind.TLS): 2}),
        "No measured request was answered (2 of 2",
    ),
}


@pytest.mark.parametrize("case", HEADLINES)
def test_headline(case: str, tmp_path: Path) -> None:
    recipe, beginning = HEADLINES[case]
    headline = summarised(tmp_path, recipe)["headline"]
    assert beginning in headline[0]
    assert len(headline) <= 2


def test_answers_per_second_count_only_the_time_of_their_path(tmp_path: Path) -> None:
    summary = summarised(tmp_path, Recipe(warmup=0))
    for path in ("api", "web"):
        stats = summary["paths"][path]
        assert stats["requests_per_s"] == pytest.approx(1 / stats["e2e_incl_upload_s"]["mean"], rel=0.05)


def test_a_long_run(tmp_path: Path) -> None:
    run = make(Recipe(repeats=1, tasks=("ocr",), gaps=40))
    (record,) = [one for one in run.records if one.path == "api" and one.phase == "measure"]
    run.records = [
        msgspec.structs.replace(record, worker_id="w9", seq=seq, prompt_id=f"{seq:x}")
        for seq in range(1, 20_001)
    ]
    write_report(write(run, tmp_path, truth=False))
    stats: dict[str, Any] = summary_of(tmp_path)["paths"]["api"]
    assert stats["n"] == 20_000
    assert stats["itl_s"]["n"] == 800_000
    assert stats["ttft_s"]["p99"] == pytest.approx(stats["ttft_s"]["p50"])


def test_outcomes_of_the_footer_stand_beside_ours(plain: Path) -> None:
    summary = summary_of(plain)
    assert summary["quality"]["footer_counts"] == {
        outcome.value: summary["counts"][outcome.value] for outcome in Outcome
    }
    assert summary["quality"]["locust_requests"] == summary["counts"]["ok"]
