"""Specs for tests: a valid one for each kind of source, and functions that edit them.

The tables of refused specs (``refusals``, ``changes``) and the tests of the rules use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
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


def spec(base: str, edit: Edit) -> Spec:
    """The smallest valid spec of a source, with some edits."""
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
    """Source access configurations, given as ``TYPE=uri``, or as ``TYPE`` for an entry without a URI."""
    pairs = (entry.partition("=") for entry in entries)
    return [{"type": kind, **({"uri": uri} if uri else {})} for kind, _, uri in pairs]


def registry_access(count: int) -> list[Spec]:
    """Access configurations of a schema registry."""
    secret = f"arn:aws:secretsmanager:{HERE}:secret:registry"
    return [{"type": "BASIC_AUTH", "uri": f"{secret}-{number}"} for number in range(count)]


BATCH, WINDOW = "batchSize", "maximumBatchingWindowInSeconds"
MODE = "selfManagedKafkaEventSourceConfig.consumptionMode"
MSK_REGISTRY = "amazonManagedKafkaEventSourceConfig.schemaRegistryConfig"
KAFKA_REGISTRY = "selfManagedKafkaEventSourceConfig.schemaRegistryConfig"
POLLERS = "provisionedPollerConfig"
ACCESS = "sourceAccessConfigurations"
AT = "AT_TIMESTAMP"
STAMP = "2026-01-01T00:00:00Z"
ARN = "eventSourceARN"
