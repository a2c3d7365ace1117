"""The tables of README.md and docs/metrics.md say what the code does."""

from pathlib import Path

import pytest

from tests.tables import TABLES, rendered


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_tables_are_fresh(page: Path) -> None:
    assert rendered(page) == page.read_text(), "run make tables"
