"""The simulated server's `/metrics`, under vLLM's names."""

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from glm_locust.testbed.engine import Engine, Sequence

_LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240)
_TTFT_BUCKETS = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
    20,
    40,
    80,
)
_GAP_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_Metric = TypeVar("_Metric", bound=MetricWrapperBase)
FINISH_REASONS = ("stop", "length", "abort", "error")


class Telemetry:
    """Counts and times of one server; gauges read the engine when they are asked."""

    def __init__(self, engine: Engine, model: str) -> None:
        self._registry = CollectorRegistry()
        self._labels = {"model_name": model, "engine": "0"}
        for name, text, read in (
            ("num_requests_running", "Requests in the batch.", lambda: engine.running),
            ("num_requests_waiting", "Requests waiting for a place in the batch.", lambda: engine.waiting),
            ("kv_cache_usage_perc", "Share of the KV cache in use; 1 is all.", lambda: engine.kv_usage),
        ):
            gauge = Gauge(f"vllm:{name}", text, list(self._labels), registry=self._registry)
            gauge.labels(**self._labels).set_function(read)
        self.ttft = self._histogram("time_to_first_token_seconds", "Arrival to first token.", _TTFT_BUCKETS)
        self.e2e = self._histogram("e2e_request_latency_seconds", "Arrival to last token.", _LATENCY_BUCKETS)
        self.queue = self._histogram(
            "request_queue_time_seconds", "Time in the waiting queue.", _LATENCY_BUCKETS
        )
        self.prefill = self._histogram(
            "request_prefill_time_seconds", "Place in the batch to first token.", _LATENCY_BUCKETS
        )
        self.decode = self._histogram("request_decode_time_seconds", "First to last token.", _LATENCY_BUCKETS)
        self.gap = self._histogram("inter_token_latency_seconds", "Between two tokens.", _GAP_BUCKETS)
        self.prompt_tokens = self._counter("prompt_tokens", "Prompt tokens prefilled.")
        self.generation_tokens = self._counter("generation_tokens", "Tokens generated.")
        success = Counter(
            "vllm:request_success",
            "Requests by how they ended.",
            [*self._labels, "finished_reason"],
            registry=self._registry,
        )
        self.success = {
            reason: success.labels(**self._labels, finished_reason=reason) for reason in FINISH_REASONS
        }

    def first_token(self, sequence: Sequence, at_s: float) -> None:
        """A sequence gave its first token."""
        admitted_s = sequence.admitted_s if sequence.admitted_s is not None else at_s
        self.ttft.observe(at_s - sequence.arrived_s)
        self.queue.observe(max(0.0, admitted_s - sequence.ready_s))
        self.prefill.observe(at_s - admitted_s)
        self.prompt_tokens.inc(sequence.prompt_tokens)

    def last_token(self, sequence: Sequence, at_s: float, first_s: float, reason: str) -> None:
        """A sequence is finished; `first_s` is when its first token came."""
        self.e2e.observe(at_s - sequence.arrived_s)
        self.decode.observe(at_s - first_s)
        self.success[reason].inc()

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return self._bound(
            Histogram(f"vllm:{name}", text, list(self._labels), buckets=buckets, registry=self._registry)
        )

    def _counter(self, name: str, text: str) -> Counter:
        return self._bound(Counter(f"vllm:{name}", text, list(self._labels), registry=self._registry))

    def _bound(self, metric: _Metric) -> _Metric:
        return metric.labels(**self._labels)
