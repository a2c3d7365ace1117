"""The fields of referenced objects: their paths, and the values in the objects."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from esm_operator.api.frozen_json import is_array, is_object, whole
from esm_operator.api.reference_kinds import DESTINATION, KEY, SERVERS, ReferenceKind, kind_of
from esm_operator.api.references import LONGEST_VALUE, Reference, items_of

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
#: A fieldPath: names separated by dots. ``[name=value]`` after a name chooses an object of a list.
FIELD_PATH_PATTERN = rf"^{_NAME}(\[{_NAME}=[^\]=]+\])?(\.{_NAME}(\[{_NAME}=[^\]=]+\])?)*$"
_FIELD_PATH = re.compile(FIELD_PATH_PATTERN)
_STEP = re.compile(rf"({_NAME})(?:\[({_NAME})=([^\]=]+)\])?")
#: The path of a row whose key chooses an object of a list: the list, and the member that has the key.
_KEYED_LIST = re.compile(rf"(.+)\[({_NAME})={re.escape(KEY)}\].*")


class WrongTypeError(ValueError):
    """The field of an object is not a string. The message completes "spec.queueURL is ..."."""


def keys_in(row: ReferenceKind, body: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the items of a list in an object, such as the names of the listeners of a Kafka cluster.

    For a kind without keys, the result is one empty key.
    """
    if not row.needs_key:
        return ("",)
    keyed = _KEYED_LIST.fullmatch(row.path)
    items: Any = _at(body, _steps(keyed[1])) if keyed is not None else ()
    found = [item.get(keyed[2]) for item in items if is_object(item)] if keyed is not None and is_array(items) else []
    return tuple(dict.fromkeys(key for key in found if isinstance(key, str) and key))


def value_in(reference: Reference, body: Mapping[str, Any]) -> str | None:
    """The value of a reference in the object that it names. None: the object has no value there yet.

    Raises WrongTypeError if the value is neither a string nor an integer.
    """
    row = kind_of(reference.api_version, reference.kind)
    if reference.field_path:
        part = _at(body, _steps(reference.field_path))
    elif row is not None:
        part = _at(body, _row_steps(row.path, reference.key))
    else:
        part = None
    text = _text(part, several=reference.field == SERVERS)
    if not text:
        return None
    prefix = row.prefix if row is not None and not reference.field_path and reference.field == DESTINATION else ""
    return f"{prefix}{text}"


class _Step(NamedTuple):
    name: str
    member: str = ""
    """The member that selects an object of a list; empty: the step is not a list."""
    value: str = ""


@lru_cache(256)
def _steps(path: str) -> tuple[_Step, ...]:
    """The steps of a fieldPath; none if the text is not one."""
    if not _FIELD_PATH.fullmatch(path):
        return ()
    return tuple(_Step(match[1], match[2] or "", match[3] or "") for match in _STEP.finditer(path))


@lru_cache(256)
def _row_steps(path: str, key: str) -> tuple[_Step, ...]:
    """The steps of the path of a row. The key can have any characters."""
    if path.endswith(f".{KEY}"):
        return (*_steps(path.removesuffix(f".{KEY}")), _Step(key))
    before, found, after = path.partition(f"={KEY}]")
    if not found:
        return _steps(path)
    return tuple(step if step.value != "key" else step._replace(value=key) for step in _steps(f"{before}=key]{after}"))


def _at(body: Mapping[str, Any], steps: tuple[_Step, ...]) -> Any:
    part: Any = dict(body) if steps else None
    for step in steps:
        part = part.get(step.name) if is_object(part) else None
        if step.member:
            items: list[Any] = part if is_array(part) else []
            part = next((item for item in items if is_object(item) and item.get(step.member) == step.value), None)
    return part


def _text(part: Any, *, several: bool) -> str:
    """A value as text; empty: there is none. ``several``: whether a list of strings is a value too."""
    if part is None:
        return ""
    if is_array(part) and several:
        _require_short(len(part), "a list of {} items")
        part = ",".join(_text(item, several=False) for item in part)
    for kind, name in _NAMES_OF_TYPES:
        if isinstance(part, kind):
            raise WrongTypeError(name)
    text = str(part)
    _require_short(len(text), "a string of {} characters")  # before it is split, which would take long
    text = whole(text.strip())
    return ",".join(items_of(text)) if several else text


def _require_short(length: int, what: str) -> None:
    """Raise WrongTypeError if a value is too long."""
    if length > LONGEST_VALUE:
        raise WrongTypeError(f"{what.format(f'{length:,}')}, which is more than {LONGEST_VALUE:,}")


#: The types of JSON that are neither a string nor an integer.
_NAMES_OF_TYPES = ((dict, "an object"), (list, "a list"), (bool, "a boolean"), (float, "a number with a fraction"))
