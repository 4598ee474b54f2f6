"""What a run says about where it comes from keeps secrets out."""

import pytest

from glm_locust.run import command_as_typed, machine, new_run_id, versions

COMMANDS = [
    ("a plain command stays", ["locust", "-f", "x.py", "-u", "5"], ["locust", "-f", "x.py", "-u", "5"]),
    (
        "a header with a key loses its value",
        ["--glm-header", "Authorization: Bearer abc"],
        ["--glm-header", "Authorization:***"],
    ),
    ("also in one word", ["--header=X-Api-Key: abc"], ["--header=X-Api-Key:***"]),
    ("other headers stay", ["--glm-header", "X-Team: blue"], ["--glm-header", "X-Team: blue"]),
    ("a URL loses its password", ["--web", "http://me:pw@h:8888/x"], ["--web", "http://h:8888/x"]),
    ("and its token", ["--web=http://h/?token=abc"], ["--web=http://h/?***"]),
]


@pytest.mark.parametrize(("typed", "shown"), [c[1:] for c in COMMANDS], ids=[c[0] for c in COMMANDS])
def test_the_command_in_the_header(typed: list[str], shown: list[str]) -> None:
    assert list(command_as_typed(typed)) == shown


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(seconds * 10**9) for seconds in (0, 1, 10**9, 2 * 10**9)]
    assert ids == sorted(ids)
    assert new_run_id(0) != new_run_id(0)


def test_versions_and_machine() -> None:
    assert versions()["locust"].startswith("2.")
    assert machine()["cpus"] >= 1
