"""Scripted scenarios: a resource is renamed or moved, and its mapping keeps its UUID."""

from typing import Any

import pytest

from esm_operator.api.resource import Key
from tests.model.aws import QUEUE, refusal
from tests.model.script import KINESIS, ONE, TWO, Script, answer_all_but, answers, as_ever
from tests.model.test_takeovers import THREE, consent
from tests.model.test_waiting_requests import RETRY_AFTER, throttle
from tests.model.world import CLUSTER_NAME

HEIR = Key("a", "heir")
RENAMED = {"policy": "IfExists", "takeOverFrom": str(ONE)}


def renamed(script: Script, **more: Any) -> str:
    """Create a resource, then rename it as one apply does: create the new resource, and delete the old one."""
    script.apply(**KINESIS)
    script.begin()
    uuid = script.mapping().uuid
    script.apply(TWO, **{**KINESIS, "adoption": RENAMED, **more})
    script.delete()
    return uuid


def test_a_renamed_resource_keeps_its_mapping(script: Script) -> None:
    uuid = renamed(script)
    script.calmly(60)
    assert script.gone(ONE)
    assert (script.mapping().uuid, script.status(TWO)["uuid"], script.reason(TWO)) == (uuid, uuid, "Enabled")
    script.converge()


def test_a_resource_that_is_renamed_and_edited_keeps_its_mapping(script: Script) -> None:
    uuid = renamed(script, functionName="bills", batchSize=7)
    script.calmly(60)
    assert script.gone(ONE)
    assert script.mapping().uuid == uuid
    assert script.mapping().config["BatchSize"] == 7
    script.converge()


def test_the_cluster_may_be_named_too(script: Script) -> None:
    uuid = renamed(script, adoption={"policy": "Required", "takeOverFrom": f"{CLUSTER_NAME}/{ONE}"})
    script.calmly(60)
    assert script.gone(ONE)
    assert script.mapping().uuid == uuid
    script.converge()


@pytest.mark.parametrize("outcome", ["carried out", "lost"])
def test_a_kill_during_a_rename_leaves_the_mapping(script: Script, outcome: str) -> None:
    uuid = renamed(script)
    tagging = script.until_asked("tag_resource")
    if outcome == "carried out":
        script.world.decide(tagging, outcome)
    script.world.crash()
    script.world.start()
    script.calmly(120)
    assert script.gone(ONE)
    assert script.mapping().uuid == uuid
    assert script.status(TWO)["uuid"] == uuid
    script.converge()


def test_a_rename_while_the_operator_is_stopped_keeps_the_mapping(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    uuid = script.mapping().uuid
    script.world.crash()
    script.apply(TWO, **KINESIS, adoption=RENAMED)
    script.delete()
    script.world.start()
    script.calmly(120)
    assert script.gone(ONE)
    assert script.mapping().uuid == uuid
    script.converge()


def test_a_deletion_that_is_about_to_be_sent_waits_for_a_new_heir(script: Script) -> None:
    """The old resource is deleted first. Its tags are read again before the mapping is deleted."""
    script.apply(**KINESIS)
    script.begin()
    uuid = script.mapping().uuid
    script.world.pass_time(60)
    script.delete()
    reading = script.until_asked("list_tags")
    script.apply(TWO, **KINESIS, adoption=RENAMED)
    answer_all_but(script, reading)
    script.world.decide(reading, "well")
    script.calmly(60)
    assert script.gone(ONE)
    assert script.mapping().uuid == uuid
    script.converge()


def test_a_deletion_that_waits_for_the_rate_limiter_is_not_sent_when_an_heir_appears(script: Script) -> None:
    script.apply(**KINESIS)
    script.apply(TWO, functionName="bills", eventSourceARN=QUEUE)
    script.begin()
    uuid = script.status()["uuid"]
    script.delete()
    reading = script.until_asked("list_tags")
    throttle(script, before=reading)
    script.calmly(RETRY_AFTER / 2)
    script.apply(HEIR, **KINESIS, adoption=RENAMED)
    script.calmly(4 * RETRY_AFTER)
    assert script.gone(ONE)
    assert script.status(HEIR)["uuid"] == uuid
    script.converge()


def test_the_mapping_is_deleted_if_the_heir_is_deleted_too(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    script.cluster.create(TWO, {**KINESIS, "adoption": RENAMED, "eventSourceARN": KINESIS["eventSourceARN"]})
    script.cluster.edit(TWO, {"metadata": {"annotations": {"lambda.esm-operator.io/paused": "true"}}})
    script.delete()
    script.calmly(60)
    assert script.reason(ONE) == "HandingOver"
    script.delete(TWO)
    script.calmly(60)
    assert script.gone(ONE)
    assert not script.aws.standing
    script.converge()


def message(script: Script) -> str:
    """The message of the condition Ready of the resource that is deleted."""
    return next(one["message"] for one in script.status()["conditions"] if one["type"] == "Ready")


def test_the_message_of_a_deletion_that_waits_has_the_problem_of_the_heir_and_the_remedies(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    script.apply(TWO, **KINESIS, adoption={**RENAMED, "policy": "Required", "uuid": script.mapping().uuid})
    script.edit(TWO, functionName="arn:aws:lambda:us-east-1:123456789012:function:orders")
    script.delete()
    script.calmly(90)
    assert (script.reason(ONE), script.reason(TWO)) == ("HandingOver", "InvalidSpec")
    text = message(script)
    assert f"the resource {TWO} will take it over" in text
    assert 'That resource is not Ready (InvalidSpec). Its message is "' in text
    assert "spec.functionName is a function in us-east-1" in text
    assert f"To finish the take-over, correct {TWO}. To delete the mapping instead, delete {TWO} or remove its" in text
    script.edit(TWO, functionName="orders")
    script.calmly(60)
    assert script.gone(ONE)
    script.converge()


def test_the_message_shows_no_problem_of_an_heir_in_another_namespace(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    consent(script)
    script.apply(THREE, **{**KINESIS, "functionName": "arn:aws:lambda:us-east-1:123456789012:function:orders"})
    script.edit(THREE, adoption=RENAMED)
    script.delete()
    script.calmly(90)
    assert (script.reason(ONE), script.reason(THREE)) == ("HandingOver", "InvalidSpec")
    assert f"the resource {THREE} will take it over" in message(script)
    assert "InvalidSpec" not in message(script)
    assert "us-east-1" not in message(script)
    script.edit(THREE, functionName="orders")
    script.calmly(60)
    assert script.gone(ONE)
    script.converge()


def test_a_move_to_another_namespace_needs_consent(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    uuid = script.mapping().uuid
    consent(script)
    script.apply(THREE, **KINESIS, adoption=RENAMED)
    script.delete()
    script.calmly(60)
    assert script.gone(ONE)
    assert (script.mapping().uuid, script.status(THREE)["uuid"]) == (uuid, uuid)
    script.converge()


def test_without_consent_a_resource_of_another_namespace_delays_no_deletion(script: Script) -> None:
    script.apply(**KINESIS)
    script.begin()
    uuid = script.mapping().uuid
    script.apply(THREE, **KINESIS, adoption=RENAMED)
    script.calmly(10)
    assert script.reason(THREE) == "Conflict"
    script.delete()
    script.calmly(60)
    assert script.gone(ONE)
    assert script.mapping().uuid != uuid
    script.converge()


def test_resources_that_exchange_their_functions_report_what_to_do(script: Script) -> None:
    script.apply(**KINESIS)
    script.apply(TWO, **{**KINESIS, "functionName": "orders:live"})
    script.begin()
    before = {key: script.status(key)["uuid"] for key in (ONE, TWO)}
    script.edit(ONE, functionName="orders:live")
    script.edit(TWO, functionName="orders")
    script.calmly(60)
    for key in (ONE, TWO):
        conditions = script.status(key)["conditions"]
        (text,) = [one["message"] for one in conditions if one["type"] == "Ready"]
        assert f"{key} -> " in text
        assert "to another alias" in text
    script.edit(ONE, functionName="orders:meanwhile")
    script.calmly(3600)
    assert script.reason(TWO) == "Enabled"
    script.edit(ONE, functionName="orders:live")
    script.calmly(60)
    assert script.reason(ONE) == "Enabled"
    assert {key: script.status(key)["uuid"] for key in (ONE, TWO)} == before
    script.converge()


@pytest.mark.parametrize("heir", [THREE, TWO], ids=["no access", "no heir"])
def test_edits_of_others_do_not_repeat_a_deletion_that_aws_refuses(script: Script, heir: Key) -> None:
    """A resource of another namespace has no consent. One of the same namespace is not an heir with this policy."""
    asked: list[float] = []

    def refuse(really: Any, asking: dict[str, Any]) -> Any:
        asked.append(script.world.clock.now)
        raise refusal("DeleteEventSourceMapping", "AccessDeniedException", 403, "not allowed")

    script.apply(**KINESIS)
    script.begin()
    answers(script, "delete_event_source_mapping", refuse)
    script.delete()
    script.calmly(20)
    policy = "IfExists" if heir is THREE else "Never"
    other = {"functionName": "bills", "eventSourceARN": QUEUE, "adoption": {"policy": policy}}
    script.apply(heir, **other)
    script.calmly(60)
    before, began = len(asked), script.world.clock.now
    for number in range(30):
        script.edit(heir, batchSize=1 + number % 10, adoption={"takeOverFrom": str(ONE) if number % 3 else None})
        script.calmly(1)
    assert len(asked) - before <= 1 + (script.world.clock.now - began) / 15
    as_ever(script, "delete_event_source_mapping")
    script.converge()
    assert script.gone(ONE)
