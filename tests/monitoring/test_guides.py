"""The how-to guides name metrics that exist, and their queries can be evaluated."""

import re

import pytest

from esm_operator.metrics.catalogue import CATALOGUE
from tests.monitoring.queries import exposed, mistakes, names
from tests.pages import blocks, pages

GUIDES = {page: text for page, text in pages().items() if page.startswith("docs/how-to/")}
QUERIES = [
    *(
        query
        for row in re.findall(r"^\| [A-Z][^|]*\? \| (.*) \|$", GUIDES["docs/how-to/read-the-metrics.md"], re.MULTILINE)
        for query in re.findall(r"`([^`]+)`", row)
    ),
    *(query for block in blocks("promql") if block.page in GUIDES for query in block.text.splitlines()),
]


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_names_only_metrics_that_are_exposed(page: str) -> None:
    assert names(GUIDES[page]) <= exposed().keys() | CATALOGUE.keys()


def test_there_are_queries() -> None:
    assert len(QUERIES) > 20


@pytest.mark.parametrize("query", dict.fromkeys(QUERIES))
def test_a_query_uses_existing_series_and_labels(query: str) -> None:
    assert mistakes(query) == []
