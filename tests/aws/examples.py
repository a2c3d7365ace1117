"""The smallest Create that AWS accepts, for each kind of source. The tests of this folder start from it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.exceptions import ClientError

from . import AwsServer
from .sources import Source

ACCOUNT = "123456789012"
REGION = "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
FUNCTION = "handler"
FUNCTION_ARN = f"arn:aws:lambda:{HERE}:function:{FUNCTION}"
QUEUE = f"arn:aws:sqs:{HERE}:orders"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:credentials"
BASIC_AUTH = {"Type": "BASIC_AUTH", "URI": SECRET}

_MINIMAL: dict[Source, dict[str, Any]] = {
    Source.SQS: {"EventSourceArn": QUEUE},
    Source.SQS_FIFO: {"EventSourceArn": f"{QUEUE}.fifo"},
    Source.KINESIS: {
        "EventSourceArn": f"arn:aws:kinesis:{HERE}:stream/orders",
        "StartingPosition": "LATEST",
    },
    Source.DYNAMODB: {
        "EventSourceArn": f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000",
        "StartingPosition": "LATEST",
    },
    Source.MSK: {
        "EventSourceArn": f"arn:aws:kafka:{HERE}:cluster/orders/11111111-2222-3333-4444-555555555555-1",
        "Topics": ["orders"],
    },
    Source.SELF_MANAGED_KAFKA: {
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-1:9092"]}},
        "SourceAccessConfigurations": [BASIC_AUTH],
        "Topics": ["orders"],
    },
    Source.MQ: {
        "EventSourceArn": f"arn:aws:mq:{HERE}:broker:orders:b-1",
        "Queues": ["orders"],
        "SourceAccessConfigurations": [BASIC_AUTH],
    },
    Source.DOCUMENTDB: {
        "EventSourceArn": f"arn:aws:rds:{HERE}:cluster:orders",
        "DocumentDBEventSourceConfig": {"DatabaseName": "orders"},
        "SourceAccessConfigurations": [BASIC_AUTH],
    },
}


def example(source: Source, **more: Any) -> dict[str, Any]:
    """Parameters of a Create. A member that is None is left out."""
    asked = {"FunctionName": FUNCTION, **deepcopy(_MINIMAL[source]), **more}
    return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    message: str
    status: int
    headers: dict[str, str]


def refused(call: Callable[..., Any], **asked: Any) -> Refusal:
    """The error that a call returns. The test fails if there is no error."""
    with pytest.raises(ClientError) as caught:
        call(**asked)
    response: dict[str, Any] = {**caught.value.response}
    metadata = response["ResponseMetadata"]
    return Refusal(
        response["Error"]["Code"],
        response["Error"]["Message"],
        metadata["HTTPStatusCode"],
        metadata["HTTPHeaders"],
    )


def raw(aws: AwsServer, method: str, path: str, body: str) -> tuple[int, str]:
    """Send a request that boto3 would refuse to send. Returns the status and the body."""
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/20260101/{REGION}/lambda/aws4_request",
        "Content-Type": "application/json",
    }
    connection = HTTPConnection(aws.endpoint.removeprefix("http://"), timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text
