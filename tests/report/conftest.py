"""The report of a plain run, shared by the tests that only read it."""

from pathlib import Path

import pytest
from reporting import reported
from synthetic_run import Recipe


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three paths, two levels, a truth log."""
    return reported(tmp_path_factory.mktemp("plain"), Recipe(levels=(1, 4), repeats=20))
