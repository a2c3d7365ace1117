"""IAM: whether a permissions policy allows a request, by the rules that the IAM User Guide documents.

The rules are those of "Policy evaluation logic", "IAM JSON policy elements: Condition operators" and "Set operators for
multivalued context keys". A request is denied unless a statement allows it. A Deny wins. All conditions of a statement
must be met. One of several values is enough; with a negated operator none may match. Without the key in the request, a
condition is not met, except with a negated operator, `IfExists` and `ForAllValues`. Names of keys are not
case-sensitive. The evaluator knows no policy variables, because the operator's policies have none.

`ACTIONS` has the facts of the Service Authorization Reference for AWS Lambda and the Resource Groups Tagging API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

Policy: TypeAlias = Mapping[str, Any]
#: The condition keys of a request. Keys with several values, such as aws:TagKeys, have a list.
Context: TypeAlias = Mapping[str, str | Sequence[str]]

FUNCTION_ARN = "lambda:FunctionArn"
REQUEST_TAG, RESOURCE_TAG, TAG_KEYS = "aws:RequestTag", "aws:ResourceTag", "aws:TagKeys"


@dataclass(frozen=True, slots=True)
class Action:
    """The resource type of an action, and its condition keys. The resource type has the key aws:ResourceTag."""

    resource: str = ""
    keys: frozenset[str] = frozenset()


_OF_MAPPING = "event-source-mapping"
_BY_FUNCTION = frozenset({FUNCTION_ARN, RESOURCE_TAG})
ACTIONS: Mapping[str, Action] = {
    "lambda:CreateEventSourceMapping": Action("", frozenset({FUNCTION_ARN, REQUEST_TAG, TAG_KEYS})),
    "lambda:UpdateEventSourceMapping": Action(_OF_MAPPING, _BY_FUNCTION),
    "lambda:DeleteEventSourceMapping": Action(_OF_MAPPING, _BY_FUNCTION),
    "lambda:GetEventSourceMapping": Action(_OF_MAPPING, _BY_FUNCTION),
    "lambda:ListEventSourceMappings": Action(),
    "lambda:ListTags": Action(_OF_MAPPING, frozenset({RESOURCE_TAG})),
    "lambda:TagResource": Action(_OF_MAPPING, frozenset({RESOURCE_TAG, REQUEST_TAG, TAG_KEYS})),
    "lambda:UntagResource": Action(_OF_MAPPING, frozenset({RESOURCE_TAG, TAG_KEYS})),
    "tag:GetResources": Action(),
}


def context_of(
    action: str,
    *,
    region: str,
    function: str = "",
    tags: Mapping[str, str] | None = None,
    new_tags: Mapping[str, str] | None = None,
    tag_keys: Sequence[str] = (),
) -> Context:
    """The condition keys of a request. Keys that the action does not have are left out.

    Args:
        action: such as `lambda:TagResource`.
        region: the region of the request.
        function: the ARN of the function of the mapping.
        tags: the tags of the mapping.
        new_tags: the tags in the request.
        tag_keys: the keys of the tags in the request, if it has only keys.
    """
    keys = ACTIONS[action].keys if action in ACTIONS else frozenset[str]()
    found: dict[str, str | Sequence[str]] = {"aws:RequestedRegion": region}
    if FUNCTION_ARN in keys and function:
        found[FUNCTION_ARN] = function
    for key, values in ((RESOURCE_TAG, tags), (REQUEST_TAG, new_tags)):
        if key in keys:
            found |= {f"{key}/{name}": value for name, value in (values or {}).items()}
    given = [*(new_tags or {}), *tag_keys]
    if TAG_KEYS in keys and given:
        found[TAG_KEYS] = given
    return found


def allows(policy: Policy, action: str, resource: str, context: Context) -> bool:
    """Whether a policy allows an action on the ARN of a resource. `*` is the resource of an action without one."""
    effects = {one["Effect"] for one in policy["Statement"] if _matches(one, action, resource, context)}
    return effects == {"Allow"}


def _matches(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in _texts(statement["Action"]))
        and any(_like(resource, pattern) for pattern in _texts(statement["Resource"]))
        and all(_is_met(operator, key, values, context) for operator, key, values in _conditions(statement))
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, Sequence[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield operator, key, _texts(values)


def _is_met(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    given = next((value for name, value in context.items() if name.lower() == key.lower()), None)
    values = None if given is None else _texts(given)
    if operator == "Null":
        return (values is None) == (wanted == ["true"])
    for_all = operator.startswith("ForAllValues:")
    bare = operator.removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
    if_exists, bare = bare.endswith("IfExists"), bare.removesuffix("IfExists")
    negated = "Not" in bare
    same = _OPERATORS[bare.replace("Not", "")]
    if values is None:
        return if_exists or for_all or negated
    matches = [any(same(value, one) for one in wanted) is not negated for value in values]
    return all(matches) if for_all else any(matches)


def _like(text: str, pattern: str) -> bool:
    return _glob(pattern).fullmatch(text) is not None


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(one, re.escape(one)) for one in pattern), re.DOTALL)


def _same_arn(arn: str, pattern: str) -> bool:
    """IAM compares the six parts of an ARN one by one."""
    parts, wanted = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(map(_like, parts, wanted))


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _same_arn,
    "ArnLike": _same_arn,
}


def _texts(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
