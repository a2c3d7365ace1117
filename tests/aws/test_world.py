"""Tests can decide which functions and sources exist."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from . import AwsServer, Control
from .examples import FUNCTION_ARN, QUEUE, example, refused
from .sources import Source

NO_FUNCTION = "Function does not exist"


@pytest.mark.parametrize("name", ["handler", "handler:live", FUNCTION_ARN, f"{FUNCTION_ARN}:live"])
def test_a_missing_function_is_refused(lambda_: Any, control: Control, name: str) -> None:
    control.set_world(missing_functions=["handler"])
    refusal = refused(lambda_.create_event_source_mapping, **example(Source.SQS, FunctionName=name))
    assert refusal.message == NO_FUNCTION


def test_a_missing_alias_is_refused(lambda_: Any, control: Control) -> None:
    control.set_world(missing_functions=[f"{FUNCTION_ARN}:live"])
    asked = example(Source.SQS, FunctionName="handler:live")
    assert refused(lambda_.create_event_source_mapping, **asked).message == NO_FUNCTION
    uuid = lambda_.create_event_source_mapping(**example(Source.SQS))["UUID"]
    refusal = refused(lambda_.update_event_source_mapping, UUID=uuid, FunctionName="handler:live")
    assert refusal.message == NO_FUNCTION


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source.SQS, "NonExistentQueue"),
        (Source.KINESIS, "Stream not found: arn:aws:kinesis:"),
        (Source.DYNAMODB, "Stream not found: arn:aws:dynamodb:"),
        (Source.MSK, "arn:aws:kafka:"),
    ],
)
def test_a_missing_source_is_refused(lambda_: Any, control: Control, source: Source, words: str) -> None:
    asked = example(source)
    control.set_world(missing_sources=[asked["EventSourceArn"]])
    refusal = refused(lambda_.create_event_source_mapping, **asked)
    assert refusal.code == "InvalidParameterValueException"
    assert words in refusal.message
    control.set_world(missing_sources=[])
    lambda_.create_event_source_mapping(**asked)


def test_in_a_declared_world_only_declared_functions_and_sources_exist(lambda_: Any, control: Control) -> None:
    control.set_world(population="declared")
    assert refused(lambda_.create_event_source_mapping, **example(Source.SQS)).message == NO_FUNCTION
    control.set_world(functions=["handler"])
    assert "NonExistentQueue" in refused(lambda_.create_event_source_mapping, **example(Source.SQS)).message
    control.set_world(sources=[QUEUE])
    lambda_.create_event_source_mapping(**example(Source.SQS))
    lambda_.create_event_source_mapping(**example(Source.SELF_MANAGED_KAFKA))


def test_in_a_declared_world_resources_of_moto_exist(aws: AwsServer, lambda_: Any) -> None:
    aws.control.set_world(population="declared")
    role = aws.client("iam").create_role(
        RoleName="role", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "")
    lambda_.create_function(
        FunctionName="handler",
        Role=role["Role"]["Arn"],
        Runtime="python3.12",
        Handler="handler.handle",
        Code={"ZipFile": code.getvalue()},
    )
    aws.client("sqs").create_queue(QueueName="orders")
    aws.client("kinesis").create_stream(StreamName="orders", ShardCount=1)
    table = aws.client("dynamodb").create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    stream = table["TableDescription"]["LatestStreamArn"]
    lambda_.create_event_source_mapping(**example(Source.SQS))
    lambda_.create_event_source_mapping(**example(Source.KINESIS))
    lambda_.create_event_source_mapping(**example(Source.DYNAMODB, EventSourceArn=stream))
    for asked in (
        example(Source.SQS, FunctionName="handler:live"),
        example(Source.SQS, FunctionName="other"),
        example(Source.SQS, EventSourceArn=f"{QUEUE}-2"),
        example(Source.KINESIS, EventSourceArn=f"{example(Source.KINESIS)['EventSourceArn']}-2"),
        example(Source.DYNAMODB),
    ):
        refused(lambda_.create_event_source_mapping, **asked)


def test_an_assumed_role_belongs_to_its_account(aws: AwsServer, lambda_: Any) -> None:
    arn = "arn:aws:iam::222222222222:role/operator"
    answer = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
    there: Any = aws.client("lambda", account=answer["Credentials"]["AccessKeyId"])
    made = there.create_event_source_mapping(**example(Source.SQS))
    assert ":222222222222:function:handler" in made["FunctionArn"]
    assert lambda_.list_event_source_mappings()["EventSourceMappings"] == []


def test_the_access_key_determines_the_account(aws: AwsServer) -> None:
    assert aws.client("sts", account="222222222222").get_caller_identity()["Account"] == "222222222222"
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_reset_empties_moto_too(aws: AwsServer) -> None:
    sqs: Any = aws.client("sqs")
    sqs.create_queue(QueueName="orders")
    aws.control.reset()
    assert "QueueUrls" not in sqs.list_queues()
