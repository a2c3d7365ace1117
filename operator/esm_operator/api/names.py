"""AWS's spelling of a name and Kubernetes' spelling of the same.

Kubernetes' API conventions write initialisms in one case (``eventSourceARN``, ``uuid``), AWS does not
(``EventSourceArn``, ``UUID``). Structures are renamed member by member, values stay as they are.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from esm_operator.api.frozen_json import is_array, is_object

#: Names that the rules below would get wrong.
_IRREGULAR: Mapping[str, str] = {
    "DocumentDBEventSourceConfig": "documentDBEventSourceConfig",
    "KMSKeyArn": "kmsKeyARN",
    "KAFKA_BOOTSTRAP_SERVERS": "KAFKA_BOOTSTRAP_SERVERS",
}
_REGULAR_BACK: Mapping[str, str] = {kubernetes: aws for aws, kubernetes in _IRREGULAR.items()}
#: How many names stay at hand: more than the API has that are asked for.
_AT_HAND = 512
_INITIALISMS = {"uri": "URI", "uuid": "UUID"}


@lru_cache(_AT_HAND)
def kubernetes_name(aws: str) -> str:
    """``BatchSize`` -> ``batchSize``, ``ConsumerGroupId`` -> ``consumerGroupID``, ``URI`` -> ``uri``."""
    if aws in _IRREGULAR:
        return _IRREGULAR[aws]
    if aws.isupper():
        return aws.lower()
    name = re.sub(r"Arn$", "ARN", re.sub(r"Id$", "ID", aws))
    return name[0].lower() + name[1:]


@lru_cache(_AT_HAND)
def aws_name(kubernetes: str) -> str:
    """The inverse of :func:`kubernetes_name` for the members of CreateEventSourceMapping."""
    if kubernetes in _REGULAR_BACK:
        return _REGULAR_BACK[kubernetes]
    if kubernetes in _INITIALISMS:
        return _INITIALISMS[kubernetes]
    name = re.sub(r"ARN$", "Arn", re.sub(r"ID$", "Id", kubernetes))
    return name[0].upper() + name[1:]


def to_aws(value: Any) -> Any:
    """A structure in Kubernetes' spelling, as AWS spells it."""
    if is_object(value):
        return {aws_name(name): to_aws(member) for name, member in value.items()}
    if is_array(value):
        return [to_aws(item) for item in value]
    return value


def to_kubernetes(value: Any) -> Any:
    """A structure in AWS's spelling, as Kubernetes spells it, without members that are empty."""
    if is_object(value):
        members = {kubernetes_name(name): to_kubernetes(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in (None, "", [], {})}
    if is_array(value):
        return [to_kubernetes(item) for item in value]
    return value
