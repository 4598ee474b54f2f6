"""The scripted NVML library, built once, and exporters that run on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.exporter.rig import Exporter, Journal, built_library


@pytest.fixture(scope="session")
def library() -> Path:
    """The folder with a current scripted library."""
    return built_library()


@pytest.fixture(scope="session")
def old_library() -> Path:
    """The folder with a library that lacks the newer symbols."""
    return built_library(old_driver=True)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def start(library: Path, journal: Journal) -> Iterator[Callable[..., Exporter]]:
    """Starts an exporter on the scripted library; its end is that of the test."""
    with ExitStack() as running:

        def started(*options: str, environment: dict[str, str] | None = None) -> Exporter:
            return running.enter_context(Exporter(library, journal, *options, environment=environment))

        yield started
