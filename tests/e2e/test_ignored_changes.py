"""``ignoreChanges``: other tools change fields and tags of a mapping, and the operator leaves them as they are."""

from typing import Any

import pytest

from tests.bed import WRITES, Bed
from tests.controlplane.client import ApiError
from tests.e2e.manifests import QUEUE, TEN_KINDS, mapping, stream
from tests.waiting import eventually

SECONDLY = ("--sweep-interval=1", "--tag-sweep-interval=1")
LEFT: dict[str, Any] = {
    "batchSize": 50,
    "tags": {"team": "shop", "stage": "live"},
    "ignoreChanges": ["batchSize", "enabled", "tags.team"],
}


def change_by_hand(bed: Bed, name: str = "orders") -> str:
    """Change all ignored values as other tools do, and wait until the status shows it. Returns the UUID."""
    found = bed.mapping(name)
    tags = {**found["Tags"], "team": "others"}
    bed.control.edit_mapping(found["UUID"], BatchSize=7, State="Disabled", Tags=tags)
    wanted = {"batchSize": "7", "enabled": "false", "tags.team": '"others"'}
    eventually(lambda: bed.status(name)["applied"].get("ignored") == wanted, "the values of others are recorded")
    return str(found["UUID"])


def is_as_others_have_set_it(bed: Bed, name: str = "orders") -> bool:
    """Whether the mapping has the values of others, and its other tag."""
    found = bed.mapping(name)
    tags = found["Tags"]
    return (found["BatchSize"], found["State"], tags["team"], tags["stage"]) == (7, "Disabled", "others", "live")


def test_values_of_others_stay_after_edits_and_a_restart(bed: Bed) -> None:
    operator = bed.operator(*SECONDLY)
    bed.apply(stream(**LEFT))
    bed.wait_ready("orders")
    made = bed.mapping("orders")
    assert (made["BatchSize"], made["State"], made["Tags"]["team"]) == (50, "Enabled", "shop")
    change_by_hand(bed)
    ready = bed.wait_condition("orders", "Ready", "True", "Disabled")
    assert "remove enabled from spec.ignoreChanges" in ready["message"]
    bed.wait_condition("orders", "Synced", "True", "InSync")
    bed.patch("orders", {"batchSize": 60, "enabled": True, "maximumBatchingWindowInSeconds": 3})
    eventually(lambda: bed.mapping("orders")["MaximumBatchingWindowInSeconds"] == 3)
    bed.wait_condition("orders", "Ready", "True", "Disabled")
    operator.kill()
    bed.control.reset_counts()
    operator.start()
    bed.wait_swept(2)
    bed.wait_condition("orders", "Synced", "True", "InSync")
    assert is_as_others_have_set_it(bed)
    assert not bed.calls().keys() & WRITES
    assert "DriftCorrected" not in bed.events("orders")

    bed.patch("orders", {"ignoreChanges": None})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 60)
    eventually(lambda: bed.mapping("orders")["State"] == "Enabled")
    eventually(lambda: bed.mapping("orders")["Tags"]["team"] == "shop")
    bed.wait_ready("orders")


def test_an_adoption_leaves_values_of_others_as_they_are(bed: Bed) -> None:
    tags = {"team": "others", "stage": "test"}
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=QUEUE, BatchSize=7, Enabled=False, Tags=tags, region="eu-west-1"
    )
    bed.operator(*SECONDLY)
    bed.apply(mapping("orders", eventSourceARN=QUEUE, adoption={"policy": "Required"}, **{**LEFT, "batchSize": 5}))
    bed.wait_condition("orders", "Ready", "True", "Disabled")
    assert bed.status("orders")["uuid"] == made["UUID"]
    assert is_as_others_have_set_it(bed)
    assert "UpdateEventSourceMapping" not in bed.calls()
    assert all("team" not in one["Tags"] for one in bed.requests("TagResource"))


def test_an_observed_mapping_with_values_of_others_has_no_drift(bed: Bed) -> None:
    bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, BatchSize=7, region="eu-west-1")
    bed.operator(*SECONDLY)
    observed = {"managementPolicy": "Observe", "batchSize": 5}
    bed.apply(mapping("orders", eventSourceARN=QUEUE, ignoreChanges=["batchSize"], **observed))
    bed.wait_condition("orders", "Synced", "True", "InSync")
    bed.patch("orders", {"ignoreChanges": None})
    differs = bed.wait_condition("orders", "Synced", "False", "Observed")
    assert "batchSize: 7 -> 5" in differs["message"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_replacement_takes_over_the_values_of_others(bed: Bed, restarted: bool) -> None:
    operator = bed.operator(*SECONDLY)
    bed.apply(stream(replacePolicy="Recreate", **LEFT))
    bed.wait_ready("orders")
    before = change_by_hand(bed)
    if restarted:
        bed.control.set(hold=True)
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON"})
    if restarted:
        eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
        operator.kill()
        bed.control.set(hold=False)
        operator.start()
    eventually(lambda: [one["StartingPosition"] for one in bed.mappings()] == ["TRIM_HORIZON"])
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] != before
    assert is_as_others_have_set_it(bed)


def test_a_mapping_that_is_created_again_gets_the_values_of_others(bed: Bed) -> None:
    bed.operator(*SECONDLY)
    bed.apply(stream(**LEFT))
    bed.wait_ready("orders")
    before = change_by_hand(bed)
    bed.control.delete_mapping(before)
    eventually(lambda: bed.status("orders").get("uuid") not in (before, None, ""))
    bed.wait_ready("orders")
    assert is_as_others_have_set_it(bed)


def test_an_autoscaler_can_set_one_part_of_a_structure(bed: Bed) -> None:
    bed.operator(*SECONDLY)
    pollers = {"minimumPollers": 1, "maximumPollers": 3}
    base = {**TEN_KINDS["msk"], "provisionedPollerConfig": pollers}
    bed.apply(mapping("orders", **base, ignoreChanges=["provisionedPollerConfig.maximumPollers"]))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    scaled = {"MinimumPollers": 1, "MaximumPollers": 40}
    bed.control.edit_mapping(uuid, ProvisionedPollerConfig=scaled)
    bed.patch("orders", {"provisionedPollerConfig": {"minimumPollers": 2}})
    eventually(lambda: bed.mapping("orders")["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 40})
    bed.wait_ready("orders")


def test_an_ignored_position_can_be_edited_and_causes_no_replacement(bed: Bed) -> None:
    bed.operator(*SECONDLY)
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    with pytest.raises(ApiError):
        bed.patch("orders", {"startingPosition": "TRIM_HORIZON"})
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON", "ignoreChanges": ["startingPosition"]})
    bed.wait_ready("orders")
    assert [(one["UUID"], one["StartingPosition"]) for one in bed.mappings()] == [(uuid, "LATEST")]
    bed.patch("orders", {"ignoreChanges": None})
    bed.wait_condition("orders", "Stalled", "True", "ImmutableFieldChanged")
