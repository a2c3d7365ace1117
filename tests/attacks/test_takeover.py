"""A tenant reaches for a mapping of another namespace or cluster: takes it over, deletes it, or reads it.

The tenant may write EventSourceMappings in a namespace of its own, and knows UUIDs, for example from a log.
"""

import json
from typing import Any

from tests.bed import WRITES, Bed, Resources
from tests.e2e.manifests import HERE, queue, stream
from tests.waiting import eventually

OURS = "esm-operator.io/"
CONSENT = "lambda.esm-operator.io/allow-takeover-by"
#: Values of the other owner that the tenant must not see anywhere.
SECRETS = ("payments-card-data", "bank-ledger", "team-of-the-bank")


def bank(**more: Any) -> dict[str, Any]:
    """The resource of the bank."""
    source = f"arn:aws:sqs:{HERE}:bank-ledger"
    spec = {"functionName": "payments-card-data", "eventSourceARN": source, "tags": {"owner": "team-of-the-bank"}}
    return queue("ledger", **spec, **more)


def everything(tenant: Resources) -> str:
    """All that the tenant can read in its namespace: resources without their specs, and Events."""
    shown = [{"metadata": {}, "status": one.get("status")} for one in tenant.all()]
    return json.dumps([shown, [event["message"] for event in tenant.list_events()]])


def writes(bed: Bed) -> dict[str, int]:
    """The number of write requests to AWS, by operation."""
    return {operation: count for operation, count in bed.calls().items() if operation in WRITES}


def conflict(tenant: Resources, name: str) -> str:
    """Wait for the Conflict of a resource. Returns the message."""
    return str(tenant.wait_condition(name, "Stalled", "True", "Conflict")["message"])


def adoption(bed: Bed, uuid: str) -> dict[str, str]:
    """The adoption that takes over the mapping of the bank."""
    return {"policy": "IfExists", "uuid": uuid, "takeOverFrom": f"default/{bed.namespace}/ledger"}


def test_a_mapping_of_another_namespace_is_neither_taken_over_nor_deleted(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(bank())
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    tenant.apply(queue("thief", **bank()["spec"]))
    told = conflict(tenant, "thief")
    assert "another owner" in told
    assert "takeOverFrom" not in told
    assert bed.namespace + "/" not in everything(tenant)

    tenant.patch("thief", {"adoption": adoption(bed, uuid)})
    tenant.mark("thief", {CONSENT: f"{tenant.namespace}/thief"})  # consent of one's own is worth nothing
    assert "another owner" in conflict(tenant, "thief")
    assert eventually(lambda: tenant.events("thief").get("Conflict"))
    assert bed.namespace + "/" not in everything(tenant)
    tenant.delete("thief")
    tenant.wait_gone("thief")
    assert [one["UUID"] for one in bed.mappings()] == [uuid]
    assert bed.mapping("ledger")["Tags"][f"{OURS}name"] == "ledger"
    assert writes(bed) == {"CreateEventSourceMapping": 1}


def test_a_forged_status_is_no_claim_to_a_mapping(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(bank())
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    tenant.apply(queue("accomplice"), queue("thief", **bank()["spec"], adoption=adoption(bed, uuid)))
    tenant.wait_ready("accomplice")
    tenant.mark("accomplice", {CONSENT: f"{tenant.namespace}/thief"})
    tenant.write_status("accomplice", {"uuid": uuid})
    conflict(tenant, "thief")
    bed.wait_swept(3)
    assert bed.mapping("ledger")["Tags"][f"{OURS}name"] == "ledger"
    assert "another owner" in conflict(tenant, "thief")
    assert not any(secret in everything(tenant) for secret in SECRETS[2:])


def test_observe_and_a_uuid_show_nothing_of_a_mapping_of_another_namespace(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1", "--tag-sweep-interval=2")
    bed.apply(bank())
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    observed = {"managementPolicy": "Observe", "adoption": {"policy": "Required", "uuid": uuid}}
    tenant.apply(queue("spy", **observed), queue("twin", **bank()["spec"], managementPolicy="Observe"))
    tenant.apply(queue("adopter", adoption={"policy": "Required", "uuid": uuid}))
    for name in ("spy", "twin", "adopter"):
        assert "another owner" in conflict(tenant, name)
    assert eventually(lambda: tenant.events("spy").get("Conflict"))
    bed.wait_swept(3)
    for name in ("spy", "twin", "adopter"):
        status = tenant.status(name)
        assert not status.keys() & {"state", "functionARN", "arn", "tagsAll", "lastModified", "lastProcessingResult"}
        assert "Enabled" not in json.dumps(status)
    events = [one["message"] for one in tenant.list_events() if one["involvedObject"]["name"] != "twin"]
    shown = json.dumps([events, tenant.status("spy"), tenant.status("adopter")])  # the spec of the twin has the names
    assert not any(secret in shown for secret in SECRETS)
    assert SECRETS[2] not in everything(tenant)


def test_a_mapping_of_another_cluster_needs_the_setting(bed: Bed, tenant: Resources) -> None:
    tags = {f"{OURS}cluster": "old", f"{OURS}namespace": "bank", f"{OURS}name": "ledger", f"{OURS}uid": "1"}
    spec = bank()["spec"]
    made = bed.control.make_mapping(
        FunctionName=spec["functionName"], EventSourceArn=spec["eventSourceARN"], Tags=tags, region="eu-west-1"
    )
    operator = bed.operator("--sweep-interval=1")
    taken = {"policy": "IfExists", "uuid": made["UUID"], "takeOverFrom": "old/bank/ledger"}
    tenant.apply(queue("thief", **{**spec, "adoption": taken}))
    told = conflict(tenant, "thief")
    assert "another owner" in told
    assert "old/bank" not in everything(tenant)
    assert writes(bed) == {}
    operator.stop()

    bed.operator("--sweep-interval=1", "--takeover-from-clusters=older,old", name="second")
    assert tenant.wait_ready("thief")["status"]["uuid"] == made["UUID"]


def test_consent_allows_one_resource_to_take_the_mapping_over(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(bank())
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    spec = bank()["spec"]
    tenant.apply(
        queue("heir", **spec, adoption=adoption(bed, uuid)), queue("thief", **spec, adoption=adoption(bed, uuid))
    )
    conflict(tenant, "heir")
    bed.mark("ledger", {CONSENT: f"other/one, {tenant.namespace}/heir"})
    assert tenant.wait_ready("heir")["status"]["uuid"] == uuid
    told = bed.wait_condition("ledger", "Stalled", "True", "Conflict")["message"]
    assert "another owner" in told
    assert not bed.status("ledger").keys() & {"state", "tagsAll"}
    eventually(lambda: f"default/{tenant.namespace}/heir" in conflict(tenant, "thief"))
    assert bed.mappings()[0]["Tags"][f"{OURS}name"] == "heir"
    bed.delete("ledger")
    bed.wait_gone("ledger")
    assert [one["UUID"] for one in bed.mappings()] == [uuid]


def test_consent_allows_to_observe_until_it_is_withdrawn(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(bank())
    uuid = bed.wait_ready("ledger")["status"]["uuid"]
    tenant.apply(queue("guest", managementPolicy="Observe", adoption={"policy": "Required", "uuid": uuid}))
    conflict(tenant, "guest")
    bed.mark("ledger", {CONSENT: f"{tenant.namespace}/guest"})
    assert tenant.wait_ready("guest")["status"]["state"] == "Enabled"
    bed.mark("ledger", {CONSENT: None})
    conflict(tenant, "guest")
    assert "state" not in tenant.status("guest")


def test_a_consumer_group_names_nothing_of_the_mapping_that_is_in_it(bed: Bed, tenant: Resources) -> None:
    cluster = f"arn:aws:kafka:{HERE}:cluster/shared/11111111-2222-3333-4444-555555555555-1"
    kafka = {
        "eventSourceARN": cluster,
        "startingPosition": "LATEST",
        "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "shared"},
    }
    bed.operator("--sweep-interval=1")
    bed.apply(stream("ledger", **{**kafka, "functionName": "payments-card-data", "topics": ["bank-ledger"]}))
    bed.wait_ready("ledger")
    tenant.apply(stream("spy", **{**kafka, "functionName": "guess", "topics": ["guess"]}))
    assert "another owner" in conflict(tenant, "spy")
    assert not any(secret in everything(tenant) for secret in SECRETS)
