"""The reference of all fields, docs/reference/fields.md: the descriptions of the CRDs on one page."""

from collections.abc import Iterator
from typing import Any

from tools import crd_definitions
from tools.generated import DOCS, Files

PAGE = DOCS / "reference" / "fields.md"

_INTRODUCTION = """\
# Fields

<!-- Generated from the models in operator/esm_operator/api. Do not edit. -->

The same is on the command line: `kubectl explain esm.spec.batchSize`. `[]` stands for the items of a list.
"""


def files() -> Files:
    """docs/reference/fields.md."""
    return {PAGE: page()}


def page() -> str:
    """The text of the page."""
    kinds = (crd_definitions.event_source_mappings(), crd_definitions.provider_configs())
    return "\n".join([_INTRODUCTION, *(line for kind in kinds for line in _kind(kind))])


def _kind(definition: dict[str, Any]) -> Iterator[str]:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {definition['spec']['names']['kind']}\n\n{schema['description']}\n"
    for part in ("spec", "status"):
        rows = [f"| `{path}` | {kind} | {text} |" for path, kind, text in _rows(schema["properties"][part], part)]
        yield "\n".join(["| field | type | meaning |", "|---|---|---|", *rows]) + "\n"


def _rows(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for name, part in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, _type(part), part["description"].replace("|", "\\|")
        yield from _rows(part, here)
        yield from _rows(part.get("items", {}), f"{here}[]")


def _type(schema: dict[str, Any]) -> str:
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}s"
    return "time" if schema.get("format") == "date-time" else str(schema["type"])
