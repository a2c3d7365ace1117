"""The server refuses a second mapping of the same identity, and names the UUID of the first."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, FaultKind
from .examples import FUNCTION_ARN, example, refused
from .sources import CONSUMER_GROUP, Source

DATABASE = "DocumentDBEventSourceConfig"

# Two creates: the source, what differs in the first and in the second, and whether AWS accepts the second.
CASES: list[tuple[Source, dict[str, Any], dict[str, Any], bool]] = [
    *((source, {}, {}, False) for source in Source),
    *((source, {}, {"FunctionName": "other"}, True) for source in Source),
    *((source, {}, {"FunctionName": "handler:live"}, True) for source in Source),
    *((source, {}, {"FunctionName": f"{FUNCTION_ARN}:$LATEST"}, False) for source in Source),
    (Source.MSK, {}, {"Topics": ["other"]}, True),
    (Source.MQ, {}, {"Queues": ["other"]}, True),
    (Source.DOCUMENTDB, {}, {DATABASE: {"DatabaseName": "other"}}, True),
    (Source.DOCUMENTDB, {}, {DATABASE: {"DatabaseName": "orders", "CollectionName": "open"}}, True),
    (
        Source.DOCUMENTDB,
        {DATABASE: {"DatabaseName": "orders", "CollectionName": "open"}},
        {DATABASE: {"DatabaseName": "orders", "CollectionName": "open", "FullDocument": "UpdateLookup"}},
        False,
    ),
    (Source.SELF_MANAGED_KAFKA, {}, {"Topics": ["other"]}, True),
]


def servers(*names: str) -> dict[str, Any]:
    return {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(names)}}}


OVERLAPS: list[tuple[Source, dict[str, Any], dict[str, Any], bool]] = [
    (Source.SELF_MANAGED_KAFKA, servers("a:1"), servers("a:1", "b:1"), False),
    (Source.SELF_MANAGED_KAFKA, servers("a:1", "b:1"), servers("b:1", "c:1"), False),
    (Source.SELF_MANAGED_KAFKA, servers("a:1"), servers("b:1"), True),
    (Source.SELF_MANAGED_KAFKA, servers("a:1"), {**servers("a:1"), "Topics": ["other"]}, True),
]


def group(source: Source, name: str = "shop") -> dict[str, Any]:
    return {CONSUMER_GROUP[source]: {"ConsumerGroupId": name}}


MSK_GROUP, SELF_MANAGED_GROUP = group(Source.MSK), group(Source.SELF_MANAGED_KAFKA)
OTHERS: dict[str, Any] = {"Topics": ["other"], "FunctionName": "other"}
OTHER_CLUSTER = example(Source.MSK)["EventSourceArn"].replace("orders", "others")

# The same for two mappings with consumer groups.
GROUPS: list[tuple[Source, dict[str, Any], dict[str, Any], bool]] = [
    (Source.MSK, MSK_GROUP, {**MSK_GROUP, "Topics": ["other"]}, False),
    (Source.MSK, MSK_GROUP, {**MSK_GROUP, **OTHERS}, False),
    (Source.MSK, MSK_GROUP, {**MSK_GROUP, "EventSourceArn": OTHER_CLUSTER}, True),
    (Source.MSK, MSK_GROUP, {**group(Source.MSK, "returns"), **OTHERS}, True),
    (Source.MSK, MSK_GROUP, OTHERS, True),
    (Source.MSK, {}, {**MSK_GROUP, **OTHERS}, True),
    (Source.SELF_MANAGED_KAFKA, SELF_MANAGED_GROUP, {**SELF_MANAGED_GROUP, "Topics": ["other"]}, False),
    (
        Source.SELF_MANAGED_KAFKA,
        {**SELF_MANAGED_GROUP, **servers("a:1")},
        {**SELF_MANAGED_GROUP, **OTHERS, **servers("a:1", "b:1")},
        False,
    ),
    (
        Source.SELF_MANAGED_KAFKA,
        {**SELF_MANAGED_GROUP, **servers("a:1")},
        {**SELF_MANAGED_GROUP, **servers("b:1")},
        True,
    ),
]


@pytest.mark.parametrize(("source", "first", "second", "taken"), CASES + OVERLAPS + GROUPS)
def test_a_second_mapping_is_refused_only_if_its_identity_is_the_same(
    lambda_: Any, source: Source, first: dict[str, Any], second: dict[str, Any], taken: bool
) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **first))
    if taken:
        lambda_.create_event_source_mapping(**example(source, **second))
        return
    refusal = refused(lambda_.create_event_source_mapping, **example(source, **second))
    assert (refusal.code, refusal.status) == ("ResourceConflictException", 409)
    assert refusal.message.endswith(f"update or delete the existing mapping with UUID {made['UUID']}")


@pytest.mark.parametrize(
    ("source", "asked_source"),
    [(Source.SELF_MANAGED_KAFKA, 'event source ("kafka-1:9092")'), (Source.MSK, 'event source arn ("{arn}")')],
)
def test_the_message_names_the_consumer_group(lambda_: Any, source: Source, asked_source: str) -> None:
    made = lambda_.create_event_source_mapping(**example(source, **group(source)))
    member = CONSUMER_GROUP[source][:1].lower() + CONSUMER_GROUP[source][1:]
    refusal = refused(lambda_.create_event_source_mapping, **example(source, **group(source), **OTHERS))
    assert (refusal.code, refusal.message) == (
        "ResourceConflictException",
        f"An event source mapping with {asked_source.format(arn=made.get('EventSourceArn'))}, "
        f'{member}.consumerGroupId ("shop") already exists. Please update or delete the existing mapping with UUID '
        f"{made['UUID']}",
    )


def test_a_mapping_that_is_being_deleted_holds_its_consumer_group(aws: AwsServer, lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.MSK, **MSK_GROUP))
    aws.control.settle(made["UUID"])
    aws.control.set(hold=True)
    lambda_.delete_event_source_mapping(UUID=made["UUID"])
    again = example(Source.MSK, **MSK_GROUP, **OTHERS)
    assert refused(lambda_.create_event_source_mapping, **again).message.endswith(made["UUID"])
    aws.control.set(hold=False)
    assert lambda_.create_event_source_mapping(**again)["UUID"] != made["UUID"]


def test_the_message_for_msk_names_topic_and_arns(lambda_: Any) -> None:
    asked = example(Source.MSK)
    lambda_.create_event_source_mapping(**asked)
    message = refused(lambda_.create_event_source_mapping, **asked).message
    expected = f'event source arn ("{asked["EventSourceArn"]}"), function ("{FUNCTION_ARN}") and topics ("orders") '
    assert expected in message


def test_the_message_names_bootstrap_servers_in_the_order_of_the_request(lambda_: Any) -> None:
    lambda_.create_event_source_mapping(**example(Source.SELF_MANAGED_KAFKA, **servers("a:1")))
    again = example(Source.SELF_MANAGED_KAFKA, **servers("b:1", "a:1"))
    assert 'event source ("b:1,a:1")' in refused(lambda_.create_event_source_mapping, **again).message


def test_an_update_to_the_identity_of_another_mapping_is_refused(lambda_: Any) -> None:
    first = lambda_.create_event_source_mapping(**example(Source.SQS))
    second = lambda_.create_event_source_mapping(**example(Source.SQS, FunctionName="other"))
    refusal = refused(lambda_.update_event_source_mapping, UUID=second["UUID"], FunctionName="handler")
    assert refusal.message.endswith(first["UUID"])


def test_a_mapping_that_is_being_deleted_still_conflicts(aws: AwsServer, lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.SQS))
    aws.control.settle(made["UUID"])
    aws.control.set(hold=True)
    lambda_.delete_event_source_mapping(UUID=made["UUID"])
    assert refused(lambda_.create_event_source_mapping, **example(Source.SQS)).status == 409
    aws.control.set(hold=False)
    assert lambda_.create_event_source_mapping(**example(Source.SQS))["UUID"] != made["UUID"]


def test_a_conflict_with_another_operation_names_no_uuid(aws: AwsServer, lambda_: Any) -> None:
    aws.control.fault(FaultKind.CONFLICT, "CreateEventSourceMapping", times=1)
    refusal = refused(lambda_.create_event_source_mapping, **example(Source.SQS))
    assert (refusal.code, refusal.status) == ("ResourceConflictException", 409)
    assert "UUID" not in refusal.message
    assert lambda_.create_event_source_mapping(**example(Source.SQS))["State"] == "Creating"


def test_accounts_and_regions_are_independent(aws: AwsServer) -> None:
    for account, region in (("111111111111", "eu-west-1"), ("111111111111", "us-east-1")):
        client: Any = aws.client("lambda", region=region, account=account)
        arn = f"arn:aws:sqs:{region}:{account}:orders"
        client.create_event_source_mapping(FunctionName="handler", EventSourceArn=arn)
        assert len(client.list_event_source_mappings()["EventSourceMappings"]) == 1
    other: Any = aws.client("lambda", region="us-east-1", account="222222222222")
    assert other.list_event_source_mappings()["EventSourceMappings"] == []
