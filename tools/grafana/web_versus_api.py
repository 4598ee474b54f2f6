"""*Web versus API*: what a page adds to the same questions asked of the API."""

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import VariableOption

from tools.grafana.frame import Panel, add_row, chosen, frame, task
from tools.grafana.panels import Limits, Query, bars, chart, distribution, number
from tools.grafana.queries import ENDED, divided, in_all, measured, of_run, quantile, rate, so_far, summed

Values = Callable[[str], str]
"""`in_all` or `so_far`."""
API, PAGE = 'path="$baseline"', 'path=~"$page",path!="$baseline"'
BOTH = 'path=~"$baseline|$page"'
TTFT, E2E = "glm_ttft_seconds_bucket", "glm_e2e_seconds_bucket"
ADDED = Limits(0.5, 1)


def built() -> Dashboard:
    """The dashboard."""
    dashboard = frame(
        "glm-web-versus-api",
        "Web versus API",
        "What a Streamlit page, directly or through a proxy, adds to the API of the same model instance. "
        "Figures are of the run so far, so that runs that ask one path at a time compare as well.",
        [
            task(),
            chosen(
                "baseline",
                "Baseline",
                "label_values(glm_in_flight, path)",
                "The path to compare with",
                multi=False,
            )
            .include_all(False)
            .current(VariableOption(selected=True, text="api", value="api")),
            chosen(
                "page", "Compared", "label_values(glm_in_flight, path)", "Paths that are compared with it"
            ),
        ],
    )
    add_row(dashboard, "What the page adds: the whole run", *_added())
    add_row(dashboard, "Time to first token side by side", *_first_token())
    add_row(dashboard, "Distribution of the time to first token", *_distributions())
    add_row(dashboard, "After the first token", *_afterwards())
    add_row(dashboard, "Is the comparison fair?", *_fairness())
    return dashboard


def _more(share: float, metric: str, values: Values, *labels: str) -> str:
    """A quantile of the pages minus that of the baseline."""
    pages = quantile(share, values(measured(metric, path=PAGE)), "path", *labels)
    return f"{pages} - on ({', '.join(labels)}) group_left () {_base(share, metric, values, *labels)}"


def _base(share: float, metric: str, values: Values, *labels: str) -> str:
    return quantile(share, values(measured(metric, path=API)), *labels)


def _added() -> list[Panel]:
    median = _base(0.5, TTFT, in_all)
    return [
        number(
            "Added to the median TTFT",
            "Median TTFT of each page minus that of the baseline, over the whole run. This is the price of "
            "the page's layers (upload, websocket, script run, proxy), if the load was the same: see the "
            "last row. Interpolated within buckets; report.html has it exactly, with an interval.",
            "s",
            Query(_more(0.5, TTFT, in_all), "{{path}}"),
            span=6,
            limits=ADDED,
            named=True,
        ),
        number(
            "Added to TTFT p95",
            "The same for the slowest twentieth. Much more than at the median: the page queues its own "
            "users, as Streamlit does when script threads wait for each other.",
            "s",
            Query(_more(0.95, TTFT, in_all), "{{path}}"),
            span=6,
            limits=ADDED,
            named=True,
        ),
        number(
            "Added to the median end-to-end latency",
            "The same for complete answers. More than was added to TTFT: the page also slows the stream "
            "down, by redrawing or by coalescing updates.",
            "s",
            Query(_more(0.5, E2E, in_all), "{{path}}"),
            span=6,
            limits=ADDED,
            named=True,
        ),
        number(
            "Added to the median TTFT, in proportion",
            "The same as a share of the baseline's median. A slow model hides a costly page: judge by the "
            "seconds too.",
            "percentunit",
            Query(f"({_more(0.5, TTFT, in_all)}) / on () group_left () {median}", "{{path}}"),
            span=6,
            limits=Limits(0.25, 0.5),
            decimals=0,
            named=True,
        ),
    ]


def _first_token() -> list[Panel]:
    return [
        chart(
            "Median time to first token, run so far",
            "Of all requests of the run until then. The lines settle as requests come in; a line that still "
            "moves needs a longer run.",
            "s",
            Query(quantile(0.5, so_far(measured(TTFT, path=BOTH)), "path"), "{{path}}", coarse=True),
        ),
        chart(
            "Added to the time to first token, run so far",
            "Pages minus baseline, median and p95. Compare it only where it has become level. It begins when "
            "both paths have been asked.",
            "s",
            Query(_more(0.5, TTFT, so_far), "{{path}} p50", coarse=True),
            Query(_more(0.95, TTFT, so_far), "{{path}} p95", coarse=True),
            least=None,
        ),
        chart(
            "Median time to first token, at the moment",
            "Over the last 20 s or more. In a run by blocks the paths take turns; in a mixed run they "
            "compete for the same model, and lines that rise together are its queue, not the page.",
            "s",
            Query(quantile(0.5, rate(measured(TTFT, path=BOTH)), "path"), "{{path}}", coarse=True),
        ),
        chart(
            "Time to first token p95, at the moment",
            "The same for the slowest twentieth of the last 20 s or more; few requests make it jump.",
            "s",
            Query(quantile(0.95, rate(measured(TTFT, path=BOTH)), "path"), "{{path}}", coarse=True),
        ),
        bars(
            "Added to the median TTFT by task",
            "Pages minus baseline for each kind of question. Growing with the size of images: upload and "
            "base64 cost. Growing with the length of answers: the page redraws ever more text. Small tasks "
            "have few requests: do not read differences of milliseconds.",
            "s",
            Query(_more(0.5, TTFT, in_all, "task"), "{{task}}, {{path}}"),
            limits=ADDED,
        ),
        bars(
            "Median TTFT by task and path",
            "Medians of the whole run that the differences beside come from: see whether a large gap is a "
            "slow page or a fast API.",
            "s",
            Query(quantile(0.5, in_all(measured(TTFT, path=BOTH)), "task", "path"), "{{task}}, {{path}}"),
        ),
    ]


def _distributions() -> list[Panel]:
    return [
        distribution(
            "Baseline",
            "Requests a second by the bucket their TTFT fell into, of the baseline. A narrow band is a model "
            "that keeps up.",
            summed(rate(measured(TTFT, path=API)), "le"),
        ),
        distribution(
            "Compared paths",
            "The same of the pages. The same band, only higher: a constant cost. A wider one: users of the "
            "page wait for each other.",
            summed(rate(measured(TTFT, path=PAGE)), "le"),
        ),
    ]


def _afterwards() -> list[Panel]:
    itl, tpot = "glm_itl_seconds_bucket", "glm_tpot_seconds_bucket"
    return [
        chart(
            "Time between updates (ITL) p95, run so far",
            "Gaps between pieces of text as each path delivers them. A page joins tokens into fewer, larger "
            "updates: larger gaps at the same TPOT are that, and not a slower model.",
            "s",
            Query(quantile(0.95, so_far(measured(itl, path=BOTH)), "path"), "{{path}}", coarse=True),
            span=8,
        ),
        chart(
            "Median time per output token, run so far",
            "Whole duration of the stream by its tokens: the fair comparison of streaming speed. Absent for "
            "paths that tell no token counts.",
            "s",
            Query(quantile(0.5, so_far(measured(tpot, path=BOTH)), "path"), "{{path}}", coarse=True),
            span=8,
        ),
        chart(
            "Median end-to-end latency, run so far",
            "Until the answer is complete. Equal answers are a condition: see tokens per answer below.",
            "s",
            Query(quantile(0.5, so_far(measured(E2E, path=BOTH)), "path"), "{{path}}", coarse=True),
            span=8,
        ),
    ]


def _fairness() -> list[Panel]:
    answered = so_far(measured("glm_requests_total", 'outcome="ok"', path=BOTH))
    failed = so_far(measured("glm_requests_total", 'outcome="failed"', path=BOTH))
    ended = so_far(measured("glm_requests_total", ENDED, path=BOTH))
    return [
        chart(
            "Requests in flight by path",
            "The load that each path bears. Different heights mean different load, and then differences of "
            "TTFT are not the page's alone.",
            "short",
            Query(summed(of_run(f"glm_in_flight{{{BOTH}}}"), "path"), "{{path}}"),
            span=8,
        ),
        chart(
            "Measured requests, run so far",
            "How many requests each figure rests on. Below 20 a p95 means little.",
            "short",
            Query(summed(ended, "path"), "{{path}}", coarse=True),
            span=8,
        ),
        chart(
            "Failed share, run so far",
            "A path that fails its slow requests looks fast: above a few percent do not compare latencies.",
            "percentunit",
            Query(divided(failed, ended, ("path",)), "{{path}}", coarse=True),
            span=8,
            limits=Limits(0.01, 0.05),
        ),
        chart(
            "Tokens per answer, run so far",
            "Should be the same on all paths. If not, the page asks with other parameters (max_tokens, "
            "temperature, system prompt), and end-to-end latencies do not compare.",
            "suffix: tokens",
            Query(
                f"{summed(so_far(measured('glm_output_tokens_total', path=BOTH)), 'path')}"
                f" / ({summed(answered, 'path')} > 0)",
                "{{path}}",
                coarse=True,
            ),
        ),
        chart(
            "Tokens per question, run so far",
            "Should be the same on all paths. If not, the page resizes images or adds text: then prefill, "
            "and with it TTFT, differs for that reason. Zero where a path tells no counts.",
            "suffix: tokens",
            Query(
                f"{summed(so_far(measured('glm_prompt_tokens_total', path=BOTH)), 'path')}"
                f" / ({summed(answered, 'path')} > 0)",
                "{{path}}",
                coarse=True,
            ),
        ),
    ]
