"""A mapping that another owner has taken over: the former owner neither changes nor deletes it."""

from tests.bed import WRITES, Bed
from tests.e2e.manifests import provider_config, queue
from tests.e2e.test_ownership import OURS, owner_tags
from tests.waiting import eventually

SECONDLY = "--sweep-interval=1"
BLUE = owner_tags("blue", "shop", "orders")


def taken_over(bed: Bed) -> str:
    """Retag and change a resource's mapping, as the operator of another cluster does. Returns its UUID."""
    bed.apply(queue(batchSize=5))
    status = bed.wait_ready("orders")["status"]
    client = bed.aws.client("lambda", region="eu-west-1")
    client.tag_resource(Resource=status["arn"], Tags=BLUE)
    client.update_event_source_mapping(UUID=status["uuid"], BatchSize=9)
    eventually(lambda: bed.mappings()[0]["State"] == "Enabled")
    bed.control.reset_counts()
    return status["uuid"]


def updates(bed: Bed, uuid: str) -> list[int]:
    """The batch sizes in the Updates of the operator."""
    return [one["BatchSize"] for one in bed.requests("UpdateEventSourceMapping") if one["UUID"] == uuid]


def assert_is_blue(bed: Bed, uuid: str) -> None:
    """Check that the mapping is unchanged since the takeover, and that nothing was written to AWS."""
    assert [(one["UUID"], one["BatchSize"], one["State"]) for one in bed.mappings()] == [(uuid, 9, "Enabled")]
    assert bed.mappings()[0]["Tags"] == BLUE
    assert not bed.calls().keys() & WRITES


def test_a_taken_over_mapping_is_not_changed_back(bed: Bed) -> None:
    bed.operator(SECONDLY)
    uuid = taken_over(bed)
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert "another owner" in told
    assert "shop" not in told, "the owner is in another cluster, from which no mapping may be taken over"
    bed.wait_swept(3)
    assert_is_blue(bed, uuid)


def test_a_taken_over_mapping_is_not_deleted_with_the_resource(bed: Bed) -> None:
    bed.operator("--sweep-interval=600")
    uuid = taken_over(bed)
    bed.delete("orders")
    bed.wait_gone("orders")
    assert_is_blue(bed, uuid)


def test_a_taken_over_mapping_is_not_replaced(bed: Bed) -> None:
    """Not even by the deletion of the old mapping after the creation of the new one."""
    bed.operator("--sweep-interval=600")
    uuid = taken_over(bed)
    bed.patch("orders", {"eventSourceARN": queue("others")["spec"]["eventSourceARN"], "replacePolicy": "Recreate"})
    eventually(lambda: bed.condition("orders", "Reconciling").get("status") == "False", what="nothing is left to do")
    blue = {one["UUID"]: (one["BatchSize"], one["State"]) for one in bed.mappings()}.get(uuid)
    assert blue == (9, "Enabled")
    assert "DeleteEventSourceMapping" not in bed.calls()


def test_a_mapping_taken_over_through_another_role_of_the_account_keeps_its_new_owner(bed: Bed) -> None:
    """Two ProviderConfigs use different roles in the same account."""
    bed.operator(SECONDLY)
    role = "arn:aws:iam::123456789012:role"
    bed.apply(*(provider_config(name, roleARN=f"{role}/{name}") for name in ("one", "two")))
    bed.apply(queue("first", batchSize=5, providerConfigRef={"name": "one"}))
    uuid = bed.wait_ready("first")["status"]["uuid"]
    owner = f"default/{bed.namespace}/first"
    adoption = {"policy": "IfExists", "uuid": uuid, "takeOverFrom": owner}
    source = queue("first")["spec"]
    bed.apply(queue("second", **source, batchSize=9, providerConfigRef={"name": "two"}, adoption=adoption))
    assert bed.wait_ready("second")["status"]["uuid"] == uuid
    told = bed.wait_condition("first", "Stalled", "True", "Conflict")["message"]
    assert f"default/{bed.namespace}/second" in told
    bed.wait_swept(4)
    assert updates(bed, uuid) == [9]

    bed.patch("first", {"batchSize": 6})
    bed.wait_condition("first", "Stalled", "True", "Conflict")
    bed.delete("first")
    bed.wait_gone("first")
    (found,) = bed.mappings()
    assert (found["UUID"], found["BatchSize"], found["State"]) == (uuid, 9, "Enabled")
    assert found["Tags"][f"{OURS}name"] == "second"
    assert updates(bed, uuid) == [9]
    assert "DeleteEventSourceMapping" not in bed.calls()
