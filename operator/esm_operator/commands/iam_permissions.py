"""The least permissions policy: one table of the operations that the operator calls, and how IAM can restrict them.

The restrictions are from the Service Authorization Reference of AWS Lambda, the resource groups tagging API and STS.
sts:GetCallerIdentity, which the operator calls too, needs no permission.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeAlias

from botocore.exceptions import UnknownRegionError
from botocore.session import get_session
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from esm_operator.planning.ownership import CLUSTER
from esm_operator.settings import Items, each, matches

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

#: What AWS does with a KMS key for the caller to read and to write encrypted filters (the handlers' permissions of
#: CloudFormation's resource type AWS::Lambda::EventSourceMapping).
KMS_READS = ("kms:Decrypt",)
KMS_WRITES = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")
#: A pattern of partitions.
PARTITION = r"aws[a-z-]*"


def like(pattern: str, what: str) -> Callable[[str], str]:
    """A validator of texts. ``what`` ends the message."""
    return matches(pattern, f"{{}} is not {what}")


@cache
def partition_of(region: str) -> str:
    """The partition that a region is in. Raises UnknownRegionError."""
    return str(get_session().get_partition_for_region(region))


def is_region(text: str) -> str:
    """A validator of regions."""
    try:
        partition_of(text)
    except UnknownRegionError:
        raise ValueError(f"{text} is not an AWS region such as eu-west-1") from None
    return text


is_role = like(
    rf"arn:{PARTITION}:iam::\d{{12}}:role/[\w+=,.@/-]+",
    "the ARN of an IAM role such as arn:aws:iam::222222222222:role/esm-operator",
)
_is_function = like(
    rf"(?a:(arn:{PARTITION}:lambda:[a-z0-9*-]+:(\d{{12}}|\*):function:)?[\w*?-]+(:(\$LATEST|[\w*?-]+))?)",
    "a function: its name, perhaps with * or an alias (name:alias), or the ARN of one",
)
_is_key = like(
    rf"(?a:arn:{PARTITION}:kms:[a-z0-9-]+:\d{{12}}:key/[\w*-]+)",
    "the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/1234abcd (no alias)",
)
_is_cluster_name = like(r"[\w .:=+\-@]{1,256}", "a cluster name: letters, digits, spaces and . : = + - @ _")
_is_account = like(r"\d{12}", "an AWS account: it has twelve digits")
_is_partition = like(PARTITION, "a partition such as aws, aws-cn or aws-us-gov")


class Scope(BaseModel):
    """What a policy allows: the flags of the command about permissions."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    read_only: bool = False
    """Allow to look only: enough where every resource has managementPolicy Observe, and for `esm-operator orphans`."""

    tagging_api: bool = True
    """Allow tag:GetResources, by which tags that others change are seen in bulk; without it, slowly one by one."""

    ownership: Literal["tags", "resource-only"] = "tags"
    """Where the owner of a mapping is recorded, as --ownership of `esm-operator run` or the ownership of
    ProviderConfigs. With `resource-only` the operator calls nothing about tags."""

    cluster_name: Annotated[str, AfterValidator(_is_cluster_name)] = ""
    """Allow to change and delete only mappings that carry the owner tag of this cluster, as --cluster-name of
    `esm-operator run`, and to create none without it. Default: all mappings."""

    functions: Annotated[Items, each(_is_function)] = Field(default_factory=list[str])
    """Functions that mappings may be made for, changed and deleted: names, wildcards such as `orders-*`, or ARNs,
    separated by commas or repeated. Default: all."""

    regions: Annotated[Items, each(is_region)] = Field(default_factory=list[str])
    """Regions to work in, separated by commas or repeated. Default: all."""

    account: Annotated[str, AfterValidator(_is_account)] = ""
    """The account, for the ARNs. Default: any, which for a role is its own."""

    partition: Annotated[str, AfterValidator(_is_partition)] = ""
    """The partition, for the ARNs. Default: that of --regions, else aws."""

    kms_keys: Annotated[Items, each(_is_key)] = Field(default_factory=list[str])
    """ARNs of the keys that resources name in spec.kmsKeyARN. Default: none is used."""

    assume_roles: Annotated[Items, each(is_role)] = Field(default_factory=list[str])
    """ARNs of the roles that ProviderConfigs name in spec.roleARN: allow to assume them."""

    own_account: bool = True
    """Allow to work with the operator's own role. Without: only to assume --assume-roles."""

    session_tags: bool = False
    """The operator's role comes from EKS Pod Identity, whose session tags go along when it assumes another role:
    allow sts:TagSession too."""


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
    if scope.assume_roles:
        tag = ("sts:TagSession",) if scope.session_tags else ()
        found.append(_allow("AssumeRoles", ("sts:AssumeRole", *tag), scope.assume_roles))
    return {"Version": VERSION, "Statement": found}


def _wanted(action: Action, scope: Scope) -> bool:
    if scope.ownership != "tags" and action.name in TAG_ACTIONS:
        return False
    return not (action.writes and scope.read_only) and (action.name != TAGGING or scope.tagging_api)


def _statement(sid: str, actions: Sequence[Action], scope: Scope) -> Document:
    """The statement of actions that IAM restricts alike."""
    first = actions[0]
    conditions: dict[str, Document] = {}
    if scope.regions and not first.by_mapping:  # the resource has no region, but the request has
        conditions["StringEquals"] = {"aws:RequestedRegion": one_or_all(scope.regions)}
    if scope.functions and first.by_function:
        arns = [arn for function in scope.functions for arn in _function_arns(function, scope)]
        conditions["ArnLike"] = {"lambda:FunctionArn": one_or_all(arns)}
    if scope.cluster_name and first.by_tag:
        conditions.setdefault("StringEquals", {})[f"{first.by_tag}/{CLUSTER}"] = scope.cluster_name
    resources = _arns("event-source-mapping:*", scope) if first.by_mapping else ["*"]
    return _allow(sid, [one.name for one in actions], resources, conditions)


def _arns(resource: str, scope: Scope) -> list[str]:
    """The ARNs of a resource of AWS Lambda in all regions of a scope."""
    regions = scope.regions or ("*",)
    partition = scope.partition or (partition_of(scope.regions[0]) if scope.regions else "aws")
    return [f"arn:{partition}:lambda:{region}:{scope.account or '*'}:{resource}" for region in regions]


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
    statement = {"Sid": sid, "Effect": "Allow", "Action": one_or_all(actions), "Resource": one_or_all(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def one_or_all(texts: Sequence[str]) -> str | list[str]:
    """A text, or a list of several, as AWS prints policies."""
    return texts[0] if len(texts) == 1 else list(texts)
