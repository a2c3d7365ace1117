"""docs/reference/metrics.md speaks of what there is; its tables are made from the code (tools/metrics.py)."""

import re
from pathlib import Path

import pytest

from esm_operator.metrics.catalogue import CATALOGUE
from tests.monitoring.dashboard import load
from tests.monitoring.queries import exposed, mistakes, names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"
TEXT = PAGE.read_text()
QUERIES = [
    query
    for row in re.findall(r"^\| [A-Z][^|]*\? \| (.*) \|$", TEXT, re.MULTILINE)
    for query in re.findall(r"`([^`]+)`", row)
]


def test_it_names_only_metrics_that_are_exposed() -> None:
    assert names(TEXT) <= exposed().keys() | CATALOGUE.keys()


def test_it_has_every_metric_in_its_tables() -> None:
    assert set(re.findall(r"^\| `(esm_operator_\w+)` \|", TEXT, re.MULTILINE)) == set(CATALOGUE)


def test_it_answers_questions() -> None:
    assert len(QUERIES) >= 7


@pytest.mark.parametrize("query", QUERIES)
def test_its_queries_ask_for_what_there_is(query: str) -> None:
    assert mistakes(query) == []


def test_it_shows_the_dashboard_as_it_is() -> None:
    rows = ", ".join(panel["title"] for panel in load()["panels"] if panel["type"] == "row")
    assert rows.casefold() in " ".join(TEXT.split()).casefold()
    assert (PAGE.parent / "dashboard.png").exists()
