"""Update: left out means unchanged, some values put AWS's default back, some members stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, Control
from .configuration import RESETS
from .examples import BASIC_AUTH, HERE, QUEUE, SECRET, example, raw, refused
from .sources import Source

# What a Create asked for, what an Update sends, and what the mapping then answers (None: no such member).
POLLERS = {"MinimumPollers": 2, "MaximumPollers": 3}
PATTERN = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}
TO_QUEUE = {"OnFailure": {"Destination": QUEUE}}
RESET_CASES: list[tuple[Source, str, Any, Any, Any]] = [
    (Source.SQS, "FilterCriteria", PATTERN, {}, None),
    (Source.SQS, "FilterCriteria", PATTERN, {"Filters": []}, None),
    (Source.SQS, "ScalingConfig", {"MaximumConcurrency": 5}, {}, None),
    (Source.SQS, "ProvisionedPollerConfig", POLLERS, {}, None),
    (Source.SQS, "FunctionResponseTypes", ["ReportBatchItemFailures"], [], []),
    (Source.MSK, "FunctionResponseTypes", ["ReportBatchItemFailures"], [], None),
    (Source.SQS, "KMSKeyArn", f"arn:aws:kms:{HERE}:key/1", "", None),
    (Source.SQS, "MetricsConfig", {"Metrics": ["EventCount"]}, {"Metrics": []}, None),
    (Source.KINESIS, "DestinationConfig", TO_QUEUE, {"OnFailure": {"Destination": ""}}, {"OnFailure": {}}),
    (Source.MSK, "DestinationConfig", TO_QUEUE, {"OnFailure": {"Destination": ""}}, None),
    (
        Source.MSK,
        "SourceAccessConfigurations",
        [{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}],
        [],
        None,
    ),
    (Source.KINESIS, "BatchSize", 7, 100, 100),
    (Source.KINESIS, "BisectBatchOnFunctionError", True, False, False),
    (Source.KINESIS, "MaximumRetryAttempts", 5, -1, -1),
    (Source.KINESIS, "MaximumRecordAgeInSeconds", 60, -1, -1),
    (Source.KINESIS, "TumblingWindowInSeconds", 5, 0, 0),
    (Source.MSK, "MaximumBatchingWindowInSeconds", 5, 0, 0),
    (Source.MSK, "LoggingConfig", {"SystemLogLevel": "DEBUG"}, {}, {"SystemLogLevel": "DEBUG"}),
]


@pytest.mark.parametrize(("source", "member", "before", "sent", "after"), RESET_CASES)
def test_resets(lambda_: Any, source: Source, member: str, before: Any, sent: Any, after: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **{member: before}))
    assert made[member] == before
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], **{member: sent})
    assert answer.get(member) == after


def test_every_reset_has_a_case() -> None:
    assert set(RESETS) <= {member for _, member, *_ in RESET_CASES}


def test_an_empty_value_resets_if_the_server_is_told_so(lambda_: Any, control: Control) -> None:
    control.set(empty_resets=True)
    registry = {"SchemaRegistryURI": f"arn:aws:glue:{HERE}:registry/orders"}
    made = lambda_.create_event_source_mapping(
        **example(
            Source.MSK,
            LoggingConfig={"SystemLogLevel": "DEBUG"},
            ProvisionedPollerConfig=POLLERS,
            AmazonManagedKafkaEventSourceConfig={"SchemaRegistryConfig": registry},
        )
    )
    answer = lambda_.update_event_source_mapping(
        UUID=made["UUID"], LoggingConfig={}, AmazonManagedKafkaEventSourceConfig={"SchemaRegistryConfig": {}}
    )
    assert "LoggingConfig" not in answer
    assert answer["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}


def test_left_out_means_unchanged(lambda_: Any) -> None:
    asked = example(Source.KINESIS, BatchSize=7, ParallelizationFactor=3, DestinationConfig=TO_QUEUE)
    made = lambda_.create_event_source_mapping(**asked)
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], BatchSize=8)
    changed = {name for name in made if made[name] != answer[name]} - {"ResponseMetadata", "LastModified"}
    assert changed == {"BatchSize", "State"}
    assert answer["LastModified"] >= made["LastModified"]  # both may be within one millisecond


def test_the_destination_that_aws_answers_is_refused_when_sent_back(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.KINESIS))
    refusal = refused(
        lambda_.update_event_source_mapping, UUID=made["UUID"], DestinationConfig=made["DestinationConfig"]
    )
    assert refusal.message == "The Destination field is required for an OnFailure configuration"


def test_moves_to_another_function(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.SQS))
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], FunctionName="other:live")
    assert answer["FunctionArn"] == f"arn:aws:lambda:{HERE}:function:other:live"
    assert not lambda_.list_event_source_mappings(FunctionName="handler")["EventSourceMappings"]
    assert lambda_.list_event_source_mappings(FunctionName="other:live")["EventSourceMappings"]


@pytest.mark.parametrize(
    ("source", "made_with", "sent"),
    [
        (Source.MSK, {}, {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "other"}}),
        (Source.SELF_MANAGED_KAFKA, {}, {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "other"}}),
        (Source.SELF_MANAGED_KAFKA, {}, {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}}),
        (
            Source.MQ,
            {},
            {"SourceAccessConfigurations": [BASIC_AUTH, {"Type": "VIRTUAL_HOST", "URI": "/"}]},
        ),
        (Source.MQ, {}, {"SourceAccessConfigurations": []}),
        (Source.SQS, {}, {"BatchSize": 11}),
        (Source.SQS, {"ScalingConfig": {"MaximumConcurrency": 2}}, {"ProvisionedPollerConfig": POLLERS}),
        (Source.SQS, {}, {"ParallelizationFactor": 2}),
    ],
)
def test_refuses(lambda_: Any, source: Source, made_with: dict[str, Any], sent: dict[str, Any]) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **made_with))
    refusal = refused(lambda_.update_event_source_mapping, UUID=made["UUID"], **sent)
    assert (refusal.code, refusal.status) == ("InvalidParameterValueException", 400)
    assert lambda_.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"


def test_the_same_consumer_group_may_be_sent_again(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.MSK))
    config = made["AmazonManagedKafkaEventSourceConfig"]
    sent = {"AmazonManagedKafkaEventSourceConfig": config}
    assert lambda_.update_event_source_mapping(UUID=made["UUID"], **sent)["State"] == "Updating"


def test_the_virtual_host_stays(lambda_: Any) -> None:
    host = {"Type": "VIRTUAL_HOST", "URI": "/production"}
    made = lambda_.create_event_source_mapping(**example(Source.MQ, SourceAccessConfigurations=[host, BASIC_AUTH]))
    other = {"Type": "BASIC_AUTH", "URI": f"{SECRET}-2"}
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], SourceAccessConfigurations=[other])
    assert answer["SourceAccessConfigurations"] == [other, host]


def test_members_that_update_does_not_know_are_ignored(aws: AwsServer, lambda_: Any) -> None:
    uuid = lambda_.create_event_source_mapping(**example(Source.MSK))["UUID"]
    path = f"/2015-03-31/event-source-mappings/{uuid}"
    assert raw(aws, "PUT", path, '{"Topics": ["other"], "BatchSize": 9}')[0] == 202
    answer = lambda_.get_event_source_mapping(UUID=uuid)
    assert (answer["Topics"], answer["BatchSize"]) == (["orders"], 9)
