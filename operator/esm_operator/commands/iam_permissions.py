"""The least permissions policy: one table of the operations that the operator calls, and how IAM can restrict them.

The restrictions are from the Service Authorization Reference of AWS Lambda, the resource groups tagging API and STS.
sts:GetCallerIdentity, which the operator calls too, needs no permission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from esm_operator.planning.ownership import CLUSTER

#: A policy document, or a part of it.
Document: TypeAlias = dict[str, Any]

VERSION = "2012-10-17"
#: Characters of a policy that IAM counts (all but white space): of a managed policy, and of a trust policy unless the
#: quota was raised (IAM User Guide, quotas).
MOST_CHARACTERS, MOST_TRUST_CHARACTERS = 6144, 2048


@dataclass(frozen=True, slots=True)
class Action:
    """An action of IAM that the operator needs, and how IAM can restrict it."""

    name: str
    sid: str
    """The Sid of its statement."""
    why: str
    """What the operator does with it, for the documentation."""
    writes: bool = False
    by_mapping: bool = False
    """Whether its resource is a mapping; else it is ``*``."""
    by_function: bool = False
    """Whether it has the condition key lambda:FunctionArn."""
    by_tag: str = ""
    """Its condition key for tags: aws:RequestTag or aws:ResourceTag."""


_LIST, _READ, _CREATE, _CHANGE, _TAG = "ListMappings", "ReadMappings", "CreateMappings", "ChangeMappings", "TagMappings"
REQUEST_TAG, RESOURCE_TAG = "aws:RequestTag", "aws:ResourceTag"
TAGGING = "tag:GetResources"
#: What is called only where mappings carry owner tags.
TAG_ACTIONS = frozenset({TAGGING, "lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"})

_change = partial(Action, writes=True, by_mapping=True, by_tag=RESOURCE_TAG)

ACTIONS: tuple[Action, ...] = (
    Action("lambda:ListEventSourceMappings", _LIST, "sweeps: what is there, and what others changed"),
    Action(TAGGING, _LIST, "tags that others changed, a hundred mappings a call"),
    Action("lambda:GetEventSourceMapping", _READ, "looks at one mapping that AWS is at work on", by_mapping=True),
    Action("lambda:ListTags", _READ, "whose a mapping is, before it is touched", by_mapping=True),
    Action(
        "lambda:CreateEventSourceMapping", _CREATE, "makes mappings", writes=True, by_function=True, by_tag=REQUEST_TAG
    ),
    _change("lambda:UpdateEventSourceMapping", _CHANGE, "changes them", by_function=True),
    _change("lambda:DeleteEventSourceMapping", _CHANGE, "deletes them", by_function=True),
    _change(
        "lambda:TagResource",
        _TAG,
        "sets tags; AWS asks for it at each creation too, for mappings are made with their tags",
    ),
    _change("lambda:UntagResource", _TAG, "removes tags"),
)

#: What AWS does with a KMS key in the caller's name, where filters are encrypted: to read them, and to write them
#: (CloudFormation's resource type AWS::Lambda::EventSourceMapping, its handlers' permissions).
KMS_READS = ("kms:Decrypt",)
KMS_WRITES = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy allows. An empty text or sequence does not restrict it."""

    partition: str = "aws"
    account: str = ""
    regions: Sequence[str] = ()
    functions: Sequence[str] = ()
    """Names, with or without wildcards and a qualifier, or ARNs."""
    cluster_name: str = ""
    """Allow to change only mappings with this owner tag."""
    kms_keys: Sequence[str] = ()
    roles: Sequence[str] = ()
    """ARNs of roles that ProviderConfigs name."""
    read_only: bool = False
    tagging_api: bool = True
    owner_tags: bool = True
    """Whether mappings carry owner tags. Without them the operator calls nothing about tags."""
    own_account: bool = True
    """Whether the operator works with its own credentials too, not only with ``roles``."""
    session_tags: bool = False
    """Whether its session has transitive tags, which need sts:TagSession to assume a role."""


def permissions(scope: Scope) -> Document:
    """The permissions policy of a scope."""
    found: list[Document] = []
    if scope.own_account:
        actions = [one for one in ACTIONS if _wanted(one, scope)]
        for sid in dict.fromkeys(one.sid for one in actions):
            found.append(_statement(sid, [one for one in actions if one.sid == sid], scope))
        if scope.cluster_name and not scope.read_only:
            # A mapping that is created or adopted has no owner tag yet.
            has_tag = {"StringEquals": {f"{REQUEST_TAG}/{CLUSTER}": scope.cluster_name}}
            mappings = _arns("event-source-mapping:*", scope)
            found.append(_allow("ClaimMappings", ["lambda:TagResource"], mappings, has_tag))
        if scope.kms_keys:
            found.append(_allow("UseKeys", KMS_READS if scope.read_only else KMS_WRITES, scope.kms_keys))
    if scope.roles:
        tag = ("sts:TagSession",) if scope.session_tags else ()
        found.append(_allow("AssumeRoles", ("sts:AssumeRole", *tag), scope.roles))
    return {"Version": VERSION, "Statement": found}


def _wanted(action: Action, scope: Scope) -> bool:
    if not scope.owner_tags and action.name in TAG_ACTIONS:
        return False
    return not (action.writes and scope.read_only) and (action.name != TAGGING or scope.tagging_api)


def _statement(sid: str, actions: Sequence[Action], scope: Scope) -> Document:
    """The statement of actions that IAM restricts alike."""
    first = actions[0]
    conditions: dict[str, Document] = {}
    if scope.regions and not first.by_mapping:  # the resource has no region, but the request has
        conditions["StringEquals"] = {"aws:RequestedRegion": _one_or_all(scope.regions)}
    if scope.functions and first.by_function:
        arns = [arn for function in scope.functions for arn in _function_arns(function, scope)]
        conditions["ArnLike"] = {"lambda:FunctionArn": _one_or_all(arns)}
    if scope.cluster_name and first.by_tag:
        conditions.setdefault("StringEquals", {})[f"{first.by_tag}/{CLUSTER}"] = scope.cluster_name
    resources = _arns("event-source-mapping:*", scope) if first.by_mapping else ["*"]
    return _allow(sid, [one.name for one in actions], resources, conditions)


def _arns(resource: str, scope: Scope) -> list[str]:
    """The ARNs of a resource of AWS Lambda in all regions of a scope."""
    regions = scope.regions or ("*",)
    return [f"arn:{scope.partition}:lambda:{region}:{scope.account or '*'}:{resource}" for region in regions]


def _function_arns(function: str, scope: Scope) -> list[str]:
    """The ARNs of a function, which may name a version or an alias of it."""
    if function.startswith("arn:"):
        unqualified, bases = function.count(":") == 6, [function]
    else:
        unqualified, bases = ":" not in function, _arns(f"function:{function}", scope)
    any_version = unqualified and not function.endswith("*")
    return [arn for base in bases for arn in ((base, f"{base}:*") if any_version else (base,))]


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Document] | None = None
) -> Document:
    """A statement."""
    statement = {"Sid": sid, "Effect": "Allow", "Action": _one_or_all(actions), "Resource": _one_or_all(resources)}
    return {**statement, "Condition": conditions} if conditions else {**statement}


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
