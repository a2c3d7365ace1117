"""Writes the tables of README.md that are made from the code: ``python -m tests.tables``.

A test fails when they are stale.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from esm_operator import settings
from esm_operator.api import terraform

README = Path(__file__).resolve().parents[1] / "README.md"
TABLES: Mapping[str, Callable[[], str]] = {"settings": settings.table, "terraform": terraform.markdown}


def rendered(text: str) -> str:
    """The text with its tables as they should be.

    Raises:
        ValueError: a table's place is not marked.
    """
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has no place for the table {name}")
        table = make().strip()
        text = pattern.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
