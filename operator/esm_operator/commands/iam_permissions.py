"""The least permissions policy: one table of the operations that the operator calls, and what IAM can restrict of them.

Pure; called by the command. What IAM can restrict is what the Service Authorization Reference says of AWS Lambda, of
the resource groups tagging API and of STS: some actions take ARNs of mappings as their resource, some know the
function, some know tags. sts:GetCallerIdentity, which the operator calls too, needs no permission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """An action of IAM that the operator needs, and by what IAM can restrict it."""

    name: str
    sid: str
    """The statement that it is in."""
    why: str
    """What the operator does by it, for the documentation."""
    writes: bool = False
    by_mapping: bool = False
    """Its resource is a mapping; else it is ``*``."""
    by_function: bool = False
    """It knows lambda:FunctionArn."""
    by_tag: str = ""
    """The tag that it knows: aws:RequestTag, that of the request, or aws:ResourceTag, that of the mapping."""


_LIST, _READ, _CREATE, _CHANGE, _TAG = "ListMappings", "ReadMappings", "CreateMappings", "ChangeMappings", "TagMappings"
REQUEST_TAG, RESOURCE_TAG = "aws:RequestTag", "aws:ResourceTag"
TAGGING = "tag:GetResources"
#: What is called only where mappings carry owner tags.
TAG_ACTIONS = frozenset({TAGGING, "lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"})

ACTIONS: tuple[Action, ...] = (
    Action("lambda:ListEventSourceMappings", _LIST, "sweeps: what is there, and what others changed"),
    Action(TAGGING, _LIST, "tags that others changed, a hundred mappings a call"),
    Action("lambda:GetEventSourceMapping", _READ, "looks at one mapping that AWS is at work on", by_mapping=True),
    Action("lambda:ListTags", _READ, "whose a mapping is, before it is touched", by_mapping=True),
    Action(
        "lambda:CreateEventSourceMapping",
        _CREATE,
        "makes mappings",
        writes=True,
        by_function=True,
        by_tag=REQUEST_TAG,
    ),
    Action(
        "lambda:UpdateEventSourceMapping",
        _CHANGE,
        "changes them",
        writes=True,
        by_mapping=True,
        by_function=True,
        by_tag=RESOURCE_TAG,
    ),
    Action(
        "lambda:DeleteEventSourceMapping",
        _CHANGE,
        "deletes them",
        writes=True,
        by_mapping=True,
        by_function=True,
        by_tag=RESOURCE_TAG,
    ),
    Action(
        "lambda:TagResource",
        _TAG,
        "sets tags; AWS asks for it at each creation too, for mappings are made with their tags",
        writes=True,
        by_mapping=True,
        by_tag=RESOURCE_TAG,
    ),
    Action(
        "lambda:UntagResource",
        _TAG,
        "removes tags",
        writes=True,
        by_mapping=True,
        by_tag=RESOURCE_TAG,
    ),
)

#: What AWS does with a KMS key in the caller's name, where filters are encrypted: to read them, and to write them
#: (CloudFormation's resource type AWS::Lambda::EventSourceMapping, its handlers' permissions).
KMS_READS = ("kms:Decrypt",)
KMS_WRITES = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy is to allow."""

    partition: str = "aws"
    account: str = ""
    """Twelve digits; empty: any, which for a role is its own."""
    regions: Sequence[str] = ()
    """Empty: all."""
    functions: Sequence[str] = ()
    """Names, perhaps with wildcards or a qualifier, or ARNs, of the functions that mappings may be made for; empty:
    all."""
    cluster_name: str = ""
    """Allow to change the mappings of this cluster only, by their owner tag; empty: all."""
    kms_keys: Sequence[str] = ()
    roles: Sequence[str] = ()
    """ARNs of roles that ProviderConfigs name."""
    read_only: bool = False
    tagging_api: bool = True
    owner_tags: bool = True
    """Whether mappings carry owner tags; else nothing about tags is called."""
    own_account: bool = True
    """Whether it works with its own credentials, not just as ``roles``."""
    session_tags: bool = False
    """Whether its session has transitive tags, which STS wants to be allowed when it assumes another role."""


def permissions(scope: Scope) -> Document:
    """The permissions policy of a scope."""
    found: list[Document] = []
    if scope.own_account:
        actions = [one for one in ACTIONS if _wanted(one, scope)]
        for sid in dict.fromkeys(one.sid for one in actions):
            found.append(_statement(sid, [one for one in actions if one.sid == sid], scope))
        if scope.cluster_name and not scope.read_only:
            found.append(_claim(scope))
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
    return _allow(
        sid,
        [one.name for one in actions],
        _mappings(scope) if first.by_mapping else ["*"],
        _regions(scope, first),
        _functions(scope, first),
        _tag(first.by_tag, scope.cluster_name) if first.by_tag and scope.cluster_name else {},
    )


def _claim(scope: Scope) -> Document:
    """To give a mapping the cluster's own tag: when it is made, and when one is adopted, it has none yet."""
    return _allow("ClaimMappings", ["lambda:TagResource"], _mappings(scope), _tag(REQUEST_TAG, scope.cluster_name))


def _mappings(scope: Scope) -> list[str]:
    return [
        f"arn:{scope.partition}:lambda:{region}:{scope.account or '*'}:event-source-mapping:*"
        for region in scope.regions or ("*",)
    ]


def _regions(scope: Scope, action: Action) -> dict[str, Document]:
    """Where the resource has no region, the request has."""
    if action.by_mapping or not scope.regions:
        return {}
    return {"StringEquals": {"aws:RequestedRegion": _one_or_all(scope.regions)}}


def _functions(scope: Scope, action: Action) -> dict[str, Document]:
    if not action.by_function or not scope.functions:
        return {}
    arns = [arn for function in scope.functions for arn in _function_arns(function, scope)]
    return {"ArnLike": {"lambda:FunctionArn": _one_or_all(arns)}}


def _function_arns(function: str, scope: Scope) -> list[str]:
    """The ARNs of a function, which may name a version or an alias of it."""
    if function.startswith("arn:"):
        unqualified = function.count(":") == 6
        bases = [function]
    else:
        unqualified = ":" not in function
        bases = [
            f"arn:{scope.partition}:lambda:{region}:{scope.account or '*'}:function:{function}"
            for region in scope.regions or ("*",)
        ]
    any_version = unqualified and not function.endswith("*")
    return [arn for base in bases for arn in ((base, f"{base}:*") if any_version else (base,))]


def _tag(key: str, cluster_name: str) -> dict[str, Document]:
    return {"StringEquals": {f"{key}/{CLUSTER}": cluster_name}}


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: Mapping[str, Document]) -> Document:
    """A statement; all of the conditions must hold."""
    together: dict[str, Document] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            together.setdefault(operator, {}).update(keys)
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": _one_or_all(actions),
        "Resource": _one_or_all(resources),
        **({"Condition": together} if together else {}),
    }


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
