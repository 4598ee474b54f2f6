"""The engine follows its pace file, and a wrong line is one message."""

from pathlib import Path

import pytest

from glm_locust.errors import ConfigError
from glm_locust.testbed.engine import Engine, Sequence
from glm_locust.testbed.pace import PaceFile
from glm_locust.testbed.presets import preset_named


def test_the_factor_is_that_of_the_newest_line_in_force(tmp_path: Path) -> None:
    path = tmp_path / "pace"
    path.write_text("# seconds factor\n100 1.4\n\n200 1\n150 2  # later in the file, earlier in time\n300 9")
    pace = PaceFile(path)
    assert [pace.factor_at(at) for at in (0, 99.9, 100, 149, 150, 199, 200, 400)] == [
        1,
        1,
        1.4,
        1.4,
        2,
        2,
        1,
        1,
    ]


@pytest.mark.parametrize("line", ["100", "100 0", "100 -1", "now 1.4", "1 2 3"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pace"
    path.write_text(f"1 1\n{line}\n")
    with pytest.raises(ConfigError, match="line 2: expected SECONDS FACTOR"):
        PaceFile(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        PaceFile(tmp_path / "pace")


def test_every_duration_of_the_engine_is_stretched() -> None:
    def first_and_last_s(slowdown: float) -> tuple[float, float]:
        engine = Engine(preset_named("demo"), lambda _: slowdown)
        engine.submit(Sequence(prepare_s=0.1, image_tokens=300, text_tokens=30, output_tokens=20), 0.0)
        tokens = engine.advance(100.0)
        return tokens[0].at_s, tokens[-1].at_s

    for plain, slow in zip(first_and_last_s(1.0), first_and_last_s(1.4), strict=True):
        assert slow == pytest.approx(1.4 * plain)
