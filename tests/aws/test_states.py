"""States: their order, their duration, and the calls that are refused during a transition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import AwsServer, Control, Settings
from .cloud import Cloud
from .examples import example, refused
from .sources import Source
from .world import World


def state_of(lambda_: Any, uuid: str) -> str:
    return lambda_.get_event_source_mapping(UUID=uuid)["State"]


@pytest.mark.parametrize("source", Source)
def test_a_mapping_passes_all_states_from_creation_to_deletion(lambda_: Any, source: Source) -> None:
    made = lambda_.create_event_source_mapping(**example(source))
    uuid = made["UUID"]
    assert made["State"] == "Creating"
    assert state_of(lambda_, uuid) == "Enabled"
    assert lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert state_of(lambda_, uuid) == "Disabled"
    assert lambda_.update_event_source_mapping(UUID=uuid, BatchSize=2)["State"] == "Updating"
    assert state_of(lambda_, uuid) == "Disabled"
    assert lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    assert state_of(lambda_, uuid) == "Enabled"
    assert lambda_.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    refusal = refused(lambda_.get_event_source_mapping, UUID=uuid)
    assert (refusal.code, refusal.status) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("source", Source)
def test_a_mapping_can_be_created_disabled(lambda_: Any, source: Source) -> None:
    made = lambda_.create_event_source_mapping(**example(source, Enabled=False))
    at_once = source in (Source.SQS, Source.SQS_FIFO)
    assert made["State"] == ("Disabled" if at_once else "Creating")
    assert state_of(lambda_, made["UUID"]) == "Disabled"


TRANSITIONS: dict[str, Callable[[Any, Control], str]] = {}


def transition(state: str) -> Callable[[Callable[[Any, Control], str]], Callable[[Any, Control], str]]:
    def add(start: Callable[[Any, Control], str]) -> Callable[[Any, Control], str]:
        TRANSITIONS[state] = start
        return start

    return add


def settled(lambda_: Any, control: Control, **more: Any) -> str:
    uuid: str = lambda_.create_event_source_mapping(**example(Source.SQS, **more))["UUID"]
    control.settle(uuid)
    return uuid


@transition("Creating")
def _creating(lambda_: Any, _control: Control) -> str:
    return lambda_.create_event_source_mapping(**example(Source.SQS))["UUID"]


@transition("Updating")
def _updating(lambda_: Any, control: Control) -> str:
    return lambda_.update_event_source_mapping(UUID=settled(lambda_, control), BatchSize=2)["UUID"]


@transition("Disabling")
def _disabling(lambda_: Any, control: Control) -> str:
    return lambda_.update_event_source_mapping(UUID=settled(lambda_, control), Enabled=False)["UUID"]


@transition("Enabling")
def _enabling(lambda_: Any, control: Control) -> str:
    uuid = settled(lambda_, control, Enabled=False)
    return lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)["UUID"]


@transition("Deleting")
def _deleting(lambda_: Any, control: Control) -> str:
    return lambda_.delete_event_source_mapping(UUID=settled(lambda_, control))["UUID"]


@pytest.mark.parametrize("state", TRANSITIONS)
def test_in_a_transition_update_and_delete_are_refused(lambda_: Any, control: Control, state: str) -> None:
    control.set(hold=True)
    uuid = TRANSITIONS[state](lambda_, control)
    assert state_of(lambda_, uuid) == state
    for refusal in (
        refused(lambda_.update_event_source_mapping, UUID=uuid, BatchSize=3),
        refused(lambda_.delete_event_source_mapping, UUID=uuid),
    ):
        assert (refusal.code, refusal.status) == ("ResourceInUseException", 400)
    assert state_of(lambda_, uuid) == state


def test_held_transitions_end_when_released(lambda_: Any, control: Control) -> None:
    control.set(hold=True)
    first, second = (
        lambda_.create_event_source_mapping(**example(Source.SQS, FunctionName=name))["UUID"] for name in ("one", "two")
    )
    assert control.settle(first)["State"] == "Enabled"
    assert (state_of(lambda_, first), state_of(lambda_, second)) == ("Enabled", "Creating")
    control.set(hold=False)
    assert state_of(lambda_, second) == "Enabled"


def test_a_transition_takes_the_configured_time() -> None:
    now = 100.0
    cloud = Cloud(Settings(pace=2), World(), clock=lambda: now)
    mapping = cloud.make("1", "us-east-1", example(Source.SQS), Source.SQS, "uuid", {})
    cloud.mappings("1", "us-east-1").add(mapping)
    cloud.enter(mapping, "Creating")
    now = 101.9
    cloud.settle()
    assert mapping.state == "Creating"
    now = 102.0
    cloud.settle()
    assert mapping.state == "Enabled"


def test_an_earlier_transition_does_not_overwrite_a_later_state() -> None:
    now = 0.0
    cloud = Cloud(Settings(pace=2), World(), clock=lambda: now)
    mapping = cloud.make("1", "us-east-1", example(Source.SQS), Source.SQS, "uuid", {})
    cloud.mappings("1", "us-east-1").add(mapping)
    cloud.enter(mapping, "Creating")
    now = 1.0
    cloud.enter(mapping, "Updating")
    now = 2.0
    cloud.settle()
    assert mapping.state == "Updating"


def test_reasons_and_results_depend_on_the_source(lambda_: Any) -> None:
    def said(source: Source) -> tuple[str, str | None]:
        answer = lambda_.create_event_source_mapping(**example(source))
        return answer["StateTransitionReason"], answer.get("LastProcessingResult")

    assert said(Source.SQS) == ("USER_INITIATED", None)
    assert said(Source.DYNAMODB) == ("User action", "No records processed")
    assert said(Source.SELF_MANAGED_KAFKA) == ("USER_INITIATED", "No records processed")


def test_a_test_can_set_state_reason_and_errors(lambda_: Any, control: Control) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.KINESIS))
    control.edit_mapping(
        made["UUID"],
        State="Disabled",
        StateTransitionReason="Stream not found",
        LastProcessingResult="PROBLEM: Function call failed",
        FilterCriteriaError={
            "ErrorCode": "KMSAccessDeniedException",
            "Message": "Access to the key is denied.",
        },
    )
    answer = lambda_.get_event_source_mapping(UUID=made["UUID"])
    assert answer["State"] == "Disabled"
    assert answer["StateTransitionReason"] == "Stream not found"
    assert answer["LastProcessingResult"].startswith("PROBLEM")
    assert answer["FilterCriteriaError"]["ErrorCode"] == "KMSAccessDeniedException"
    assert lambda_.update_event_source_mapping(UUID=made["UUID"], Enabled=True)["State"] == "Enabling"


def test_a_test_can_create_change_and_delete_mappings(aws: AwsServer, lambda_: Any) -> None:
    control = aws.control
    made = control.make_mapping(**example(Source.SQS, BatchSize=3, Enabled=False), region="eu-west-1")
    there: Any = aws.client("lambda", region="eu-west-1")
    assert there.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled"
    assert there.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {}
    control.edit_mapping(made["UUID"], BatchSize=4, Tags={"a": "b"}, FunctionResponseTypes=None)
    answer = there.get_event_source_mapping(UUID=made["UUID"])
    assert (answer["BatchSize"], "FunctionResponseTypes" in answer) == (4, False)
    assert there.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"a": "b"}
    control.delete_mapping(made["UUID"])
    assert refused(there.get_event_source_mapping, UUID=made["UUID"]).status == 404
    assert control.mappings() == []


def test_results_change_by_themselves() -> None:
    now = 0.0
    cloud = Cloud(Settings(result_period=60), World(), clock=lambda: now)
    for source in (Source.KINESIS, Source.KINESIS, Source.SQS):
        cloud.mappings("1", "us-east-1").add(cloud.make("1", "us-east-1", example(source), source, str(source), {}))
    first, second, queue = cloud.every_mapping()
    seen: list[tuple[str | None, str | None]] = []
    modified = first.last_modified
    for moment in (1.0, 57.0, 58.0, 59.0, 118.0, 119.0):
        now = moment
        cloud.settle()
        seen.append((first.last_processing_result, second.last_processing_result))
        assert first.members()["LastProcessingResult"] == first.last_processing_result
        assert queue.last_processing_result is None
    idle, working = "No records processed", "OK"
    assert seen == [
        (working, working),
        (working, working),
        (working, idle),
        (idle, idle),
        (idle, working),
        (working, working),
    ]
    assert first.last_modified == modified
    first.last_processing_result = "PROBLEM: Function call failed"
    now = 180.0
    cloud.settle()
    assert first.last_processing_result == "PROBLEM: Function call failed"
