"""``esm-operator validate``: the problems in YAML files that the API server or the operator would refuse.

Types are checked with the models, and all else with the rules that are in the CRDs too. What CEL cannot check is
checked as in the operator.
"""

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import CliPositionalArg

from esm_operator.api import annotations, manifests, models, offline, provider_config, rules
from esm_operator.api.frozen_json import is_array, is_object
from esm_operator.api.manifests import Document, ManifestError, Path
from esm_operator.api.rule import Rule, listed
from esm_operator.api.spec import MappingSpec
from esm_operator.settings import FlagsOnly


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One problem in a file."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    resource: str
    """``namespace/name``, or ``name``; empty: unknown."""
    field: str
    """``spec.batchSize``; empty: the resource as a whole."""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.resource, self.field, self.message) if part)


@dataclass(slots=True)
class Report:
    """The result of the check of some files."""

    problems: list[ManifestProblem] = field(default_factory=list[ManifestProblem])
    checked: int = 0
    """The resources of this operator."""
    skipped: int = 0
    """The resources of other kinds."""


class Validate(FlagsOnly):
    """Check manifests without a cluster, with the rules of the API server and those of the operator."""

    files: CliPositionalArg[list[str]] = Field(min_length=1)
    """YAML files, or - for standard input."""

    def cli_cmd(self) -> None:
        report = check_files(self.files)
        for problem in report.problems:
            print(problem)
        skipped = f", {report.skipped} of other kinds skipped" if report.skipped else ""
        checked = f"{report.checked} resource{'' if report.checked == 1 else 's'} checked"
        problems = f"{len(report.problems)} problem{'' if len(report.problems) == 1 else 's'}"
        print(f"{checked}{skipped}, {problems}", file=sys.stderr)
        if report.problems:
            sys.exit(1)


_MAPPING = "EventSourceMapping"
_KINDS: Mapping[str, tuple[type[BaseModel], tuple[Rule, ...]]] = {
    _MAPPING: (models.EventSourceMapping, rules.MAPPING_RULES),
    "ProviderConfig": (provider_config.ProviderConfigModel, rules.PROVIDER_CONFIG_RULES),
}


def check_files(names: Iterable[str], now: datetime | None = None) -> Report:
    """Check some files; ``-`` is standard input."""
    report = Report()
    for name in names:
        try:
            check_text(name, manifests.read(name), report, now or datetime.now(UTC))
        except ManifestError as error:
            report.problems.append(ManifestProblem(name, error.line, "", "", str(error)))
    return report


def check_text(name: str, text: str, report: Report, now: datetime) -> None:
    """Add the problems in the text of a file to a report."""
    found = False
    for document in manifests.documents(text):
        for resource in _resources(document):
            found = True
            _check(name, resource, report, now)
    if not found:
        raise ManifestError(0, "There is no resource in this file.")


def problems_of(mapping: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    """The fields and messages of the problems of an EventSourceMapping that is not in a file."""
    return [(_text(path), message) for path, message in _problems(_MAPPING, dict(mapping), now)]


def _resources(document: Document) -> Iterator[Document]:
    """The document itself, or the items of a List."""
    value: Any = document.value
    items: Any = value.get("items") if is_object(value) and str(value.get("kind", "")).endswith("List") else None
    if is_array(items):
        for number, item in enumerate(items):
            yield from _resources(document.part(("items", number), item))
    else:
        yield document


def _check(name: str, document: Document, report: Report, now: datetime) -> None:
    value: Any = document.value
    resource = _resource(value)

    def problem(path: Path, message: str) -> None:
        report.problems.append(ManifestProblem(name, document.line_of(path), resource, _text(path), message))

    if not is_object(value):
        problem((), "A manifest must be an object with apiVersion, kind, metadata and spec.")
        return
    version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        problem((), "A manifest needs apiVersion and kind.")
        return
    if version.split("/")[0] != models.GROUP:
        report.skipped += 1
        return
    if version != models.API_VERSION:
        problem(("apiVersion",), f"There is no such version; it must be {models.API_VERSION}.")
        return
    if kind not in _KINDS:
        problem(("kind",), f"There is no such kind in {models.GROUP}; it must be {listed(_KINDS, 'or')}.")
        return
    report.checked += 1
    for path, message in (*_problems(kind, value, now), *_annotations(kind, value.get("metadata"))):
        problem(path, message)


def _problems(kind: str, value: dict[str, Any], now: datetime) -> Iterator[tuple[Path, str]]:
    value = _without_nulls(value)
    yield from _metadata(value.get("metadata"))
    model, table = _KINDS[kind]
    try:
        model.model_validate(value)
    except ValidationError as error:
        yield from ((detail["loc"], _message(detail)) for detail in error.errors(include_url=False))
        return
    spec: dict[str, Any] = value["spec"]
    found = offline.check(table, spec)
    if kind == _MAPPING:
        found += offline.offline_problems(MappingSpec.parse(spec), now)
    for problem in found:
        yield _path(problem.field), problem.message


def _without_nulls(value: Any) -> Any:
    """Without fields that are null, which the API server removes."""
    if is_object(value):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(item) for item in value] if is_array(value) else value


_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _metadata(metadata: Any) -> Iterator[tuple[Path, str]]:
    if not is_object(metadata):
        return
    name = metadata.get("name")
    if name is None and not metadata.get("generateName"):
        yield ("metadata", "name"), "Required value: a resource needs a name."
    elif name is not None and not (isinstance(name, str) and len(name) <= 253 and _NAME.fullmatch(name)):
        yield ("metadata", "name"), "must be small letters, digits, '-' and '.', up to 253 of them."


def _annotations(kind: str, metadata: Any) -> Iterator[tuple[Path, str]]:
    """The API server accepts any annotation, but the operator ignores these."""
    written = metadata.get("annotations") if kind == _MAPPING and is_object(metadata) else None
    for name in annotations.unknown_annotations(written if is_object(written) else {}):
        yield ("metadata", "annotations", name), annotations.explain(name)


#: JSON types by the names of pydantic (``int_type``) and of Python.
_TYPES: Mapping[str, str] = {
    "string": "string",
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "float": "number",
    "list": "array",
    "dict": "object",
    "model": "object",
    "NoneType": "null",
}
_LENGTHS = {
    "string_too_long": "is too long: {max_length:,} characters are possible.",
    "string_too_short": "is too short: it needs {min_length} characters.",
    "too_long": "has too many entries: {max_length:,} are possible.",
}


def _message(detail: ErrorDetails) -> str:
    kind, values = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "Required value: it has to be there."
    if kind == "extra_forbidden":
        return f"There is no such field{_suggestion(detail['loc'])}"
    if wanted := _TYPES.get(kind.removesuffix("_type")):
        found = type(detail["input"]).__name__
        return f"must be of type {wanted}, not {_TYPES.get(found, found)}."
    if kind in _LENGTHS:
        return _LENGTHS[kind].format_map(values)
    if kind == "value_error":
        return f"{values['error']}."
    return f"{detail['msg']}."


def _suggestion(path: Path) -> str:
    schemas = [model.model_json_schema() for model, _ in _KINDS.values()]
    parts = [part for schema in schemas for part in (schema, *schema["$defs"].values())]
    known = {str(name) for part in parts for name in part.get("properties", ())}
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else "."


def _resource(value: Any) -> str:
    metadata: Any = value.get("metadata") if is_object(value) else None
    if not is_object(metadata):
        return ""
    parts = (metadata.get("namespace"), metadata.get("name") or metadata.get("generateName"))
    return "/".join(str(part) for part in parts if part)


def _path(text: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", text))


def _text(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
