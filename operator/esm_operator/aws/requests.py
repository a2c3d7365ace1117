"""The parameters of Create and Update requests.

Update sends only what differs. If a part of a structure changes, all of its mutable parts are sent, because AWS does
not document what it does with those left out. Immutable parts are never sent: AWS refuses some of them even if their
values are the same.
"""

import copy
from collections.abc import Mapping
from typing import Any

from esm_operator.api import fields
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, RESET_WHOLE, Field
from esm_operator.api.sources import SourceType
from esm_operator.api.spec import MappingSpec
from esm_operator.planning.actions import Update


def create(spec: MappingSpec, tags: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of CreateEventSourceMapping."""
    return {**spec.parameters, "Tags": dict(tags)}


def update(spec: MappingSpec, source: SourceType, what: Update, *, queue_mode: bool = False) -> dict[str, Any]:
    """The parameters of UpdateEventSourceMapping. ``queue_mode``: the mapping's ConsumptionMode is Queue."""
    tops = sorted({BY_PATH[path].top for path in {*what.change, *what.reset}})
    members = {top: _member(top, spec.parameters, source, what, queue_mode=queue_mode) for top in tops}
    return {"UUID": what.uuid, **members}


_EMPTY_DESTINATION: Mapping[str, Any] = {"OnFailure": {"Destination": ""}}


def in_other_form(parameters: Mapping[str, Any], refusal: str) -> dict[str, Any] | None:
    """An Update that AWS refused with this sentence, with the other known form of a reset; None: there is no other.

    An on-failure destination is removed by an empty Destination, or by an empty DestinationConfig: public reports
    differ.
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
