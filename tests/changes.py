"""Cases of edits of an existing resource, which the API server refuses or accepts."""

from __future__ import annotations

from dataclasses import dataclass

from tests.specs import (
    ACCESS,
    ARN,
    AT,
    BATCH,
    DOCUMENTDB,
    HERE,
    KINESIS,
    MODE,
    MQ,
    MSK,
    SELF_MANAGED,
    SQS,
    STAMP,
    Edit,
    access,
)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit of an existing resource."""

    name: str
    base: str
    before: Edit
    after: Edit
    says: tuple[str, ...]
    replaceable: bool = True
    """Whether the edit is accepted with replacePolicy Recreate."""


_DATABASE = "documentDBEventSourceConfig.databaseName"
_COLLECTION = "documentDBEventSourceConfig.collectionName"
_FULL_DOCUMENT = "documentDBEventSourceConfig.fullDocument"
_GROUP = "amazonManagedKafkaEventSourceConfig.consumerGroupID"
_SERVERS = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"
_REMEDY = ("replacePolicy: Recreate", "make a new resource")
_NEVER = ("can't be changed, added or removed", "make a new resource")
_REFERENCE = {"apiVersion": "example.com/v1", "kind": "App", "name": "orders", "fieldPath": "status.value"}
_OTHER = {**_REFERENCE, "name": "returns"}
_NO_SOURCE_REF = {"eventSourceRef": None, ARN: f"arn:aws:sqs:{HERE}:orders"}
_SERVERS_REF = {"bootstrapServersRef": _REFERENCE}

CHANGES: tuple[Change, ...] = (
    Change("the source", "sqs", {}, {ARN: f"arn:aws:sqs:{HERE}:returns"}, (ARN, SQS, *_REMEDY)),
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
        {"startingPosition": AT, "startingPositionTimestamp": STAMP},
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
    Change("the mode", "self-managed", {}, {MODE: "Queue"}, (MODE, SELF_MANAGED, *_REMEDY)),
    Change("the database", "documentdb", {}, {_DATABASE: "returns"}, (_DATABASE, DOCUMENTDB, *_REMEDY)),
    Change(
        "the collection",
        "documentdb",
        {_COLLECTION: "open"},
        {_COLLECTION: "closed"},
        (_COLLECTION, DOCUMENTDB, *_REMEDY),
    ),
    Change("an added collection", "documentdb", {}, {_COLLECTION: "open"}, (_COLLECTION, DOCUMENTDB, *_REMEDY)),
    Change(
        "a removed collection",
        "documentdb",
        {_COLLECTION: "open"},
        {_COLLECTION: None},
        (_COLLECTION, DOCUMENTDB, *_REMEDY),
    ),
    Change(
        "the virtual host",
        "mq",
        {ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        {ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/returns")},
        ("VIRTUAL_HOST", ACCESS, MQ, *_REMEDY),
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

#: Similar edits that are accepted.
HARMLESS_CHANGES: tuple[Change, ...] = (
    Change("another function", "sqs", {}, {"functionName": "returns"}, ()),
    Change("a reference to the function", "sqs", {}, {"functionName": None, "functionRef": _REFERENCE}, ()),
    Change("a reference to the source", "sqs", {}, {ARN: None, "eventSourceRef": _REFERENCE}, ()),
    Change("another referred source", "sqs", {ARN: None, "eventSourceRef": _REFERENCE}, {"eventSourceRef": _OTHER}, ()),
    Change("no reference to the source", "sqs", {ARN: None, "eventSourceRef": _REFERENCE}, _NO_SOURCE_REF, ()),
    Change("a reference to the topic", "msk", {}, {"topics": None, "topicRef": _REFERENCE}, ()),
    Change("a reference to the servers", "self-managed", {}, {"selfManagedEventSource": _SERVERS_REF}, ()),
    Change(
        "the order of servers",
        "self-managed",
        {_SERVERS: ["kafka-1.example.com:9092", "kafka-2.example.com:9092"]},
        {_SERVERS: ["kafka-2.example.com:9092", "kafka-1.example.com:9092"]},
        (),
    ),
    Change(
        "the secret next to a virtual host",
        "mq",
        {ACCESS: access("BASIC_AUTH=orders", "VIRTUAL_HOST=/orders")},
        {ACCESS: access("VIRTUAL_HOST=/orders", "BASIC_AUTH=returns")},
        (),
    ),
    Change("what an update brings of a document", "documentdb", {}, {_FULL_DOCUMENT: "UpdateLookup"}, ()),
    Change("no full document", "documentdb", {_FULL_DOCUMENT: "UpdateLookup"}, {_FULL_DOCUMENT: None}, ()),
    Change(
        "an ignored position",
        "kinesis",
        {"ignoreChanges": ["startingPosition"]},
        {"startingPosition": "TRIM_HORIZON"},
        (),
    ),
    Change(
        "an ignored consumer group",
        "msk",
        {_GROUP: "orders", "ignoreChanges": ["amazonManagedKafkaEventSourceConfig"]},
        {_GROUP: "returns"},
        (),
    ),
    Change("a removed batch size", "sqs", {BATCH: 5}, {BATCH: None}, ()),
)
