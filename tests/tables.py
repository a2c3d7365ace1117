"""Writes the tables of README.md and docs/ that are made from the code: ``python -m tests.tables``.

A test fails when they are stale.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from esm_operator import settings
from esm_operator.api import ack, crossplane, terraform
from esm_operator.metrics import catalogue, counters, gauges
from tests.guards import table as guards

ROOT = Path(__file__).resolve().parents[1]
#: They note their metrics in the catalogue when they are imported.
NOTED_BY = (gauges, counters)
TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    ROOT / "README.md": {"settings": settings.table},
    ROOT / "docs" / "metrics.md": {"metrics": catalogue.markdown},
    ROOT / "docs" / "guards.md": {"guards": guards.markdown},
    ROOT / "docs" / "migrating" / "terraform.md": {"terraform": terraform.PEER.markdown},
    ROOT / "docs" / "migrating" / "ack.md": {"ack": ack.PEER.markdown},
    ROOT / "docs" / "migrating" / "crossplane.md": {"crossplane": crossplane.PEER.markdown},
}


def rendered(page: Path) -> str:
    """The text of a page with its tables as they should be.

    Raises:
        ValueError: a table's place is not marked.
    """
    text = page.read_text()
    for name, make in TABLES[page].items():
        pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{page.name} has no place for the table {name}")
        table = make().strip()
        text = pattern.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(rendered(page))
