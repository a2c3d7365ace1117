"""The table of kinds in docs/how-to/references.md, from the table in ``api/reference_kinds.py``."""

from collections.abc import Iterator

from esm_operator.api.reference_kinds import KINDS, VALUE_PATHS, ReferenceKind
from esm_operator.api.reference_rules import PROJECTS
from tools.generated import DOCS, Files, with_part

PAGE = DOCS / "how-to" / "references.md"


def files() -> Files:
    """docs/how-to/references.md."""
    text = with_part(PAGE.read_text(), "reference-fields", "\n".join(_fields()) + "\n")
    return {PAGE: with_part(text, "reference-kinds", "\n".join(_kinds()) + "\n")}


def _fields() -> Iterator[str]:
    yield "| reference | replaces |"
    yield "|---|---|"
    for reference, value in VALUE_PATHS.items():
        yield f"| `{reference}` | `{value}` |"


def _kinds() -> Iterator[str]:
    yield "| API group | kind | value | fields |"
    yield "|---|---|---|---|"
    for row in KINDS:
        fields = (
            "every reference" if len(row.fields) == len(VALUE_PATHS) else ", ".join(f"`{one}`" for one in row.fields)
        )
        yield f"| {_group(row)} | {row.kind} | `{row.path.replace('{key}', 'KEY')}` | {fields} |"


def _group(row: ReferenceKind) -> str:
    if not row.group:
        return "core (`v1`)"
    return f"`{row.group}` ({PROJECTS[row.project]})"
