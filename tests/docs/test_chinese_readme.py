"""README.zh-CN.md keeps step with README.md: the same sections, commands, files and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LANGUAGE_LINKS = {"README.md", "README.zh-CN.md"}


def levels(text: str) -> list[int]:
    """The level of every heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", BLOCK.sub("", text), re.MULTILINE)]


def commands(text: str) -> list[str]:
    """Every line of every code block without its comment."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"\s+#.*", "", line).strip())]


def words_in_code(text: str) -> set[str]:
    """What stands in quotes of code: options, files, keys."""
    return set(re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)))


def links(text: str) -> set[str]:
    return {target for target in re.findall(r"\]\(([^)]+)\)", text) if target not in LANGUAGE_LINKS}


def rows(text: str) -> int:
    return len(re.findall(r"^\|", text, re.MULTILINE))


def items(text: str) -> int:
    return len(re.findall(r"^\* ", text, re.MULTILINE))


def test_the_sections_are_the_same() -> None:
    assert levels(CHINESE) == levels(ENGLISH)


def test_the_commands_are_the_same() -> None:
    assert commands(CHINESE) == commands(ENGLISH)


def test_what_is_named_is_the_same() -> None:
    assert words_in_code(ENGLISH) <= words_in_code(CHINESE)
    assert words_in_code(CHINESE) - words_in_code(ENGLISH) <= {"--lang zh"}


def test_links_tables_and_lists_are_the_same() -> None:
    assert links(CHINESE) == links(ENGLISH)
    assert (rows(CHINESE), items(CHINESE)) == (rows(ENGLISH), items(ENGLISH))


def test_each_leads_to_the_other() -> None:
    assert "(README.zh-CN.md)" in ENGLISH
    assert "(README.md)" in CHINESE


def test_it_is_chinese() -> None:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", CHINESE), re.MULTILINE)
    assert all(re.search(r"[\u4e00-\u9fff]", heading) for heading in headings[1:] if heading != "GPU")
