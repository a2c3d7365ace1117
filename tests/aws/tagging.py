"""The resource groups tagging API's view of mappings: GetResources.

The tagging API has its own index, which is updated later than Lambda, and which has no mappings that never had tags.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .clock import Clock
from .errors import AwsError

PAGE = 100
DEFAULT_PAGE = 50
RESOURCE_TYPES = frozenset({"lambda", "lambda:event-source-mapping"})

Tags = dict[str, str]


class TagIndex:
    """Tags of each ARN in one account and region, with the times at which changes become visible."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._history: dict[str, list[tuple[float, Tags | None]]] = {}

    def note(self, arn: str, tags: Tags | None, lag: float) -> None:
        """Record changed tags. None: the resource was deleted. Resources that never had tags are not recorded."""
        if not tags and arn not in self._history:
            return
        self._history.setdefault(arn, []).append((self._clock() + lag, tags))

    def visible(self) -> Iterator[tuple[str, Tags]]:
        now = self._clock()
        gone: list[str] = []
        for arn, history in self._history.items():
            while len(history) > 1 and history[1][0] <= now:
                del history[0]
            seen_from, tags = history[0]
            if seen_from > now:
                continue
            if tags is not None:
                yield arn, tags
            elif len(history) == 1:
                gone.append(arn)
        for arn in gone:
            del self._history[arn]


def is_about_mappings(parameters: Mapping[str, Any]) -> bool:
    """Whether the answer of a GetResources may have mappings. moto answers the others."""
    types = parameters.get("ResourceTypeFilters")
    arns = parameters.get("ResourceARNList")
    if arns:
        return all(":event-source-mapping:" in arn for arn in arns)
    return not types or bool(RESOURCE_TYPES & set(types))


def get_resources(index: TagIndex, parameters: Mapping[str, Any]) -> bytes:
    """One page. The token is the number of matching resources before it."""
    per_page = parameters.get("ResourcesPerPage", DEFAULT_PAGE)
    arns: list[str] | None = parameters.get("ResourceARNList")
    filters: list[dict[str, Any]] = parameters.get("TagFilters") or []
    token: str = parameters.get("PaginationToken") or ""
    if not 1 <= per_page <= PAGE:
        raise _invalid("ResourcesPerPage must be between 1 and 100")
    if arns is not None and any(parameters.get(other) for other in ("TagFilters", "ResourceTypeFilters")):
        raise _invalid("ResourceARNList cannot be combined with TagFilters or ResourceTypeFilters")
    if len(filters) > 50 or any(len(entry.get("Values") or ()) > 20 for entry in filters):
        raise _invalid("A request takes at most 50 tag filters of at most 20 values")
    if token and not token.isdigit():
        raise _invalid("Invalid PaginationToken")
    matching = (
        (arn, tags)
        for arn, tags in index.visible()
        if (arns is None or arn in arns) and all(_matches(entry, tags) for entry in filters)
    )
    start = int(token or 0)
    page: list[dict[str, Any]] = []
    more = False
    for number, (arn, tags) in enumerate(matching):
        if number < start:
            continue
        if len(page) == per_page:
            more = True
            break
        page.append({"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})
    return json.dumps(
        {"PaginationToken": str(start + len(page)) if more else "", "ResourceTagMappingList": page}
    ).encode()


def _matches(entry: Mapping[str, Any], tags: Tags) -> bool:
    value = tags.get(entry.get("Key", ""))
    values = entry.get("Values")
    return value is not None and (not values or value in values)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
