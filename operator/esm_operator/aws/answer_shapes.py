"""Checks the types and the lengths in an answer of AWS, so that the rest of the operator can rely on them.

botocore parses an answer by the shapes of its service descriptions, but does not check it: a text can be a number, an
object or null. :func:`compiled` makes a check from such a shape. The thread of a request runs it. It takes a small part
of the time that botocore takes to parse the answer. Members that the shape does not have are allowed, because AWS adds
members.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from esm_operator.api.frozen_json import is_array, is_object
from esm_operator.api.limits import UUID_PATTERN

Check: TypeAlias = Callable[[Any], bool]
"""Whether a value has the type and the length of its shape."""

#: Characters of a text: the largest ``max`` of a text in the service description of Lambda. A filter pattern has 4,096.
MOST_CHARACTERS = 10_000
#: Entries of a list or a map inside of an item. AWS has at most 50 tags, 29 access configurations and 20 filters.
MOST_ENTRIES = 1_000
#: The largest number in JSON that all programs read exactly.
_LARGEST = 2**53
#: Years of a time. The times are local, so 1970 can begin in 1969. Calculations with the years 1 and 9999 can overflow.
_YEARS = range(1969, 9999)
_UUID = UUID_PATTERN.strip("^$")
#: Texts with a format, by the name of their shape. The UUID is a part of the URL of requests.
_FORMATS = {
    "UUIDString": re.compile(_UUID),
    # GetResources is asked for event source mappings only.
    "ResourceARN": re.compile(rf"arn:[a-z0-9:-]{{1,100}}:event-source-mapping:{_UUID}"),
}


def compiled(shape: Any) -> Check:
    """The check for a shape of botocore (botocore.model.Shape). None: the operation has no answer."""
    return _CHECKS[shape.type_name](shape) if shape is not None else lambda _: True


def _structure(shape: Any) -> Check:
    checks = {name: compiled(member) for name, member in shape.members.items()}
    return partial(_has_members, checks, frozenset(shape.required_members))


def _has_members(checks: Mapping[str, Check], required: frozenset[str], value: Any) -> bool:
    if not is_object(value) or not required <= value.keys():
        return False
    for name, member in value.items():
        check = checks.get(name)
        if check is not None and not (check(member) or (member is None and name not in required)):
            return False
    return True


def _list(shape: Any) -> Check:
    check = compiled(shape.member)
    return lambda value: is_array(value) and len(value) <= MOST_ENTRIES and all(map(check, value))


def _map(shape: Any) -> Check:
    key, value_of = compiled(shape.key), compiled(shape.value)
    return lambda value: (
        is_object(value) and len(value) <= MOST_ENTRIES and all(map(key, value)) and all(map(value_of, value.values()))
    )


def _string(shape: Any) -> Check:
    form = _FORMATS.get(shape.name)
    if form is not None:
        return lambda value: isinstance(value, str) and form.fullmatch(value) is not None
    return lambda value: isinstance(value, str) and len(value) <= MOST_CHARACTERS


def _integer(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST  # not NaN


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _timestamp(value: Any) -> bool:
    return isinstance(value, datetime) and value.year in _YEARS


#: By the type of a shape: what makes its check.
_CHECKS: Mapping[str, Callable[[Any], Check]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": lambda _: _integer,
    "long": lambda _: _integer,
    "float": lambda _: _number,
    "double": lambda _: _number,
    "boolean": lambda _: _boolean,
    "timestamp": lambda _: _timestamp,
}
