"""*Load test*: what an operator watches while a run is on, and whether to believe it."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard
from grafana_foundation_sdk.models.dashboard import VariableOption

from tools.grafana.frame import Panel, add_row, frame, path, task
from tools.grafana.panels import QUANTILES, Limits, Query, chart, distribution, number, quantiles, words
from tools.grafana.queries import (
    ENDED,
    RUN,
    SHOWN,
    divided,
    in_all,
    measured,
    of_run,
    quantile,
    rate,
    summed,
)

TTFT, E2E = "glm_ttft_seconds_bucket", "glm_e2e_seconds_bucket"
ITL, TPOT = "glm_itl_seconds_bucket", "glm_tpot_seconds_bucket"
ENDED_REQUESTS = measured("glm_requests_total", ENDED)
FAILED_REQUESTS = measured("glm_requests_total", 'outcome="failed"')
IN_TIME = measured(TTFT, 'le="$ttft_objective"')
TTFT_LIMITS = Limits(2, 5)


def built() -> Dashboard:
    """The dashboard."""
    dashboard = frame(
        "glm-load-test",
        "Load test",
        "A run of glm_locust while it is on, or one that was imported: latency, throughput, failures, and "
        "whether the generator itself can be believed. Only measured requests, no warm-up.",
        [path(), task()],
    ).with_variable(_objective())
    add_row(dashboard, "At a glance: the whole run", *_glance())
    add_row(dashboard, "Latency", *_latency())
    add_row(dashboard, "Load and throughput", *_throughput())
    add_row(dashboard, "Failures", *_failures())
    add_row(dashboard, "Can the measurement be trusted?", *_trust())
    return dashboard


def _objective() -> CustomVariable:
    bounds = ("0.5", "1.0", "1.5", "2.0", "3.0", "5.0", "10.0")
    options = [VariableOption(selected=bound == "2.0", text=bound, value=bound) for bound in bounds]
    return (
        CustomVariable("ttft_objective")
        .label("TTFT objective (s)")
        .description("What counts as in time; a bound of the histogram's buckets, as it is served")
        .values(",".join(bounds))
        .options(options)
        .current(VariableOption(selected=True, text="2.0", value="2.0"))
    )


def _glance() -> list[Panel]:
    return [
        words(
            "Runs shown",
            "Ids of the runs that were on in the time shown. More than one: choose one above, or figures of "
            "the whole run mix them. The id is also the name of the run's directory, whose "
            "report.html has the exact figures with intervals.",
            Query(f"last_over_time({RUN}[$__range])", "{{run_id}}"),
            span=6,
        ),
        number(
            "Measured requests",
            "Requests that have ended, well or not, warm-up left out. p95 means little below 20 of them, p99 "
            "below 100.",
            "short",
            Query(summed(in_all(ENDED_REQUESTS)), "requests"),
            decimals=0,
        ),
        number(
            "TTFT p95",
            "95 % of answers had their first token within this time of the question, over the whole run and "
            "all chosen paths and tasks. Interpolated within a bucket: the report has the exact value. "
            "Yellow from 2 s, where the shipped alert fires.",
            "s",
            Query(quantile(0.95, in_all(measured(TTFT))), "p95"),
            limits=TTFT_LIMITS,
        ),
        number(
            "End-to-end p95",
            "95 % of answers were complete within this time. It grows with the length of answers: compare "
            "runs of the same tasks and max_tokens only.",
            "s",
            Query(quantile(0.95, in_all(measured(E2E))), "p95"),
        ),
        number(
            "Failed",
            "Share of ended requests that failed, those we cancelled at the end left out. Latency panels "
            "show only what ended well: with many failures they look better than the service is. The kinds "
            "are under Failures.",
            "percentunit",
            Query(divided(in_all(FAILED_REQUESTS), in_all(ENDED_REQUESTS)), "failed"),
            limits=Limits(0.01, 0.05),
            decimals=1,
        ),
        number(
            "Within the TTFT objective",
            "Share of ended requests, failed ones included, whose first token came within the objective "
            "chosen above: goodput by TTFT alone. Below 95 % users notice.",
            "percentunit",
            Query(divided(in_all(IN_TIME), in_all(ENDED_REQUESTS)), "in time"),
            limits=Limits(0.99, 0.95, falling=True),
            decimals=1,
        ),
        number(
            "Workers lost",
            "Load generators that went away in mid-run. With any, the load was not the one you asked for and "
            "the run ends as invalid (exit code 4): glm-locust recover rebuilds what they had written.",
            "short",
            Query(f"max(max_over_time(({of_run('glm_workers_lost')}){SHOWN}))", "lost"),
            limits=Limits(0.5, 1),
        ),
    ]


def _latency() -> list[Panel]:
    return [
        chart(
            "Time to first token",
            "How long users wait for the first token, over the last 20 s or more. p50 is the usual wait, p95 "
            "and p99 what the unlucky get. All rising together with requests in flight: the server queues. "
            "Only p99 rising: single slow requests; the dots of the exemplars name them as worker/seq in "
            "run.jsonl. Dashed: 2 s and 5 s.",
            "s",
            *quantiles([quantile(share, rate(measured(TTFT))) for share in QUANTILES]),
            limits=TTFT_LIMITS,
        ),
        chart(
            "Time to first token, p95 by path",
            "The same by way to the model. A gap between page and api is what the page adds; the dashboard "
            "Web versus API tells it apart. In a run by blocks only one path is asked at a time.",
            "s",
            Query(quantile(0.95, rate(measured(TTFT)), "path"), "{{path}}", coarse=True),
            limits=TTFT_LIMITS,
        ),
        chart(
            "Time to first token, p95 by task",
            "The same by kind of question. Tasks with more or larger images wait longer, since their prefill "
            "is longer; one task that leaves the others is worth a look at its answers.",
            "s",
            Query(quantile(0.95, rate(measured(TTFT)), "task"), "{{task}}", coarse=True),
            limits=TTFT_LIMITS,
        ),
        distribution(
            "Distribution of the time to first token",
            "Requests a second by the bucket their TTFT fell into. Two bands: two kinds of requests, like "
            "cache hits and misses, or queued and not. A band that climbs: a queue that grows.",
            summed(rate(measured(TTFT)), "le"),
        ),
        chart(
            "Time between tokens (ITL)",
            "Gaps between pieces of text within answers. Above 0.1 s reading stutters. A high p99 with a "
            "calm p50: long prefills of others interrupt decoding. Pages coalesce updates: look at one path "
            "at a time.",
            "s",
            *quantiles([quantile(share, rate(measured(ITL))) for share in QUANTILES]),
            span=8,
        ),
        chart(
            "Time per output token (TPOT)",
            "Mean time per token after the first of each request, its median and p95 by path: the speed of "
            "decoding as a user gets it. It grows with the size of the batch: see requests in flight.",
            "s",
            Query(quantile(0.5, rate(measured(TPOT)), "path"), "{{path}} p50", coarse=True),
            Query(quantile(0.95, rate(measured(TPOT)), "path"), "{{path}} p95", coarse=True),
            span=8,
        ),
        chart(
            "End-to-end latency",
            "From question to the complete answer. Follows the length of answers: check tokens per answer "
            "before blaming the server.",
            "s",
            *quantiles([quantile(share, rate(measured(E2E))) for share in QUANTILES]),
            span=8,
        ),
    ]


def _throughput() -> list[Panel]:
    tokens, prompts = measured("glm_output_tokens_total"), measured("glm_prompt_tokens_total")
    answered = measured("glm_requests_total", 'outcome="ok"')
    return [
        chart(
            "Requests in flight",
            "Requests begun and not yet ended, over all workers, warm-up included. In a closed loop it stays "
            "at the number of users. In an open loop a steady climb means that the server no longer keeps "
            "up: latencies from there on depend on how long you wait.",
            "short",
            Query(summed(of_run('glm_in_flight{path=~"$path"}'), "path"), "{{path}}"),
            span=8,
            stacked=True,
        ),
        chart(
            "Requests ended a second",
            "Throughput by outcome: ok, failed, cancelled (by us, at the end). Flat while requests in flight "
            "grow: this is the capacity.",
            "reqps",
            Query(summed(rate(measured("glm_requests_total")), "outcome"), "{{outcome}}", coarse=True),
            span=8,
            stacked=True,
        ),
        chart(
            "Goodput",
            "Requests a second whose first token came within the objective chosen above, beside all that "
            "ended. Where the two part, more load brings no more satisfied users: plan capacity there.",
            "reqps",
            Query(summed(rate(IN_TIME)), "within $ttft_objective s", coarse=True),
            Query(summed(rate(ENDED_REQUESTS)), "all ended", coarse=True),
            span=8,
        ),
        chart(
            "Output tokens a second",
            "Generated tokens of answers that ended well, counted when they end, by path. The plateau under "
            "rising load is the engine's decoding capacity.",
            "suffix: tokens/s",
            Query(summed(rate(tokens), "path"), "{{path}}", coarse=True),
            span=8,
        ),
        chart(
            "Prompt tokens a second",
            "Tokens of questions, images included, as the server counts them: the prefill work. TTFT that "
            "follows this curve is bound by prefill. Absent where a server reports no usage.",
            "suffix: tokens/s",
            Query(summed(rate(prompts), "path"), "{{path}}", coarse=True),
            span=8,
        ),
        chart(
            "Tokens per answer",
            "Mean length of answers that ended well. Should be level and the same on all paths: if not, E2E "
            "and tokens a second of these paths or times do not compare.",
            "suffix: tokens",
            Query(
                f"{summed(rate(tokens), 'path')} / {summed(rate(answered), 'path')}",
                "{{path}}",
                coarse=True,
            ),
            span=8,
        ),
        chart(
            "Arrivals a second (open loop)",
            "Requests that are due, and what became of them. dropped: every user waited for an answer, so "
            "nobody made the request; with any, latencies look better than they are: allow more in flight "
            "or ask for less. Only in an open loop. Not in imported runs.",
            "reqps",
            Query(summed(rate("glm_arrivals_total{}"), "outcome"), "{{outcome}}", coarse=True),
            Query(f"max({of_run('glm_arrival_rate')})", "due"),
            span=24,
        ),
    ]


def _failures() -> list[Panel]:
    by_path = divided(rate(FAILED_REQUESTS), rate(ENDED_REQUESTS), ("path",))
    return [
        chart(
            "Failures a second by kind",
            "By whose fault: connect, tls: it was not reached. timeout_*: too slow for our limits. rejected: "
            "it refused (429, 503, queue full), so lower the load. server_error, truncated, empty, protocol: "
            "its own log knows more. run_ended: cancelled by us, no failure.",
            "reqps",
            Query(summed(rate(measured("glm_errors_total")), "error_kind"), "{{error_kind}}", coarse=True),
            stacked=True,
            bars=True,
        ),
        chart(
            "Failed share by path",
            "Failed of all ended requests, without those we cancelled. One path only: its own layer fails "
            "(page, proxy). All paths at once: the model server. Dashed: 1 % and 5 %, where the shipped "
            "alert fires.",
            "percentunit",
            Query(by_path, "{{path}}", coarse=True),
            limits=Limits(0.01, 0.05),
        ),
    ]


def _trust() -> list[Panel]:
    return [
        chart(
            "Send lag by worker",
            "How late the generator itself sent requests, worst of each second. It is part of TTFT, so that "
            "an overloaded generator cannot hide; but then TTFT is not the server's. Above 0.1 s: add "
            "workers or lower the rate.",
            "s",
            Query(f"max by (worker) ({of_run('glm_send_lag_seconds')})", "{{worker}}"),
            span=6,
            limits=Limits(0.05, 0.1),
            totals=False,
        ),
        chart(
            "Generator lag by worker",
            "How long a first token lay in the kernel before Python read it, worst of each second. Absent "
            "where the kernel gives no stamps (TLS inside Python, no Linux). Above 0.1 s: the worker's core "
            "is full.",
            "s",
            Query(f"max by (worker) ({of_run('glm_generator_lag_seconds')})", "{{worker}}"),
            span=6,
            limits=Limits(0.05, 0.1),
            totals=False,
        ),
        chart(
            "CPU of each worker",
            "Share of one core that each worker process uses; Python cannot use more than one. Above 90 % "
            "its latencies measure itself: start more workers. Not in imported runs.",
            "percentunit",
            Query(f"max by (worker) ({of_run('glm_generator_cpu_ratio')})", "{{worker}}"),
            span=6,
            limits=Limits(0.7, 0.9),
            most=1,
            totals=False,
        ),
        chart(
            "Workers lost over time",
            "When load generators went away. Whatever changes at that moment may be the lighter load.",
            "short",
            Query(f"max by (instance) ({of_run('glm_workers_lost')})", "{{instance}}"),
            span=6,
            limits=Limits(0.5, 1),
            totals=False,
        ),
    ]
