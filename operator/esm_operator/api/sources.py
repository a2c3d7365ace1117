"""Source types: what a mapping reads from. The event source ARN shows it.

The fields that a mapping takes, their defaults and the mapping's identity depend on the source type.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SourceType(StrEnum):
    """The source types of AWS Lambda event source mappings."""

    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "kafka"
    SELF_MANAGED_KAFKA = "self-managed-kafka"
    MQ = "mq"
    DOCUMENTDB = "documentdb"


#: The names for messages and documentation.
TITLES: Mapping[SourceType, str] = {
    SourceType.SQS: "Amazon SQS",
    SourceType.KINESIS: "Amazon Kinesis",
    SourceType.DYNAMODB: "DynamoDB Streams",
    SourceType.MSK: "Amazon MSK",
    SourceType.SELF_MANAGED_KAFKA: "self-managed Apache Kafka",
    SourceType.MQ: "Amazon MQ",
    SourceType.DOCUMENTDB: "Amazon DocumentDB",
}

#: The service part of an event source ARN. DocumentDB clusters have ARNs of the service "rds".
ARN_SERVICES: Mapping[str, SourceType] = {
    "sqs": SourceType.SQS,
    "kinesis": SourceType.KINESIS,
    "dynamodb": SourceType.DYNAMODB,
    "kafka": SourceType.MSK,
    "mq": SourceType.MQ,
    "rds": SourceType.DOCUMENTDB,
}

ALL = frozenset(SourceType)
STREAMS = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})
KAFKA = frozenset({SourceType.MSK, SourceType.SELF_MANAGED_KAFKA})

_ARN = re.compile(r"arn:aws[a-z-]*:([a-zA-Z0-9-]+):([a-z0-9-]*):(\d{12})?:(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an Amazon Resource Name. Region and account are empty if the ARN has none."""

    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN; None if the text is not one."""
    match = _ARN.fullmatch(text)
    return Arn(*(part or "" for part in match.groups())) if match else None


def observed_source_type(mapping: Mapping[str, Any]) -> SourceType | None:
    """The source type of a mapping in AWS's spelling: an answer, or the parameters of a Create."""
    arn = parse_arn(str(mapping.get("EventSourceArn") or ""))
    if arn is not None:
        return ARN_SERVICES.get(arn.service)
    return SourceType.SELF_MANAGED_KAFKA if mapping.get("SelfManagedEventSource") else None
