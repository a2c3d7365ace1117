"""The tables of guards in docs/contributing/guards.md, from tests/guards."""

from tests.guards.table import GUARDS
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "contributing" / "guards.md"


def files() -> Files:
    """docs/contributing/guards.md."""
    return {PAGE: with_part(PAGE.read_text(), "guards", tables())}


def tables() -> str:
    """The guards, in a Markdown table for each heading."""
    rows: list[str] = []
    for heading, guards in GUARDS.items():
        rows += ["", f"## {heading}", "| guard | without it | in |", "|---|---|---|"]
        rows += [f"| `{guard.name}` | {guard.harm} | `{guard.file}` |" for guard in guards]
    return "\n".join(rows)
