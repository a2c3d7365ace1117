"""Add the facts of the tables to a schema: the allowed values, and sentences in the descriptions of fields.

So ``kubectl explain esm.spec.batchSize`` shows the same values, defaults and source types that the rules check.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from esm_operator.api import access, limits, values
from esm_operator.api.field_rules import takers
from esm_operator.api.fields import BY_PATH, FIELDS, Field
from esm_operator.api.limits import Range, Words
from esm_operator.api.reference_kinds import URI, VALUE_PATHS
from esm_operator.api.reference_rules import kinds_of
from esm_operator.api.rule import listed, titles
from esm_operator.api.sources import ALL, SourceType

#: The meaning of the uri of access types that have none.
_NO_URI = "no uri, because Lambda logs in with the function's role"


def complete(spec: dict[str, Any]) -> None:
    """Add the facts to the schema of the spec of an EventSourceMapping, in place."""
    _describe(spec, "")
    restrict(spec, limits.WORDS, limits.RANGES)


def restrict(spec: dict[str, Any], words: Iterable[Words], ranges: Iterable[Range] = ()) -> None:
    """Add ``enum``, ``minimum`` and ``maximum`` to the schema of a spec, in place.

    The bounds of a field are those of all source types together. The rules check the bounds of each source type, and
    have messages with a remedy.
    """
    for row in words:
        _node(spec, row.path)["enum"] = list(row.words)
    for path, rows in _by_path(ranges).items():
        node = _node(spec, path)
        node["minimum"] = min(row.low if row.besides is None else min(row.low, row.besides) for row in rows)
        highs = [row.high for row in rows if row.high is not None]
        if len(highs) == len(rows):
            node["maximum"] = max(highs)


def _by_path(ranges: Iterable[Range]) -> dict[str, list[Range]]:
    found: dict[str, list[Range]] = {}
    for row in ranges:
        found.setdefault(row.path, []).append(row)
    return found


def _node(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """The schema of a field; ``list[]`` are the items of a list."""
    for step in path.split("."):
        schema = schema["properties"][step.removesuffix("[]")]
        if step.endswith("[]"):
            schema = schema["items"]
    return schema


def _describe(schema: dict[str, Any], path: str) -> None:
    for name, part in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        part["description"] = " ".join([part["description"], *_facts(here)])
        _describe(part, here)
    items = schema.get("items", {})
    if path == "sourceAccessConfigurations":
        items["properties"]["type"]["description"] = _access_types()
        items["properties"]["uriRef"]["description"] += f" Kinds that need no fieldPath: {kinds_of(URI)}."


def _facts(path: str) -> Iterator[str]:
    for row in limits.RANGES:
        if row.path == path:
            about = "" if row.sources >= takers(path) else f" ({titles(row.sources)})"
            yield f"{str(row).capitalize()}{about}."
    for words in limits.WORDS:
        # kubectl explain prints the enum of a field, but not that of the items of a list.
        if words.path == f"{path}[]":
            yield f"Values: {listed(words.words)}."
    if path in VALUE_PATHS:
        yield f"Kinds that need no fieldPath: {kinds_of(path)}."
    if path in BY_PATH:
        yield from _defaults(BY_PATH[path])
    sources = takers(path)
    if sources:
        yield "For all source types." if sources == ALL else f"Only for {titles(sources)}."
        yield from _needs(path)


def _defaults(row: Field) -> Iterator[str]:
    groups: dict[str, list[SourceType]] = {}
    for source in SourceType:
        if source in row.sources and row.default(source) is not None:
            groups.setdefault(values.text(row.default(source)), []).append(source)
    if groups:
        whole = len(groups) == 1 and frozenset(*groups.values()) == row.sources
        yield (
            "Default of AWS: "
            + ", ".join(text if whole else f"{text} ({titles(sources)})" for text, sources in groups.items())
            + "."
        )


def _needs(path: str) -> Iterator[str]:
    path = VALUE_PATHS.get(path, path)
    row = BY_PATH.get(path)
    if row is not None and row.required:
        yield "Required." if row.required == row.sources else f"Required for {titles(row.required)}."
    rows = [row for row in FIELDS if row.path == path or row.path.startswith(f"{path}.")]
    if rows and all(row.immutable for row in rows):
        yield "Immutable, unless replacePolicy is Recreate."


def _access_types() -> str:
    parts = [f"{row.name}: {row.uri or _NO_URI} ({titles(row.sources)})" for row in access.ACCESS_TYPES]
    return "The type of the entry, and the meaning of its uri. " + "; ".join(parts) + "."
