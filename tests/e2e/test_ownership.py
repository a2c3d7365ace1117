"""Ownership: the owner keeps its mapping, the other resource gets a message, and the advice in the message works."""

import re
from typing import Any

import yaml

from tests.bed import WRITES, Bed
from tests.e2e.manifests import HERE, QUEUE, STREAM, queue, stream
from tests.waiting import eventually

OURS = "esm-operator.io/"
#: Seconds. The operator checks a conflict again after 45 s at the earliest.
BEFORE_RETRY = 40.0
#: The line that a message advises users to add to the spec.
ADVICE = re.compile(r"set spec\.adoption to (\{[^}]*\})")


def owner_tags(cluster: str, namespace: str, name: str) -> dict[str, str]:
    """The owner tags of another resource."""
    parts = {"cluster": cluster, "namespace": namespace, "name": name, "uid": "1"}
    return {f"{OURS}{part}": text for part, text in parts.items()}


def advised(message: str) -> dict[str, Any]:
    """The adoption in the advice of a message."""
    found = ADVICE.search(message)
    assert found, f"no line to add in: {message}"
    return yaml.safe_load(found[1])


def writes(bed: Bed) -> dict[str, int]:
    """The number of write requests to AWS, by operation."""
    return {operation: count for operation, count in bed.calls().items() if operation in WRITES}


def second(**spec: Any) -> dict[str, Any]:
    """A resource with the identity of the resource ``orders``."""
    return queue("second", functionName="orders", eventSourceARN=QUEUE, **spec)


def test_the_advice_about_a_mapping_without_an_owner_works_as_written(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator("--sweep-interval=1")
    bed.apply(queue())
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert made["UUID"] in told
    assert "belongs to no resource" in told
    assert eventually(lambda: bed.events("orders").get("Conflict")) == told
    bed.wait_swept(3)
    assert writes(bed) == {}

    bed.patch("orders", {"adoption": advised(told)})
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    assert len(bed.mappings()) == 1


def test_the_advice_about_a_mapping_of_a_lost_cluster_works_as_written(bed: Bed) -> None:
    tags = {**owner_tags("old", "shop", "orders"), "team": "shop"}
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, Tags=tags, region="eu-west-1")
    bed.operator("--cluster-name=new", "--takeover-from-clusters=old", "--sweep-interval=1")
    bed.apply(queue(adoption={"policy": "IfExists"}))
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert made["UUID"] in told
    assert "old/shop/orders" in told
    bed.wait_swept(3)
    assert writes(bed) == {}

    bed.patch("orders", {"adoption": advised(told)})
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    found = bed.get("orders")
    assert found is not None
    assert bed.mapping("orders")["Tags"] == {
        f"{OURS}cluster": "new",
        f"{OURS}namespace": bed.namespace,
        f"{OURS}name": "orders",
        f"{OURS}uid": found["metadata"]["uid"],
        "team": "shop",
    }
    bed.wait_swept(2)
    assert writes(bed) == {"TagResource": 1}


def test_taking_over_from_the_wrong_owner_is_refused_and_names_the_right_one(bed: Bed) -> None:
    tags = owner_tags("old", "shop", "orders")
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, Tags=tags, region="eu-west-1")
    adoption = {"policy": "IfExists", "uuid": made["UUID"], "takeOverFrom": "old/shop/returns"}
    bed.operator("--takeover-from-clusters=old", "--sweep-interval=1")
    bed.apply(queue(adoption=adoption))
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert advised(told) == {**adoption, "takeOverFrom": "old/shop/orders"}
    bed.wait_swept(2)
    assert writes(bed) == {}
    assert bed.mappings()[0]["Tags"] == tags

    bed.patch("orders", {"adoption": advised(told)})
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]


def test_of_two_resources_the_owner_keeps_the_mapping_without_flapping(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.apply(second(batchSize=7, adoption={"policy": "IfExists"}))
    told = bed.wait_condition("second", "Stalled", "True", "Conflict")["message"]
    assert f"default/{bed.namespace}/orders" in told
    assert uuid in told
    versions = bed.versions()
    bed.wait_swept(4)
    assert writes(bed) == {"CreateEventSourceMapping": 1}
    assert bed.versions() == versions
    assert bed.mapping("orders")["BatchSize"] == 5


def test_a_resource_takes_over_the_mapping_of_another_one_by_the_advice(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5), second(batchSize=7))
    both = ("orders", "second")
    eventually(lambda: any(bed.condition(name, "Stalled").get("reason") == "Conflict" for name in both))
    loser = next(name for name in both if bed.condition(name, "Stalled").get("reason") == "Conflict")
    winner = next(name for name in both if name != loser)
    uuid = bed.wait_ready(winner)["status"]["uuid"]

    bed.patch(loser, {"adoption": advised(bed.condition(loser, "Stalled")["message"])})
    assert bed.wait_ready(loser)["status"]["uuid"] == uuid
    told = bed.wait_condition(winner, "Stalled", "True", "Conflict")["message"]
    assert f"default/{bed.namespace}/{loser}" in told
    before = writes(bed)
    bed.wait_swept(3)
    assert writes(bed) == before
    bed.delete(winner)
    bed.wait_gone(winner)
    assert [one["UUID"] for one in bed.mappings()] == [uuid]
    assert "DeleteEventSourceMapping" not in bed.calls()


def test_of_two_resources_that_may_adopt_the_older_one_gets_the_mapping(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    adoption = {"policy": "IfExists"}
    bed.apply(queue(batchSize=5, adoption=adoption), second(batchSize=7, adoption=adoption))
    by_age = sorted(bed.all(), key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["uid"]))
    winner, loser = (one["metadata"]["name"] for one in by_age)

    bed.operator("--sweep-interval=1")
    assert bed.wait_ready(winner)["status"]["uuid"] == made["UUID"]
    told = bed.wait_condition(loser, "Stalled", "True", "Conflict")["message"]
    assert made["UUID"] in told
    assert f"{bed.namespace}/{winner}" in told
    bed.wait_swept(4)
    assert writes(bed) == {"TagResource": 1, "UpdateEventSourceMapping": 1}
    assert bed.mapping(winner)["BatchSize"] == by_age[0]["spec"]["batchSize"]
    assert bed.condition(loser, "Stalled")["reason"] == "Conflict"


def test_an_adoption_keeps_values_that_the_spec_does_not_set(bed: Bed) -> None:
    by_hand = {
        "BatchSize": 30,
        "ParallelizationFactor": 4,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 2,
        "DestinationConfig": {"OnFailure": {"Destination": f"{QUEUE}-failed"}},
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"kind": ["new"]}}'}]},
    }
    made = bed.control.make_mapping(
        FunctionName="orders",
        EventSourceArn=STREAM,
        StartingPosition="TRIM_HORIZON",
        Tags={"by": "hand"},
        region="eu-west-1",
        **by_hand,
    )
    operator = bed.operator("--sweep-interval=1")
    adoption = {"policy": "Required", "uuid": made["UUID"]}
    bed.apply(stream(batchSize=50, replacePolicy="Recreate", adoption=adoption))
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    synced = bed.condition("orders", "Synced")
    assert synced["status"] == "False"
    assert "spec.startingPosition" in synced["message"]

    def is_as_imported(size: int) -> None:
        mapping = bed.mapping("orders")
        assert {name: mapping[name] for name in by_hand} == {**by_hand, "BatchSize": size}
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["Tags"]["by"] == "hand"

    is_as_imported(50)
    bed.patch("orders", {"batchSize": 60})
    bed.wait_ready("orders")
    is_as_imported(60)
    operator.stop()
    operator.start()
    bed.wait_swept(3)
    bed.patch("orders", {"batchSize": None})
    bed.wait_ready("orders")
    is_as_imported(100)
    assert writes(bed) == {"TagResource": 1, "UpdateEventSourceMapping": 3}


def test_an_import_that_differs_is_corrected_without_a_replacement(bed: Bed) -> None:
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=STREAM, StartingPosition="TRIM_HORIZON", region="eu-west-1"
    )
    bed.operator("--sweep-interval=1")
    bed.apply(stream(adoption={"policy": "IfExists"}))
    told = bed.wait_condition("orders", "Synced", "False", "AdoptedMappingDiffers")["message"]
    assert "set spec.replacePolicy to Recreate" in told
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON", "replacePolicy": "Recreate"})
    bed.wait_condition("orders", "Synced", "True", "InSync")
    bed.wait_swept(2)
    assert bed.status("orders")["uuid"] == made["UUID"]
    assert writes(bed) == {"TagResource": 1}

    bed.patch("orders", {"startingPosition": "LATEST"})  # now it is a change
    eventually(lambda: bed.status("orders").get("uuid") not in (made["UUID"], None, ""))
    bed.wait_ready("orders")
    assert [one["StartingPosition"] for one in bed.mappings()] == ["LATEST"]


def test_with_adoption_required_nothing_is_ever_created(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue(adoption={"policy": "Required"}))
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    bed.control.delete_mapping(made["UUID"])
    told = bed.wait_condition("orders", "Stalled", "True", "NothingToAdopt")["message"]
    assert "spec.adoption.policy to IfExists" in told
    operator.stop()
    operator.start()
    bed.patch("orders", {"batchSize": 5})
    bed.wait_condition("orders", "Stalled", "True", "NothingToAdopt")
    bed.wait_swept(2)
    assert "CreateEventSourceMapping" not in bed.calls()

    bed.patch("orders", {"adoption": {"policy": "IfExists"}})
    assert bed.wait_ready("orders")["status"]["uuid"] != made["UUID"]
    assert [one["BatchSize"] for one in bed.mappings()] == [5]


def test_a_mapping_that_is_created_later_is_adopted_with_adoption_required(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(adoption={"policy": "Required"}))
    bed.wait_condition("orders", "Stalled", "True", "NothingToAdopt")
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    assert "CreateEventSourceMapping" not in bed.calls()


def test_a_conflict_ends_immediately_when_the_owner_is_deleted(bed: Bed) -> None:
    bed.operator("--sweep-interval=600")
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.apply(second())
    bed.wait_condition("second", "Stalled", "True", "Conflict")
    bed.delete("orders")
    bed.wait_gone("orders")
    bed.wait_ready("second", limit=BEFORE_RETRY)
    assert [one["UUID"] for one in bed.mappings()] == [bed.status("second")["uuid"]]


def test_a_conflict_ends_in_the_next_sweep_when_the_other_mapping_is_deleted(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, region="eu-west-1")
    bed.operator("--sweep-interval=1")
    bed.apply(queue())
    bed.wait_condition("orders", "Stalled", "True", "Conflict")
    bed.control.delete_mapping(made["UUID"])
    assert bed.wait_ready("orders", limit=BEFORE_RETRY)["status"]["uuid"] != made["UUID"]


def test_a_retained_mapping_is_adopted_immediately(bed: Bed) -> None:
    bed.operator("--sweep-interval=600")
    bed.apply(queue(deletionPolicy="Retain", tags={"team": "shop"}))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.apply(second(adoption={"policy": "IfExists"}))
    bed.wait_condition("second", "Stalled", "True", "Conflict")
    bed.delete("orders")
    bed.wait_gone("orders")
    assert bed.wait_ready("second", limit=BEFORE_RETRY)["status"]["uuid"] == uuid
    tags = bed.mapping("second")["Tags"]
    assert (tags["team"], tags[f"{OURS}name"]) == ("shop", "second")
    assert bed.calls()["CreateEventSourceMapping"] == 1


def test_a_mapping_without_its_owner_tags_has_no_owner(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue())
    ready = bed.wait_ready("orders")
    uuid = ready["status"]["uuid"]
    operator.stop()
    bed.control.edit_mapping(uuid, Tags={"team": "shop"})
    operator.start()
    bed.patch("orders", {"batchSize": 5})
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    bed.delete("orders")
    bed.wait_gone("orders")
    assert [(one["UUID"], one["BatchSize"]) for one in bed.mappings()] == [(uuid, 10)]

    bed.apply(queue(batchSize=5, adoption=advised(told)))
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid
    assert bed.mapping("orders")["BatchSize"] == 5


def test_a_uuid_that_names_a_mapping_of_something_else_changes_nothing_but_what_is_named(bed: Bed) -> None:
    other = f"arn:aws:sqs:{HERE}:others"
    made = bed.control.make_mapping(FunctionName="others", EventSourceArn=other, region="eu-west-1")
    bed.operator("--sweep-interval=1")
    bed.apply(queue(replacePolicy="Recreate", adoption={"policy": "Required", "uuid": made["UUID"]}))
    eventually(lambda: "spec.eventSourceARN" in bed.condition("orders", "Synced").get("message", ""))
    assert bed.condition("orders", "Synced")["status"] == "False"
    assert bed.mapping("orders")["UUID"] == made["UUID"]
    bed.wait_swept(2)
    assert not bed.calls().keys() & {"CreateEventSourceMapping", "DeleteEventSourceMapping"}
    assert [one["EventSourceArn"] for one in bed.mappings()] == [other]
