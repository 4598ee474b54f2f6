"""Finished runs as OpenMetrics: read by prometheus-client, loaded by promtool, asked in a real Prometheus."""

import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from glm_locust import cli
from glm_locust.exposition import FAMILIES
from glm_locust.records import ErrorKind, Phase
from glm_locust.samples.store import SAMPLES_NAME, Rows, SampleWriter, Scrape, Source
from tests.exporter.prometheus import Prometheus
from tests.exposition.test_live import p95_bounds, value
from tests.plugin.team import until
from tests.report.synthetic_run import START_NS, Recipe, Run, make, write

SECOND = 1_000_000_000
GPU = "gpu-1:9836"
UUID = "GPU-1-2-3"
RECIPE = Recipe(
    paths=("api", "web"),
    tasks=("ocr", "chart"),
    repeats=24,
    failures={("web", ErrorKind.TRUNCATED): 2},
    cancelled=1,
    header={"versions": {"glm-locust": "0.1.0"}},
)


def samples_of(run: Run, directory: Path) -> None:
    """A GPU that is half busy, at 20 Hz, with a row that comes twice; a host; an engine."""
    seconds = round((run.footer.ended_ns - START_NS) / SECOND)
    with SampleWriter(directory / SAMPLES_NAME) as file:
        file.write(Source(source=GPU, kind="exporter", url=f"http://{GPU}"))
        rows = []
        for seq in range(1, seconds * 20):
            at_ns = START_NS + seq * SECOND // 20
            values = {
                "gpu_utilization_ratio": 0.5,
                "gpu_memory_used_bytes": 8e9,
                "throttle_mask": 4,
                "bad": "x",
            }
            rows.append({"seq": seq, "kind": "gpu", "gpu": 0, "t0_ns": at_ns, "t1_ns": at_ns, "v": values})
        host = {"host_cpu_seconds_total": 7.5, "host_cpus": 4}
        groups = {"vllm": {"cpu_seconds_total": 1.5, "resident_memory_bytes": 1e9, "processes": 1}}
        end = {"t0_ns": at_ns, "t1_ns": at_ns}
        rows.append({"seq": seq + 1, "kind": "host", "v": host, **end})
        rows.append({"seq": seq + 2, "kind": "process_groups", "groups": groups, **end})
        page = Rows(source=GPU, instance="i", gpus={"0": {"uuid": UUID}}, rows=tuple(rows))
        file.write(page)
        file.write(page)
        engine = {'vllm:num_requests_running{engine="0",model_name="glm"}': 3.0, 'bad{a="b"c"}': 1.0}
        file.write(Scrape(source="h:8080/metrics", t0_ns=at_ns, t1_ns=at_ns, values=engine))


def pages(file: Path, *names: str) -> Iterator[tuple[float, list[Metric]]]:
    """What a scrape at each instant would have given, of metrics that begin with these names.

    prometheus-client reads several instants of a gauge, but not of a histogram.
    """
    lines = [line for line in file.read_text().splitlines() if line.startswith("#") or line.startswith(names)]
    by_instant: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if not line.startswith("#"):
            by_instant[line.rsplit(" ", 1)[1]].append(line)
    for instant, there in by_instant.items():
        mine = set(there)
        page = [line for line in lines if line.startswith("#") or line in mine]
        yield float(instant), list(text_string_to_metric_families("\n".join(page) + "\n"))


@pytest.fixture
def run() -> Run:
    return make(RECIPE)


@pytest.fixture
def exported(run: Run, tmp_path: Path) -> Path:
    directory = write(run, tmp_path / "run", truth=False)
    samples_of(run, directory)
    file = tmp_path / "run.om"
    assert cli.main(["export", str(directory), "--openmetrics", str(file)]) == 0
    return file


def test_names_and_labels_are_those_of_a_live_run(exported: Path) -> None:
    live_only = {"glm_generator_cpu_ratio", "glm_arrivals_total", "glm_arrival_rate"}
    found: dict[str, Metric] = {}
    for _, families in pages(exported, "glm_"):
        found |= {family.name: family for family in families if family.samples}
    assert {name.removesuffix("_total") for name in FAMILIES.keys() - live_only} == set(found)
    for name in FAMILIES.keys() - live_only:
        told = found[name.removesuffix("_total")]
        assert told.type == FAMILIES[name].kind
        for sample in told.samples:
            assert set(sample.labels) - {"le"} == {"job", "instance", *FAMILIES[name].labels}


def test_every_tick_has_what_was_true_by_then(exported: Path, run: Run) -> None:
    seen: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for at_s, families in pages(exported, "glm_requests_total", "glm_in_flight"):
        for sample in (sample for family in families for sample in family.samples):
            labels = (sample.name, *(sample.labels.get(n, "") for n in ("path", "task", "outcome")))
            seen.setdefault(labels, []).append((at_s, sample.value))
    for (name, path, task, outcome), points in seen.items():
        assert points[0] == (START_NS / SECOND, 0 if name == "glm_requests_total" else points[0][1])
        for at_s, told in points:
            at_ns = round(at_s * SECOND)
            mine = [r for r in run.records if r.path == path]
            if name == "glm_in_flight":
                expected = sum(r.sent_ns is not None and r.sent_ns <= at_ns < r.finished_ns for r in mine)
            else:
                expected = sum(
                    (r.task, r.outcome, r.phase) == (task, outcome, Phase.MEASURE) and r.finished_ns <= at_ns
                    for r in mine
                )
            assert told == expected, (name, path, task, at_s)


@pytest.mark.servers
@pytest.mark.prometheus
def test_a_prometheus_that_loads_it_answers_as_if_it_had_been_there(
    exported: Path, run: Run, tmp_path: Path
) -> None:
    assert shutil.which("promtool")
    data = tmp_path / "prometheus"
    data.mkdir()
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(exported), str(data / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    prometheus = Prometheus(data, "--storage.tsdb.retention.time=100y")
    try:
        until(prometheus.ready, "Prometheus is ready")
        end_s = run.footer.ended_ns / SECOND + 1
        at = f" @ {end_s:.3f}"
        measured = [r for r in run.records if r.phase is Phase.MEASURE]
        counted = Counter((r.path, r.task, str(r.outcome)) for r in measured)
        for (path, task, outcome), count in counted.items():
            selector = f'glm_requests_total{{path="{path}",task="{task}",outcome="{outcome}"}}'
            assert value(prometheus, selector + at) == count
        for path in ("api", "web"):
            low, high = p95_bounds([r for r in measured if r.path == path and r.outcome == "ok"])
            span = f"[{round(end_s - START_NS / SECOND)}s]{at}"
            rate = f'sum by (le) (rate(glm_ttft_seconds_bucket{{path="{path}"}}{span}))'
            assert low <= value(prometheus, f"histogram_quantile(0.95, {rate})") <= high
        (info,) = prometheus.query("glm_run_info" + at)
        assert {"job": "glm", "instance": run.header.run_id, "version": "0.1.0"}.items() <= info[
            "metric"
        ].items()
        gpu = f'{{job="gpu",instance="{GPU}",gpu="0",uuid="{UUID}"}}'
        assert value(prometheus, f"gpu_memory_used_bytes{gpu}{at}") == 8e9
        assert value(prometheus, f"rate(gpu_busy_seconds_total{gpu}[5s]{at})") == pytest.approx(0.5, abs=0.01)
        assert value(prometheus, f'gpu_up{{gpu="0"}}{at}') == 1
        assert value(prometheus, f"host_cpu_seconds_total{at}") == 7.5
        assert value(prometheus, f'process_group_processes{{group="vllm"}}{at}') == 1
        assert (
            value(prometheus, f'vllm:num_requests_running{{job="engine",engine="0",model_name="glm"}}{at}')
            == 3
        )
        assert not prometheus.query(f'{{__name__=~"bad|throttle_mask"}}{at}')
    finally:
        prometheus.close()


def test_a_run_that_was_cut_short_and_had_no_samples(run: Run, tmp_path: Path) -> None:
    directory = write(run, tmp_path / "run", truth=False, footer=False)
    file = tmp_path / "out" / "run.om"
    assert cli.main(["export", str(directory), "--openmetrics", str(file), "--step", "5"]) == 0
    times = [at_s for at_s, _ in pages(file, "glm_")]
    assert times[1] - times[0] == pytest.approx(5)
    assert times[-1] * SECOND >= run.records[-1].finished_ns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--openmetrics", "{dir}/f", "--step", "0"],
            "--step: expected a number of seconds from 0.01 to 3600",
        ),
        (["--openmetrics", "{dir}"], "--openmetrics: expected a file"),
        (["--openmetrics", "{dir}/f"], "expected a run directory"),
        ([], "--openmetrics"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(dir=tmp_path) for word in arguments]
    try:
        code = cli.main(["export", str(tmp_path / "nothing"), *words])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 64
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
