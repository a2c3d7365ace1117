"""The permissions policy of the operator, from a table of the actions that it calls.

The table also has the ways in which IAM can restrict each action, from the Service Authorization Reference of AWS
Lambda, the Resource Groups Tagging API and STS. There, event source mappings have the condition key aws:ResourceTag.
CreateEventSourceMapping and TagResource also have aws:RequestTag. UntagResource does not. The operator also calls
sts:GetCallerIdentity, which needs no permission.

A policy for one cluster depends on three rules of the IAM User Guide. Null with the value true means that the request
has no such key. A condition with IfExists is met if the request has no such key. The key aws:ResourceTag exists in
requests for a resource with the tag, and in requests that create a resource with the tag. So the policy allows the
TagResource of a Create with and without this key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, TypeAlias

from botocore.exceptions import UnknownRegionError
from botocore.session import get_session
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from esm_operator.planning import allowed
from esm_operator.planning.ownership import CLUSTER
from esm_operator.settings import Items, each, matches

#: A policy document or a part of one.
Document: TypeAlias = dict[str, Any]

VERSION = "2012-10-17"
#: The most characters, without white space, of a managed policy and of a trust policy (IAM User Guide, quotas). AWS can
#: raise the quota of trust policies.
MOST_CHARACTERS, MOST_TRUST_CHARACTERS = 6144, 2048


@dataclass(frozen=True, slots=True)
class Action:
    """An IAM action that the operator needs, and the ways in which IAM can restrict it."""

    name: str
    sid: str
    """The Sid of its statement."""
    why: str
    """The purpose of the action, for the documentation."""
    writes: bool = False
    by_mapping: bool = False
    """Whether the resource of the action is a mapping. Otherwise it is ``*``."""
    by_function: bool = False
    """Whether the action has the condition key lambda:FunctionArn."""
    by_tag: str = ""
    """Its condition key for tags: aws:RequestTag or aws:ResourceTag; empty if it has none."""


_LIST, _READ, _CREATE, _CHANGE, _TAG = "ListMappings", "ReadMappings", "CreateMappings", "ChangeMappings", "TagMappings"
REQUEST_TAG, RESOURCE_TAG = "aws:RequestTag", "aws:ResourceTag"
TAGGING = "tag:GetResources"
#: Actions that are called only where mappings have owner tags.
TAG_ACTIONS = frozenset({TAGGING, "lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"})

_change = partial(Action, writes=True, by_mapping=True, by_tag=RESOURCE_TAG)

ACTIONS: tuple[Action, ...] = (
    Action("lambda:ListEventSourceMappings", _LIST, "list mappings in each sweep, to find drift"),
    Action(TAGGING, _LIST, "read the tags of 100 mappings with one request"),
    Action("lambda:GetEventSourceMapping", _READ, "read one mapping while AWS changes it", by_mapping=True),
    Action("lambda:ListTags", _READ, "read the owner tags of a mapping before it is changed", by_mapping=True),
    Action(
        "lambda:CreateEventSourceMapping",
        _CREATE,
        "create mappings",
        writes=True,
        by_function=True,
        by_tag=REQUEST_TAG,
    ),
    _change("lambda:UpdateEventSourceMapping", _CHANGE, "update mappings", by_function=True),
    _change("lambda:DeleteEventSourceMapping", _CHANGE, "delete mappings", by_function=True),
    _change("lambda:TagResource", _TAG, "set tags. CreateEventSourceMapping with tags needs this action too"),
    _change("lambda:UntagResource", _TAG, "remove tags"),
)

#: Actions on a KMS key that the caller needs to read and to write encrypted filters (permissions of the handlers of the
#: CloudFormation resource type AWS::Lambda::EventSourceMapping).
KMS_READS = ("kms:Decrypt",)
KMS_WRITES = ("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")
#: A regular expression for partitions.
PARTITION = r"aws[a-z-]*"


def like(pattern: str, what: str) -> Callable[[str], str]:
    """A validator that accepts a text if the pattern matches all of it. ``what`` is the end of the message."""
    return matches(pattern, f"{{}} is not {what}")


@cache
def partition_of(region: str) -> str:
    """The partition of a region. Raises UnknownRegionError."""
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
    "the name or ARN of a function, with or without * or an alias (name:alias)",
)
_is_key = like(
    rf"(?a:arn:{PARTITION}:kms:[a-z0-9-]+:\d{{12}}:key/[\w*-]+)",
    "the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/1234abcd (an alias is not possible)",
)
_is_cluster_name = like(r"[\w .:=+\-@]{1,256}", "a cluster name: use only letters, digits, spaces and _ . : = + - @")
_is_account = like(r"\d{12}", "the ID of an AWS account, which has 12 digits")
_is_partition = like(PARTITION, "a partition such as aws, aws-cn or aws-us-gov")


class Scope(BaseModel):
    """The flags of the command that restrict the permissions policy."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    read_only: bool = False
    """Allow only actions that read. They suffice if all resources have managementPolicy Observe, and for the commands
    orphans and export."""

    tagging_api: bool = True
    """Allow tag:GetResources. Without it, the operator reads the tags of one mapping after the other, and finds changed
    tags later."""

    ownership: Literal["tags", "resource-only"] = "tags"
    """Where the owner of a mapping is recorded. Use the value of `esm-operator run --ownership` or of the
    ProviderConfigs. With resource-only, the operator calls no actions about tags."""

    cluster_name: Annotated[str, AfterValidator(_is_cluster_name)] = ""
    """Allow changes only of mappings with the owner tag of this cluster. Use the value of
    `esm-operator run --cluster-name`. Default: all mappings."""

    takeover_from_clusters: Annotated[Items, each(_is_cluster_name)] = Field(default_factory=list[str])
    """Allow the operator to take over mappings with the owner tags of these clusters, for a migration. This flag needs
    --cluster-name. Default: none."""

    functions: Annotated[Items, each(_is_function)] = Field(default_factory=list[str])
    """Allow changes only of mappings of these functions: names, ARNs, or patterns such as `orders-*`. Default: all
    functions."""

    regions: Annotated[Items, each(is_region)] = Field(default_factory=list[str])
    """Allow requests only in these regions. Default: all regions."""

    account: Annotated[str, AfterValidator(_is_account)] = ""
    """Account ID for ARNs in the policy. Default: `*`."""

    partition: Annotated[str, AfterValidator(_is_partition)] = ""
    """Partition for ARNs in the policy. Default: the partition of --regions, or aws."""

    kms_keys: Annotated[Items, each(_is_key)] = Field(default_factory=list[str])
    """Allow the use of these KMS keys, which resources name in spec.kmsKeyARN. Default: none."""

    assume_roles: Annotated[Items, each(is_role)] = Field(default_factory=list[str])
    """Allow the operator to assume these roles, which ProviderConfigs name in spec.roleARN. Default: none."""

    own_account: bool = True
    """Allow the operator to manage mappings with its own role. Turn this off if it only assumes --assume-roles."""

    session_tags: bool = False
    """Allow sts:TagSession too. EKS Pod Identity needs it, because its session tags are passed on when the operator
    assumes another role."""


def permissions(scope: Scope) -> Document:
    """The permissions policy of a scope."""
    found: list[Document] = []
    if scope.own_account:
        actions = [one for one in ACTIONS if _wanted(one, scope)]
        for sid in dict.fromkeys(one.sid for one in actions):
            found.append(_statement(sid, [one for one in actions if one.sid == sid], scope))
        if scope.cluster_name and not scope.read_only:
            found += _claims(scope)
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


def _claims(scope: Scope) -> list[Document]:
    """The statements that let a cluster tag mappings as its own: those of no cluster, and those that it takes over."""
    has, becomes = f"{RESOURCE_TAG}/{CLUSTER}", {f"{REQUEST_TAG}/{CLUSTER}": scope.cluster_name}
    mappings, tag = _arns("event-source-mapping:*", scope), ["lambda:TagResource"]
    # A mapping that is being created or adopted has no owner tag yet.
    claims = [_allow("ClaimMappings", tag, mappings, {"StringEquals": becomes, "Null": {has: "true"}})]
    others = scope.takeover_from_clusters
    if others:
        theirs = {"StringEquals": {has: one_or_all(others), **becomes}}
        claims.append(_allow("TakeOverMappings", tag, mappings, theirs))
    return claims


def _statement(sid: str, actions: Sequence[Action], scope: Scope) -> Document:
    """The statement of actions that IAM restricts in the same ways."""
    first = actions[0]
    conditions: dict[str, Document] = {}
    if scope.regions and not first.by_mapping:  # the resource has no region, but the request has
        conditions["StringEquals"] = {"aws:RequestedRegion": one_or_all(scope.regions)}
    if scope.functions and first.by_function:
        arns = [arn for function in scope.functions for arn in _function_arns(function, scope)]
        conditions["ArnLike"] = {"lambda:FunctionArn": one_or_all(arns)}
    if scope.cluster_name and first.by_tag:
        conditions.setdefault("StringEquals", {})[f"{first.by_tag}/{CLUSTER}"] = scope.cluster_name
    if scope.cluster_name and sid == _TAG:  # it gives no mapping to another cluster; UntagResource has no such key
        conditions["StringEqualsIfExists"] = {f"{REQUEST_TAG}/{CLUSTER}": scope.cluster_name}
    resources = _arns("event-source-mapping:*", scope) if first.by_mapping else ["*"]
    return _allow(sid, [one.name for one in actions], resources, conditions)


def _arns(resource: str, scope: Scope) -> list[str]:
    """The ARNs of a resource of AWS Lambda in all regions of a scope."""
    regions = scope.regions or ("*",)
    partition = scope.partition or (partition_of(scope.regions[0]) if scope.regions else "aws")
    return [f"arn:{partition}:lambda:{region}:{scope.account or '*'}:{resource}" for region in regions]


def _function_arns(function: str, scope: Scope) -> list[str]:
    """The ARNs that stand for a function, with or without a version or an alias.

    The operator takes a function without a version for its version $LATEST. For IAM, the two are different ARNs.
    """
    if function.startswith("arn:"):
        qualified, bases = function.count(":") > 6, [function]
    else:
        qualified, bases = ":" in function, _arns(f"function:{function}", scope)
    if qualified:
        version = function.rpartition(":")[2]
        more = [base.rpartition(":")[0] for base in bases if allowed.matches(version, "$LATEST")]
        return [*bases, *more]
    return [arn for base in bases for arn in ((base,) if function.endswith("*") else (base, f"{base}:*"))]


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Document] | None = None
) -> Document:
    statement = {"Sid": sid, "Effect": "Allow", "Action": one_or_all(actions), "Resource": one_or_all(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def one_or_all(texts: Sequence[str]) -> str | list[str]:
    """One text, or the list if it has several, as AWS prints policies."""
    return texts[0] if len(texts) == 1 else list(texts)
