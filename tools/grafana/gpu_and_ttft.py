"""*GPU and TTFT*: what GPU, engine and host did while requests waited."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.grafana.frame import Panel, add_row, chosen, frame, path, task
from tools.grafana.panels import (
    GREEN,
    RED,
    Limits,
    Query,
    chart,
    distribution,
    number,
    on_the_right,
    states,
    words,
)
from tools.grafana.queries import in_all, measured, quantile, rate, summed

GPU = 'instance=~"$host",gpu=~"$gpu"'
HOST = 'instance=~"$host"'
ENGINE = 'instance=~"$engine"'
TTFT = "glm_ttft_seconds_bucket"
NAMED = "GPU {{gpu}} of {{instance}}"
HELD = 'reason!~"gpu_idle|applications_clocks"'
TTFT_LIMITS = Limits(2, 5)
TTFT_P95 = Query(quantile(0.95, rate(measured(TTFT))), "TTFT p95", coarse=True, exemplars=True)


def built() -> Dashboard:
    """The dashboard."""
    dashboard = frame(
        "glm-gpu-and-ttft",
        "GPU and TTFT",
        "GPU, engine and host beside the time to first token. That two curves move together is no cause: the "
        "run's report says which readings move with TTFT once size and load are accounted for.",
        [
            path(),
            task(),
            chosen("host", "GPU host", "label_values(host_cpus, instance)", "Exporters of GPU hosts"),
            chosen(
                "gpu", "GPU", 'label_values(gpu_up{instance=~"$host"}, gpu)', "Index of the GPU on its host"
            ),
            chosen(
                "engine",
                "Engine",
                "label_values(vllm:num_requests_running, instance)",
                "Model servers with vLLM's metrics",
            ),
        ],
    )
    add_row(dashboard, "At a glance: all that is shown", *_glance())
    add_row(dashboard, "Time to first token beside the readings", *_beside())
    add_row(dashboard, "Engine", *_engine())
    add_row(dashboard, "GPU", *_gpu())
    add_row(dashboard, "Host and processes", *_host())
    add_row(dashboard, "Energy", *_energy())
    return dashboard


def _glance() -> list[Panel]:
    held = f"rate(gpu_throttled_seconds_total{{{GPU},{HELD}}}[$__range])"
    memory = f"max_over_time(gpu_memory_used_bytes{{{GPU}}}[$__range])"
    return [
        words(
            "GPUs",
            "What the exporter found. None: the exporter runs on a machine without NVIDIA driver, or does "
            "not run. Not in imported runs.",
            Query(f"last_over_time(gpu_info{{{GPU}}}[$__range])", "GPU {{gpu}}: {{name}}"),
            span=4,
        ),
        number(
            "TTFT p95",
            "95 % of answers had their first token within this time, over the whole run.",
            "s",
            Query(quantile(0.95, in_all(measured(TTFT))), "p95"),
            span=4,
            limits=TTFT_LIMITS,
        ),
        number(
            "Longest engine queue",
            "Most requests that waited for a place in the engine's batch at once. Above 0 TTFT holds "
            "queueing: more memory for the KV cache, or fewer users, shortens it.",
            "short",
            Query(f"max(max_over_time(vllm:num_requests_waiting{{{ENGINE}}}[$__range]))", "waiting"),
            span=4,
            limits=Limits(1, 10),
            decimals=0,
        ),
        number(
            "GPU busy, mean",
            "Share of time in which a kernel ran, mean over all that is shown. Busy is not full: one request "
            "alone can make 100 %. Low under load: the GPU waits for host, page or network.",
            "percentunit",
            Query(f"avg by (instance, gpu) (rate(gpu_busy_seconds_total{{{GPU}}}[$__range]))", NAMED),
            span=4,
            decimals=0,
            named=True,
        ),
        number(
            "GPU memory, peak",
            "Most memory in use over its size. An engine that reserves all at its start is always near 1; "
            "otherwise the next allocation above 97 % may fail.",
            "percentunit",
            Query(f"{memory} / last_over_time(gpu_memory_total_bytes{{{GPU}}}[$__range])", NAMED),
            span=4,
            limits=Limits(0.9, 0.97),
            decimals=0,
            named=True,
        ),
        number(
            "Time held back",
            "Largest share of time for which one reason (power cap, heat, ..) held the clocks down. Above a "
            "few percent, runs on other days or GPUs do not compare. Not in imported runs.",
            "percentunit",
            Query(f"max by (instance, gpu) ({held})", NAMED),
            span=4,
            limits=Limits(0.05, 0.2),
            decimals=0,
            named=True,
        ),
    ]


def _beside() -> list[Panel]:
    busy = Query(f"rate(gpu_busy_seconds_total{{{GPU}}}[$__rate_interval])", "busy: " + NAMED)
    clock = Query(f"gpu_sm_clock_hertz{{{GPU}}}", "clock: " + NAMED)
    waiting = Query(f"sum by (instance) (vllm:num_requests_waiting{{{ENGINE}}})", "waiting: {{instance}}")
    return [
        on_the_right(
            chart(
                "TTFT p95 and GPU busy",
                "TTFT (left) rises while the GPU is at 100 % (right): bound by the GPU. It rises while the "
                "GPU idles: look at engine queue, page, host CPU and the generator.",
                "s",
                TTFT_P95,
                busy,
            ),
            "busy:",
            "percentunit",
            "GPU busy",
            1,
        ),
        on_the_right(
            chart(
                "TTFT p95 and engine queue",
                "Requests that wait for a place in the batch (right) become TTFT (left) one queue later. A "
                "queue that never empties: more load than this engine bears.",
                "s",
                TTFT_P95,
                waiting,
            ),
            "waiting:",
            "short",
            "requests waiting",
        ),
        on_the_right(
            chart(
                "TTFT p95 and SM clock",
                "Steps down of the clock (right) with steps up of TTFT (left): the GPU is held back; the "
                "reason is in the row GPU.",
                "s",
                TTFT_P95,
                clock,
            ),
            "clock:",
            "hertz",
            "SM clock",
        ),
        distribution(
            "Distribution of the time to first token",
            "Requests a second by the bucket their TTFT fell into. Compare its bands with the curves beside.",
            summed(rate(measured(TTFT)), "le"),
        ),
    ]


def _engine() -> list[Panel]:
    def engine_rate(metric: str) -> str:
        return f"rate(vllm:{metric}{{{ENGINE}}}[$__rate_interval])"

    cache = f"vllm:kv_cache_usage_perc{{{ENGINE}}} or vllm:gpu_cache_usage_perc{{{ENGINE}}}"

    return [
        chart(
            "Requests in the engine",
            "Running: in the batch. Waiting: TTFT grows for them. Running level while waiting grows: the "
            "batch is full (max_num_seqs or KV cache).",
            "short",
            Query(f"sum by (instance) (vllm:num_requests_running{{{ENGINE}}})", "running: {{instance}}"),
            Query(f"sum by (instance) (vllm:num_requests_waiting{{{ENGINE}}})", "waiting: {{instance}}"),
            span=6,
        ),
        chart(
            "KV cache in use",
            "Share of the engine's memory for contexts. Near 1 requests wait or are preempted and computed "
            "again: shorten contexts, lower the load, or give the cache more memory.",
            "percentunit",
            Query(
                f"max by (instance) ({cache})",
                "{{instance}}",
            ),
            span=6,
            limits=Limits(0.9, 0.95),
            most=1,
        ),
        chart(
            "Queue and prefill, p95",
            "The engine's own parts of TTFT: waiting for a place, then computing the question with its "
            "images. What TTFT has beyond the two is outside of the engine. Not in imported runs.",
            "s",
            Query(quantile(0.95, engine_rate("request_queue_time_seconds_bucket")), "queue", coarse=True),
            Query(quantile(0.95, engine_rate("request_prefill_time_seconds_bucket")), "prefill", coarse=True),
            span=6,
        ),
        chart(
            "Engine tokens a second",
            "Prompt tokens are prefill, generated tokens decoding, of all clients of the engine. More than "
            "the load test's own tokens: somebody else uses it, and the run is void.",
            "suffix: tokens/s",
            Query(summed(engine_rate("prompt_tokens_total")), "prompt", coarse=True),
            Query(summed(engine_rate("generation_tokens_total")), "generated", coarse=True),
            span=6,
        ),
    ]


def _gpu() -> list[Panel]:
    held = f"rate(gpu_throttled_seconds_total{{{GPU},{HELD}}}[$__rate_interval])"
    power = f"rate(gpu_energy_joules_total{{{GPU}}}[$__rate_interval])"
    return [
        chart(
            "GPU busy",
            "Share of time in which a kernel ran, from an integral of 20 samples a second: exact over any "
            "window. It says that the GPU had work, not how much fits in yet.",
            "percentunit",
            Query(f"rate(gpu_busy_seconds_total{{{GPU}}}[$__rate_interval])", NAMED),
            span=8,
            most=1,
        ),
        chart(
            "Activity within the GPU",
            "Tensor cores work hard in prefill, device memory in decoding; which of the two is high tells "
            "the phase. Hopper and newer only (GPM).",
            "percentunit",
            Query(f"gpu_sm_active_ratio{{{GPU}}}", "SM: " + NAMED),
            Query(f"gpu_tensor_active_ratio{{{GPU}}}", "tensor cores: " + NAMED),
            Query(f"gpu_dram_active_ratio{{{GPU}}}", "memory bandwidth: " + NAMED),
            span=8,
            most=1,
        ),
        chart(
            "GPU memory",
            "In use, and its size (flat). Steps up in mid-run: something else began to use the GPU, or the "
            "server allocates for larger images.",
            "bytes",
            Query(f"gpu_memory_used_bytes{{{GPU}}}", "used: " + NAMED),
            Query(f"gpu_memory_total_bytes{{{GPU}}}", "size: " + NAMED),
            span=8,
        ),
        chart(
            "Clocks",
            "Of multiprocessors and memory. Dips under load mean that power or heat holds the GPU back; dips "
            "when idle are normal.",
            "hertz",
            Query(f"gpu_sm_clock_hertz{{{GPU}}}", "SM: " + NAMED),
            Query(f"gpu_memory_clock_hertz{{{GPU}}}", "memory: " + NAMED),
            span=8,
        ),
        chart(
            "Held back by reason",
            "Share of time for which a reason kept the clocks down. sw_power_cap: the power limit. "
            "*_thermal, hw_slowdown: heat; check cooling. hw_power_brake: the rack's supply. Not in imported "
            "runs.",
            "percentunit",
            Query(f"sum by (instance, gpu, reason) ({held})", "{{reason}}: " + NAMED),
            span=8,
            limits=Limits(0.05, 0.2),
            most=1,
        ),
        chart(
            "Power",
            "Mean power from the energy counter, and the limit in force. At the limit the clocks fall and "
            "latency varies with the work of all. Never compare spans below a second.",
            "watt",
            Query(f"max by (instance, gpu) ({power} or gpu_power_watts{{{GPU}}})", "drawn: " + NAMED),
            Query(f"gpu_power_limit_watts{{{GPU}}}", "limit: " + NAMED),
            span=8,
        ),
        chart(
            "Temperature",
            "Of the core. GPUs slow down from some 83 to 90 °C on: warm up before measuring, and let runs "
            "begin at the same temperature.",
            "celsius",
            Query(f"gpu_temperature_celsius{{{GPU}}}", NAMED),
            span=8,
            limits=Limits(80, 88),
        ),
        states(
            "GPU answers",
            "Whether the exporter gets fresh samples of the GPU. Gone: it is lost or a driver call hangs, "
            "and its other series end there.",
            Query(f"gpu_up{{{GPU}}}", NAMED),
            {1: ("answers", GREEN), 0: ("gone", RED)},
            span=8,
        ),
        number(
            "Last XID error",
            "How long ago the driver reported an error, by code. 48, 62, 64, 74, 79, 95, 119, 120 are of the "
            "hardware or driver: results since then are suspect. 13, 31, 43 mostly mean a program that "
            "crashed. Not in imported runs.",
            "dateTimeFromNow",
            Query(
                f"1000 * last_over_time(gpu_xid_last_timestamp_seconds{{{GPU}}}[$__range])",
                "XID {{xid}}: " + NAMED,
            ),
            span=8,
            none="none",
            named=True,
        ).height(8),
    ]


def _host() -> list[Panel]:
    return [
        chart(
            "CPU of the host",
            "Share of all cores that were busy. Near 1 server, page and everything else beside them wait for "
            "each other: move the load generator to another machine first.",
            "percentunit",
            Query(
                f"rate(host_cpu_seconds_total{{{HOST}}}[$__rate_interval]) / host_cpus{{{HOST}}}",
                "{{instance}}",
            ),
            span=8,
            limits=Limits(0.8, 0.95),
            most=1,
        ),
        chart(
            "CPU by process group",
            "Cores that model server, page and proxy use. A page at exactly 1: Python's lock (GIL) binds it, "
            "and more users of it only wait.",
            "suffix: cores",
            Query(
                f"rate(process_group_cpu_seconds_total{{{HOST}}}[$__rate_interval])",
                "{{group}} on {{instance}}",
            ),
            span=8,
        ),
        chart(
            "Memory of the host",
            "In use, and its size (flat). Near the size the kernel swaps or kills.",
            "bytes",
            Query(f"host_memory_used_bytes{{{HOST}}}", "used: {{instance}}"),
            Query(f"host_memory_total_bytes{{{HOST}}}", "size: {{instance}}"),
            span=8,
        ),
        chart(
            "Memory by process group",
            "Resident memory; shared pages count in each process. A page whose line climbs with every "
            "session keeps uploads: it will end the run one day.",
            "bytes",
            Query(f"process_group_resident_memory_bytes{{{HOST}}}", "{{group}} on {{instance}}"),
        ),
        chart(
            "GPU memory by process group",
            "Who holds the GPU's memory. Anything but the model server, like a notebook kernel, takes from "
            "its KV cache. Needs the host's process ids in containers. Not in imported runs.",
            "bytes",
            Query(f"process_group_gpu_memory_bytes{{{GPU}}}", "{{group}}: " + NAMED),
        ),
    ]


def _energy() -> list[Panel]:
    answered = measured("glm_requests_total", 'outcome="ok"')
    joules = f"sum(rate(gpu_energy_joules_total{{{GPU}}}[$__rate_interval]))"
    return [
        chart(
            "Output tokens per joule",
            "Efficiency of the chosen GPUs: rises with the size of the batch. Choose only the GPUs that "
            "serve the model.",
            "suffix: tokens/J",
            Query(
                f"{summed(rate(measured('glm_output_tokens_total')))} / {joules}",
                "tokens per joule",
                coarse=True,
            ),
        ),
        chart(
            "Energy per answered request",
            "What one answer costs, idle power included: falls as load rises, until the server is full.",
            "joule",
            Query(
                f"{joules} / {summed(rate(answered))}",
                "per answer",
                coarse=True,
            ),
        ),
    ]
