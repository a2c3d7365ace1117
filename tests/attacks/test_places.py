"""A tenant waits for the moment at which the mapping of another namespace is missing, or has no owner tags.

The tenant may write EventSourceMappings in a namespace of its own, with the same function and event source. No access
and no consent is needed to wait.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from esm_operator.planning.ownership import OWNER_TAGS
from tests.bed import Bed, Resources
from tests.e2e.manifests import HERE, mapping, provider_config, queue
from tests.waiting import eventually

#: Resources of the bank. Each is attacked by one resource of the tenant.
_COUNT = 4


def spec(number: int, **more: Any) -> dict[str, Any]:
    stream = f"arn:aws:kinesis:{HERE}:stream/ledger-{number}"
    return {"functionName": f"ledger-{number}", "eventSourceARN": stream, "startingPosition": "LATEST", **more}


def begin(bed: Bed, tenant: Resources, *, through: str = "", **more: Any) -> list[str]:
    """Let the bank have its mappings, and the tenant wait. Returns the UUIDs of the mappings.

    ``through`` is the ProviderConfig of the tenant, if it differs from that of the bank.
    """
    theirs = {
        "adoption": {"policy": "IfExists"},
        **more,
        **({"providerConfigRef": {"name": through}} if through else {}),
    }
    for number in range(_COUNT):
        bed.apply(mapping(f"ledger-{number}", **spec(number, replacePolicy="Recreate", **more)))
    uuids = [bed.wait_ready(f"ledger-{number}")["status"]["uuid"] for number in range(_COUNT)]
    for number in range(_COUNT):
        tenant.apply(mapping(f"thief-{number}", **spec(number, **theirs)))
    wait_waiting(tenant)
    return uuids


def wait_waiting(tenant: Resources) -> None:
    for number in range(_COUNT):
        tenant.wait_condition(f"thief-{number}", "Ready", "False", "Conflict")


def owners(bed: Bed) -> set[str]:
    """The namespaces of the owners of all mappings."""
    return {one["Tags"].get("esm-operator.io/namespace", "") for one in bed.mappings()}


def test_a_replacement_gives_no_mapping_away(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    before = begin(bed, tenant)
    for number in range(_COUNT):
        bed.patch(f"ledger-{number}", {"startingPosition": "TRIM_HORIZON"})
    eventually(lambda: not {one["UUID"] for one in bed.mappings()} & {*before}, "all mappings are replaced")
    for number in range(_COUNT):
        bed.wait_ready(f"ledger-{number}")
    assert owners(bed) == {bed.namespace}
    wait_waiting(tenant)


def test_a_mapping_deleted_in_aws_is_not_given_away(bed: Bed, tenant: Resources) -> None:
    bed.operator("--sweep-interval=1")
    for uuid in begin(bed, tenant):
        bed.control.delete_mapping(uuid)
    eventually(lambda: len(bed.mappings()) == _COUNT, "all mappings are created again")
    assert owners(bed) == {bed.namespace}
    for number in range(_COUNT):
        bed.wait_ready(f"ledger-{number}")
    wait_waiting(tenant)


@pytest.mark.parametrize("known", [False, True], ids=["invented UUID", "UUID of the mapping"])
def test_a_forged_status_blocks_no_replacement(bed: Bed, tenant: Resources, *, known: bool) -> None:
    """An older, paused resource claims to have had the mapping."""
    bed.operator("--sweep-interval=1")
    tenant.apply(mapping("squatter", functionName="other", eventSourceARN=f"arn:aws:sqs:{HERE}:other"))
    tenant.annotate("squatter", paused="true")
    tenant.wait_condition("squatter", "Ready", "False", "Paused")
    bed.apply(mapping("ledger", **spec(0, replacePolicy="Recreate")))
    before = bed.wait_ready("ledger")["status"]["uuid"]
    tenant.edit("squatter", spec(0, replacePolicy="Recreate"))
    uuid = before if known else "11111111-2222-4333-8444-555555555555"
    tenant.write_status("squatter", {"uuid": uuid, "applied": {"tags": sorted(OWNER_TAGS), "immutable": {}}})
    bed.patch("ledger", {"startingPosition": "TRIM_HORIZON"})
    eventually(lambda: [one["UUID"] for one in bed.mappings()] not in ([], [before]), "the mapping is replaced")
    bed.wait_ready("ledger")
    assert owners(bed) == {bed.namespace}


def test_a_change_to_owner_tags_gives_no_mapping_away(bed: Bed, tenant: Resources) -> None:
    """The documented change of the ownership mode, which gives tags to all mappings."""
    bed.apply(provider_config("plain", ownership="ResourceOnly"))
    bed.operator("--sweep-interval=1")
    config: dict[str, Any] = {"providerConfigRef": {"name": "plain"}, "adoption": {"policy": "IfExists"}}
    uuids = begin(bed, tenant, **config)
    bed.apply(provider_config("plain", ownership="Tags"))
    eventually(lambda: owners(bed) == {bed.namespace}, "all mappings have the tags of the bank")
    bed.wait_swept(3)
    assert sorted(one["UUID"] for one in bed.mappings()) == sorted(uuids)
    wait_waiting(tenant)


def test_a_provider_config_with_tags_reaches_no_mapping_without_tags(bed: Bed, tenant: Resources) -> None:
    """Two ProviderConfigs of one account and region, with different ownership modes."""
    bed.apply(provider_config("plain", ownership="ResourceOnly"), provider_config("tagged"))
    bed.operator("--sweep-interval=1")
    config: dict[str, Any] = {"providerConfigRef": {"name": "plain"}, "adoption": {"policy": "IfExists"}}
    uuids = begin(bed, tenant, through="tagged", **config)
    for number, uuid in enumerate(uuids):
        tenant.patch(f"thief-{number}", {"adoption": {"policy": "IfExists", "uuid": uuid}, "batchSize": 7})
    observing = {"managementPolicy": "Observe", "adoption": {"policy": "IfExists", "uuid": uuids[0]}}
    tenant.apply(mapping("reader", **spec(0, providerConfigRef={"name": "tagged"}, **observing)))
    bed.wait_swept(3)
    wait_waiting(tenant)
    assert "functionARN" not in tenant.status("reader")
    assert owners(bed) == {""}
    for number in range(_COUNT):
        tenant.delete(f"thief-{number}")
    for number in range(_COUNT):
        tenant.wait_gone(f"thief-{number}")
    assert sorted(one["UUID"] for one in bed.mappings()) == sorted(uuids)


@pytest.mark.long
def test_a_claim_that_is_never_used_ends(bed: Bed, tenant: Resources) -> None:
    """The older resource may adopt the mapping too, but has so many annotations that no intent can be written to it."""
    bed.operator("--sweep-interval=1")
    bed.control.make_mapping(region="eu-west-1", FunctionName="ledger", EventSourceArn=f"arn:aws:sqs:{HERE}:ledger")
    blocking = queue("ledger", adoption={"policy": "IfExists"})
    blocking["metadata"]["annotations"] = {"example.com/notes": "a" * (256 * 1024 - 17)}
    blocking["metadata"]["namespace"] = tenant.namespace
    older = bed.client.create(blocking, tenant.namespace)
    created = datetime.fromisoformat(older["metadata"]["creationTimestamp"])
    eventually(lambda: datetime.now(UTC) - created > timedelta(seconds=1), "the next resource is younger")
    bed.apply(queue("ledger", adoption={"policy": "IfExists"}))
    assert "because it is older" in bed.wait_condition("ledger", "Ready", "False", "Conflict")["message"]
    bed.wait_ready("ledger")
    assert owners(bed) == {bed.namespace}
