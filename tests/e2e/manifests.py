"""Manifests of resources, one for each kind of source."""

from collections.abc import Mapping
from typing import Any

API_VERSION = "lambda.esm-operator.io/v1"
HERE = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{HERE}:orders"
STREAM = f"arn:aws:kinesis:{HERE}:stream/orders"
_SECRET = f"arn:aws:secretsmanager:{HERE}:secret:credentials"
_BASIC_AUTH = [{"type": "BASIC_AUTH", "uri": _SECRET}]


def mapping(name: str, **spec: Any) -> dict[str, Any]:
    """An EventSourceMapping. Its function has the name of the resource unless the spec names another one."""
    return {
        "apiVersion": API_VERSION,
        "kind": "EventSourceMapping",
        "metadata": {"name": name},
        "spec": {"functionName": name, **spec},
    }


def queue(name: str = "orders", **spec: Any) -> dict[str, Any]:
    """A mapping of an SQS queue."""
    return mapping(name, **{"eventSourceARN": f"arn:aws:sqs:{HERE}:{name}", **spec})


def stream(name: str = "orders", **spec: Any) -> dict[str, Any]:
    """A mapping of a Kinesis stream."""
    return mapping(
        name, **{"eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/{name}", "startingPosition": "LATEST", **spec}
    )


def provider_config(name: str, **spec: Any) -> dict[str, Any]:
    """A ProviderConfig."""
    return {"apiVersion": API_VERSION, "kind": "ProviderConfig", "metadata": {"name": name}, "spec": spec}


TEN_KINDS: Mapping[str, Mapping[str, Any]] = {
    "sqs": {"eventSourceARN": QUEUE},
    "sqs-fifo": {"eventSourceARN": f"{QUEUE}.fifo", "batchSize": 10},
    "kinesis": {"eventSourceARN": STREAM, "startingPosition": "LATEST", "parallelizationFactor": 2},
    "kinesis-consumer": {
        "eventSourceARN": f"{STREAM}/consumer/reader:1718000000",
        "startingPosition": "TRIM_HORIZON",
        "tumblingWindowInSeconds": 30,
    },
    "dynamodb": {
        "eventSourceARN": f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000",
        "startingPosition": "LATEST",
        "maximumRetryAttempts": 3,
        "bisectBatchOnFunctionError": True,
        "destinationConfig": {"onFailure": {"destination": QUEUE}},
        "filterCriteria": {"filters": [{"pattern": '{"eventName": ["INSERT"]}'}]},
    },
    "msk": {
        "eventSourceARN": f"arn:aws:kafka:{HERE}:cluster/orders/11111111-2222-3333-4444-555555555555-1",
        "topics": ["orders"],
        "startingPosition": "TRIM_HORIZON",
        "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "orders"},
    },
    "self-managed-kafka": {
        "selfManagedEventSource": {
            "endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-2.example.com:9092", "kafka-1.example.com:9092"]}
        },
        "topics": ["orders"],
        "startingPosition": "TRIM_HORIZON",
        "sourceAccessConfigurations": [
            {"type": "VPC_SUBNET", "uri": "subnet:subnet-1"},
            {"type": "VPC_SUBNET", "uri": "subnet:subnet-2"},
            {"type": "VPC_SECURITY_GROUP", "uri": "security_group:sg-1"},
        ],
        "provisionedPollerConfig": {"minimumPollers": 1, "maximumPollers": 3},
    },
    "activemq": {
        "eventSourceARN": f"arn:aws:mq:{HERE}:broker:orders:b-1",
        "queues": ["orders"],
        "sourceAccessConfigurations": _BASIC_AUTH,
    },
    "rabbitmq": {
        "eventSourceARN": f"arn:aws:mq:{HERE}:broker:orders:b-2",
        "queues": ["orders"],
        "sourceAccessConfigurations": [*_BASIC_AUTH, {"type": "VIRTUAL_HOST", "uri": "/orders"}],
    },
    "documentdb": {
        "eventSourceARN": f"arn:aws:rds:{HERE}:cluster:orders",
        "startingPosition": "LATEST",
        "documentDBEventSourceConfig": {
            "databaseName": "orders",
            "collectionName": "orders",
            "fullDocument": "UpdateLookup",
        },
        "sourceAccessConfigurations": _BASIC_AUTH,
    },
}
