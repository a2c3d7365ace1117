"""What is refused, case by case: a spec, the edit that spoils it, what the message must say, and the opposite.

The end-to-end tests put each case to the real API server, the unit tests to the offline check; both must say
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

HERE = "eu-west-1:123456789012"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:orders"
BASIC_AUTH = {"type": "BASIC_AUTH", "uri": SECRET}

Spec = dict[str, Any]
Edit = Mapping[str, Any]

BASES: Mapping[str, Spec] = {
    "sqs": {"eventSourceARN": f"arn:aws:sqs:{HERE}:orders"},
    "fifo": {"eventSourceARN": f"arn:aws:sqs:{HERE}:orders.fifo"},
    "kinesis": {
        "eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/orders",
        "startingPosition": "LATEST",
    },
    "dynamodb": {
        "eventSourceARN": f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000",
        "startingPosition": "LATEST",
    },
    "msk": {
        "eventSourceARN": f"arn:aws:kafka:{HERE}:cluster/orders/11111111-2222-3333-4444-555555555555-1",
        "topics": ["orders"],
    },
    "self-managed": {
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-1.example.com:9092"]}},
        "sourceAccessConfigurations": [BASIC_AUTH],
        "topics": ["orders"],
    },
    "mq": {
        "eventSourceARN": f"arn:aws:mq:{HERE}:broker:orders:b-11111111-2222-3333-4444-555555555555",
        "queues": ["orders"],
        "sourceAccessConfigurations": [BASIC_AUTH],
    },
    "documentdb": {
        "eventSourceARN": f"arn:aws:rds:{HERE}:cluster:orders",
        "documentDBEventSourceConfig": {"databaseName": "orders"},
        "sourceAccessConfigurations": [BASIC_AUTH],
    },
}

SQS, KINESIS, DYNAMODB = "Amazon SQS", "Amazon Kinesis", "DynamoDB Streams"
MSK, SELF_MANAGED, MQ, DOCUMENTDB = (
    "Amazon MSK",
    "self-managed Apache Kafka",
    "Amazon MQ",
    "Amazon DocumentDB",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One case."""

    name: str
    base: str
    bad: Edit
    """Fields by path, and their values; None takes one away."""
    good: Edit
    """The opposite, which must pass."""
    says: tuple[str, ...]
    """The field, the source type and the remedy."""
    also: Edit = field(default_factory=dict[str, Any])
    """What both have."""

    @property
    def spec(self) -> Spec:
        return spec(self.base, {**self.also, **self.bad})

    @property
    def opposite(self) -> Spec:
        return spec(self.base, {**self.also, **self.good})


def spec(base: str, edit: Edit) -> Spec:
    """The smallest spec for a source, edited."""
    result: Spec = {"functionName": "orders", **deepcopy(BASES[base])}
    for path, value in edit.items():
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = deepcopy(value)
    return result


def manifest(of: Spec, name: str = "orders") -> dict[str, Any]:
    """A resource with this spec."""
    return {
        "apiVersion": "lambda.esm-operator.io/v1",
        "kind": "EventSourceMapping",
        "metadata": {"name": name, "namespace": "default"},
        "spec": of,
    }


def filters(count: int) -> list[Spec]:
    return [{"pattern": f'{{"body": {{"kind": ["{number}"]}}}}'} for number in range(count)]


def tags(count: int) -> dict[str, str]:
    return {f"key-{number}": "value" for number in range(count)}


def access(*entries: str) -> list[Spec]:
    """Entries as ``TYPE=uri``, or ``TYPE`` for one without a uri."""
    pairs = (entry.partition("=") for entry in entries)
    return [{"type": kind, **({"uri": uri} if uri else {})} for kind, _, uri in pairs]


_BATCH, _WINDOW = "batchSize", "maximumBatchingWindowInSeconds"
_MODE = "selfManagedKafkaEventSourceConfig.consumptionMode"
_POLLERS = "provisionedPollerConfig"
_ACCESS = "sourceAccessConfigurations"
_AT = "AT_TIMESTAMP"
_STAMP = "2026-01-01T00:00:00Z"
_ARN = "eventSourceARN"

REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "a position on SQS",
        "sqs",
        {"startingPosition": "LATEST"},
        {},
        ("startingPosition", SQS, "remove startingPosition"),
    ),
    Refusal(
        "no position on Kinesis",
        "kinesis",
        {"startingPosition": None},
        {},
        ("startingPosition", KINESIS, "LATEST"),
    ),
    Refusal(
        "no position on DynamoDB",
        "dynamodb",
        {"startingPosition": None},
        {},
        ("startingPosition", DYNAMODB, "LATEST"),
    ),
    Refusal(
        "AT_TIMESTAMP without timestamp",
        "kinesis",
        {"startingPosition": _AT},
        {"startingPosition": _AT, "startingPositionTimestamp": _STAMP},
        ("startingPositionTimestamp", KINESIS, "set it"),
    ),
    Refusal(
        "a timestamp without AT_TIMESTAMP",
        "kinesis",
        {"startingPositionTimestamp": _STAMP},
        {},
        ("startingPositionTimestamp", KINESIS, "remove startingPositionTimestamp"),
    ),
    Refusal(
        "AT_TIMESTAMP on DynamoDB",
        "dynamodb",
        {"startingPosition": _AT},
        {"startingPosition": "TRIM_HORIZON"},
        ("startingPosition", DYNAMODB, "TRIM_HORIZON or LATEST"),
    ),
    Refusal(
        "an unknown position",
        "kinesis",
        {"startingPosition": "FIRST"},
        {"startingPosition": "TRIM_HORIZON"},
        ("startingPosition", KINESIS, "TRIM_HORIZON, LATEST or AT_TIMESTAMP", "FIRST"),
    ),
    Refusal(
        "two topics",
        "msk",
        {"topics": ["orders", "returns"]},
        {},
        ("topics", MSK, "exactly 1", "another resource"),
    ),
    Refusal("no topic on MSK", "msk", {"topics": None}, {}, ("topics", MSK, "name the one topic")),
    Refusal(
        "no topic on Kafka",
        "self-managed",
        {"topics": None},
        {},
        ("topics", SELF_MANAGED, "name the one topic"),
    ),
    Refusal("two queues", "mq", {"queues": ["orders", "returns"]}, {}, ("queues", MQ, "exactly 1")),
    Refusal("no queue", "mq", {"queues": None}, {}, ("queues", MQ, "name the one queue")),
    Refusal(
        "queues on Kinesis",
        "kinesis",
        {"queues": ["orders"]},
        {},
        ("queues", KINESIS, MQ, "remove queues"),
    ),
    Refusal("no source", "sqs", {_ARN: None}, {}, (_ARN, "There is no source", "set eventSourceARN")),
    Refusal(
        "two sources",
        "self-managed",
        {_ARN: BASES["msk"][_ARN]},
        {},
        ("selfManagedEventSource", MSK, "Remove one of the two"),
    ),
    Refusal(
        "both Kafka configs",
        "msk",
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        {},
        ("selfManagedKafkaEventSourceConfig", MSK, "remove selfManagedKafkaEventSourceConfig"),
        {"amazonManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
    ),
    Refusal(
        "the MSK config on Kafka",
        "self-managed",
        {"amazonManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        (
            "amazonManagedKafkaEventSourceConfig",
            SELF_MANAGED,
            "remove amazonManagedKafkaEventSourceConfig",
        ),
    ),
    Refusal(
        "scalingConfig on Kinesis",
        "kinesis",
        {"scalingConfig.maximumConcurrency": 5},
        {},
        ("scalingConfig", KINESIS, SQS, "remove scalingConfig"),
    ),
    Refusal(
        "maximumConcurrency 1",
        "sqs",
        {"scalingConfig.maximumConcurrency": 1},
        {"scalingConfig.maximumConcurrency": 1_001},
        ("scalingConfig.maximumConcurrency", SQS, "at least 2"),
    ),
    Refusal(
        "scaling with pollers",
        "sqs",
        {"scalingConfig.maximumConcurrency": 5},
        {},
        ("scalingConfig", SQS, _POLLERS, "remove one of the two"),
        {f"{_POLLERS}.minimumPollers": 2},
    ),
    Refusal(
        "pollers on DynamoDB",
        "dynamodb",
        {f"{_POLLERS}.minimumPollers": 2},
        {},
        (_POLLERS, DYNAMODB, f"remove {_POLLERS}"),
    ),
    Refusal(
        "min > max pollers",
        "msk",
        {f"{_POLLERS}.minimumPollers": 6},
        {f"{_POLLERS}.minimumPollers": 5},
        (_POLLERS, MSK, "lower the one or raise the other"),
        {f"{_POLLERS}.maximumPollers": 5},
    ),
    Refusal(
        "one poller on SQS",
        "sqs",
        {f"{_POLLERS}.minimumPollers": 1},
        {f"{_POLLERS}.minimumPollers": 2},
        (f"{_POLLERS}.minimumPollers", SQS, "from 2 to 200"),
    ),
    Refusal(
        "2,001 pollers on MSK",
        "msk",
        {f"{_POLLERS}.maximumPollers": 2_001},
        {f"{_POLLERS}.maximumPollers": 2_000},
        (f"{_POLLERS}.maximumPollers", MSK, "from 1 to 2,000"),
    ),
    Refusal(
        "a poller group on SQS",
        "sqs",
        {f"{_POLLERS}.pollerGroupName": "orders"},
        {},
        (f"{_POLLERS}.pollerGroupName", SQS, f"remove {_POLLERS}.pollerGroupName"),
        {f"{_POLLERS}.minimumPollers": 2},
    ),
    Refusal("batch 0", "kinesis", {_BATCH: 0}, {_BATCH: 1}, (_BATCH, KINESIS, "from 1 to 10,000")),
    Refusal("batch 10,001", "msk", {_BATCH: 10_001}, {_BATCH: 10_000}, (_BATCH, MSK, "from 1 to 10,000")),
    Refusal("batch 11 on FIFO", "fifo", {_BATCH: 11}, {_BATCH: 10}, (_BATCH, "FIFO", SQS, "10 at most")),
    Refusal(
        "batch 11 on SQS without window",
        "sqs",
        {_BATCH: 11},
        {_BATCH: 11, _WINDOW: 1},
        (_WINDOW, SQS, "at least 1", "batchSize"),
    ),
    Refusal("window 301", "kinesis", {_WINDOW: 301}, {_WINDOW: 300}, (_WINDOW, KINESIS, "from 0 to 300")),
    Refusal("a window on FIFO", "fifo", {_WINDOW: 1}, {}, (_WINDOW, "FIFO", SQS, "remove it")),
    Refusal(
        "a window in Queue mode",
        "self-managed",
        {_WINDOW: 1},
        {},
        (_WINDOW, SELF_MANAGED, "consumptionMode Queue", f"remove {_WINDOW}"),
        {_MODE: "Queue"},
    ),
    Refusal(
        "a position in Queue mode",
        "self-managed",
        {"startingPosition": "LATEST"},
        {},
        ("startingPosition", SELF_MANAGED, "consumptionMode Queue", "remove startingPosition"),
        {_MODE: "Queue"},
    ),
    Refusal(
        "endless retries in Queue mode",
        "self-managed",
        {"maximumRetryAttempts": -1},
        {"maximumRetryAttempts": 0},
        ("maximumRetryAttempts", SELF_MANAGED, "consumptionMode Queue", "0 or more"),
        {_MODE: "Queue"},
    ),
    Refusal(
        "factor 11",
        "kinesis",
        {"parallelizationFactor": 11},
        {"parallelizationFactor": 10},
        ("parallelizationFactor", KINESIS, "from 1 to 10"),
    ),
    Refusal(
        "a factor on SQS",
        "sqs",
        {"parallelizationFactor": 2},
        {},
        ("parallelizationFactor", SQS, "remove parallelizationFactor"),
    ),
    Refusal(
        "record age 30",
        "dynamodb",
        {"maximumRecordAgeInSeconds": 30},
        {"maximumRecordAgeInSeconds": -1},
        ("maximumRecordAgeInSeconds", DYNAMODB, "-1 or from 60 to 604,800"),
    ),
    Refusal(
        "retries -2",
        "kinesis",
        {"maximumRetryAttempts": -2},
        {"maximumRetryAttempts": -1},
        ("maximumRetryAttempts", KINESIS, "from -1 to 10,000"),
    ),
    Refusal(
        "a tumbling window of 901",
        "kinesis",
        {"tumblingWindowInSeconds": 901},
        {"tumblingWindowInSeconds": 900},
        ("tumblingWindowInSeconds", KINESIS, "from 0 to 900"),
    ),
    Refusal(
        "a tumbling window on MSK",
        "msk",
        {"tumblingWindowInSeconds": 60},
        {},
        ("tumblingWindowInSeconds", MSK, "remove tumblingWindowInSeconds"),
    ),
    Refusal(
        "eleven filters",
        "sqs",
        {"filterCriteria.filters": filters(11)},
        {"filterCriteria.filters": filters(10)},
        ("filters", SQS, "at most 10", "remove some"),
    ),
    Refusal(
        "a long pattern",
        "sqs",
        {"filterCriteria.filters": [{"pattern": '{"body": ["' + "x" * 4_084 + '"]}'}]},
        {"filterCriteria.filters": [{"pattern": '{"body": ["' + "x" * 4_082 + '"]}'}]},
        ("filterCriteria.filters", SQS, "4,096 characters", "Shorten it"),
    ),
    Refusal(
        "an unknown metric",
        "sqs",
        {"metricsConfig.metrics": ["Count"]},
        {"metricsConfig.metrics": ["EventCount"]},
        ("metricsConfig.metrics", SQS, "EventCount, ErrorCount or KafkaMetrics"),
    ),
    Refusal(
        "a metric of Kafka on SQS",
        "sqs",
        {"metricsConfig.metrics": ["EventCount", "KafkaMetrics"]},
        {"metricsConfig.metrics": ["EventCount"]},
        ("metricsConfig.metrics", SQS, "KafkaMetrics", "remove them"),
    ),
    Refusal(
        "logging on SQS",
        "sqs",
        {"loggingConfig.systemLogLevel": "INFO"},
        {},
        ("loggingConfig", SQS, "remove loggingConfig"),
    ),
    Refusal(
        "an unknown log level",
        "msk",
        {"loggingConfig.systemLogLevel": "ERROR"},
        {"loggingConfig.systemLogLevel": "WARN"},
        ("loggingConfig.systemLogLevel", MSK, "DEBUG, INFO or WARN"),
    ),
    Refusal(
        "no database",
        "documentdb",
        {"documentDBEventSourceConfig": {"collectionName": "orders"}},
        {},
        ("documentDBEventSourceConfig.databaseName", DOCUMENTDB, "name the database"),
    ),
    Refusal(
        "a database on SQS",
        "sqs",
        {"documentDBEventSourceConfig.databaseName": "orders"},
        {},
        ("documentDBEventSourceConfig", SQS, "remove documentDBEventSourceConfig"),
    ),
    Refusal("an ARN that is none", "sqs", {_ARN: "orders"}, {}, (_ARN, "must be an ARN such as")),
    Refusal(
        "the ARN of another service",
        "sqs",
        {_ARN: f"arn:aws:sns:{HERE}:orders"},
        {},
        (_ARN, "can't read from", SQS),
    ),
    Refusal(
        "the ARN of a table",
        "dynamodb",
        {_ARN: f"arn:aws:dynamodb:{HERE}:table/orders"},
        {},
        (_ARN, DYNAMODB, "/stream/"),
    ),
    Refusal(
        "another region than the ARN's",
        "sqs",
        {"region": "us-east-1"},
        {"region": "eu-west-1"},
        ("region", "us-east-1", SQS, "eu-west-1", "remove region"),
    ),
    Refusal(
        "a function that is none",
        "sqs",
        {"functionName": "my function"},
        {"functionName": f"arn:aws:lambda:{HERE}:function:orders:$LATEST"},
        ("functionName", SQS, "my-function:live"),
    ),
    Refusal(
        "a destination of another service",
        "kinesis",
        {"destinationConfig.onFailure.destination": f"arn:aws:lambda:{HERE}:function:orders"},
        {"destinationConfig.onFailure.destination": "arn:aws:s3:::orders"},
        ("destinationConfig.onFailure.destination", KINESIS, "an SQS queue, an SNS topic or an S3 bucket"),
    ),
    Refusal(
        "a Kafka topic as destination on Kinesis",
        "kinesis",
        {"destinationConfig.onFailure.destination": "kafka://failed"},
        {"destinationConfig.onFailure.destination": f"arn:aws:sns:{HERE}:failed"},
        ("destinationConfig.onFailure.destination", KINESIS, "set the ARN"),
    ),
    Refusal(
        "the operator's tags",
        "sqs",
        {"tags": {"esm-operator.io/name": "orders"}},
        {"tags": {"name": "orders"}},
        ("tags", SQS, "reserved", "another name"),
    ),
    Refusal(
        "AWS's tags",
        "kinesis",
        {"tags": {"aws:name": "orders"}},
        {"tags": {"awsome": "orders"}},
        ("tags", KINESIS, "reserved", "another name"),
    ),
    Refusal(
        "a long tag key",
        "sqs",
        {"tags": {"k" * 129: "value"}},
        {"tags": {"k" * 128: "value"}},
        ("tags", SQS, "128 characters", "Shorten it"),
    ),
    Refusal(
        "a long tag value",
        "sqs",
        {"tags": {"key": "ü" * 257}},
        {"tags": {"key": "ü" * 256}},
        ("tags", SQS, "256 characters", "Shorten it"),
    ),
    Refusal("47 tags", "sqs", {"tags": tags(47)}, {"tags": tags(46)}, ("46 tags", SQS, "Remove some")),
    Refusal(
        "an access configuration without uri",
        "mq",
        {_ACCESS: access("BASIC_AUTH")},
        {},
        (_ACCESS, MQ, "no uri", "Add it"),
    ),
    Refusal(
        "IAM_AUTH with uri",
        "self-managed",
        {_ACCESS: access("IAM_AUTH=orders")},
        {_ACCESS: access("IAM_AUTH")},
        (_ACCESS, SELF_MANAGED, "IAM_AUTH", "Remove the uri"),
    ),
    Refusal(
        "an access type of another source",
        "mq",
        {_ACCESS: access("SASL_SCRAM_512_AUTH=orders")},
        {_ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        (_ACCESS, MQ, "BASIC_AUTH and VIRTUAL_HOST", "remove the entries"),
    ),
    Refusal(
        "an unknown access type",
        "mq",
        {_ACCESS: access("PASSWORD=orders")},
        {},
        ("type in sourceAccessConfigurations", MQ, "BASIC_AUTH"),
    ),
    Refusal("no access configuration on MQ", "mq", {_ACCESS: None}, {}, (_ACCESS, MQ, "how to log in")),
    Refusal(
        "an access configuration on SQS",
        "sqs",
        {_ACCESS: [BASIC_AUTH]},
        {},
        (_ACCESS, SQS, f"remove {_ACCESS}"),
    ),
    Refusal(
        "24 access configurations",
        "self-managed",
        {_ACCESS: access(*(f"VPC_SUBNET=subnet:subnet-{number}" for number in range(24)))},
        {_ACCESS: access(*(f"VPC_SUBNET=subnet:subnet-{number}" for number in range(23)))},
        (_ACCESS, SELF_MANAGED, "at most 23", "remove some"),
    ),
    Refusal(
        "a scope without OAuth",
        "self-managed",
        {_ACCESS: access("OAUTHBEARER_SCOPE=orders")},
        {_ACCESS: access("OAUTHBEARER_AUTH=orders", "OAUTHBEARER_SCOPE=orders")},
        (_ACCESS, SELF_MANAGED, "OAUTHBEARER_SCOPE", "only together with OAUTHBEARER_AUTH", "Add that entry"),
    ),
    Refusal(
        "IAM OAuth without audience",
        "self-managed",
        {_ACCESS: access("IAM_OAUTHBEARER_AUTH")},
        {_ACCESS: access("IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUDIENCE=orders")},
        (_ACCESS, SELF_MANAGED, "only together with OAUTHBEARER_AUDIENCE"),
    ),
    Refusal(
        "IAM OAuth with a scope",
        "self-managed",
        {
            _ACCESS: access(
                "IAM_OAUTHBEARER_AUTH",
                "OAUTHBEARER_AUTH=a",
                "OAUTHBEARER_AUDIENCE=orders",
                "OAUTHBEARER_SCOPE=orders",
            )
        },
        {_ACCESS: access("IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUDIENCE=orders")},
        (_ACCESS, SELF_MANAGED, "does not go together", "Remove one of them"),
    ),
    Refusal(
        "a schema registry without pollers",
        "msk",
        {},
        {f"{_POLLERS}.minimumPollers": 1},
        (_POLLERS, MSK, "add it"),
        {
            "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig": {
                "schemaRegistryURI": "https://registry.example.com",
                "eventRecordFormat": "JSON",
                "accessConfigs": [BASIC_AUTH],
                "schemaValidationConfigs": [{"attribute": "KEY"}],
            }
        },
    ),
    Refusal(
        "a server without port",
        "self-managed",
        {"selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS": ["kafka-1.example.com"]},
        {},
        ("KAFKA_BOOTSTRAP_SERVERS", SELF_MANAGED, "kafka-1.example.com:9092"),
    ),
    Refusal(
        "a system collection",
        "documentdb",
        {"documentDBEventSourceConfig.collectionName": "system.users"},
        {"documentDBEventSourceConfig.collectionName": "systems"},
        ("documentDBEventSourceConfig.collectionName", DOCUMENTDB, "name another"),
    ),
    Refusal(
        "no such response type",
        "sqs",
        {"functionResponseTypes": ["ReportItemFailures"]},
        {"functionResponseTypes": ["ReportBatchItemFailures"]},
        ("functionResponseTypes", SQS, "ReportBatchItemFailures"),
    ),
    Refusal(
        "no such deletion policy",
        "sqs",
        {"deletionPolicy": "Orphan"},
        {"deletionPolicy": "Retain"},
        ("deletionPolicy", "Delete or Retain", "Orphan"),
    ),
    Refusal(
        "another owner's mapping without its UUID",
        "sqs",
        {"adoption": {"policy": "Required", "takeOverFrom": "a/b/c"}},
        {
            "adoption": {
                "policy": "Required",
                "takeOverFrom": "a/b/c",
                "uuid": "11111111-2222-3333-4444-555555555555",
            }
        },
        ("adoption.takeOverFrom", "adoption.uuid", "add it"),
    ),
    Refusal(
        "a UUID to adopt, and the policy Never",
        "sqs",
        {"adoption": {"uuid": "11111111-2222-3333-4444-555555555555"}},
        {"adoption": {"policy": "IfExists", "uuid": "11111111-2222-3333-4444-555555555555"}},
        ("adoption.policy", "IfExists or Required"),
    ),
)

#: What the API server says in its own words.
TYPE_REFUSALS: tuple[Refusal, ...] = (
    Refusal("a wrong type", "sqs", {_BATCH: "10"}, {_BATCH: 10}, (_BATCH, "must be of type integer")),
    Refusal("no function", "sqs", {"functionName": None}, {}, ("functionName", "Required value")),
    Refusal(
        "a filter without pattern",
        "sqs",
        {"filterCriteria.filters": [{}]},
        {"filterCriteria.filters": filters(1)},
        ("pattern", "Required value"),
    ),
)

#: Unknown fields are refused under strict validation, which is kubectl's default.
UNKNOWN_FIELDS: tuple[Refusal, ...] = (
    Refusal("an unknown field", "sqs", {"batchsize": 10}, {_BATCH: 10}, ("batchsize",)),
    Refusal("AWS's spelling", "sqs", {"kmsKeyArn": "x"}, {}, ("kmsKeyArn",)),
)

#: What CEL can't see: offline, and by the operator.
OFFLINE_REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "a pattern that is no JSON",
        "sqs",
        {"filterCriteria.filters": [{"pattern": "{body: x}"}]},
        {"filterCriteria.filters": filters(1)},
        ("filterCriteria.filters", SQS, "not a JSON object", "correct it"),
    ),
    Refusal(
        "a timestamp in the future",
        "kinesis",
        {"startingPositionTimestamp": "2999-01-01T00:00:00Z"},
        {"startingPositionTimestamp": _STAMP},
        ("startingPositionTimestamp", KINESIS, "in the future", "set an earlier time"),
        {"startingPosition": _AT},
    ),
    Refusal(
        "a tag with letters that AWS has not",
        "sqs",
        {"tags": {"key!": "value"}},
        {"tags": {"Schlüssel /:": "Größe 1"}},
        ("tags", SQS, "key!", "Change it"),
    ),
)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit of a resource that exists."""

    name: str
    base: str
    before: Edit
    after: Edit
    says: tuple[str, ...]
    replaceable: bool = True
    """Whether replacePolicy Recreate lets it pass."""


_GROUP = "amazonManagedKafkaEventSourceConfig.consumerGroupID"
_SERVERS = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"
_REMEDY = ("replacePolicy: Recreate", "make a new resource")
_NEVER = ("can't be changed, added or removed", "make a new resource")

CHANGES: tuple[Change, ...] = (
    Change("the source", "sqs", {}, {_ARN: f"arn:aws:sqs:{HERE}:returns"}, (_ARN, SQS, *_REMEDY)),
    Change(
        "the position",
        "kinesis",
        {},
        {"startingPosition": "TRIM_HORIZON"},
        ("startingPosition", KINESIS, *_REMEDY),
    ),
    Change("an added position", "msk", {}, {"startingPosition": "LATEST"}, ("startingPosition", MSK, *_REMEDY)),
    Change(
        "a removed position",
        "msk",
        {"startingPosition": "LATEST"},
        {"startingPosition": None},
        ("startingPosition", MSK, *_REMEDY),
    ),
    Change(
        "the timestamp",
        "kinesis",
        {"startingPosition": _AT, "startingPositionTimestamp": _STAMP},
        {"startingPositionTimestamp": "2026-01-02T00:00:00Z"},
        ("startingPositionTimestamp", KINESIS, *_REMEDY),
    ),
    Change("the topic", "msk", {}, {"topics": ["returns"]}, ("topics", MSK, *_REMEDY)),
    Change("the queue", "mq", {}, {"queues": ["returns"]}, ("queues", MQ, *_REMEDY)),
    Change(
        "the servers",
        "self-managed",
        {},
        {_SERVERS: ["kafka-2.example.com:9092"]},
        ("KAFKA_BOOTSTRAP_SERVERS", SELF_MANAGED, *_REMEDY),
    ),
    Change("an added consumer group", "msk", {}, {_GROUP: "orders"}, (_GROUP, MSK, *_REMEDY)),
    Change(
        "the consumer group of Kafka",
        "self-managed",
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "orders"},
        {"selfManagedKafkaEventSourceConfig.consumerGroupID": "returns"},
        ("selfManagedKafkaEventSourceConfig.consumerGroupID", SELF_MANAGED, *_REMEDY),
    ),
    Change("the mode", "self-managed", {}, {_MODE: "Queue"}, (_MODE, SELF_MANAGED, *_REMEDY)),
    Change(
        "the virtual host",
        "mq",
        {_ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        {_ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/returns")},
        ("VIRTUAL_HOST", _ACCESS, MQ, *_REMEDY),
    ),
    Change(
        "the region",
        "self-managed",
        {"region": "eu-west-1"},
        {"region": "eu-west-2"},
        ("region", SELF_MANAGED, *_NEVER),
        replaceable=False,
    ),
    Change("an added region", "sqs", {}, {"region": "eu-west-1"}, ("region", SQS, *_NEVER), replaceable=False),
    Change(
        "a removed region",
        "sqs",
        {"region": "eu-west-1"},
        {"region": None},
        ("region", SQS, *_NEVER),
        replaceable=False,
    ),
    Change(
        "the ProviderConfig",
        "sqs",
        {"providerConfigRef.name": "one"},
        {"providerConfigRef.name": "two"},
        ("providerConfigRef", SQS, *_NEVER),
        replaceable=False,
    ),
    Change(
        "an added ProviderConfig",
        "sqs",
        {},
        {"providerConfigRef.name": "two"},
        ("providerConfigRef", SQS, *_NEVER),
        replaceable=False,
    ),
    Change(
        "a removed ProviderConfig",
        "sqs",
        {"providerConfigRef.name": "one"},
        {"providerConfigRef": None},
        ("providerConfigRef", SQS, *_NEVER),
        replaceable=False,
    ),
)

#: Edits that look alike, and pass.
HARMLESS_CHANGES: tuple[Change, ...] = (
    Change("another function", "sqs", {}, {"functionName": "returns"}, ()),
    Change(
        "the order of servers",
        "self-managed",
        {_SERVERS: ["kafka-1.example.com:9092", "kafka-2.example.com:9092"]},
        {_SERVERS: ["kafka-2.example.com:9092", "kafka-1.example.com:9092"]},
        (),
    ),
    Change(
        "the secret beside a virtual host",
        "mq",
        {_ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        {_ACCESS: access("VIRTUAL_HOST=/orders", "BASIC_AUTH=returns")},
        (),
    ),
    Change("a removed batch size", "sqs", {_BATCH: 5}, {_BATCH: None}, ()),
)
