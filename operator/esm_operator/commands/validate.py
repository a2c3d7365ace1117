"""The command ``esm-operator validate``: finds problems in manifests that the API server or the operator would refuse.

Types and names of fields are checked with the models, from which the CRDs are made. Values are checked with the rules
that are also in the CRDs. Checks that CEL cannot make are those of the operator.
"""

import difflib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import CliPositionalArg

from esm_operator import terminal
from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.api import annotations, manifests, models, object_meta, offline, provider_config, rules
from esm_operator.api.foreign_text import visible
from esm_operator.api.frozen_json import is_array, is_object
from esm_operator.api.manifests import Document, ManifestError, Path
from esm_operator.api.reference_kinds import REFERENCE_NAMES
from esm_operator.api.resource import GROUP
from esm_operator.api.rule import Rule, listed
from esm_operator.api.spec import MappingSpec
from esm_operator.commands.counted import counted
from esm_operator.commands.mappings_in_files import MappingsInFiles
from esm_operator.settings import FlagsOnly, Items, each, known_region


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One problem in a file."""

    file: str
    line: int
    """The first line is 1. 0 stands for the file as a whole."""
    resource: str
    """``namespace/name`` or ``name``; empty if it is unknown."""
    field: str
    """Such as ``spec.batchSize``; empty for the resource as a whole."""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.resource, self.field, self.message) if part)


@dataclass(slots=True)
class Report:
    """The result of the check of some files."""

    problems: list[ManifestProblem] = field(default_factory=list[ManifestProblem])
    checked: int = 0
    """The number of resources of this operator."""
    skipped: int = 0
    """The number of resources of other kinds."""
    resources: MappingsInFiles = field(default_factory=MappingsInFiles)
    """The resources that were checked."""
    regions: Collection[str] = field(default_factory=known_regions)
    """The regions that resources may name."""


class Validate(FlagsOnly):
    """Check manifests without a cluster, with the rules of the API server and those of the operator.

    The command prints a line for each problem: file, line, resource, field and message. Resources of other kinds are
    skipped. In folders, it checks the files *.yaml, *.yml and *.json that contain lambda.esm-operator.io.

    Exit status: 0 if there are no problems, 1 if there are some.
    """

    files: CliPositionalArg[list[str]] = Field(min_length=1)
    """Files, folders, or - for standard input."""

    more_regions: Annotated[Items, each(known_region)] = Field(default_factory=list[str])
    """AWS regions that this version does not know yet, as in `esm-operator run`."""

    def cli_cmd(self) -> None:
        report = check_files(self.files, more_regions=self.more_regions)
        for problem in report.problems:
            terminal.put(visible(str(problem)))
        skipped = f", skipped {report.skipped:,} of other kinds" if report.skipped else ""
        problems = counted(len(report.problems), "problem") if report.problems else "no problems"
        terminal.report(f"Checked {counted(report.checked, 'resource')}{skipped}. Found {problems}.")
        if report.problems:
            sys.exit(1)


_MAPPING = "EventSourceMapping"
_KINDS: Mapping[str, tuple[type[BaseModel], tuple[Rule, ...]]] = {
    _MAPPING: (models.EventSourceMapping, rules.MAPPING_RULES),
    "ProviderConfig": (provider_config.ProviderConfigModel, rules.PROVIDER_CONFIG_RULES),
}


def check_files(names: Iterable[str], now: datetime | None = None, more_regions: Iterable[str] = ()) -> Report:
    """Check files and folders; ``-`` is standard input. The problems are in the order of files and lines."""
    report = Report(regions=known_regions() | frozenset(more_regions))
    for name in names:
        folder = FilePath(name)
        if name != "-" and folder.is_dir():
            _check_folder(folder, report, now or datetime.now(UTC))
        else:
            _check_file(name, report, now or datetime.now(UTC))
    return report


def check_text(name: str, text: str, report: Report, now: datetime) -> None:
    """Add the problems in the text of a file to a report. Raises ManifestError if the text cannot be read."""
    found = False
    try:
        for document in manifests.documents(text):
            for resource in _resources(document):
                found = True
                _check(name, resource, report, now)
    finally:
        report.problems.sort(key=lambda one: one.line if one.file == name else -1)
    if not found:
        raise ManifestError(0, "There is no resource in this file.")


def problems_of(mapping: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    """The fields and messages of the problems of an EventSourceMapping that is not in a file."""
    return [(_text(path), message) for path, message in _problems(_MAPPING, dict(mapping), now)]


def _check_folder(folder: FilePath, report: Report, now: datetime) -> None:
    files = sorted(file for file in folder.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    ours = [file for file in files if GROUP.encode() in file.read_bytes()]
    for file in ours:
        _check_file(str(file), report, now)
    if not ours:
        message = f"There is no file with a resource of {GROUP} in this folder."
        report.problems.append(ManifestProblem(str(folder), 0, "", "", message))


def _check_file(name: str, report: Report, now: datetime) -> None:
    try:
        check_text(name, manifests.read(name), report, now)
    except ManifestError as error:
        report.problems.append(ManifestProblem(name, error.line, "", "", str(error)))


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
        problem((), "A manifest needs apiVersion and kind, and both must be strings.")
        return
    if version.split("/")[0] != GROUP:
        report.skipped += 1
        return
    if version != models.API_VERSION:
        problem(("apiVersion",), f"There is no such version. Use {models.API_VERSION}.")
        return
    if kind not in _KINDS:
        problem(("kind",), f"There is no such kind in {GROUP}. Use {listed(_KINDS, 'or')}.")
        return
    report.checked += 1
    found = [*_problems(kind, value, now)]
    regions = () if found else _unknown_regions(kind, _without_nulls(value)["spec"], report.regions)
    for path, message in (*found, *regions, *_annotations(kind, value.get("metadata"))):
        problem(path, message)
    whole = _without_nulls(value)
    for path, message in report.resources.conflicts(name, document.line, kind, whole, valid=not found):
        problem(path, message)


def _problems(kind: str, value: Mapping[str, Any], now: datetime) -> Iterator[tuple[Path, str]]:
    yield from refusals(kind, value)
    if kind == _MAPPING and not [*_model_problems(_KINDS[kind][0], value)]:
        for problem in offline.offline_problems(MappingSpec.parse(_without_nulls(value)["spec"]), now):
            yield _path(problem.field), problem.message


def _unknown_regions(kind: str, spec: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[Path, str]]:
    """The regions for which the operator refuses a resource, because AWS does not have them."""
    if kind == _MAPPING:
        field = "region" if spec.get("region") else "eventSourceARN"
        named: dict[Path, str] = {("spec", field): MappingSpec.parse(spec).region}
    else:
        allowed: list[str] = spec.get("allowedRegions") or []
        named = {("spec", "allowedRegions", number): region for number, region in enumerate(allowed)}
        named |= {("spec", "region"): str(spec.get("region") or "")}
    for path, region in named.items():
        if region and region not in known:
            yield (
                path,
                (
                    f"AWS has no region {region} that this version knows. Correct the region. If it is new, set "
                    f"--more-regions={region} here and for the operator."
                ),
            )


def refusals(kind: str, value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The problems for which a strict API server refuses to create an object of this kind."""
    model, table = _KINDS[kind]
    metadata: Any = value.get("metadata")
    if is_object(metadata):
        yield from ((("metadata", "name"), message) for message in object_meta.missing_name(metadata))
        yield from ((("metadata", *path), text) for path, text in _model_problems(object_meta.ObjectMeta, metadata))
    problems = [*_model_problems(model, value)]
    yield from problems
    if not problems:
        for problem in offline.check(table, _without_nulls(value)["spec"]):
            yield _path(problem.field), problem.message


def _model_problems(model: type[BaseModel], value: Any) -> Iterator[tuple[Path, str]]:
    """The problems with types and names of fields.

    The API server drops fields that are null and the status of a new object. Before that, it refuses unknown fields.
    """
    for detail in _errors(model, value):
        if detail["type"] == "extra_forbidden" or (_in_status(detail) and _is_wrong_type(detail)):
            yield detail["loc"], _message(detail, model)
    for detail in _errors(model, _without_nulls(value)):
        if detail["type"] != "extra_forbidden" and not _in_status(detail):
            yield detail["loc"], _message(detail, model)
    for path in _observed_references(value):
        yield path, "no such field. AWS has no references."


def _observed_references(value: Any) -> Iterator[Path]:
    """The references in ``status.observed``. The model has the fields of the spec there, and the CRD those of AWS."""
    status: Any = value.get("status") if is_object(value) else None
    observed: Any = status.get("observed") if is_object(status) else None
    yield from ((*path, name) for path, name in _names(("status", "observed"), observed) if name in REFERENCE_NAMES)


def _names(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    """The names of all fields in a value, each with the path of its object."""
    parts: Iterable[tuple[Any, Any]] = ()
    if is_object(value):
        yield from ((path, str(name)) for name in value)
        parts = value.items()
    elif is_array(value):
        parts = enumerate(value)
    for step, part in parts:
        yield from _names((*path, step), part)


def _is_wrong_type(detail: ErrorDetails) -> bool:
    return detail["type"] != "missing" and _has_fields(detail["input"])


def _in_status(detail: ErrorDetails) -> bool:
    return detail["loc"][:1] == ("status",)


def _errors(model: type[BaseModel], value: Any) -> list[ErrorDetails]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _has_fields(value: Any) -> bool:
    """Whether a value that should be a scalar has fields, which are unknown fields then."""
    return bool(value) if is_object(value) else is_array(value) and any(map(_has_fields, value))


def _without_nulls(value: Any) -> Any:
    """The value without fields that are null."""
    if is_object(value):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(item) for item in value] if is_array(value) else value


def _annotations(kind: str, metadata: Any) -> Iterator[tuple[Path, str]]:
    """Annotations that the API server accepts and the operator does not know."""
    written = metadata.get("annotations") if kind == _MAPPING and is_object(metadata) else None
    for name in annotations.unknown_annotations(written if is_object(written) else {}):
        yield ("metadata", "annotations", name), annotations.explain(name)


#: JSON types, by the names that pydantic (``int_type``) and Python have for them.
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
    "string_too_long": "is too long. The maximum is {max_length:,} characters.",
    "string_too_short": "is too short. The minimum is {min_length} characters.",
    "too_long": "has too many entries. The maximum is {max_length:,}.",
    "greater_than_equal": "must be at least {ge:,}.",
    "less_than": "must be less than {lt:,}.",
}
#: The most fields that are listed if none resembles an unknown field.
_FEW_FIELDS = 8
_SUFFIXES = (".yaml", ".yml", ".json")


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, values = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "Required value: this field must be set."
    if kind == "extra_forbidden":
        return f"no such field{_suggestion(detail['loc'], model)}"
    if wanted := _TYPES.get(kind.removesuffix("_type")):
        found = type(detail["input"]).__name__
        return f"must be of type {wanted}, not {_TYPES.get(found, found)}."
    if kind in _LENGTHS:
        return _LENGTHS[kind].format_map(values)
    if kind == "value_error":
        return f"{values['error']}."
    return f"{detail['msg']}."


def _suggestion(path: Path, model: type[BaseModel]) -> str:
    """The end of the message about an unknown field, with the field that was probably meant."""
    schema = model.model_json_schema()
    here = {str(name): str(name) for name in _properties(schema, schema, path[:-1])}
    everywhere = {str(one[-1]): _text(one) for one in sorted(_paths(schema), key=len, reverse=True)}
    written = _plain(str(path[-1]))
    for names in (here, everywhere):
        plain = {_plain(name): meant for name, meant in sorted(names.items())}
        near = difflib.get_close_matches(written, plain, n=1, cutoff=0.75)
        if near:
            return f"; did you mean {plain[near[0]]}?"
    return f". Possible fields: {', '.join(sorted(here))}." if 0 < len(here) <= _FEW_FIELDS else "."


def _paths(root: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The paths of all fields of a JSON schema."""
    for name in _properties(root, root, path):
        field = (*path, str(name))
        yield field
        yield from _paths(root, field)
        yield from _paths(root, (*field, 0))


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The fields of the object at a path of a JSON schema."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _properties(choice, root, path)
    if "$ref" in schema:
        return _properties(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    if not path:
        return schema.get("properties", {})
    inner = schema.get("items") if isinstance(path[0], int) else schema.get("properties", {}).get(path[0])
    return _properties(inner or {}, root, path[1:])


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
