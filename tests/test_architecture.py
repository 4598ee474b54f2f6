"""The map of modules in ARCHITECTURE.md is what the modules say of themselves.

`python tests/test_architecture.py --write` brings it up to date.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "ARCHITECTURE.md"
PACKAGES = ("glm_locust", "exporters/glm_gpu_exporter", "tools")
MARKS = re.compile(r"(<!-- map -->\n).*(<!-- end of map -->)", re.DOTALL)


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n", maxsplit=1)[0]


def module_map() -> str:
    lines = []
    for package in PACKAGES:
        top = ROOT / package
        for folder in sorted({path.parent for path in top.rglob("*.py")}):
            name = folder.relative_to(ROOT)
            lines.append(f"\n**`{name}/`** {first_line(folder / '__init__.py')}\n")
            lines += [
                f"* `{path.name}` {first_line(path)}"
                for path in sorted(folder.glob("*.py"))
                if path.name != "__init__.py"
            ]
    return "\n".join(lines).strip() + "\n"


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if len(first_line(path)) < 15
    ]
    assert silent == []


def test_the_map_is_up_to_date() -> None:
    found = MARKS.search(DOCUMENT.read_text(encoding="utf-8"))
    assert found is not None
    assert found.group(0) == f"{found.group(1)}{module_map()}{found.group(2)}", (
        "run: python tests/test_architecture.py --write"
    )


if __name__ == "__main__" and "--write" in sys.argv:
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(MARKS.sub(lambda m: m.group(1) + module_map() + m.group(2), text), encoding="utf-8")
