"""Samples of GPU, host and engine: fetched during the run, kept raw, joined with each request's windows."""

from glm_locust.samples.readings import Reading, Readings, readings_of
from glm_locust.samples.store import (
    CLOCKS_NAME,
    SAMPLES_NAME,
    Clock,
    Gap,
    Rows,
    SampleLine,
    SampleWriter,
    Scrape,
    Source,
    append_clock,
    read_samples,
)
from glm_locust.samples.windows import WINDOWS, Joined, WindowLine, join

__all__ = [
    "CLOCKS_NAME",
    "SAMPLES_NAME",
    "WINDOWS",
    "Clock",
    "Gap",
    "Joined",
    "Reading",
    "Readings",
    "Rows",
    "SampleLine",
    "SampleWriter",
    "Scrape",
    "Source",
    "WindowLine",
    "append_clock",
    "join",
    "read_samples",
    "readings_of",
]
