"""Scripted scenarios: while the mapping of a resource is missing, or has no tags, no other resource takes its place."""

from typing import Any

import pytest

from esm_operator.api.annotations import PAUSED
from esm_operator.api.resource import Key
from esm_operator.planning.ownership import owner_of
from tests.model.aws import KAFKA, STREAM, Standing
from tests.model.calls import Call
from tests.model.script import KINESIS, ONE, SQS, Script, answer_all_but, forge
from tests.model.world import SWEEP_INTERVAL

CREATE, DELETE = "create_event_source_mapping", "delete_event_source_mapping"
#: A resource of another namespace that waits for the place of a mapping.
WAITING = Key("b", "waiting")


def owner(one: Standing) -> str:
    """The owner of a mapping by its tags, as ``namespace/name``."""
    found = owner_of(one.tags)
    return str(found).partition("/")[2] if found is not None else ""


def begin(script: Script) -> None:
    """Let one resource have a mapping, and another one wait with the same function and stream."""
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.apply(WAITING, **KINESIS, adoption={"policy": "IfExists"})
    script.calmly(SWEEP_INTERVAL)
    assert script.reason(WAITING) == "Conflict"


def check(script: Script) -> None:
    """The resource has its mapping again, and the other one still waits."""
    script.converge()
    assert owner(script.mapping()) == str(ONE)
    assert (script.reason(), script.reason(WAITING)) == ("Enabled", "Conflict")


def hold_creation(script: Script) -> Call:
    """Replace the mapping of the resource. Its Create waits, and everything else continues for seconds."""
    script.edit(startingPosition="TRIM_HORIZON")
    deletion = script.until_asked("delete_event_source_mapping")
    script.world.decide(deletion, "well")
    creation = script.until(lambda call: call.name == "create_event_source_mapping" and call.task.endswith(str(ONE)))
    for _ in range(2):
        answer_all_but(script, creation)
        script.world.pass_time(1)
    return creation


def test_a_replacement_keeps_the_place_of_its_mapping(script: Script) -> None:
    begin(script)
    creation = hold_creation(script)
    assert not script.aws.standing
    assert script.reason(WAITING) == "Conflict"
    script.world.decide(creation, "well")
    check(script)


def test_a_mapping_deleted_by_hand_is_created_again_for_its_resource(script: Script) -> None:
    begin(script)
    script.aws.delete_event_source_mapping(UUID=script.mapping().uuid)
    script.calmly(2 * SWEEP_INTERVAL)
    check(script)


@pytest.mark.parametrize("waiting_first", [False, True])
def test_a_crash_during_the_replacement_does_not_lose_the_place(script: Script, waiting_first: bool) -> None:
    begin(script)
    script.edit(startingPosition="TRIM_HORIZON")
    deletion = script.until_asked("delete_event_source_mapping")
    script.world.decide(deletion, "well")
    script.world.crash()
    script.world.pass_time(60)
    if waiting_first:
        script.cluster.edit(WAITING, {"spec": {"batchSize": 7}})
    script.world.start()
    check(script)


def test_an_edit_to_the_function_does_not_take_the_place(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.apply(WAITING, **{**KINESIS, "functionName": "bills"})
    script.calmly(60)
    creation = hold_creation(script)
    script.edit(WAITING, functionName="orders")
    for _ in range(2):
        answer_all_but(script, creation)
        script.world.pass_time(1)
    assert script.reason(WAITING) == "Conflict"
    script.world.decide(creation, "well")
    script.converge()
    assert sorted((owner(one), one.function) for one in script.aws.standing.values()) == [
        (str(ONE), "orders"),
        (str(WAITING), "bills"),
    ]


def test_a_resource_that_had_another_mapping_does_not_come_first(script: Script) -> None:
    """An older resource loses a mapping of another function, and gets the function of the mapping in its place."""
    script.apply(WAITING, **{**KINESIS, "functionName": "bills"}, replacePolicy="Recreate")
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    (theirs,) = [one for one in script.aws.standing.values() if one.function == "bills"]
    script.edit(WAITING, functionName="orders")
    script.calmly(60)
    script.aws.delete_event_source_mapping(UUID=theirs.uuid)
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.reason(WAITING) == "Conflict"
    creation = hold_creation(script)
    assert script.reason(WAITING) == "Conflict"
    script.world.decide(creation, "well")
    check(script)


def test_a_paused_resource_that_had_another_mapping_keeps_no_place(script: Script) -> None:
    script.apply(WAITING, **{**KINESIS, "functionName": "bills"})
    script.begin()
    script.cluster.edit(WAITING, {"metadata": {"annotations": {PAUSED: "true"}}, "spec": {"functionName": "orders"}})
    script.aws.delete_event_source_mapping(UUID=script.mapping().uuid)
    script.calmly(2 * SWEEP_INTERVAL)
    script.apply(**KINESIS)
    script.converge()
    assert owner(script.mapping()) == str(ONE)


@pytest.mark.parametrize("theirs", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_forged_status_takes_no_place(script: Script, *, theirs: bool, restarted: bool, by_hand: bool) -> None:
    """A user may be able to write the status of an older resource, and even knows the UUID of the mapping."""
    script.apply(WAITING, functionName="bills", eventSourceARN=SQS["eventSourceARN"])
    script.cluster.edit(WAITING, {"metadata": {"annotations": {PAUSED: "true"}}})
    script.begin()
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.calmly(SWEEP_INTERVAL)
    mapping = script.mapping()
    assert owner(mapping) == str(ONE)
    script.edit(WAITING, **KINESIS)
    forge(script, WAITING, mapping.uuid if theirs else "11111111-2222-4333-8444-555555555555")
    script.calmly(SWEEP_INTERVAL)
    if restarted:
        script.world.crash()
    if by_hand:
        script.aws.delete_event_source_mapping(UUID=mapping.uuid)
    else:
        script.edit(startingPosition="TRIM_HORIZON")
    if restarted:
        script.world.start()
    script.calmly(4 * SWEEP_INTERVAL)
    assert script.reason() == "Enabled"
    assert owner(script.mapping()) == str(ONE)
    assert script.mapping().uuid != mapping.uuid


def test_the_place_is_free_when_the_resource_is_deleted(script: Script) -> None:
    begin(script)
    script.delete()
    script.converge()
    assert owner(script.mapping()) == str(WAITING)


def test_the_place_is_free_when_the_spec_names_another_source(script: Script) -> None:
    begin(script)
    script.edit(eventSourceARN=SQS["eventSourceARN"], startingPosition=None)
    script.converge()
    assert owner(script.of_source(STREAM)) == str(WAITING)
    assert owner(script.of_source(SQS["eventSourceARN"])) == str(ONE)


#: Two resources with the same function and cluster. Each has its own topic and its own consumer group.
IN_A_GROUP = {"functionName": "orders", "eventSourceARN": KAFKA, "replacePolicy": "Recreate"}


def in_group(topic: str, group: str) -> dict[str, Any]:
    return {"topics": [topic], "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": group}}


@pytest.mark.parametrize("change", [in_group("returns", "shop"), in_group("orders", "bills")], ids=["topic", "group"])
@pytest.mark.parametrize("held", [DELETE, CREATE])
def test_no_mapping_is_deleted_for_a_place_that_another_resource_keeps(
    script: Script, change: dict[str, Any], held: str
) -> None:
    """The other resource replaces its mapping. AWS still deletes the old one, or the new one is not created yet."""
    script.apply(**IN_A_GROUP, **in_group("orders", "shop"))
    script.apply(WAITING, **IN_A_GROUP, **in_group("returns", "bills"), startingPosition="LATEST")
    script.begin()
    (own,) = [one for one in script.aws.standing.values() if owner(one) == str(ONE)]
    script.edit(WAITING, startingPosition="TRIM_HORIZON")
    call = script.until_asked(held)
    if held == DELETE:
        script.world.decide(call, "carried out")
    script.edit(**change)
    for _ in range(3):
        answer_all_but(script, call)
        script.world.pass_time(1)
    assert own.uuid in script.aws.standing
    script.world.decide(call, "well")
    script.calmly(2 * SWEEP_INTERVAL)
    assert sorted(map(owner, script.aws.standing.values())) == sorted(map(str, (ONE, WAITING)))
    assert own.uuid in script.aws.standing
    assert (script.reason(), script.reason(WAITING)) == ("Conflict", "Enabled")
    script.edit(WAITING, **in_group("invoices", "others"))
    script.converge()
    assert (script.reason(), script.reason(WAITING)) == ("Enabled", "Enabled")


def test_a_forged_status_does_not_stop_a_replacement(script: Script) -> None:
    script.apply(WAITING, **IN_A_GROUP, **in_group("returns", "bills"))
    script.cluster.edit(WAITING, {"metadata": {"annotations": {PAUSED: "true"}}})
    script.apply(**IN_A_GROUP, **in_group("orders", "shop"))
    script.begin()
    forge(script, WAITING, "11111111-2222-4333-8444-555555555555")
    script.edit(**in_group("returns", "shop"))
    script.converge()
    assert (script.reason(), script.mapping().topic) == ("Enabled", "returns")


def test_no_mapping_is_deleted_for_a_group_that_has_another_mapping(script: Script) -> None:
    script.apply(**IN_A_GROUP, **in_group("orders", "shop"))
    script.apply(WAITING, **IN_A_GROUP, **in_group("returns", "bills"))
    script.begin()
    before = dict(script.aws.standing)
    script.edit(**in_group("orders", "bills"))
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.aws.standing == before
    assert script.reason() == "Conflict"
    script.edit(WAITING, **in_group("returns", "others"))
    script.converge()
    assert (script.reason(), script.reason(WAITING)) == ("Enabled", "Enabled")


def test_two_resources_that_exchange_their_groups_keep_their_mappings(script: Script) -> None:
    """AWS can carry this out in one way only: with a third group. Until then, both keep their groups."""
    script.apply(**IN_A_GROUP, **in_group("orders", "shop"))
    script.apply(WAITING, **IN_A_GROUP, **in_group("returns", "bills"))
    script.begin()
    before = dict(script.aws.standing)
    script.edit(**in_group("orders", "bills"))
    script.edit(WAITING, **in_group("returns", "shop"))
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.aws.standing == before
    script.edit(**in_group("orders", "others"))
    script.converge()
    script.edit(**in_group("orders", "bills"))
    script.converge()
    assert (script.reason(), script.reason(WAITING)) == ("Enabled", "Enabled")


def test_a_mapping_without_its_tags_is_not_adopted_while_its_resource_exists(script: Script) -> None:
    begin(script)
    script.mapping().tags.clear()
    script.edit(batchSize=5)
    script.edit(WAITING, batchSize=7)
    script.calmly(2 * SWEEP_INTERVAL)
    assert (script.reason(), script.reason(WAITING)) == ("Conflict", "Conflict")
    assert owner(script.mapping()) == ""
    script.edit(adoption={"policy": "IfExists"})
    script.calmly(2 * SWEEP_INTERVAL)
    assert owner(script.mapping()) == str(ONE)


def test_a_forged_status_gives_no_mapping_without_tags_away(script: Script) -> None:
    """Two statuses record the mapping, and the forged one is that of the older resource."""
    script.apply(WAITING, functionName="bills", eventSourceARN=SQS["eventSourceARN"])
    script.cluster.edit(WAITING, {"metadata": {"annotations": {PAUSED: "true"}}})
    script.begin()
    script.apply(**KINESIS)
    script.calmly(SWEEP_INTERVAL)
    script.edit(WAITING, **KINESIS, adoption={"policy": "IfExists"})
    forge(script, WAITING, script.mapping().uuid)
    script.mapping().tags.clear()
    script.cluster.edit(WAITING, {"metadata": {"annotations": {PAUSED: None}}})
    script.calmly(4 * SWEEP_INTERVAL)
    assert script.reason(WAITING) == "Conflict"
    assert owner(script.mapping()) == ""
