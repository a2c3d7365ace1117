"""Source types: what a mapping reads from, told by its event source ARN.

Which fields a mapping takes, what they default to and what makes it the same mapping all depend on
the source type, so every table of this project has it as a column. Called by the rules, the planner
and the translation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SourceType(StrEnum):
    """The source types of AWS Lambda event source mappings (CreateEventSourceMapping, EventSourceArn)."""

    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "kafka"
    SELF_MANAGED_KAFKA = "self-managed-kafka"
    MQ = "mq"
    DOCUMENTDB = "documentdb"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The name people use, for messages and documentation."""
        return TITLES[self]


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
    """An Amazon Resource Name taken apart; region and account are empty where the ARN has none."""

    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """Take an ARN apart, or None where the text is none."""
    match = _ARN.fullmatch(text)
    return Arn(*(part or "" for part in match.groups())) if match else None


def observed_source_type(mapping: Mapping[str, Any]) -> SourceType | None:
    """The source type of a mapping in AWS's spelling: an answer, or the parameters of a Create."""
    arn = parse_arn(str(mapping.get("EventSourceArn") or ""))
    if arn is not None:
        return ARN_SERVICES.get(arn.service)
    return SourceType.SELF_MANAGED_KAFKA if mapping.get("SelfManagedEventSource") else None
