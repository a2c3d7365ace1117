"""The short name of a source, which is the column SOURCE of ``kubectl get esm``."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.source_names import source_name
from esm_operator.api.spec import MappingSpec

ACCOUNT = "eu-west-1:123456789012"


def self_managed(*servers: str, topics: tuple[str, ...] = ("orders",)) -> dict[str, Any]:
    return {
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}},
        "topics": list(topics),
    }


def source(arn: str, **spec: Any) -> dict[str, Any]:
    return {"eventSourceARN": arn, **spec}


CASES = [
    (source(f"arn:aws:sqs:{ACCOUNT}:orders"), "sqs/orders"),
    (source(f"arn:aws-cn:sqs:{ACCOUNT}:orders.fifo"), "sqs/orders.fifo"),
    (source(f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"), "kinesis/clicks"),
    (source(f"arn:aws:kinesis:{ACCOUNT}:stream/clicks/consumer/archive:1767225600"), "kinesis/clicks/archive"),
    (source(f"arn:aws:dynamodb:{ACCOUNT}:table/orders/stream/2026-01-15T08:00:00.000"), "dynamodb/orders"),
    (source(f"arn:aws:kafka:{ACCOUNT}:cluster/shop/6cc0432b-8618-2", topics=["orders"]), "kafka/shop/orders"),
    (
        source(f"arn:aws:kafka:{ACCOUNT}:vpc-connection/123456789012/shop/6cc0432b-8618-2", topics=["orders"]),
        "kafka/shop/orders",
    ),
    (source(f"arn:aws:mq:{ACCOUNT}:broker:invoices:b-7dd14b2e", queues=["due"]), "mq/invoices/due"),
    (
        source(f"arn:aws:rds:{ACCOUNT}:cluster:shop", documentDBEventSourceConfig={"databaseName": "orders"}),
        "documentdb/shop/orders",
    ),
    (
        source(
            f"arn:aws:rds:{ACCOUNT}:cluster:shop",
            documentDBEventSourceConfig={"databaseName": "orders", "collectionName": "new"},
        ),
        "documentdb/shop/orders.new",
    ),
    (self_managed("kafka1.example.com:9092", "kafka2.example.com:9092"), "kafka/kafka1.example.com/orders"),
    (self_managed("[2001:db8::1]:9092"), "kafka/[2001:db8::1]/orders"),
    (self_managed("kafka1.example.com"), "kafka/kafka1.example.com/orders"),
    # An ARN of an unusual form is shown as it is. The API server refuses the other specs.
    (source(f"arn:aws:kinesis:{ACCOUNT}:channel/clicks"), "kinesis/channel/clicks"),
    (source("arn:aws:s3:::bucket"), ""),
    (source("orders"), ""),
    (self_managed(), ""),
    ({}, ""),
]


@pytest.mark.parametrize(("spec", "name"), CASES, ids=[name or "none" for _, name in CASES])
def test_source_name(spec: dict[str, Any], name: str) -> None:
    assert source_name(spec) == name
    assert MappingSpec.parse(spec).source_name == name


@given(st.text(), st.lists(st.text()), st.lists(st.text()), st.text())
def test_no_text_in_a_spec_is_an_error(resource: str, topics: list[str], servers: list[str], database: str) -> None:
    config = {"documentDBEventSourceConfig": {"databaseName": database}}
    for service in ("sqs", "kinesis", "dynamodb", "kafka", "mq", "rds"):
        name = source_name(source(f"arn:aws:{service}:{ACCOUNT}:{resource}", topics=topics, **config))
        assert bool(name) == bool(resource)
    source_name(self_managed(*servers, topics=tuple(topics)))
