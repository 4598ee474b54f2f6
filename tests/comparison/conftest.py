"""One whole testbed for all comparisons, with a count of what its server finished."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.testbed import Testbed, read_truth
from tests.comparison.command import Command


@pytest.fixture(scope="package")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed(workdir=tmp_path_factory.mktemp("testbed")) as testbed:
        yield testbed


class Server:
    """The testbed's server, as it looks since the test began."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self._known = len(read_truth(testbed.truth_log))

    def finished(self) -> list[str]:
        """Prompt ids of the answers that it finished."""
        truth = read_truth(self.testbed.truth_log)[self._known :]
        return [str(line.prompt_id) for line in truth if line.outcome == "finished"]


@pytest.fixture
def server(testbed: Testbed) -> Server:
    return Server(testbed)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command.end()
