"""The kinds of event sources: how a request names them, the members that they accept, and AWS's defaults.

The tables are based on recordings, the documentation in the botocore model and public facts about AWS. They share
nothing with the operator, so that a mistake in one of them is noticed. Rules about several members are in `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .arns import parse_arn
from .errors import AwsError, invalid_parameter

NO_RECORDS = "No records processed"


class Source(StrEnum):
    SQS = "sqs"
    SQS_FIFO = "sqs-fifo"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "msk"
    SELF_MANAGED_KAFKA = "self-managed-kafka"
    MQ = "mq"
    DOCUMENTDB = "documentdb"


QUEUES = frozenset({Source.SQS, Source.SQS_FIFO})
STREAMS = frozenset({Source.KINESIS, Source.DYNAMODB})
KAFKA = frozenset({Source.MSK, Source.SELF_MANAGED_KAFKA})
ALL = frozenset(Source)


class Evidence(StrEnum):
    """The origin of a statement about AWS."""

    RECORDED = "recorded"
    REPORTED = "reported"
    DOCUMENTED = "documented"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Taken:
    """The sources that accept a member. The others refuse it with `refusal` (`{member}` as AWS prints it)."""

    by: frozenset[Source]
    required_by: frozenset[Source] = frozenset()
    evidence: Evidence = Evidence.DOCUMENTED
    refusal: str = "Unsupported '{member}' parameter for given event source mapping type."
    refusal_evidence: Evidence = Evidence.REPORTED


# Members of Create and Update that only some sources accept. ALL_TAKE has those that all sources accept.
TAKEN: dict[str, Taken] = {
    "StartingPosition": Taken(ALL - QUEUES, evidence=Evidence.ASSUMED),
    "StartingPositionTimestamp": Taken(ALL - QUEUES - {Source.DYNAMODB, Source.MQ}),
    "ParallelizationFactor": Taken(STREAMS),
    "TumblingWindowInSeconds": Taken(STREAMS),
    "MaximumRecordAgeInSeconds": Taken(STREAMS | KAFKA),
    "MaximumRetryAttempts": Taken(STREAMS | KAFKA),
    "BisectBatchOnFunctionError": Taken(STREAMS | KAFKA),
    "DestinationConfig": Taken(
        STREAMS | KAFKA,
        refusal="Unsupported DestinationConfig parameter for given event source mapping type.",
        refusal_evidence=Evidence.RECORDED,
    ),
    "FunctionResponseTypes": Taken(QUEUES | STREAMS | KAFKA),
    "ScalingConfig": Taken(QUEUES),
    "ProvisionedPollerConfig": Taken(KAFKA | QUEUES),
    "LoggingConfig": Taken(KAFKA),
    "Topics": Taken(KAFKA, required_by=KAFKA),
    "Queues": Taken(frozenset({Source.MQ}), required_by=frozenset({Source.MQ})),
    "SourceAccessConfigurations": Taken(
        ALL - QUEUES - STREAMS,
        required_by=frozenset({Source.MQ, Source.DOCUMENTDB, Source.SELF_MANAGED_KAFKA}),
        evidence=Evidence.RECORDED,
    ),
    "SelfManagedEventSource": Taken(frozenset({Source.SELF_MANAGED_KAFKA})),
    "SelfManagedKafkaEventSourceConfig": Taken(frozenset({Source.SELF_MANAGED_KAFKA})),
    "AmazonManagedKafkaEventSourceConfig": Taken(frozenset({Source.MSK})),
    "DocumentDBEventSourceConfig": Taken(frozenset({Source.DOCUMENTDB}), required_by=frozenset({Source.DOCUMENTDB})),
}
ALL_TAKE = frozenset(
    {
        "EventSourceArn",
        "FunctionName",
        "Enabled",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "FilterCriteria",
        "KMSKeyArn",
        "MetricsConfig",
        "Tags",
        "UUID",
    }
)

# Which entries of SourceAccessConfigurations go with which source (documented).
ACCESS_TYPES: dict[str, frozenset[Source]] = {
    "BASIC_AUTH": frozenset({Source.MQ, Source.SELF_MANAGED_KAFKA, Source.DOCUMENTDB}),
    "VIRTUAL_HOST": frozenset({Source.MQ}),
    "SASL_SCRAM_512_AUTH": KAFKA,
    "CLIENT_CERTIFICATE_TLS_AUTH": KAFKA,
    "VPC_SUBNET": frozenset({Source.SELF_MANAGED_KAFKA}),
    "VPC_SECURITY_GROUP": frozenset({Source.SELF_MANAGED_KAFKA}),
    "SASL_SCRAM_256_AUTH": frozenset({Source.SELF_MANAGED_KAFKA}),
    "SERVER_ROOT_CA_CERTIFICATE": frozenset({Source.SELF_MANAGED_KAFKA}),
    "OAUTHBEARER_AUTH": frozenset({Source.SELF_MANAGED_KAFKA}),
    "OAUTHBEARER_SCOPE": frozenset({Source.SELF_MANAGED_KAFKA}),
    "OAUTHBEARER_AUDIENCE": frozenset({Source.SELF_MANAGED_KAFKA}),
    "OAUTHBEARER_LOGICAL_CLUSTER": frozenset({Source.SELF_MANAGED_KAFKA}),
    "OAUTHBEARER_IDENTITY_POOL": frozenset({Source.SELF_MANAGED_KAFKA}),
    "IAM_AUTH": frozenset({Source.SELF_MANAGED_KAFKA}),
    "IAM_OAUTHBEARER_AUTH": frozenset({Source.SELF_MANAGED_KAFKA}),
}


@dataclass(frozen=True, slots=True)
class FilledIn:
    """Members that AWS adds to those of the request."""

    reason: str
    members: Mapping[str, Any]
    last_processing_result: str | None = NO_RECORDS
    disabled_at_once: bool = False
    evidence: Evidence = Evidence.RECORDED


_QUEUE = FilledIn(
    reason="USER_INITIATED",
    members={"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []},
    last_processing_result=None,
    disabled_at_once=True,
)
_STREAM_MEMBERS: Mapping[str, Any] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
_KAFKA_MEMBERS: Mapping[str, Any] = {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"}

FILLED_IN: dict[Source, FilledIn] = {
    Source.SQS: _QUEUE,
    Source.SQS_FIFO: _QUEUE,
    Source.DYNAMODB: FilledIn("User action", _STREAM_MEMBERS),
    Source.KINESIS: FilledIn("User action", _STREAM_MEMBERS, evidence=Evidence.ASSUMED),
    Source.SELF_MANAGED_KAFKA: FilledIn("USER_INITIATED", _KAFKA_MEMBERS),
    Source.MSK: FilledIn("USER_INITIATED", _KAFKA_MEMBERS, evidence=Evidence.ASSUMED),
    Source.MQ: FilledIn("USER_INITIATED", {"BatchSize": 100}, evidence=Evidence.ASSUMED),
    Source.DOCUMENTDB: FilledIn(
        "USER_INITIATED", {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"}, evidence=Evidence.ASSUMED
    ),
}

# The member that holds a Kafka consumer group, by source.
CONSUMER_GROUP: dict[Source, str] = {
    Source.MSK: "AmazonManagedKafkaEventSourceConfig",
    Source.SELF_MANAGED_KAFKA: "SelfManagedKafkaEventSourceConfig",
}


@dataclass(frozen=True, slots=True)
class PollerLimits:
    """Provisioned pollers: the smallest minimum, the greatest maximum, and AWS's default (documented)."""

    lowest: int
    highest: int
    named_group: bool
    default_maximum: int = field(default=200)


POLLERS: dict[Source, PollerLimits] = {
    Source.SQS: PollerLimits(2, 10_000, named_group=False),
    Source.SQS_FIFO: PollerLimits(2, 10_000, named_group=False),
    Source.MSK: PollerLimits(1, 2_000, named_group=True),
    Source.SELF_MANAGED_KAFKA: PollerLimits(1, 2_000, named_group=True),
}

# The services that can be a source, with the form of the last part of the ARN. The region and the account are required.
# The forms are documented in the reference of each service. AWS's message for other forms is assumed.
_BY_SERVICE: dict[str, tuple[Source, re.Pattern[str]]] = {
    "sqs": (Source.SQS, re.compile(r"[\w-]{1,80}(\.fifo)?", re.ASCII)),
    "kinesis": (Source.KINESIS, re.compile(r"stream/[\w.-]+(/consumer/[\w.-]+:\d+)?", re.ASCII)),
    "dynamodb": (Source.DYNAMODB, re.compile(r"table/[\w.-]+/stream/[\w.:-]+", re.ASCII)),
    "kafka": (Source.MSK, re.compile(r"cluster/[\w-]+/[\w-]+|vpc-connection/\d{12}/[\w-]+/[\w-]+", re.ASCII)),
    "mq": (Source.MQ, re.compile(r"broker:[\w-]+:b-[\w-]+", re.ASCII)),
    "rds": (Source.DOCUMENTDB, re.compile(r"cluster:[a-zA-Z][\w-]*", re.ASCII)),
}


def source_of(parameters: Mapping[str, Any]) -> Source:
    """The kind of source that a Create names. Raises AWS's error if there is none (recorded)."""
    arn = parameters.get("EventSourceArn")
    if arn is None:
        if parameters.get("SelfManagedEventSource") is None:
            raise unrecognized()
        return Source.SELF_MANAGED_KAFKA
    parsed = parse_arn(arn)
    found = _BY_SERVICE.get(parsed.service)
    if found is None or not (parsed.region and parsed.account and found[1].fullmatch(parsed.resource)):
        raise unrecognized()
    source = found[0]
    return Source.SQS_FIFO if source is Source.SQS and parsed.resource.endswith(".fifo") else source


def unrecognized() -> AwsError:
    return invalid_parameter("Unrecognized event source.")
