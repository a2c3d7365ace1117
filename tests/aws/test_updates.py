"""Update: omitted members stay unchanged, some values restore AWS's default, and some members cannot change."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, Control, DestinationReset
from .configuration import RESETS
from .examples import BASIC_AUTH, HERE, QUEUE, SECRET, example, raw, refused
from .sources import Source

# The value in the Create, the value in the Update, and the value in the answer (None: no such member).
DATABASE = "DocumentDBEventSourceConfig"
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
def test_some_values_restore_the_default(
    lambda_: Any, source: Source, member: str, before: Any, sent: Any, after: Any
) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **{member: before}))
    assert made[member] == before
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], **{member: sent})
    assert answer.get(member) == after


def test_every_reset_has_a_case() -> None:
    assert set(RESETS) <= {member for _, member, *_ in RESET_CASES}


def test_a_setting_decides_whether_an_empty_value_is_a_reset(lambda_: Any, control: Control) -> None:
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


DESTINATION_REFUSED = "The Destination field is required for an OnFailure configuration"


@pytest.mark.parametrize(
    ("reset", "empty_text", "empty_structure"),
    [
        (DestinationReset.EMPTY_TEXT, "removed", "kept"),
        (DestinationReset.EMPTY_STRUCTURE, "refused", "removed"),
        (DestinationReset.IGNORED, "refused", "kept"),
        (DestinationReset.REFUSED, "refused", "refused"),
    ],
)
def test_a_setting_decides_which_form_removes_a_destination(
    lambda_: Any, control: Control, reset: DestinationReset, empty_text: str, empty_structure: str
) -> None:
    control.set(destination_reset=reset)
    for sent, expected in (({"OnFailure": {"Destination": ""}}, empty_text), ({}, empty_structure)):
        made = lambda_.create_event_source_mapping(**example(Source.KINESIS, DestinationConfig=TO_QUEUE))
        request = {"UUID": made["UUID"], "DestinationConfig": sent}
        if expected == "refused":
            assert refused(lambda_.update_event_source_mapping, **request).message == DESTINATION_REFUSED
        else:
            lambda_.update_event_source_mapping(**request)
        after = lambda_.get_event_source_mapping(UUID=made["UUID"])["DestinationConfig"]
        assert after == ({"OnFailure": {}} if expected == "removed" else TO_QUEUE)
        lambda_.delete_event_source_mapping(UUID=made["UUID"])


@pytest.mark.parametrize("empty_resets", [False, True])
def test_pollers_cannot_be_removed_while_a_schema_registry_is_set(
    lambda_: Any, control: Control, empty_resets: bool
) -> None:
    control.set(empty_resets=empty_resets)
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": f"arn:aws:glue:{HERE}:registry/orders"}}
    made = lambda_.create_event_source_mapping(
        **example(Source.MSK, ProvisionedPollerConfig=POLLERS, AmazonManagedKafkaEventSourceConfig=registry)
    )
    uuid, no_registry = made["UUID"], {"AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {}}}
    for sent in ({}, no_registry):
        refusal = refused(lambda_.update_event_source_mapping, UUID=uuid, ProvisionedPollerConfig={}, **sent)
        assert "provisioned mode" in refusal.message
    lambda_.update_event_source_mapping(UUID=uuid, **no_registry)
    if empty_resets:
        lambda_.update_event_source_mapping(UUID=uuid, ProvisionedPollerConfig={})
        assert "ProvisionedPollerConfig" not in lambda_.get_event_source_mapping(UUID=uuid)
    else:
        refusal = refused(lambda_.update_event_source_mapping, UUID=uuid, ProvisionedPollerConfig={})
        assert "provisioned mode" in refusal.message


def test_omitted_members_stay_unchanged(lambda_: Any) -> None:
    asked = example(Source.KINESIS, BatchSize=7, ParallelizationFactor=3, DestinationConfig=TO_QUEUE)
    made = lambda_.create_event_source_mapping(**asked)
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], BatchSize=8)
    changed = {name for name in made if made[name] != answer[name]} - {"ResponseMetadata", "LastModified"}
    assert changed == {"BatchSize", "State"}
    assert answer["LastModified"] >= made["LastModified"]  # both may be within one millisecond


def test_the_empty_destination_of_an_answer_is_refused_in_a_request(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.KINESIS))
    refusal = refused(
        lambda_.update_event_source_mapping, UUID=made["UUID"], DestinationConfig=made["DestinationConfig"]
    )
    assert refusal.message == DESTINATION_REFUSED


def test_the_function_can_change(lambda_: Any) -> None:
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
        (Source.DOCUMENTDB, {}, {DATABASE: {"DatabaseName": "orders"}}),
        (Source.DOCUMENTDB, {}, {DATABASE: {"CollectionName": "open"}}),
        (Source.SQS, {}, {"BatchSize": 11}),
        (Source.SQS, {"ScalingConfig": {"MaximumConcurrency": 2}}, {"ProvisionedPollerConfig": POLLERS}),
        (Source.SQS, {}, {"ParallelizationFactor": 2}),
    ],
)
def test_invalid_updates_are_refused(
    lambda_: Any, source: Source, made_with: dict[str, Any], sent: dict[str, Any]
) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **made_with))
    refusal = refused(lambda_.update_event_source_mapping, UUID=made["UUID"], **sent)
    assert (refusal.code, refusal.status) == ("InvalidParameterValueException", 400)
    assert lambda_.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"


def test_the_same_consumer_group_may_be_sent_again(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.MSK))
    config = made["AmazonManagedKafkaEventSourceConfig"]
    sent = {"AmazonManagedKafkaEventSourceConfig": config}
    assert lambda_.update_event_source_mapping(UUID=made["UUID"], **sent)["State"] == "Updating"


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"DatabaseName": "orders", "FullDocument": "Default"}, "databaseName"),
        ({"CollectionName": "open"}, "collectionName"),
        ({"DatabaseName": "orders", "CollectionName": "open"}, "collectionName, databaseName"),
    ],
)
def test_the_database_and_the_collection_are_refused_even_if_they_are_the_same(
    lambda_: Any, sent: dict[str, str], named: str
) -> None:
    config = {"DatabaseName": "orders", "CollectionName": "open"}
    made = lambda_.create_event_source_mapping(**example(Source.DOCUMENTDB, **{DATABASE: config}))
    refusal = refused(lambda_.update_event_source_mapping, UUID=made["UUID"], **{DATABASE: sent})
    assert (refusal.code, refusal.message) == ("InvalidParameterValueException", f"Invalid parameters: {named}")


def test_the_full_document_can_change_alone(lambda_: Any) -> None:
    config = {"DatabaseName": "orders", "CollectionName": "open"}
    made = lambda_.create_event_source_mapping(**example(Source.DOCUMENTDB, **{DATABASE: config}))
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], **{DATABASE: {"FullDocument": "UpdateLookup"}})
    assert answer[DATABASE] == {**config, "FullDocument": "UpdateLookup"}


def test_the_virtual_host_stays_unchanged(lambda_: Any) -> None:
    host = {"Type": "VIRTUAL_HOST", "URI": "/production"}
    made = lambda_.create_event_source_mapping(**example(Source.MQ, SourceAccessConfigurations=[host, BASIC_AUTH]))
    other = {"Type": "BASIC_AUTH", "URI": f"{SECRET}-2"}
    answer = lambda_.update_event_source_mapping(UUID=made["UUID"], SourceAccessConfigurations=[other])
    assert answer["SourceAccessConfigurations"] == [other, host]


def test_members_that_update_does_not_have_are_ignored(aws: AwsServer, lambda_: Any) -> None:
    uuid = lambda_.create_event_source_mapping(**example(Source.MSK))["UUID"]
    path = f"/2015-03-31/event-source-mappings/{uuid}"
    assert raw(aws, "PUT", path, '{"Topics": ["other"], "BatchSize": 9}')[0] == 202
    answer = lambda_.get_event_source_mapping(UUID=uuid)
    assert (answer["Topics"], answer["BatchSize"]) == (["orders"], 9)
