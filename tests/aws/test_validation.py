"""Values that break constraints of the API description get AWS's ValidationException."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer
from .examples import SECRET, example, raw, refused
from .sources import Source

CASES: list[tuple[Source, dict[str, Any], str]] = [
    (
        Source.SQS,
        {"FunctionName": "not a name"},
        "Value 'not a name' at 'functionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ",
    ),
    (
        Source.MQ,
        {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}, {"Type": "NONE"}]},
        "Value 'NONE' at 'sourceAccessConfigurations.2.member.type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [BASIC_AUTH, ",
    ),
    (
        Source.SQS,
        {"FunctionResponseTypes": ["None"]},
        "Value '[None]' at 'functionResponseTypes' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]",
    ),
    (
        Source.SQS,
        {"KMSKeyArn": "none"},
        "Value 'none' at 'kMSKeyArn' failed to satisfy constraint: Member must satisfy regular expression pattern: ",
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Neither"}},
        "Value 'Neither' at 'selfManagedKafkaEventSourceConfig.consumptionMode' failed",
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SelfManagedEventSource": {"Endpoints": {"NONE": ["a:1"]}}},
        "Map keys must satisfy constraint: [Member must satisfy enum value set: [KAFKA_BOOTSTRAP_SERVERS]]",
    ),
    (
        Source.MSK,
        {"Topics": ["one", "two"]},
        "at 'topics' failed to satisfy constraint: Member must have length less than or equal to 1",
    ),
    (
        Source.SQS,
        {"BatchSize": 10_001},
        "Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000",
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {"SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:1"}] * 30},
        "at 'sourceAccessConfigurations' failed to satisfy constraint: Member must have length less than or equal to "
        "29",
    ),
    (
        Source.MSK,
        {
            "AmazonManagedKafkaEventSourceConfig": {
                "SchemaRegistryConfig": {"AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}] * 3}
            }
        },
        "at 'amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs' failed to satisfy constraint: "
        "Member must have length less than or equal to 2",
    ),
    (Source.SQS, {"MaximumBatchingWindowInSeconds": 301}, "less than or equal to 300"),
    (Source.KINESIS, {"ParallelizationFactor": 11}, "less than or equal to 10"),
    (Source.KINESIS, {"MaximumRetryAttempts": 10_001}, "less than or equal to 10000"),
    (Source.KINESIS, {"DestinationConfig": {"OnFailure": {"Destination": "x"}}}, "onFailure.destination'"),
    (Source.DOCUMENTDB, {"DocumentDBEventSourceConfig": {"DatabaseName": "a b"}}, "databaseName'"),
]


@pytest.mark.parametrize(("source", "more", "words"), CASES)
def test_a_value_out_of_bounds_is_refused(lambda_: Any, source: Source, more: dict[str, Any], words: str) -> None:
    refusal = refused(lambda_.create_event_source_mapping, **example(source, **more))
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert refusal.message.startswith("1 validation error detected: Value ")
    assert words in refusal.message


def test_two_values_out_of_bounds_are_both_named(lambda_: Any) -> None:
    asked = example(Source.KINESIS, BatchSize=10_001, StartingPosition="NOWHERE")
    refusal = refused(lambda_.create_event_source_mapping, **asked)
    assert refusal.message.startswith("2 validation errors detected: Value ")
    assert "; Value " in refusal.message


CREATE = ("POST", "/2015-03-31/event-source-mappings")


@pytest.mark.parametrize(
    "body", ["{", "[]", '{"FunctionName": 1}', '{"FunctionName": "f", "BatchSize": "1"}', '{"Enabled": 1}']
)
def test_a_value_of_a_wrong_type_is_refused(aws: AwsServer, body: str) -> None:
    status, _ = raw(aws, *CREATE, body)
    assert status == 400
    assert aws.control.requests(last=1)[0]["outcome"] == "SerializationException"


def test_a_missing_required_member_is_refused(aws: AwsServer) -> None:
    _, text = raw(aws, *CREATE, "{}")
    assert "Value null at 'functionName' failed to satisfy constraint: Member must not be null" in text


def test_a_uuid_of_another_length_is_refused(aws: AwsServer) -> None:
    _, text = raw(aws, "GET", f"{CREATE[1]}/x", "")
    assert "Value 'x' at 'uUID' failed to satisfy constraint: Member must have length" in text
