"""Kafka consumer groups: AWS allows one mapping in each, so a replacement in a group deletes the old one first."""

from typing import Any

import pytest

from tests.bed import Bed
from tests.e2e.manifests import TEN_KINDS, mapping
from tests.waiting import eventually

MSK, SELF_MANAGED = "amazonManagedKafkaEventSourceConfig", "selfManagedKafkaEventSourceConfig"
KINDS = [("msk", MSK), ("self-managed-kafka", SELF_MANAGED)]
both_kinds = pytest.mark.parametrize(("kind", "config"), KINDS, ids=[kind for kind, _ in KINDS])


def kafka(
    name: str, kind: str, config: str, *, group: str = "shop", topic: str = "orders", **spec: Any
) -> dict[str, Any]:
    """A mapping of a topic in a consumer group, with replacePolicy Recreate."""
    base = {**TEN_KINDS[kind], "topics": [topic], config: {"consumerGroupID": group}, "replacePolicy": "Recreate"}
    return mapping(name, **{**base, **spec})


def order(bed: Bed) -> list[str]:
    """The Create and Delete requests, in their order. Refused ones have a mark."""
    wanted = {"CreateEventSourceMapping": "Create", "DeleteEventSourceMapping": "Delete"}
    return [
        wanted[one["operation"]] + ("" if one["status"] < 400 else " refused")
        for one in bed.control.requests(2000)
        if one["operation"] in wanted
    ]


@both_kinds
def test_with_another_topic_in_the_same_group_the_old_mapping_is_deleted_first(
    bed: Bed, kind: str, config: str
) -> None:
    bed.operator()
    bed.apply(kafka("orders", kind, config))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.patch("orders", {"topics": ["returns"]})
    bed.wait_condition("orders", "Reconciling", "True", "Replacing")
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    bed.control.set(hold=False)
    eventually(lambda: [one["Topics"] for one in bed.mappings()] == [["returns"]])
    after = bed.wait_ready("orders")["status"]["uuid"]
    assert [one["UUID"] for one in bed.mappings()] == [after]
    assert after != before
    assert order(bed) == ["Create", "Delete", "Create"]
    warned = eventually(lambda: bed.events("orders").get("Replacing"))
    assert before in warned
    assert "spec.topics" in warned
    assert 'consumer group "shop"' in warned
    assert "CreatedAgain" not in bed.events("orders")


@both_kinds
def test_with_another_topic_and_another_group_the_new_mapping_is_created_first(
    bed: Bed, kind: str, config: str
) -> None:
    bed.operator()
    bed.apply(kafka("orders", kind, config))
    bed.wait_ready("orders")
    bed.patch("orders", {"topics": ["returns"], config: {"consumerGroupID": "returns"}})
    eventually(lambda: [one["Topics"] for one in bed.mappings()] == [["returns"]])
    bed.wait_ready("orders")
    assert order(bed) == ["Create", "Create", "Delete"]


def test_a_generated_group_is_named_later_with_another_topic(bed: Bed) -> None:
    bed.operator()
    bed.apply(mapping("orders", **TEN_KINDS["self-managed-kafka"], replacePolicy="Recreate"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", {"topics": ["returns"], SELF_MANAGED: {"consumerGroupID": before}})
    eventually(lambda: [one["Topics"] for one in bed.mappings()] == [["returns"]])
    bed.wait_ready("orders")
    assert [one["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"] for one in bed.mappings()] == [before]
    assert order(bed) == ["Create", "Delete", "Create"]


def test_after_a_kill_between_deletion_and_creation_the_group_is_joined_again(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(kafka("orders", "msk", MSK))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.patch("orders", {"topics": ["returns"]})
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    operator.kill()
    bed.control.set(hold=False)
    operator.start()
    eventually(lambda: [one["Topics"] for one in bed.mappings()] == [["returns"]])
    bed.wait_ready("orders")
    assert order(bed) == ["Create", "Delete", "Create"]


@both_kinds
def test_a_recreated_resource_waits_until_the_group_is_free(bed: Bed, kind: str, config: str) -> None:
    bed.operator()
    bed.apply(kafka("orders", kind, config))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.delete("orders")
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    bed.apply(kafka("returns", kind, config, topic="returns"))
    told = bed.wait_condition("returns", "Reconciling", "True", "PredecessorDeleting")["message"]
    assert before in told
    assert 'consumer group "shop"' in told
    bed.control.set(hold=False)
    bed.wait_ready("returns")
    bed.wait_gone("orders")
    assert [one["Topics"] for one in bed.mappings()] == [["returns"]]
    assert order(bed) == ["Create", "Delete", "Create"]


@both_kinds
def test_a_group_that_another_resource_uses_is_a_conflict(bed: Bed, kind: str, config: str) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(kafka("orders", kind, config))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.apply(kafka("returns", kind, config, topic="returns", adoption={"policy": "IfExists"}))
    told = bed.wait_condition("returns", "Stalled", "True", "Conflict")["message"]
    for word in (uuid, f"{bed.namespace}/orders", 'consumer group "shop"', f"spec.{config}.consumerGroupID"):
        assert word in told
    assert "takeOverFrom" not in told, "it is a mapping of another topic"
    bed.delete("orders")
    bed.wait_ready("returns")
    assert [one["Topics"] for one in bed.mappings()] == [["returns"]]


def test_a_mapping_without_an_owner_in_the_same_group_is_not_adopted(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    spec = TEN_KINDS["msk"]
    taken = bed.control.make_mapping(
        FunctionName="returns",
        EventSourceArn=spec["eventSourceARN"],
        Topics=["returns"],
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "shop"},
        region="eu-west-1",
    )
    bed.apply(kafka("orders", "msk", MSK, adoption={"policy": "IfExists"}))
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert taken["UUID"] in told
    bed.wait_swept(2)
    assert [(one["UUID"], one["Tags"]) for one in bed.mappings()] == [(taken["UUID"], {})]

    bed.patch("orders", {"amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "orders"}})
    assert bed.wait_ready("orders")["status"]["uuid"] != taken["UUID"]


def test_a_replacement_into_a_group_that_another_uses_keeps_the_old_mapping(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(kafka("orders", "msk", MSK), kafka("returns", "msk", MSK, group="returns", topic="returns"))
    uuids = {bed.wait_ready(name)["status"]["uuid"] for name in ("orders", "returns")}
    bed.patch("orders", {"topics": ["orders-v2"], MSK: {"consumerGroupID": "returns"}})
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert f"{bed.namespace}/returns" in told
    bed.wait_swept(2)
    assert {(one["UUID"], one["State"]) for one in bed.mappings()} == {(uuid, "Enabled") for uuid in uuids}
    assert "Delete" not in order(bed)

    bed.patch("orders", {"topics": ["orders"], MSK: {"consumerGroupID": "shop"}})
    bed.wait_ready("orders")
    assert {one["UUID"] for one in bed.mappings()} == uuids
