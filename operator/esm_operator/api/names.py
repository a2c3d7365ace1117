"""The names of fields in AWS's spelling and in Kubernetes' spelling.

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
_IRREGULAR_BACK = {kubernetes: aws for aws, kubernetes in _IRREGULAR.items()} | {"uri": "URI", "uuid": "UUID"}


def kubernetes_name(aws: str) -> str:
    """``BatchSize`` -> ``batchSize``, ``ConsumerGroupId`` -> ``consumerGroupID``, ``URI`` -> ``uri``."""
    if aws in _IRREGULAR:
        return _IRREGULAR[aws]
    if aws.isupper():
        return aws.lower()
    name = re.sub(r"Arn$", "ARN", re.sub(r"Id$", "ID", aws))
    return name[0].lower() + name[1:]


@lru_cache(512)
def aws_name(kubernetes: str) -> str:
    """The inverse of :func:`kubernetes_name` for the members of CreateEventSourceMapping."""
    if kubernetes in _IRREGULAR_BACK:
        return _IRREGULAR_BACK[kubernetes]
    name = re.sub(r"ARN$", "Arn", re.sub(r"ID$", "Id", kubernetes))
    return name[0].upper() + name[1:]


def to_aws(value: Any) -> Any:
    """A structure in Kubernetes' spelling, as AWS spells it."""
    if is_object(value):
        return {aws_name(name): to_aws(member) for name, member in value.items()}
    return [to_aws(item) for item in value] if is_array(value) else value


def to_kubernetes(value: Any) -> Any:
    """A structure in AWS's spelling, as Kubernetes spells it, without members that are empty."""
    if is_object(value):
        members = {kubernetes_name(name): to_kubernetes(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in (None, "", [], {})}
    return [to_kubernetes(item) for item in value] if is_array(value) else value
