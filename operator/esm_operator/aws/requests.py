"""The parameters of Create and Update requests.

An Update has only the fields that differ. If a part of a structure changes, the Update has all mutable parts of the
structure, because AWS does not document whether it keeps omitted parts. Immutable parts are never sent, because AWS
refuses some of them even with the same values.
"""

import copy
from collections.abc import Mapping
from typing import Any

from esm_operator.api import fields
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, RESET_WHOLE, Field
from esm_operator.api.sources import SourceType
from esm_operator.planning.actions import Update


def create(wanted: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of CreateEventSourceMapping."""
    return {**wanted, "Tags": dict(tags)}


def update(wanted: Mapping[str, Any], source: SourceType, what: Update, *, queue_mode: bool = False) -> dict[str, Any]:
    """The parameters of UpdateEventSourceMapping.

    Args:
        wanted: the parameters of a Create of the spec.
        source: the source type of the mapping.
        what: the fields to set and to reset.
        queue_mode: whether the mapping's ConsumptionMode is Queue.
    """
    members = {top: _member(top, wanted, source, what, queue_mode=queue_mode) for top in sorted(tops(what))}
    return {"UUID": what.uuid, **members}


def tops(what: Update) -> frozenset[str]:
    """The members of an Update."""
    return frozenset(BY_PATH[path].top for path in (*what.change, *what.reset))


_EMPTY_DESTINATION: Mapping[str, Any] = {"OnFailure": {"Destination": ""}}


def in_other_form(parameters: Mapping[str, Any], refusal: str) -> dict[str, Any] | None:
    """A refused Update with another form of a reset, chosen by AWS's sentence. None: there is no other form.

    Public reports differ: an empty Destination removes an on-failure destination, or an empty DestinationConfig does.
    """
    if parameters.get("DestinationConfig") == _EMPTY_DESTINATION and "Destination field is required" in refusal:
        return {**parameters, "DestinationConfig": {}}
    return None


def _member(top: str, wanted: Mapping[str, Any], source: SourceType, what: Update, *, queue_mode: bool) -> Any:
    def reset(row: Field) -> Any:
        default = row.default(source, queue_mode=queue_mode)
        return default if default is not None else copy.copy(row.empty)

    rows = [row for row in FIELDS if row.top == top and not row.immutable]
    if len(rows) == 1 and len(rows[0].member) == 1:
        if rows[0].path in what.reset:
            return reset(rows[0])
        value = wanted[top]
        if top == "SourceAccessConfigurations":
            return [entry for entry in value if entry.get("Type") not in IMMUTABLE_ACCESS_TYPES]
        return value
    if top in RESET_WHOLE and all(fields.at(wanted, row.member) is None for row in rows):
        return {}
    built: dict[str, Any] = {}
    for row in rows:
        value = fields.at(wanted, row.member)
        if value is None and row.path in what.reset:
            value = reset(row)
        if value is not None:
            part = built
            for name in row.member[1:-1]:
                part = part.setdefault(name, {})
            part[row.member[-1]] = value
    return built
