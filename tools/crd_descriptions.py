"""Add facts from the tables to the descriptions of fields: values, defaults, and the sources that take the field.

So the output of ``kubectl explain esm.spec.batchSize`` cannot differ from what the rules check.
"""

from collections.abc import Iterator
from typing import Any

from esm_operator.api import access, limits, values
from esm_operator.api.field_rules import takers
from esm_operator.api.fields import BY_PATH, FIELDS, Field
from esm_operator.api.rule import titles
from esm_operator.api.sources import ALL, SourceType


def complete(spec: dict[str, Any]) -> None:
    """Adds to the descriptions in the schema of a spec, in place."""
    _walk(spec, "")


def _walk(schema: dict[str, Any], path: str) -> None:
    for name, part in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        part["description"] = " ".join([part["description"], *_facts(here)])
        _walk(part, here)
    items = schema.get("items", {})
    if path == "sourceAccessConfigurations":
        items["properties"]["type"]["description"] = _access_types()


def _facts(path: str) -> Iterator[str]:
    for row in limits.RANGES:
        if row.path == path:
            about = "" if row.sources >= takers(path) else f" ({titles(row.sources)})"
            yield f"{str(row).capitalize()}{about}."
    if path in BY_PATH:
        yield from _defaults(BY_PATH[path])
    sources = takers(path)
    if sources:
        yield "Taken by all sources." if sources == ALL else f"Taken by {titles(sources)}."
        yield from _needs(path)


def _defaults(row: Field) -> Iterator[str]:
    groups: dict[str, list[SourceType]] = {}
    for source in SourceType:
        if source in row.sources and row.default(source) is not None:
            groups.setdefault(values.text(row.default(source)), []).append(source)
    if groups:
        whole = len(groups) == 1 and frozenset(*groups.values()) == row.sources
        yield (
            "Default: "
            + ", ".join(text if whole else f"{text} ({titles(sources)})" for text, sources in groups.items())
            + "."
        )


def _needs(path: str) -> Iterator[str]:
    row = BY_PATH.get(path)
    if row is not None and row.required:
        same = "Required." if row.required == ALL else "Required by them."
        yield same if row.required == row.sources else f"Required by {titles(row.required)}."
    rows = [row for row in FIELDS if row.path == path or row.path.startswith(f"{path}.")]
    if rows and all(row.immutable for row in rows):
        yield "Can't be changed, unless replacePolicy is Recreate."


def _access_types() -> str:
    parts = [
        f"{row.name}: {row.uri or 'no uri, the role of the function logs in'} ({titles(row.sources)})"
        for row in access.ACCESS_TYPES
    ]
    return "What uri is. " + "; ".join(parts) + "."
