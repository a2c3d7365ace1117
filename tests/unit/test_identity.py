"""Identity: the values that AWS allows only once, from a spec and from an answer."""

from collections.abc import Mapping
from typing import Any

import pytest

from esm_operator.api.identity import consumer_group, of_mapping
from esm_operator.api.spec import MappingSpec
from tests.e2e.manifests import HERE, QUEUE, TEN_KINDS

FUNCTION = f"arn:aws:lambda:{HERE}:function:orders"


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("orders", FUNCTION, True),
        ("orders:$LATEST", FUNCTION, True),
        ("orders", f"{FUNCTION}:$LATEST", True),
        ("123456789012:function:orders", FUNCTION, True),
        ("123456789012:orders", FUNCTION, True),
        (FUNCTION, FUNCTION, True),
        ("orders:live", f"{FUNCTION}:live", True),
        ("orders:live", FUNCTION, False),
        ("orders:1", f"{FUNCTION}:2", False),
        ("payments", FUNCTION, False),
    ],
)
def test_all_spellings_of_a_function_have_one_identity(asked: str, answered: str, same: bool) -> None:
    spec = MappingSpec.parse({"functionName": asked, "eventSourceARN": QUEUE}).identity
    mapping = of_mapping({"FunctionArn": answered, "EventSourceArn": QUEUE})
    assert spec.same_as(mapping) is same
    assert mapping.same_as(spec) is same


def _kafka(*servers: str, topic: str = "orders") -> dict[str, Any]:
    return {
        "functionName": "orders",
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}},
        "topics": [topic],
    }


_MSK, _MQ, _DOCUMENTDB = (dict(TEN_KINDS[name]) for name in ("msk", "activemq", "documentdb"))
_DATABASE = _DOCUMENTDB["documentDBEventSourceConfig"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_kafka("a:1", "b:1"), _kafka("b:1", "a:1"), True),
        (_kafka("a:1", "b:1"), _kafka("a:1"), True),
        (_kafka("a:1"), _kafka("b:1"), False),
        (_kafka("a:1"), _kafka("a:1", topic="others"), False),
        (_MSK, {**_MSK, "batchSize": 5}, True),
        (_MSK, {**_MSK, "topics": ["others"]}, False),
        (_MQ, {**_MQ, "queues": ["others"]}, False),
        (_DOCUMENTDB, {**_DOCUMENTDB, "documentDBEventSourceConfig": {**_DATABASE, "databaseName": "x"}}, False),
        (_DOCUMENTDB, {**_DOCUMENTDB, "documentDBEventSourceConfig": {**_DATABASE, "collectionName": "x"}}, False),
        (_DOCUMENTDB, {**_DOCUMENTDB, "documentDBEventSourceConfig": {**_DATABASE, "fullDocument": "Default"}}, True),
    ],
)
def test_the_identity_includes_the_source_and_what_is_read_from_it(
    one: Mapping[str, Any], other: Mapping[str, Any], same: bool
) -> None:
    first, second = (MappingSpec.parse({"functionName": "orders", **spec}).identity for spec in (one, other))
    assert first.same_as(second) is same
    assert second.same_as(first) is same
    assert not same or first.key == second.key


@pytest.mark.parametrize("kind", TEN_KINDS)
def test_a_spec_and_its_create_have_the_same_identity(kind: str) -> None:
    from esm_operator.aws import requests

    spec = MappingSpec.parse({"functionName": "orders", **TEN_KINDS[kind]})
    assert spec.identity == of_mapping(requests.create(spec.parameters, {}))


_GROUP = {"consumerGroupID": "shop"}
_KAFKA_GROUP = {"selfManagedKafkaEventSourceConfig": _GROUP}
_OTHER_CLUSTER = {**_MSK, "eventSourceARN": f"arn:aws:kafka:{HERE}:cluster/others/1"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_MSK, {**_MSK, "topics": ["others"], "functionName": "others"}, True),
        (_MSK, {**_MSK, "amazonManagedKafkaEventSourceConfig": _GROUP}, False),
        (_MSK, _OTHER_CLUSTER, False),
        (_kafka("a:1") | _KAFKA_GROUP, _kafka("b:1", "a:1", topic="others") | _KAFKA_GROUP, True),
        (_kafka("a:1") | _KAFKA_GROUP, _kafka("b:1") | _KAFKA_GROUP, False),
        (_kafka("a:1") | _KAFKA_GROUP, {**_MSK, "amazonManagedKafkaEventSourceConfig": _GROUP}, False),
    ],
)
def test_a_consumer_group_belongs_to_a_kafka_cluster(
    one: Mapping[str, Any], other: Mapping[str, Any], same: bool
) -> None:
    first, second = (MappingSpec.parse({"functionName": "orders", **spec}).consumer_group for spec in (one, other))
    assert first is not None
    assert second is not None
    assert first.same_as(second) is same
    assert second.same_as(first) is same


@pytest.mark.parametrize("kind", TEN_KINDS)
def test_a_spec_and_its_create_have_the_same_consumer_group(kind: str) -> None:
    from esm_operator.aws import requests

    spec = MappingSpec.parse({"functionName": "orders", **TEN_KINDS[kind]})
    group = spec.consumer_group
    assert group == consumer_group(requests.create(spec.parameters, {}))
    assert (group is not None) == (kind == "msk"), "the others name none"
    assert group is None or group.path in spec.values
