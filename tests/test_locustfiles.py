"""Each locustfile of a single path runs against the testbed, and everybody counts the same."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.testbed import Testbed, read_truth
from tests.plugin.team import ROOT, Team, read

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed(jupyter=False, workdir=tmp_path_factory.mktemp("testbed")) as testbed:
        yield testbed


FILES = [("chat_api.py", "api"), ("chat_web.py", "web")]


@pytest.mark.parametrize(("name", "path"), FILES)
def test_a_locustfile(testbed: Testbed, tmp_path: Path, name: str, path: str) -> None:
    known = len(read_truth(testbed.truth_log))
    with Team(tmp_path, locustfile=ROOT / "locustfiles" / name) as team:
        url = testbed.api_url if path == "api" else testbed.web_url
        assert url is not None
        team.start_all("-t", "8s", "--host", url, users=4)
        assert team.code() == 0, team.said()
        (run_dir,) = team.run_dirs
    result = read(run_dir)
    truth = [record for record in read_truth(testbed.truth_log)[known:] if record.outcome == "finished"]
    assert result.footer is not None
    assert result.footer.locust_requests == len(result.records) == len(truth) > 0
    assert Counter(record.prompt_id for record in result.records) == Counter(r.prompt_id for r in truth)
    assert {(record.path, record.outcome) for record in result.records} == {(path, "ok")}
    assert all(record.first_token_ns for record in result.records)
    assert len({record.prompt_id for record in result.records}) == len(result.records), "no two are alike"
