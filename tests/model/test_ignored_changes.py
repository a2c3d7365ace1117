"""Scripted scenarios: fields that are left to others, by ``ignoreChanges`` or because the spec does not have them."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from esm_operator.clock import replaced
from tests.model.aws import KAFKA, TRANSITION, Standing, refusal
from tests.model.script import KINESIS, ONE, SQS, Script, answers
from tests.model.world import SWEEP_INTERVAL

#: A spec that leaves three values to others, and can be replaced.
LEFT: dict[str, Any] = {
    **KINESIS,
    "batchSize": 5,
    "tags": {"team": "red"},
    "replacePolicy": "Recreate",
    "ignoreChanges": ["batchSize", "enabled", "tags.team"],
}
OTHERS = (7, False, "blue")


def change_by_hand(script: Script) -> Standing:
    """Let others change the three values, and let the operator notice."""
    one = script.mapping()
    with replaced(script.world.clock):
        script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=7, Enabled=False)
    one.tags = {**one.tags, "team": "blue"}
    script.calmly(2 * SWEEP_INTERVAL + 700)
    return one


def values(one: Standing) -> tuple[Any, ...]:
    """The three values."""
    return one.config["BatchSize"], one.enabled, one.tags.get("team")


def restart(script: Script) -> None:
    script.world.crash()
    script.world.start()
    script.calmly(2 * SWEEP_INTERVAL)


def writes(script: Script) -> list[str]:
    """The writes to the resource, in order."""
    return [line for line in script.world.history if " PATCH " in line and "/eventsourcemappings/" in line]


def condition(script: Script, kind: str) -> tuple[str, str, str]:
    found = next(one for one in script.status()["conditions"] if one["type"] == kind)
    return found["status"], found["reason"], found["message"]


def test_ignored_values_stay_as_others_have_set_them(script: Script) -> None:
    script.apply(**LEFT)
    script.begin()
    assert values(script.mapping()) == (5, True, "red")
    one = change_by_hand(script)
    before = script.promises.writes
    assert values(one) == OTHERS
    assert condition(script, "Ready")[:2] == ("True", "Disabled")
    assert "remove enabled from spec.ignoreChanges" in condition(script, "Ready")[2]
    assert condition(script, "Synced")[:2] == ("True", "InSync")
    assert script.status()["applied"]["ignored"] == {"batchSize": "7", "enabled": "false", "tags.team": '"blue"'}
    restart(script)
    script.edit(batchSize=9, enabled=True, tags={"team": "green"})
    script.calmly(SWEEP_INTERVAL)
    script.edit(batchSize=None, enabled=None, tags=None)
    script.calmly(SWEEP_INTERVAL)
    restart(script)
    assert values(one) == OTHERS
    assert script.promises.writes == before
    assert condition(script, "Synced")[:2] == ("True", "InSync")


def test_values_that_are_no_longer_ignored_are_those_of_the_spec(script: Script) -> None:
    script.apply(**LEFT)
    script.begin()
    one = change_by_hand(script)
    script.edit(ignoreChanges=None)
    script.calmly(SWEEP_INTERVAL)
    assert values(one) == (5, False, "red")
    assert "ignored" not in script.status()["applied"]
    script.edit(enabled=True)
    script.calmly(SWEEP_INTERVAL)
    assert values(one) == (5, True, "red")


def test_a_field_that_was_removed_while_it_was_ignored_is_reset_after_that(script: Script) -> None:
    script.apply(**LEFT)
    script.begin()
    one = change_by_hand(script)
    script.edit(batchSize=None, tags=None)
    script.calmly(SWEEP_INTERVAL)
    assert values(one) == OTHERS
    script.edit(ignoreChanges=None)
    script.calmly(SWEEP_INTERVAL)
    assert values(one) == (100, False, None)


def test_an_adoption_leaves_ignored_values_as_they_are(script: Script) -> None:
    with replaced(script.world.clock):
        one = script.aws.make("orders", KINESIS["eventSourceARN"], {"team": "blue"})
        assert one is not None
        script.aws.end_transition(one)
        script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=7, Enabled=False)
        script.aws.end_transition(one)
    script.apply(**LEFT, adoption={"policy": "IfExists"})
    script.begin()
    script.calmly(SWEEP_INTERVAL)
    assert script.status()["uuid"] == one.uuid
    assert values(one) == OTHERS
    assert one.tags["esm-operator.io/name"] == ONE.name
    assert condition(script, "Synced")[:2] == ("True", "InSync")


def kill_before_the_deletion(script: Script) -> None:
    script.until_asked("delete_event_source_mapping")
    script.world.crash()


def kill_after(operation: str) -> Callable[[Script], None]:
    """Kill the operator when AWS has carried out a request, before the answer arrives."""

    def kill(script: Script) -> None:
        script.world.decide(script.until_asked(operation), "carried out")
        script.world.crash()

    return kill


KILLS: dict[str, Callable[[Script], None]] = {
    "not killed": lambda _: None,
    "before the deletion": kill_before_the_deletion,
    "after the deletion": kill_after("delete_event_source_mapping"),
    "after the creation": kill_after("create_event_source_mapping"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_replacement_takes_over_the_values_of_others(script: Script, moment: str) -> None:
    script.apply(**LEFT)
    script.begin()
    old = change_by_hand(script)
    script.edit(startingPosition="TRIM_HORIZON", batchSize=9, enabled=True)
    KILLS[moment](script)
    if script.world.process is None:
        script.world.start()
    script.converge()
    new = script.mapping()
    assert new.uuid != old.uuid
    assert (new.position, *values(new)) == ("TRIM_HORIZON", *OTHERS)


@pytest.mark.parametrize("moment", KILLS)
def test_values_that_others_set_just_before_a_replacement_are_taken_over(script: Script, moment: str) -> None:
    """No sweep has shown them when the operator plans the deletion."""
    script.apply(**LEFT)
    script.begin()
    with replaced(script.world.clock):
        script.aws.update_event_source_mapping(UUID=script.mapping().uuid, BatchSize=7, Enabled=False)
        script.aws.end_transition(script.mapping())
    script.edit(startingPosition="TRIM_HORIZON")
    KILLS[moment](script)
    if script.world.process is None:
        script.world.start()
    script.converge()
    assert (script.mapping().position, *values(script.mapping())) == ("TRIM_HORIZON", 7, False, "red")


@pytest.mark.parametrize("moment", ["not killed", "before the deletion", "after the creation"])
def test_a_replacement_of_another_identity_takes_over_the_values_of_others(script: Script, moment: str) -> None:
    other = f"{KINESIS['eventSourceARN']}-2"
    script.apply(**LEFT)
    script.begin()
    old = change_by_hand(script)
    script.edit(eventSourceARN=other)
    KILLS[moment](script)
    if script.world.process is None:
        script.world.start()
    script.converge()
    new = script.mapping()
    assert new.uuid != old.uuid
    assert (new.source, *values(new)) == (other, *OTHERS)


def test_a_tag_that_others_set_just_before_a_replacement_of_another_identity_is_taken_over(script: Script) -> None:
    """No sweep has shown it when the operator creates the new mapping, which is before it deletes the old one."""
    spec: dict[str, Any] = {**LEFT, "ignoreChanges": ["tags.team"]}
    script.apply(**spec)
    script.begin()
    old = script.mapping()
    old.tags = {**old.tags, "team": "blue"}
    script.edit(eventSourceARN=f"{KINESIS['eventSourceARN']}-2")
    script.converge()
    new = script.mapping()
    assert new.uuid != old.uuid
    assert new.tags["team"] == "blue"


BUSY = refusal("ListTags", "ResourceInUseException", 400, "The mapping is being changed.")
UNANSWERED = ReadTimeoutError(endpoint_url="https://lambda.eu-west-1.amazonaws.com/")


@pytest.mark.parametrize(
    ("refused", "change"),
    [
        pytest.param(BUSY, TRANSITION, id="others change the mapping just before each request"),
        pytest.param(BUSY, 0.0, id="AWS shows no change"),
        pytest.param(UNANSWERED, 0.0, id="no answer"),
    ],
)
def test_tags_that_aws_does_not_answer_before_a_replacement_cost_a_bounded_number_of_calls(
    script: Script, refused: Exception, change: float
) -> None:
    spec: dict[str, Any] = {**LEFT, "ignoreChanges": ["tags.team"]}
    script.apply(**spec)
    script.begin()
    old, began = script.mapping(), script.world.clock.now
    old.tags = {**old.tags, "team": "blue"}
    asked: list[float] = []

    def refuse(really: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if old.arn != arguments["Resource"] or script.world.clock.now >= began + 300:
            return really(**arguments)
        asked.append(script.world.clock.now)
        if change:
            old.state, old.due = "Updating", script.world.clock.now + change
        raise refused

    answers(script, "list_tags", refuse)
    script.edit(eventSourceARN=f"{KINESIS['eventSourceARN']}-2")
    script.calmly(300)
    assert 2 <= len(asked) <= 60
    assert [*script.aws.standing] == [old.uuid], "nothing is created without the tags"
    assert not script.said("OperatorError")
    script.converge()
    assert script.mapping().uuid != old.uuid
    assert script.mapping().tags["team"] == "blue"


def test_a_mapping_that_is_created_again_gets_the_values_of_others(script: Script) -> None:
    script.apply(**LEFT)
    script.begin()
    old = change_by_hand(script)
    restart(script)
    with replaced(script.world.clock):
        script.aws.delete_event_source_mapping(UUID=old.uuid)
    script.converge()
    assert script.mapping().uuid != old.uuid
    assert values(script.mapping()) == OTHERS


def test_an_ignored_position_causes_no_replacement(script: Script) -> None:
    script.apply(**KINESIS, replacePolicy="Recreate", ignoreChanges=["startingPosition"])
    script.begin()
    uuid = script.mapping().uuid
    script.edit(startingPosition="TRIM_HORIZON")
    script.calmly(SWEEP_INTERVAL)
    restart(script)
    assert (script.mapping().uuid, script.mapping().position) == (uuid, "LATEST")
    assert condition(script, "Ready")[:2] == ("True", "Enabled")
    script.edit(ignoreChanges=None)
    script.converge()
    assert script.mapping().position == "TRIM_HORIZON"


def test_an_observed_mapping_with_other_ignored_values_has_no_drift(script: Script) -> None:
    with replaced(script.world.clock):
        one = script.aws.make("orders", KINESIS["eventSourceARN"], {})
        assert one is not None
        script.aws.end_transition(one)
        script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=7, Enabled=False)
        script.aws.end_transition(one)
    script.apply(**LEFT, managementPolicy="Observe")
    script.begin()
    assert condition(script, "Synced")[:2] == ("True", "InSync")
    script.edit(ignoreChanges=None)
    script.calmly(SWEEP_INTERVAL)
    assert condition(script, "Synced")[0] == "False"


def test_an_update_of_a_structure_repeats_the_newest_value_of_others(script: Script) -> None:
    spec: dict[str, Any] = {"functionName": "orders", "eventSourceARN": KAFKA, "topics": ["orders"]}
    pollers = {"minimumPollers": 1, "maximumPollers": 5}
    script.apply(**spec, provisionedPollerConfig=pollers, ignoreChanges=["provisionedPollerConfig.maximumPollers"])
    script.begin()
    one = script.mapping()
    with replaced(script.world.clock):
        scaled = {"MinimumPollers": 1, "MaximumPollers": 50}
        script.aws.update_event_source_mapping(UUID=one.uuid, ProvisionedPollerConfig=scaled)
        script.aws.end_transition(one)
    script.edit(provisionedPollerConfig={"minimumPollers": 2})  # before a sweep
    script.calmly(10)
    assert one.config["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 50}
    assert condition(script, "Synced")[:2] == ("True", "InSync")


def test_the_status_shows_no_ignored_values_of_a_mapping_that_was_taken_over(script: Script) -> None:
    script.apply(**LEFT)
    script.begin()
    one = script.mapping()
    one.tags = {**one.tags, "esm-operator.io/namespace": "elsewhere", "esm-operator.io/uid": "another"}
    script.calmly(2 * SWEEP_INTERVAL + 700)
    assert script.reason() == "Conflict"
    with replaced(script.world.clock):
        script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=77)
    script.calmly(2 * SWEEP_INTERVAL)
    script.edit(tags={"team": "green"})
    script.calmly(60)
    assert script.reason() == "Conflict"
    assert "77" not in str(script.status()["applied"])


# -- A spec without `enabled` -------------------------------------------------------------------------------


def disable_by_hand(script: Script) -> Standing:
    """Let a user disable the mapping, and let the operator notice."""
    one = script.mapping()
    with replaced(script.world.clock):
        script.aws.update_event_source_mapping(UUID=one.uuid, Enabled=False)
    script.calmly(2 * SWEEP_INTERVAL)
    return one


def test_a_mapping_that_a_user_has_disabled_stays_disabled(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    one = disable_by_hand(script)
    assert not one.enabled
    status, reason, text = condition(script, "Ready")
    assert (status, reason) == ("True", "Disabled")
    assert "set spec.enabled to true" in text
    restart(script)
    script.edit(batchSize=5)
    script.calmly(SWEEP_INTERVAL)
    assert (one.enabled, one.config["BatchSize"]) == (False, 5)
    script.edit(enabled=True)
    script.calmly(SWEEP_INTERVAL)
    assert one.enabled
    disable_by_hand(script)
    assert one.enabled


def test_a_mapping_that_aws_has_disabled_is_reported_and_not_enabled(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    one = script.mapping()
    with replaced(script.world.clock):
        script.aws.disable(one)
    script.calmly(2 * SWEEP_INTERVAL)
    status, reason, text = condition(script, "Ready")
    assert (status, reason) == ("False", "DisabledInAWS")
    assert 'the state transition reason "Lambda initiated"' in text
    assert condition(script, "Stalled")[0] == "True"
    restart(script)
    assert not one.enabled
    script.edit(enabled=True)
    script.converge()
    assert one.enabled


@pytest.mark.parametrize("killed", [False, True])
def test_enabled_false_that_is_removed_is_reset(script: Script, killed: bool) -> None:
    script.apply(**SQS, enabled=False)
    script.begin()
    one = script.mapping()
    assert not one.enabled
    script.edit(enabled=None)
    if killed:
        script.until_asked("update_event_source_mapping")
        script.world.crash()
        script.world.start()
    script.calmly(SWEEP_INTERVAL)
    assert one.enabled
    disable_by_hand(script)
    assert not one.enabled


@pytest.mark.parametrize("before", [{}, {"enabled": True}])
def test_enabled_false_that_is_removed_after_a_kill_is_reset(script: Script, before: dict[str, Any]) -> None:
    script.apply(**SQS, **before)
    script.begin()
    one = script.mapping()
    script.edit(enabled=False)
    script.world.decide(script.until_asked("update_event_source_mapping"), "carried out")
    script.world.crash()
    script.edit(enabled=None)
    script.world.start()
    script.calmly(SWEEP_INTERVAL)
    assert one.enabled


def test_enabled_false_of_an_interrupted_creation_is_reset_if_it_is_removed(script: Script) -> None:
    script.apply(**SQS, enabled=False)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "carried out")
    script.world.crash()
    script.edit(enabled=None)
    script.world.start()
    script.converge()
    assert script.mapping().enabled


def of_an_earlier_version(script: Script) -> None:
    """Write the status as an earlier version did for each mapping that it created."""
    fields = sorted({*script.status()["applied"]["fields"], "enabled"})
    script.cluster.edit(ONE, {"status": {"applied": {"fields": fields}}})


@pytest.mark.parametrize("edited", [False, True])
def test_after_an_upgrade_nothing_is_written_and_a_disabled_mapping_stays_disabled(
    script: Script, edited: bool
) -> None:
    script.apply(**SQS)
    script.begin()
    script.world.crash()
    of_an_earlier_version(script)
    before, calls = len(writes(script)), script.promises.writes
    script.world.start()
    script.calmly(3 * SWEEP_INTERVAL)
    assert (len(writes(script)), script.promises.writes) == (before, calls)
    one = script.mapping()
    if edited:  # before the operator has noticed it
        with replaced(script.world.clock):
            script.aws.update_event_source_mapping(UUID=one.uuid, Enabled=False)
        script.edit(batchSize=5)
        script.calmly(2 * SWEEP_INTERVAL)
        assert one.config["BatchSize"] == 5
    else:
        disable_by_hand(script)
    assert not one.enabled
    assert condition(script, "Ready")[:2] == ("True", "Disabled")
    assert "enabled" not in script.status()["applied"]["fields"]


def test_after_an_upgrade_enabled_false_that_is_removed_is_reset(script: Script) -> None:
    script.apply(**SQS, enabled=False)
    script.begin()
    script.world.crash()
    of_an_earlier_version(script)
    script.edit(enabled=None)
    script.world.start()
    script.calmly(2 * SWEEP_INTERVAL)
    assert script.mapping().enabled


def test_values_that_others_change_all_the_time_are_written_in_their_turn(script: Script) -> None:
    """An autoscaler may change them between any two sweeps."""
    script.apply(**LEFT)
    script.begin()
    one = script.mapping()
    before = len(writes(script))
    for size in range(10, 22):
        with replaced(script.world.clock):
            script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=size)
            script.aws.end_transition(one)
        script.calmly(SWEEP_INTERVAL)
    assert len(writes(script)) - before <= 8, "at most one in 10 minutes"
    script.calmly(700)
    assert script.status()["applied"]["ignored"]["batchSize"] == "21"
