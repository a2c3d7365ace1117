"""The README's tables say what the code does."""

from tests.tables import README, rendered


def test_tables_are_fresh() -> None:
    text = README.read_text()
    assert rendered(text) == text, "run make tables"
