"""docs/PROMETHEUS.md, the rules and the product name the same metrics."""

import re
from pathlib import Path

import pytest

from glm_locust.config import OPTIONS
from glm_locust.exposition import FAMILIES, buckets_table, families_table

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "PROMETHEUS.md").read_text(encoding="utf-8")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


@pytest.mark.parametrize(("name", "table"), [("metrics", families_table()), ("buckets", buckets_table())])
def test_the_document_shows_the_tables_of_the_code(name: str, table: str) -> None:
    found = re.search(f"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", DOCUMENT, re.DOTALL)
    assert found is not None, name
    assert found[1] == table, "docs/PROMETHEUS.md is behind the code: run  python -m glm_locust.exposition"


def test_the_document_names_every_option() -> None:
    for option in OPTIONS:
        if option.key.startswith("prometheus"):
            assert f"--{option.word}" in DOCUMENT


@pytest.mark.parametrize("file", ["configs/prometheus/rules.yml", "docs/PROMETHEUS.md"])
def test_rules_and_queries_use_names_and_labels_that_are_served(file: str) -> None:
    served = {name + suffix: family for name, family in FAMILIES.items() for suffix in SUFFIXES[family.kind]}
    text = (ROOT / file).read_text(encoding="utf-8")
    queried = [
        *re.findall(r"(?<![\w:`])(glm_\w+)(?:\{(\w+)=)", text),
        *((name, "") for name in re.findall(r"expr: (glm_\w+)", text)),
        *((name, "") for name in re.findall(r"rate\((glm_\w+)", text)),
    ]
    assert queried
    for name, label in queried:
        assert name in served, name
        assert not label or label in served[name].labels, (name, label)
    for labels, name in re.findall(r"by \(([\w, ]+)\) \(rate\((glm_\w+)", text):
        assert set(labels.split(", ")) <= {*served[name].labels, "le"}
