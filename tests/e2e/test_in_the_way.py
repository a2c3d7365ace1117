"""A mapping of the same function and source exists already: its owner decides what the operator does."""

from tests.bed import WRITES, Bed
from tests.e2e.manifests import QUEUE, queue
from tests.waiting import eventually

OURS = "esm-operator.io/"


def test_nobodys_is_left_alone_until_it_is_adopted(bed: Bed) -> None:
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=QUEUE, BatchSize=3, Tags={"by": "hand"}, region="eu-west-1"
    )
    bed.operator()
    bed.apply(queue(batchSize=5))
    conflict = bed.wait_condition("orders", "Stalled", "True", "Conflict")
    assert made["UUID"] in conflict["message"]
    assert "spec.adoption to {policy: IfExists}" in conflict["message"]
    assert not bed.calls().keys() & WRITES
    assert bed.mappings()[0]["Tags"] == {"by": "hand"}

    bed.patch("orders", {"adoption": {"policy": "IfExists"}})
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] == made["UUID"]
    mapping = bed.mapping("orders")
    assert mapping["BatchSize"] == 5
    assert mapping["Tags"]["by"] == "hand"
    assert mapping["Tags"][f"{OURS}name"] == "orders"
    assert "CreateEventSourceMapping" not in bed.calls()
    bed.event("orders", "Adopted")


def test_the_conflict_with_another_tool_names_the_tool_and_its_tags(bed: Bed) -> None:
    tags = {"managed-by": "terraform", "team": "shop"}
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, Tags=tags, region="eu-west-1")
    bed.operator()
    bed.apply(queue())
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert made["UUID"] in told
    assert "The tags of the mapping show that Terraform manages it (managed-by=terraform)." in told
    assert "Do not delete the mapping." in told
    assert "deleting this resource also deletes the mapping, unless spec.deletionPolicy is Retain" in told
    assert "team" not in told
    assert not bed.calls().keys() & WRITES

    bed.patch("orders", {"adoption": {"policy": "IfExists"}})
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    adopted = bed.event("orders", "Adopted")
    assert f"Adopted mapping {made['UUID']}" in adopted
    assert "which had no owner" in adopted


def test_a_mapping_of_another_resource_is_never_changed_or_deleted(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.apply(queue("second", functionName="orders", eventSourceARN=QUEUE, batchSize=3))
    conflict = bed.wait_condition("second", "Stalled", "True", "Conflict")
    assert f"default/{bed.namespace}/orders" in conflict["message"]
    assert bed.mapping("orders")["BatchSize"] == 10

    bed.delete("second")
    bed.wait_gone("second")
    assert [one["UUID"] for one in bed.mappings()] == [bed.status("orders")["uuid"]]
    assert "DeleteEventSourceMapping" not in bed.calls()


def test_a_mapping_of_another_owner_is_taken_over_only_by_name(bed: Bed) -> None:
    tags = {f"{OURS}cluster": "old", f"{OURS}namespace": "shop", f"{OURS}name": "orders", f"{OURS}uid": "1"}
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, Tags=tags, region="eu-west-1")
    bed.operator("--cluster-name=new", "--takeover-from-clusters=old")
    bed.apply(queue(adoption={"policy": "IfExists"}))
    conflict = bed.wait_condition("orders", "Stalled", "True", "Conflict")
    assert "old/shop/orders" in conflict["message"]
    assert not bed.calls().keys() & WRITES

    adoption = {"policy": "IfExists", "uuid": made["UUID"], "takeOverFrom": "old/shop/orders"}
    bed.patch("orders", {"adoption": adoption})
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] == made["UUID"]
    assert bed.mapping("orders")["Tags"][f"{OURS}cluster"] == "new"


def test_required_waits_for_a_mapping_to_adopt(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(adoption={"policy": "Required"}))
    bed.wait_condition("orders", "Stalled", "True", "NothingToAdopt")
    assert "CreateEventSourceMapping" not in bed.calls()
    bed.patch("orders", {"adoption": {"policy": "IfExists"}})
    bed.wait_ready("orders")
    eventually(lambda: bed.calls().get("CreateEventSourceMapping") == 1)
