"""References of a spec to other objects of the cluster, which replace values.

The operator keeps resources with their effective spec. It has the references of the spec, and also the fields that they
replace, with the values of the objects. So all code that reads a spec reads the same fields, with or without
references. The operator writes nothing into the spec in the cluster. ``planning/references.py`` decides which value a
reference has.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from esm_operator.api.annotations import PREFIX
from esm_operator.api.frozen_json import is_array, is_object
from esm_operator.api.reference_kinds import (
    KEY,
    SERVERS,
    TOPIC,
    VALUE_PATHS,
    group_of,
    kind_of,
)

#: The longest value of a reference, in characters. Ten bootstrap servers of 300 characters are shorter.
LONGEST_VALUE = 4_096
_INDEX = re.compile(r"\[\d+\]")
#: The fields that hold references, each with the first and the last name of its path.
_NAMES: Mapping[str, tuple[str, str]] = {
    field: (field.partition(".")[0].removesuffix("[]"), field.rpartition(".")[2]) for field in VALUE_PATHS
}
#: The fields at the top of a spec whose values hold references.
_HOLDERS = frozenset(first for first, last in _NAMES.values() if first != last)


class Reference(NamedTuple):
    """One reference of a spec."""

    path: str
    """The field of the spec: ``eventSourceRef``, ``sourceAccessConfigurations[2].uriRef``."""
    api_version: str
    kind: str
    name: str
    namespace: str = ""
    """Empty: the namespace of the resource, or none if the kind has no namespaces."""
    field_path: str = ""
    """The field of the object that holds the value; empty: the field that the table of kinds has."""
    key: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the operator reads objects of the kind. The CRD refuses references to the others."""
        return not is_never_read(self.api_version, self.kind)

    @property
    def field(self) -> str:
        """The path without the index of an item: ``sourceAccessConfigurations[].uriRef``."""
        return _INDEX.sub("[]", self.path) if "[" in self.path else self.path

    @property
    def value_path(self) -> str:
        """The path of the value in the spec: ``sourceAccessConfigurations[2].uri``."""
        holder, _, _ = self.path.rpartition(".")
        value = VALUE_PATHS[self.field]
        return f"{holder}.{value.rpartition('.')[2]}" if _INDEX.search(self.path) else value

    @property
    def place(self) -> str:
        """The field of the object that holds the value, for messages; empty: not known."""
        row = kind_of(self.api_version, self.kind)
        return self.field_path or (row.path.replace(KEY, self.key) if row is not None else "")

    def render(self) -> dict[str, str]:
        """As a spec has it."""
        return {name: text for name, text in zip(_STATUS_NAMES[1:], self[1:], strict=True) if text}

    def same_value_as(self, other: "Reference") -> bool:
        """Whether both name the same field of the same object. API versions and indexes in the spec do not matter."""
        return self._meaning() == other._meaning()

    def _meaning(self) -> tuple[str, ...]:
        return (self.field, group_of(self.api_version), *self[2:])


class ResolvedReference(NamedTuple):
    """A reference with its value, as ``status.references`` has it."""

    reference: Reference
    value: str
    """Several bootstrap servers are separated by commas."""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "ResolvedReference":
        """From an entry of ``status.references``."""
        reference = Reference(*[str(raw.get(name) or "") for name in _STATUS_NAMES])
        return cls(reference, str(raw.get("value") or ""))

    def render(self) -> dict[str, str]:
        """As ``status.references`` has it."""
        members = dict(zip(_STATUS_NAMES, self.reference, strict=True)) | {"value": self.value}
        return {name: text for name, text in members.items() if text}


#: The members of an entry of ``status.references``, in the order of :class:`Reference`.
_STATUS_NAMES = ("field", "apiVersion", "kind", "name", "namespace", "fieldPath", "key")


class Cause(StrEnum):
    """Why a reference has no value now."""

    LOADING = "the objects of the kind are not known yet"
    OBJECT_NOT_FOUND = "there is no such object"
    UNAVAILABLE = "the API server does not answer requests for the kind"
    KIND_NOT_FOUND = "the API server has no such kind"
    FORBIDDEN = "the operator may not watch the kind"
    UNMANAGED_NAMESPACE = "the operator does not manage the namespace of the object"
    NEVER_READ = "the operator never reads the kind"
    TOO_MANY_KINDS = "the resources of the namespace reference more kinds than the operator watches for it"
    NO_CONSENT = "the object does not allow the reference, or does not exist"
    NOT_READY = "the object has no value yet"
    DELETING = "the object is being deleted"
    WRONG_TYPE = "the field of the object is not a string"
    OUTPUTS = "the operator itself writes the object, with the outputs of a mapping"


class Missing(NamedTuple):
    """The answer of a lookup that finds no value."""

    cause: Cause
    detail: str = ""
    """WRONG_TYPE: the type of the value that the field has. Otherwise empty."""


class ReferenceProblem(NamedTuple):
    """A reference of a resource that has no value now."""

    reference: Reference
    missing: Missing
    kept: str = ""
    """The last value of the reference, which the resource keeps; empty: it never had one."""

    @property
    def passes(self) -> bool:
        """Whether the problem is temporary, because the operator is still reading. The status does not show it."""
        return self.missing.cause is Cause.LOADING


def is_never_read(api_version: str, kind: str) -> bool:
    """Whether the operator never reads a kind, even if it has permission: Secrets, and its own resources."""
    return (api_version, kind) == ("v1", "Secret") or api_version.startswith(PREFIX)


def has_references(spec: Mapping[str, Any]) -> bool:
    """Whether a spec has a reference."""
    return next(_found(spec), None) is not None


def references_of(spec: Mapping[str, Any]) -> tuple[Reference, ...]:
    """The references of a spec, in the order of the table of fields. Types are those that the API server accepts."""
    return tuple(_reference(found) for found in _found(spec))


def with_values(spec: Mapping[str, Any], values: Mapping[str, str]) -> Mapping[str, Any]:
    """The effective spec: the references of the spec, and the fields that they replace with the values.

    Args:
        spec: a spec, which may already be an effective one.
        values: the values of references, by their paths. A reference without a value leaves its field absent.
    """
    if not has_references(spec):
        return spec
    effective = _changeable(spec)
    for found in _found(effective):
        _set_value(found.holder, found.field, values.get(found.path))
    return effective


def without_references(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec with only the fields of AWS and of the operator."""
    if not has_references(spec):
        return spec
    plain = _changeable(spec)
    for found in [*_found(plain)]:
        del found.holder[_NAMES[found.field][1]]
    return plain


def recorded_value(reference: Reference, recorded: Iterable[ResolvedReference]) -> str:
    """The value that a status records for a reference. Empty: none."""
    for one in recorded:
        if one.reference.same_value_as(reference) and len(one.value) <= LONGEST_VALUE:
            return one.value
    return ""


def references_with_values(spec: Mapping[str, Any]) -> tuple[ResolvedReference, ...]:
    """The references of an effective spec with their values. Empty: the reference has no value."""
    return tuple(ResolvedReference(_reference(found), _value_of(found.holder, found.field)) for found in _found(spec))


def resolved(references: Iterable[ResolvedReference]) -> tuple[ResolvedReference, ...]:
    """Those references that have a value."""
    return tuple(one for one in references if one.value)


def replaceable_values(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The values of a spec that references can replace: the path of the reference, and the value as an object has it.

    Several bootstrap servers are separated by commas.
    """
    for field, (_, name) in _NAMES.items():
        for prefix, holder in _holders(spec, field):
            value = _value_of(holder, field)
            if value:
                yield f"{prefix}{name}", value


def with_references(spec: Mapping[str, Any], references: Mapping[str, Reference]) -> dict[str, Any]:
    """The spec with references instead of values.

    Args:
        spec: a spec with values.
        references: the references by their paths, which are some of the paths of :func:`replaceable_values`.
    """
    referring = _changeable(spec)
    for field, (_, name) in _NAMES.items():
        value = _relative(field)[0]
        for prefix, holder in [*_holders(referring, field)]:
            reference = references.get(f"{prefix}{name}")
            if reference is not None:
                members = [(name, reference.render()) if one == value else (one, part) for one, part in holder.items()]
                holder.clear()
                holder.update(members)
    return referring


def items_of(text: str) -> list[str]:
    """The items of a list that is separated by commas, each once."""
    return list(dict.fromkeys(item for item in map(str.strip, text.split(",")) if item))


class _Found(NamedTuple):
    """A reference in a spec."""

    field: str
    """The path without the index of an item."""
    path: str
    holder: dict[str, Any]
    """The object that holds the reference."""
    raw: dict[str, Any]
    """The reference itself."""


def _reference(found: _Found) -> Reference:
    raw = found.raw
    return Reference(
        found.path,
        sys.intern(str(raw.get("apiVersion") or "")),
        sys.intern(str(raw.get("kind") or "")),
        str(raw.get("name") or ""),
        str(raw.get("namespace") or ""),
        str(raw.get("fieldPath") or ""),
        str(raw.get("key") or ""),
    )


def _found(spec: Mapping[str, Any]) -> Iterator[_Found]:
    """The references of a spec, in the order of the table of fields."""
    for field, (first, name) in _NAMES.items():
        for prefix, holder in _holders(spec, field) if first in spec else ():
            raw = holder.get(name)
            if is_object(raw):
                yield _Found(field, f"{prefix}{name}", holder, raw)


def _holders(spec: Mapping[str, Any], field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects that can hold the reference of a field, each with its path and a dot."""
    part: Any = spec if isinstance(spec, dict) else dict(spec)
    *around, _ = field.split(".")
    prefix = ""
    for step in around:
        if not is_object(part):
            return
        if step.endswith("[]"):
            items = part.get(step[:-2])
            for number, item in enumerate(items if is_array(items) else ()):
                if is_object(item):
                    yield f"{prefix}{step[:-2]}[{number}].", item
            return
        part, prefix = part.get(step), f"{prefix}{step}."
    if is_object(part):
        yield prefix, part


@cache
def _relative(field: str) -> tuple[str, ...]:
    """The path of the value of a reference field, from the object that holds the reference."""
    depth = field.count(".")
    return tuple(VALUE_PATHS[field].split(".")[depth:])


def _set_value(holder: dict[str, Any], field: str, value: str | None) -> None:
    *around, name = _relative(field)
    for step in around:
        inner = holder.get(step)
        holder[step] = inner = inner if is_object(inner) else {}
        holder = inner
    holder.pop(name, None)
    if value is not None:
        holder[name] = items_of(value) if field == SERVERS else [value] if field == TOPIC else value


def _value_of(holder: Mapping[str, Any], field: str) -> str:
    part: Any = holder
    for step in _relative(field):
        part = part.get(step) if is_object(part) else None
    return ",".join(map(str, part)) if is_array(part) else str(part or "")


def _changeable(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a spec in which the objects that can hold references may be changed."""
    return {name: _copy(part) if name in _HOLDERS else part for name, part in spec.items()}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(part) for name, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_copy(item) for item in value] if is_array(value) else value
