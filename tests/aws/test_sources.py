"""One table of the values that each kind of source accepts and refuses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .examples import BASIC_AUTH, FUNCTION_ARN, HERE, QUEUE, SECRET, example, refused
from .model import members
from .sources import ALL_TAKE, TAKEN, Source

# A value of each member that not every source takes, which those that take it take together with `example`.
VALUES: dict[str, Any] = {
    "StartingPosition": "TRIM_HORIZON",
    "ParallelizationFactor": 10,
    "TumblingWindowInSeconds": 900,
    "MaximumRecordAgeInSeconds": 60,
    "MaximumRetryAttempts": 0,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ScalingConfig": {"MaximumConcurrency": 2},
    "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 2},
    "LoggingConfig": {"SystemLogLevel": "DEBUG"},
    "Topics": ["orders"],
    "Queues": ["orders"],
    "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "group"},
    "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "group"},
    "DocumentDBEventSourceConfig": {"DatabaseName": "orders", "FullDocument": "Default"},
}
# Members with their own tests, because their allowed values depend on more than the source.
ELSEWHERE = {"StartingPositionTimestamp", "SourceAccessConfigurations", "SelfManagedEventSource"}

YESTERDAY = int(time.time()) - 86400
REGISTRY = {
    "SchemaRegistryURI": f"arn:aws:glue:{HERE}:registry/orders",
    "EventRecordFormat": "JSON",
    "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
}
POLLERS = {"MinimumPollers": 1, "MaximumPollers": 3}
QUEUE_MODE = {"ConsumptionMode": "Queue"}
OAUTH = {"Type": "OAUTHBEARER_AUTH", "URI": SECRET}
IAM_OAUTH = {"Type": "IAM_OAUTHBEARER_AUTH"}


def access(*types: str) -> dict[str, Any]:
    return {"SourceAccessConfigurations": [{"Type": name, "URI": "something"} for name in types]}


TAKES: list[tuple[Source, dict[str, Any]]] = [
    (Source.SQS, {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1}),
    (Source.SQS, {"ScalingConfig": {"MaximumConcurrency": 5000}}),
    (Source.SQS, {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 20}}),
    (Source.SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 200, "MaximumPollers": 10_000}}),
    (Source.SQS, {"MetricsConfig": {"Metrics": ["EventCount"]}}),
    (Source.SQS, {"KMSKeyArn": f"arn:aws:kms:{HERE}:key/1"}),
    (Source.SQS_FIFO, {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}),
    (Source.KINESIS, {"BatchSize": 10_000}),
    (Source.KINESIS, {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": YESTERDAY}),
    (Source.KINESIS, {"EventSourceArn": f"arn:aws:kinesis:{HERE}:stream/orders/consumer/me:1"}),
    (Source.KINESIS, {"TumblingWindowInSeconds": 30, "ParallelizationFactor": 2}),
    (Source.DYNAMODB, {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 0}),
    (Source.DYNAMODB, {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}}),
    (Source.DYNAMODB, {"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sns:{HERE}:topic"}}}),
    (Source.DYNAMODB, {"MaximumRetryAttempts": 10_000, "MaximumRecordAgeInSeconds": 604_800}),
    (Source.MSK, {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": YESTERDAY}),
    (Source.MSK, {"DestinationConfig": {"OnFailure": {"Destination": "kafka://failed"}}}),
    (Source.MSK, {"ProvisionedPollerConfig": {"MinimumPollers": 1, "PollerGroupName": "group"}}),
    (Source.MSK, {"MetricsConfig": {"Metrics": ["EventCount", "ErrorCount", "KafkaMetrics"]}}),
    (Source.MSK, access("SASL_SCRAM_512_AUTH")),
    (Source.MSK, {"EventSourceArn": f"arn:aws:kafka:{HERE}:vpc-connection/123456789012/orders/1-2"}),
    (
        Source.MSK,
        {
            "AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": REGISTRY},
            "ProvisionedPollerConfig": POLLERS,
        },
    ),
    (Source.SELF_MANAGED_KAFKA, {"SelfManagedKafkaEventSourceConfig": QUEUE_MODE}),
    (Source.SELF_MANAGED_KAFKA, access("VPC_SUBNET", "VPC_SECURITY_GROUP", "SASL_SCRAM_256_AUTH")),
    (Source.SELF_MANAGED_KAFKA, access(*["VPC_SUBNET"] * 28, "VPC_SECURITY_GROUP")),
    (Source.SELF_MANAGED_KAFKA, {"SourceAccessConfigurations": [{"Type": "IAM_AUTH"}]}),
    (Source.SELF_MANAGED_KAFKA, access("OAUTHBEARER_AUTH", "OAUTHBEARER_SCOPE", "OAUTHBEARER_AUDIENCE")),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SourceAccessConfigurations": [IAM_OAUTH, {"Type": "OAUTHBEARER_AUDIENCE", "URI": "sts"}]},
    ),
    (Source.MQ, access("BASIC_AUTH", "VIRTUAL_HOST")),
    (Source.MQ, {"MaximumBatchingWindowInSeconds": 300}),
    (Source.DOCUMENTDB, {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": YESTERDAY}),
    (
        Source.DOCUMENTDB,
        {
            "DocumentDBEventSourceConfig": {
                "DatabaseName": "orders",
                "CollectionName": "open",
                "FullDocument": "UpdateLookup",
            }
        },
    ),
]

# ARNs that none of the sources can have.
UNRECOGNIZED = [
    "arn:aws:sqs:us-east-1::orders",
    "arn:aws:sqs::123456789012:orders",
    f"arn:aws:sqs:{HERE}:orders:1",
    f"arn:aws:sns:{HERE}:topic",
    f"arn:aws:kinesis:{HERE}:orders",
    f"arn:aws:kinesis:{HERE}:stream/orders/consumer/me",
    f"arn:aws:firehose:{HERE}:deliverystream/orders",
    f"arn:aws:dynamodb:{HERE}:table/orders",
    f"arn:aws:dynamodb:{HERE}:table/orders/stream/",
    f"arn:aws:dynamodb:{HERE}:table/orders/index/by-date",
    f"arn:aws:kafka:{HERE}:cluster/orders",
    f"arn:aws:kafka:{HERE}:topic/orders/1/orders",
    f"arn:aws:mq:{HERE}:configuration:c-1",
    f"arn:aws:mq:{HERE}:broker:orders",
    f"arn:aws:rds:{HERE}:db:x",
    f"arn:aws:rds:{HERE}:cluster-snapshot:x",
    "arn:aws:rds:us-east-1::cluster:x",
]

REFUSES: list[tuple[Source, dict[str, Any], str]] = [
    (Source.SQS, {"BatchSize": 11}, "batch window"),
    (Source.SQS, {"MetricsConfig": {"Metrics": ["ErrorCount"]}}, "ErrorCount"),
    (Source.SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "MinimumPollers"),
    (Source.SQS, {"ProvisionedPollerConfig": {"PollerGroupName": "group"}}, "pollerGroupName"),
    (Source.SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 4}}, "less than"),
    (
        Source.SQS,
        {"ScalingConfig": {"MaximumConcurrency": 2}, "ProvisionedPollerConfig": {"MinimumPollers": 2}},
        "together",
    ),
    (Source.SQS, {"EventSourceArn": QUEUE.replace("us-east-1", "eu-west-1")}, "region"),
    (Source.SQS, {"Tags": {"aws:mine": "no"}}, "aws:"),
    (Source.SQS, {"FunctionName": FUNCTION_ARN.replace("us-east-1", "eu-west-1")}, "not reachable"),
    (Source.SQS, {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 21}}, "filters"),
    (Source.SQS_FIFO, {"BatchSize": 11}, "10"),
    (Source.SQS_FIFO, {"MaximumBatchingWindowInSeconds": 1}, "FIFO"),
    (Source.KINESIS, {"StartingPosition": None}, "'startingPosition'"),
    (Source.KINESIS, {"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
    (Source.KINESIS, {"StartingPositionTimestamp": YESTERDAY}, "AT_TIMESTAMP"),
    (
        Source.KINESIS,
        {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": int(time.time()) + 3600},
        "future",
    ),
    (Source.KINESIS, {"MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds"),
    (Source.KINESIS, {"DestinationConfig": {"OnFailure": {}}}, "The Destination field is required"),
    (Source.KINESIS, {"DestinationConfig": {"OnFailure": {"Destination": "kafka://topic"}}}, "kafka://topic"),
    (
        Source.KINESIS,
        {"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:kinesis:{HERE}:stream/x"}}},
        "invalid",
    ),
    (Source.KINESIS, {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1::x"}}}, "invalid"),
    (
        Source.KINESIS,
        {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}},
        "Unsupported DestinationConfig",
    ),
    (
        Source.DYNAMODB,
        {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": YESTERDAY},
        "Unsupported starting position",
    ),
    (Source.MSK, {"Topics": None}, "'topics'"),
    (Source.MSK, {"ProvisionedPollerConfig": {"MaximumPollers": 2001}}, "MaximumPollers"),
    (
        Source.MSK,
        {"AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": REGISTRY}},
        "SchemaRegistryConfig",
    ),
    (Source.MSK, access("SASL_SCRAM_256_AUTH"), "SASL_SCRAM_256_AUTH"),
    (Source.MSK, {"SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH"}]}, "URI"),
    (Source.SELF_MANAGED_KAFKA, {"SourceAccessConfigurations": None}, "'sourceAccessConfigurations'"),
    (Source.SELF_MANAGED_KAFKA, {"SelfManagedEventSource": None}, "Unrecognized event source."),
    (Source.SELF_MANAGED_KAFKA, {"SelfManagedEventSource": {}}, "'endpoints'"),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SelfManagedKafkaEventSourceConfig": QUEUE_MODE, "MaximumRetryAttempts": -1},
        "MaximumRetryAttempts",
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SelfManagedKafkaEventSourceConfig": QUEUE_MODE, "StartingPosition": "LATEST"},
        "startingPosition",
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SelfManagedKafkaEventSourceConfig": QUEUE_MODE, "MaximumBatchingWindowInSeconds": 1},
        "maximumBatchingWindowInSeconds",
    ),
    (Source.SELF_MANAGED_KAFKA, access("OAUTHBEARER_SCOPE"), "requires OAUTHBEARER_AUTH"),
    (Source.SELF_MANAGED_KAFKA, access("OAUTHBEARER_AUDIENCE"), "requires"),
    (Source.SELF_MANAGED_KAFKA, access("IAM_AUTH"), "URI"),
    (Source.SELF_MANAGED_KAFKA, {"SourceAccessConfigurations": [IAM_OAUTH]}, "OAUTHBEARER_AUDIENCE"),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SourceAccessConfigurations": [IAM_OAUTH, OAUTH, *access("OAUTHBEARER_AUDIENCE").popitem()[1]]},
        "cannot be used with IAM_OAUTHBEARER_AUTH",
    ),
    (Source.SELF_MANAGED_KAFKA, access("BASIC_AUTH", "VIRTUAL_HOST"), "VIRTUAL_HOST"),
    (Source.MQ, {"Queues": None}, "'queues'"),
    (Source.MQ, {"SourceAccessConfigurations": None}, "'sourceAccessConfigurations'"),
    (Source.MQ, access("SASL_SCRAM_512_AUTH"), "SASL_SCRAM_512_AUTH"),
    (Source.DOCUMENTDB, {"DocumentDBEventSourceConfig": None}, "'documentDBEventSourceConfig'"),
    (Source.DOCUMENTDB, {"DocumentDBEventSourceConfig": {"CollectionName": "open"}}, "'databaseName'"),
    (Source.DOCUMENTDB, {"SourceAccessConfigurations": None}, "'sourceAccessConfigurations'"),
    (Source.SQS, {"SourceAccessConfigurations": [BASIC_AUTH]}, "'sourceAccessConfigurations'"),
    (
        Source.MSK,
        {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1"]}}},
        "'selfManagedEventSource'",
    ),
]


def refusal_of(lambda_: Any, asked: dict[str, Any]) -> str:
    refusal = refused(lambda_.create_event_source_mapping, **asked)
    assert (refusal.code, refusal.status) == ("InvalidParameterValueException", 400)
    return refusal.message


@pytest.mark.parametrize("source", Source)
def test_the_smallest_mapping_is_accepted(lambda_: Any, source: Source) -> None:
    answer = lambda_.create_event_source_mapping(**example(source))
    assert answer["State"] == "Creating"
    assert answer["FunctionArn"] == FUNCTION_ARN


def test_all_members_are_in_one_of_the_tables() -> None:
    assert set(VALUES) | ELSEWHERE == set(TAKEN)
    assert members("CreateEventSourceMapping") <= set(TAKEN) | ALL_TAKE


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("member", VALUES)
def test_a_member_is_accepted_by_its_sources_and_refused_by_others(lambda_: Any, source: Source, member: str) -> None:
    asked = example(source, **{member: VALUES[member]})
    if source in TAKEN[member].by:
        assert lambda_.create_event_source_mapping(**asked)[member] == VALUES[member]
    else:
        assert refusal_of(lambda_, asked).startswith("Unsupported ")


@pytest.mark.parametrize(("source", "more"), TAKES)
def test_valid_combinations_are_accepted(lambda_: Any, source: Source, more: dict[str, Any]) -> None:
    assert lambda_.create_event_source_mapping(**example(source, **more))["State"] == "Creating"


@pytest.mark.parametrize(("source", "more", "words"), REFUSES)
def test_invalid_combinations_are_refused(lambda_: Any, source: Source, more: dict[str, Any], words: str) -> None:
    assert words in refusal_of(lambda_, example(source, **more))


@pytest.mark.parametrize("arn", UNRECOGNIZED)
def test_an_arn_that_is_not_one_of_a_source_is_refused(lambda_: Any, arn: str) -> None:
    assert refusal_of(lambda_, {"FunctionName": FUNCTION_ARN, "EventSourceArn": arn}) == "Unrecognized event source."


PATTERNS_TAKEN = ["{}", '{"a": [1]}', '{"a": {"b": [{"exists": true}, null, "x"]}}', '{"$or": [{"a": [1]}]}']
PATTERNS_REFUSED = ["", "null", "[]", '"text"', "{", '{"a": "b"}', '{"a": []}', '{"a": [[1]]}', '{"a": 1}']


@pytest.mark.parametrize("pattern", PATTERNS_TAKEN)
def test_a_valid_filter_pattern_is_accepted(lambda_: Any, pattern: str) -> None:
    criteria: Any = {"Filters": [{"Pattern": pattern}]}
    answer = lambda_.create_event_source_mapping(**example(Source.SQS, FilterCriteria=criteria))
    assert answer["FilterCriteria"] == criteria


@pytest.mark.parametrize("pattern", PATTERNS_REFUSED)
def test_an_invalid_filter_pattern_is_refused(lambda_: Any, pattern: str) -> None:
    asked = example(Source.SQS, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    assert refusal_of(lambda_, asked) == "Invalid filter pattern definition."


def test_missing_pollers_get_defaults(lambda_: Any) -> None:
    asked = example(Source.MSK, ProvisionedPollerConfig={"PollerGroupName": "group"})
    answer = lambda_.create_event_source_mapping(**asked)
    assert answer["ProvisionedPollerConfig"] == {
        "MinimumPollers": 1,
        "MaximumPollers": 200,
        "PollerGroupName": "group",
    }


def test_bootstrap_servers_and_source_access_are_sorted(lambda_: Any) -> None:
    servers = ["b:1", "a:1"]
    asked = example(
        Source.SELF_MANAGED_KAFKA,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}},
        SourceAccessConfigurations=[{"Type": "VPC_SUBNET", "URI": "subnet:1"}, BASIC_AUTH],
    )
    answer = lambda_.create_event_source_mapping(**asked)
    assert answer["SelfManagedEventSource"]["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"] == sorted(servers)
    assert [entry["Type"] for entry in answer["SourceAccessConfigurations"]] == ["BASIC_AUTH", "VPC_SUBNET"]


@pytest.mark.parametrize(
    ("source", "config"),
    [
        (Source.MSK, "AmazonManagedKafkaEventSourceConfig"),
        (Source.SELF_MANAGED_KAFKA, "SelfManagedKafkaEventSourceConfig"),
    ],
)
def test_the_default_consumer_group_is_the_uuid(lambda_: Any, source: Source, config: str) -> None:
    answer = lambda_.create_event_source_mapping(**example(source))
    assert answer[config] == {"ConsumerGroupId": answer["UUID"]}
    assert answer["StartingPosition"] == "TRIM_HORIZON"
    assert "MaximumBatchingWindowInSeconds" not in answer


def test_queue_mode_has_its_own_defaults(lambda_: Any) -> None:
    asked = example(Source.SELF_MANAGED_KAFKA, SelfManagedKafkaEventSourceConfig=QUEUE_MODE)
    answer = lambda_.create_event_source_mapping(**asked)
    assert answer["MaximumRetryAttempts"] == 0
    assert "StartingPosition" not in answer
