"""The `--glm-*` options on Locust's command line."""

from argparse import Namespace
from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from glm_locust.config import OPTIONS
from glm_locust.errors import ConfigError, ExitCode
from glm_locust.plugin.options import START_FORM, add_options, default_options, read_delivery, read_scenario
from glm_locust.plugin.verdicts import GRAVEST_FIRST, graver


def parsed(*arguments: str) -> Namespace:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_options(parser)
    options: Namespace = parser.parse_args(list(arguments))
    return options


def test_every_word_of_a_scenario_is_an_option() -> None:
    names = set(vars(default_options()))
    assert {f"glm_{option.key}" for option in OPTIONS} <= names
    assert {"glm_scenario", "glm_spool_dir", "glm_drain_timeout", "glm_allow_lost_workers"} <= names


def test_an_option_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('tasks = ["ocr"]\nrepeats = 3\nout = "there"\n')
    scenario = read_scenario(parsed("--glm-scenario", str(file), "--glm-repeats", "7"))
    assert (scenario.tasks, scenario.repeats, scenario.out) == (("ocr",), 7, "there")


def test_the_start_form_has_no_say_in_targets_secrets_and_files() -> None:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_options(parser)
    fields = {name for name in parser.args_included_in_web_ui if name.startswith("glm_")}
    assert fields == {f"glm_{key}" for key in START_FORM}
    told = " ".join(fields)
    assert not any(word in told for word in ("api", "web", "header", "auth", "file", "out", "exporter", "ca"))
    assert all(parser.args_included_in_web_ui[name].help for name in fields)


def test_an_option_without_value() -> None:
    assert not read_scenario(parsed("--glm-api=http://h", "--glm-no-think-tags")).api.think_tags
    assert read_scenario(parsed("--glm-api=http://h")).api.think_tags


def test_a_field_left_empty_was_not_given() -> None:
    options = parsed("--glm-repeats", "7")
    options.glm_repeats = options.glm_tasks = ""
    assert read_scenario(options).repeats == 10
    options.glm_repeats = "3"
    assert read_scenario(options).repeats == 3


def test_a_seed_is_drawn_for_each_run() -> None:
    options = parsed()
    assert read_scenario(options).seed != read_scenario(options).seed
    assert read_scenario(parsed("--glm-seed", "5")).seed == 5


def test_delivery() -> None:
    delivery = read_delivery(parsed("--glm-spool-dir", "s", "--glm-drain-timeout", "0.5"))
    assert (delivery.spool_dir, delivery.drain_timeout_s) == (Path("s"), 0.5)
    assert not delivery.allow_lost_workers


WRONG = [
    ("unknown task", ["--glm-tasks", "descibe"], r"--glm-tasks: expected .* did you mean describe"),
    ("no number", ["--glm-drain-timeout", "soon"], r"--glm-drain-timeout: expected .* 'soon'"),
    ("negative", ["--glm-drain-timeout=-1"], "--glm-drain-timeout: expected"),
    ("not a number", ["--glm-drain-timeout", "nan"], "--glm-drain-timeout: expected"),
    ("no integer", ["--glm-repeats", "many"], "--glm-repeats: expected"),
    ("no share", ["--glm-repeat-share", "2"], "--glm-repeat-share: expected"),
]


@pytest.mark.parametrize(("arguments", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_wrong(arguments: list[str], message: str) -> None:
    options = parsed(*arguments)
    with pytest.raises(ConfigError, match=message):
        _ = read_scenario(options), read_delivery(options)


def test_installed_too_late() -> None:
    with pytest.raises(ConfigError, match="at the top of the locustfile"):
        read_scenario(Namespace())


def test_the_graver_code_stays() -> None:
    assert graver(ExitCode.PASS, None) == 0
    assert graver(ExitCode.SLO_NOT_MET, ExitCode.PASS) == 3
    assert graver(ExitCode.SLO_NOT_MET, ExitCode.INVALID) == 4
    assert set(GRAVEST_FIRST) == set(ExitCode) - {ExitCode.CRASH, ExitCode.FAILED_REQUESTS}
