"""What is sent to AWS: the parameters of Create and Update.

Update sends only what differs. Where a part of a structure changes, all of its mutable parts are sent, because AWS
does not document what it does with those left out. Immutable parts are never sent: AWS refuses some of them even
if their values are the same.
"""

import copy
from collections.abc import Mapping
from typing import Any

from esm_operator.api import fields
from esm_operator.api.fields import BY_PATH, FIELDS, IMMUTABLE_ACCESS_TYPES, RESET_WHOLE
from esm_operator.api.sources import SourceType
from esm_operator.api.spec import MappingSpec
from esm_operator.planning.actions import Update


def create(spec: MappingSpec, tags: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of CreateEventSourceMapping."""
    return {**spec.parameters, "Tags": dict(tags)}


def update(spec: MappingSpec, source: SourceType, what: Update, *, queue_mode: bool = False) -> dict[str, Any]:
    """The parameters of UpdateEventSourceMapping.

    Args:
        spec: the resource's spec.
        source: the mapping's source type.
        what: the fields to set and to reset.
        queue_mode: whether the mapping's ConsumptionMode is Queue.
    """
    parameters: dict[str, Any] = {"UUID": what.uuid}
    for top in sorted({BY_PATH[path].top for path in {*what.change, *what.reset}}):
        parameters[top] = _member(top, spec.parameters, source, what, queue_mode=queue_mode)
    return parameters


_EMPTY_DESTINATION: Mapping[str, Any] = {"OnFailure": {"Destination": ""}}


def in_other_form(parameters: Mapping[str, Any], refusal: str) -> dict[str, Any] | None:
    """The same Update with the other known form of a reset, where AWS refused the first; None: there is no other.

    An on-failure destination is removed by an empty Destination, or by an empty DestinationConfig: public reports
    differ.

    Args:
        parameters: the parameters that AWS refused.
        refusal: AWS's sentence.
    """
    if parameters.get("DestinationConfig") == _EMPTY_DESTINATION and "Destination field is required" in refusal:
        return {**parameters, "DestinationConfig": {}}
    return None


def _member(top: str, wanted: Mapping[str, Any], source: SourceType, what: Update, *, queue_mode: bool) -> Any:
    rows = [row for row in FIELDS if row.top == top and not row.immutable]
    if len(rows) == 1 and len(rows[0].member) == 1:
        row = rows[0]
        if row.path in what.reset:
            default = row.default(source, queue_mode=queue_mode)
            return default if default is not None else copy.copy(row.empty)
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
            default = row.default(source, queue_mode=queue_mode)
            value = default if default is not None else copy.copy(row.empty)
        if value is not None:
            part = built
            for name in row.member[1:-1]:
                part = part.setdefault(name, {})
            part[row.member[-1]] = value
    return built
