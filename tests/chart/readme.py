"""Writes the table of values in the chart's README from the comments of values.yaml: ``python -m tests.chart.readme``.

A comment that begins with ``# --`` is of the value below it. A test fails when the table is stale.
"""

import json
import re
from dataclasses import dataclass

import yaml

from tests.chart.helm import CHART

README = CHART / "README.md"
_PLACE = re.compile(r"(<!-- values:[^\n]*-->\n).*?(<!-- /values -->)", re.DOTALL)
_KEY = re.compile(r"^( *)([A-Za-z]+):")


@dataclass(frozen=True)
class Row:
    """One value."""

    name: str
    """With dots, as after ``--set``."""
    default: str
    """As JSON."""
    meaning: str


def rows() -> list[Row]:
    """All values that have a comment, in order."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found: list[Row] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        said = line.strip()
        if said.startswith("# -- "):
            comment = [said.removeprefix("# -- ")]
        elif said.startswith("# ") and comment:
            comment.append(said.removeprefix("# "))
        elif key := _KEY.match(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if comment:
                default = values
                for name in path:
                    default = default[name]
                found.append(Row(".".join(path), json.dumps(default), " ".join(comment)))
            comment = []
    return found


def rendered(text: str) -> str:
    """The README with its table as it should be.

    Raises:
        ValueError: the table's place is not marked.
    """
    if not _PLACE.search(text):
        raise ValueError("the chart's README.md has no place for the table of values")
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for row in rows():
        default = "" if row.default in ('""', "null", "{}", "[]") else f"`{row.default}`"
        lines.append(f"| `{row.name}` | {default} | {row.meaning} |".replace("||", "\\|\\|"))
    table = "\n".join(lines)
    return _PLACE.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
