"""The Lambda operations on event source mappings: Create, Update, Get, List and Delete."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from .arns import Function, parse_function
from .calls import Call
from .cloud import Cloud
from .configuration import created, updated
from .errors import AwsError, in_use, invalid_parameter, mapping_not_found, tags_not_supported
from .identity import refuse_consumer_group, refuse_twin
from .mappings import TRANSITIONS, Mapping
from .rules import Subject, refuse
from .sources import FILLED_IN, source_of
from .tags import check_tags

PAGE = 100

Answer = tuple[int, bytes]


def create(cloud: Cloud, call: Call) -> Answer:
    asked = call.members
    source = source_of(asked)
    new = str(uuid.uuid4())
    config = created(source, new, asked)
    refuse(Subject(source, call.region, asked, config, None, time.time()))
    if asked.get("Tags") and not cloud.settings.tags_supported:
        raise tags_not_supported()
    check_tags({}, asked.get("Tags") or {})
    mapping = cloud.make(call.account, call.region, asked, source, new, config)
    _check_function(cloud, call, mapping.function)
    cloud.world.check_source(source, mapping.event_source_arn)
    mappings = cloud.mappings(call.account, call.region)
    refuse_twin(mappings, source, mapping.function, config, asked)
    refuse_consumer_group(mappings, source, config, asked)
    mappings.add(mapping)
    at_once = FILLED_IN[source].disabled_at_once and not mapping.enabled
    cloud.enter(mapping, "Disabled" if at_once else "Creating")
    if asked.get("Tags"):
        mapping.tags_hidden_until = cloud.clock() + cloud.settings.tag_delay
        cloud.tag(mapping, dict(asked["Tags"]))
    return 202, mapping.answer()


def update(cloud: Cloud, call: Call) -> Answer:
    asked = call.members
    mapping = _existing(cloud, call)
    if mapping.state in TRANSITIONS:
        raise in_use("update")
    config = updated(mapping.source, mapping.config, asked, cloud.settings)
    refuse(
        Subject(
            mapping.source, call.region, asked, config, mapping.config, time.time(), cloud.settings.destination_reset
        )
    )
    function = mapping.function
    if asked.get("FunctionName") is not None:
        function = parse_function(asked["FunctionName"], call.account, call.region)
        _check_function(cloud, call, function)
    mappings = cloud.mappings(call.account, call.region)
    refuse_twin(mappings, mapping.source, function, config, asked, but=mapping)
    enabled: bool = asked.get("Enabled", mapping.enabled)
    state = "Updating" if enabled == mapping.enabled else "Enabling" if enabled else "Disabling"
    mapping.function = function
    mapping.config = config
    mapping.reason = FILLED_IN[mapping.source].reason
    mapping.enabled = enabled
    cloud.enter(mapping, state)
    return 202, mapping.answer()


def get(cloud: Cloud, call: Call) -> Answer:
    return 200, _existing(cloud, call).answer()


def list_(cloud: Cloud, call: Call) -> Answer:
    asked = call.members
    mappings = cloud.mappings(call.account, call.region)
    after = _read_marker(asked["Marker"]) if asked.get("Marker") else 0
    found: Iterable[Mapping] = mappings.after(after)
    if (arn := asked.get("EventSourceArn")) is not None:
        found = (mapping for mapping in mappings.of_source(arn) if mapping.sequence > after)
    if (name := asked.get("FunctionName")) is not None:
        identity = parse_function(name, call.account, call.region).identity
        found = (mapping for mapping in found if mapping.function.identity == identity)
    page: list[Mapping] = []
    marker: str | None = None
    size = min(asked.get("MaxItems") or PAGE, PAGE)
    for mapping in found:
        if len(page) == size:
            marker = _marker(page[-1].sequence)
            break
        page.append(mapping)
    return 200, _list_answer(page, marker)


def delete(cloud: Cloud, call: Call) -> Answer:
    mapping = _existing(cloud, call)
    if mapping.state in TRANSITIONS:
        raise in_use("delete")
    cloud.enter(mapping, "Deleting")
    return 202, mapping.answer()


def without_items(answer: bytes) -> bytes:
    """A page without its items, for the fault of this name. It still has the marker of the next page."""
    body: dict[str, Any] = json.loads(answer)
    return json.dumps({name: [] if isinstance(value, list) else value for name, value in body.items()}).encode()


MAPPING_OPERATIONS: dict[str, Callable[[Cloud, Call], Answer]] = {
    "CreateEventSourceMapping": create,
    "UpdateEventSourceMapping": update,
    "GetEventSourceMapping": get,
    "ListEventSourceMappings": list_,
    "DeleteEventSourceMapping": delete,
}


def _existing(cloud: Cloud, call: Call) -> Mapping:
    mapping = cloud.mappings(call.account, call.region).get(call.members["UUID"])
    if mapping is None:
        raise mapping_not_found()
    return mapping


def _check_function(cloud: Cloud, call: Call, function: Function) -> None:
    if function.region != call.region:
        raise invalid_parameter(
            f"Functions from '{function.region}' are not reachable in this region ('{call.region}')"
        )
    cloud.world.check_function(function)


def _marker(sequence: int) -> str:
    return base64.urlsafe_b64encode(f"after:{sequence}".encode()).decode()


def _read_marker(marker: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(marker).decode().removeprefix("after:"))
    except ValueError:
        raise AwsError("InvalidParameterValueException", "Invalid pagination token") from None


def _list_answer(page: list[Mapping], marker: str | None) -> bytes:
    items = b", ".join(mapping.list_answer() for mapping in page)
    return b'{"NextMarker": %s, "EventSourceMappings": [%s]}' % (json.dumps(marker).encode(), items)
