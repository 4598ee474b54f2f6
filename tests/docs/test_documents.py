"""What the documents tell people to type can be typed, and what they link to is there."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from glm_locust import cli

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("configs/**/*.md"),
        *ROOT.glob("exporters/*.md"),
    )
    if path.name != "CHANGELOG.md"
)
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def typed_lines() -> list[tuple[str, str]]:
    """Every line of every code block that begins with one of our commands, and quoted ones in prose."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`((?:glm-locust|locust -f|make) [^`]+)`", BLOCK.sub("", text))
        found += [(document.name, line.split("  #")[0].strip()) for line in lines]
    return found


def commands(word: str) -> list[tuple[str, list[str]]]:
    return [
        (name, shlex.split(line, comments=True)[1:])
        for name, line in typed_lines()
        if line.split(" ", 1)[0] == word and not line.endswith("...")
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (document.parent / target.strip()).exists()]
    assert missing == []


def known_options(name: str) -> set[str]:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"glm_locust.cli.{name}").add_parser(parser.add_subparsers())
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return set(subparsers.choices[name]._option_string_actions)


@pytest.mark.parametrize(
    ("document", "words"),
    commands("glm-locust"),
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_every_glm_locust_command_has_the_options_it_is_shown_with(document: str, words: list[str]) -> None:
    name, *rest = words
    assert name in cli.COMMANDS, f"{document} shows a command that does not exist"
    options = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert options <= known_options(name), f"{document} shows options that do not exist"


@pytest.mark.parametrize(
    ("document", "words"),
    commands("locust"),
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_every_locust_command_names_a_locustfile_of_ours(document: str, words: list[str]) -> None:
    file = words[words.index("-f") + 1]
    assert (ROOT / file).is_file(), f"{document} shows {file}"


def test_every_locustfile_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [
        p.name for p in (ROOT / "locustfiles").glob("*.py") if f"locustfiles/{p.name}" not in readme
    ] == []


@pytest.mark.parametrize("target", [words[0] for _, words in commands("make") if words])
def test_every_make_target_exists(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)


def test_the_readme_has_the_two_commands_and_a_picture_that_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures
    assert all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)
