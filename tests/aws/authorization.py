"""Authorization: the refusal of requests that the policy of the caller's role does not allow.

Without a policy, an account may do everything. A test sets the policy of an account through the control API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .arns import mapping_arn, parse_arn, parse_function
from .calls import Call
from .cloud import Cloud
from .errors import AwsError, access_denied
from .iam import ACTIONS, allows, context_of
from .mappings import Mapping

_PREFIXES = {"lambda": "lambda", "tagging": "tag"}


def refuse_without_permission(cloud: Cloud, call: Call) -> None:
    """Raise AWS's refusal unless the policy of the account allows all actions that a call needs."""
    policy = cloud.policies.get(call.account)
    if policy is None or call.service not in _PREFIXES:
        return
    for action, resource, members in _needed(cloud, call):
        if not allows(policy, action, resource, context_of(action, region=call.region, **members)):
            raise access_denied(call.account, action, resource)


def _needed(cloud: Cloud, call: Call) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The actions of a call, each with its resource and what its condition keys come from."""
    action = f"{_PREFIXES[call.service]}:{call.operation}"
    asked = call.members
    mapping = _mapping(cloud, call)
    members: dict[str, Any] = {"new_tags": asked.get("Tags"), "tag_keys": asked.get("TagKeys") or ()}
    if mapping is not None:
        members |= {"function": mapping.function.arn, "tags": mapping.tags}
    elif call.operation == "CreateEventSourceMapping":
        members["function"] = parse_function(asked["FunctionName"], call.account, call.region).arn
    new = mapping_arn(call.account, call.region, "*")
    of_mapping = action in ACTIONS and ACTIONS[action].resource
    yield action, (mapping.arn if mapping is not None else new) if of_mapping else "*", members
    if call.operation == "CreateEventSourceMapping" and asked.get("Tags"):  # documented: this needs TagResource too
        yield "lambda:TagResource", new, {"new_tags": asked["Tags"]}


def _mapping(cloud: Cloud, call: Call) -> Mapping | None:
    uuid = call.members.get("UUID")
    if call.members.get("Resource"):
        try:
            uuid = parse_arn(call.members["Resource"]).resource.removeprefix("event-source-mapping:")
        except (AwsError, ValueError):
            return None
    return cloud.mappings(call.account, call.region).get(uuid or "")
