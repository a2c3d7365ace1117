"""The table of values in the chart's README, from the comments of values.yaml.

A comment that begins with ``# --`` describes the value below it.
"""

import json
import re
from dataclasses import dataclass

import yaml

from tools.generated import ROOT, Files, with_part

CHART = ROOT / "helm" / "esm-operator"
PAGE = CHART / "README.md"
_KEY = re.compile(r"^( *)([A-Za-z]+):")


@dataclass(frozen=True)
class Row:
    """One value."""

    name: str
    """With dots, as after ``--set``."""
    default: str
    """As JSON."""
    meaning: str


def files() -> Files:
    """The chart's README.md."""
    return {PAGE: with_part(PAGE.read_text(), "values", table())}


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


def table() -> str:
    """The values as a Markdown table."""
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for row in rows():
        default = "" if row.default in ('""', "null", "{}", "[]") else f"`{row.default}`"
        lines.append(f"| `{row.name}` | {default} | {row.meaning} |".replace("||", "\\|\\|"))
    return "\n".join(lines)
