"""Lambda's own tag operations, for the ARNs of mappings."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as Map

from .arns import parse_arn
from .calls import Call
from .cloud import Cloud
from .errors import invalid_parameter, not_taggable, tagged_mapping_not_found
from .mappings import Mapping

MOST_TAGS = 50

Answer = tuple[int, bytes]


def is_of_mapping(resource: str) -> bool:
    """Whether this server answers for an ARN: ARNs of mappings, and of resources that cannot have tags."""
    kinds = (":function:", ":layer:", ":code-signing-config:", ":capacity-provider:", ":network-connector:")
    return not any(kind in resource for kind in kinds)


def check_tags(before: Map[str, str], asked: Map[str, str]) -> None:
    """AWS reserves the prefix `aws:`, and accepts 50 tags for a resource (documented; messages assumed)."""
    if any(key.lower().startswith("aws:") for key in asked):
        raise invalid_parameter("Tag keys starting with 'aws:' are reserved for internal use.")
    if len({**before, **asked}) > MOST_TAGS:
        raise invalid_parameter(f"The number of tags exceeds the limit of {MOST_TAGS}.")


def tag(cloud: Cloud, call: Call) -> Answer:
    mapping = _existing(cloud, call)
    check_tags(mapping.tags, call.members["Tags"])
    cloud.tag(mapping, {**mapping.tags, **call.members["Tags"]})
    return 204, b""


def untag(cloud: Cloud, call: Call) -> Answer:
    mapping = _existing(cloud, call)
    keys = call.members["TagKeys"]
    cloud.tag(mapping, {key: value for key, value in mapping.tags.items() if key not in keys})
    return 204, b""


def list_tags(cloud: Cloud, call: Call) -> Answer:
    return 200, json.dumps({"Tags": cloud.visible_tags(_existing(cloud, call))}).encode()


TAG_OPERATIONS: dict[str, Callable[[Cloud, Call], Answer]] = {
    "TagResource": tag,
    "UntagResource": untag,
    "ListTags": list_tags,
}


def _existing(cloud: Cloud, call: Call) -> Mapping:
    arn: str = call.members["Resource"]
    if not cloud.settings.tags_supported:
        raise not_taggable(arn)
    parsed = parse_arn(arn)
    mappings = cloud.mappings(parsed.account, parsed.region)
    mapping = mappings.get(parsed.resource.removeprefix("event-source-mapping:"))
    if mapping is None or (parsed.account, parsed.region) != (call.account, call.region):
        raise tagged_mapping_not_found(arn)
    return mapping
