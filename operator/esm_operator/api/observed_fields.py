"""The fields of a mapping in AWS, in the spelling and the structure of a spec, for ``status.observed``.

A value of the spec that AWS returns in another spelling has the spelling of the spec. So a text comparison shows only
real differences, and a changed order in AWS causes no write. The size of all fields together is limited, because the
status must fit into the object even if an endpoint returns large values.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from esm_operator.api import names, values
from esm_operator.api.fields import FIELDS, Field, at
from esm_operator.api.foreign_text import cut, shown
from esm_operator.api.frozen_json import is_array, is_object
from esm_operator.api.sources import SourceType, observed_source_type, parse_arn
from esm_operator.api.spec import MappingSpec
from esm_operator.api.values import Canonical

#: The most characters of one field, and the characters that each of its texts can have in any case. If the texts of a
#: field have more characters together, each text gets the same share.
LONGEST_FIELD, _SHORTEST_TEXT = 4_096, 64
#: Entries of one list. AWS has at most 29 (see ``api/limits.py``).
MOST_ENTRIES = 30


def observed_fields(
    mapping: Mapping[str, Any], observed: Mapping[str, Canonical], spec: MappingSpec
) -> Mapping[str, Any]:
    """The fields of a mapping.

    Filters that are encrypted with a KMS key are left out, because all users who can read the resource could read them.

    Args:
        mapping: the answer of AWS.
        observed: its values, by path, in canonical form.
        spec: the spec of the resource.
    """
    source, encrypted = observed_source_type(mapping), bool(mapping.get("KMSKeyArn"))
    found: dict[str, Any] = {}
    for row in FIELDS:
        value, wanted = observed.get(row.path), spec.values.get(row.path)
        if value is None or (encrypted and row.path == "filterCriteria"):
            continue
        *parents, last = row.path.split(".")
        if wanted is not None and values.equal(wanted, value):
            shortened = _limited(at(spec.raw, (*parents, last)), cut)
        elif is_unknown_default(row, value, source):
            continue
        else:
            shortened = _limited(_spelled(row, value, mapping), shown)
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = shortened
    return found


def is_unknown_default(row: Field, value: Any, source: SourceType | None) -> bool:
    """Whether AWS returns 0 for a default that cannot be set, such as a batching window of 500 ms."""
    return source in row.unresettable and not value


def function_name(mapping: Mapping[str, Any]) -> str:
    """The function's name with version or alias, or its ARN if it is in another account or region than the mapping."""
    text = str(mapping.get("FunctionArn", ""))
    own, function = parse_arn(str(mapping.get("EventSourceMappingArn", ""))), values.function_ref(text)
    if own is None or function is None or (own.account, own.region) != (function.account, function.region):
        return text
    return str(function)


def point_in_time(moment: datetime) -> str:
    """A time of AWS, whose precision is a second, as a spec has it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _spelled(row: Field, value: Canonical, mapping: Mapping[str, Any]) -> Any:
    """A value of AWS in the spelling of a spec. Lists are sorted, because AWS may answer them in any order."""
    match row.path:
        case "functionName":
            return function_name(mapping)
        case "enabled":
            return value
        case "startingPositionTimestamp" if isinstance(value, int):
            return point_in_time(datetime.fromtimestamp(value, UTC))
        case "filterCriteria" if isinstance(value, tuple):
            return {"filters": [{"pattern": pattern} for pattern in value]}
        case _:
            return _sorted(names.to_kubernetes(at(mapping, row.member)))


def _sorted(value: Any) -> Any:
    if is_object(value):
        return {name: _sorted(member) for name, member in value.items()}
    if is_array(value):
        return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _limited(value: Any, shorten: Callable[[str, int], str]) -> Any:
    """A value whose texts have at most ``LONGEST_FIELD`` characters together."""
    lengths = [len(text) for text in _texts(value)]
    most = LONGEST_FIELD if sum(lengths) <= LONGEST_FIELD else max(_SHORTEST_TEXT, LONGEST_FIELD // len(lengths))
    return _with_texts(value, lambda text: shorten(text, most))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_object(value):
        for member in value.values():
            yield from _texts(member)
    elif is_array(value):
        for item in value[:MOST_ENTRIES]:
            yield from _texts(item)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The value with changed texts, and without the last entries of long lists."""
    if isinstance(value, str):
        return change(value)
    if is_object(value):
        return {name: _with_texts(member, change) for name, member in value.items()}
    return [_with_texts(item, change) for item in value[:MOST_ENTRIES]] if is_array(value) else value
