"""Scripted scenarios: a request waits for the rate limiter, and the resource changes before it is sent."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from esm_operator.api.annotations import PAUSED
from esm_operator.api.resource import Key
from esm_operator.reconcile.drift_backoff import FIRST
from tests.model.aws import QUEUE, refusal
from tests.model.calls import Call
from tests.model.script import ONE, SQS, TWO, Script, answer_all_but, answers, as_ever
from tests.model.world import SWEEP_INTERVAL

#: The Retry-After of AWS, in seconds.
RETRY_AFTER = 30.0


def throttle(script: Script, *, before: Call | None = None) -> None:
    """AWS throttles a request for another resource, so all requests wait for half a minute.

    With ``before``, AWS answers that request only after it has throttled the other one.
    """

    def throttled(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        del really, asked
        error = refusal("UpdateEventSourceMapping", "TooManyRequestsException", 429, "Rate exceeded")
        response: Any = error.response
        response["ResponseMetadata"]["HTTPHeaders"] = {"retry-after": f"{RETRY_AFTER:.0f}"}
        raise error

    answers(script, "update_event_source_mapping", throttled)
    script.edit(TWO, batchSize=3)
    if before is not None:
        answer_all_but(script, before)
    else:
        script.world.decide(script.until_asked("update_event_source_mapping"), "well")
    as_ever(script, "update_event_source_mapping")
    script.calmly()


@pytest.fixture
def throttled(script: Script) -> Script:
    """Two resources are in sync, and the operator calls AWS only after half a minute."""
    script.apply(**SQS, batchSize=7)
    script.apply(TWO, functionName="bills", eventSourceARN=QUEUE)
    script.begin()
    throttle(script)
    return script


def test_an_update_that_waits_is_not_sent_when_the_resource_is_paused(throttled: Script) -> None:
    script = throttled
    script.edit(batchSize=5)
    script.calmly(RETRY_AFTER / 2)
    script.cluster.edit(ONE, {"metadata": {"annotations": {PAUSED: "true"}}})
    script.calmly(2 * RETRY_AFTER)
    assert script.reason() == "Paused"
    assert script.aws.standing[script.status()["uuid"]].config["BatchSize"] == 7


def test_an_update_that_waits_is_not_sent_when_the_spec_is_edited_back(throttled: Script) -> None:
    script = throttled
    script.edit(batchSize=5)
    script.calmly(RETRY_AFTER / 2)
    script.edit(batchSize=7)
    script.calmly(2 * RETRY_AFTER)
    uuid = script.status()["uuid"]
    assert not [line for line in script.world.history if "update_event" in line and uuid in line]
    script.converge()


def test_a_create_that_waits_is_not_sent_when_the_resource_is_deleted(throttled: Script) -> None:
    script, three = throttled, Key("a", "three")
    script.apply(three, functionName="returns", eventSourceARN=QUEUE)
    script.calmly(RETRY_AFTER / 2)
    script.delete(three)
    script.calmly(2 * RETRY_AFTER)
    assert not [line for line in script.world.history if "create_event" in line and '"returns"' in line]
    script.converge()
    assert script.gone(three)


def test_no_more_deletions_a_minute_are_sent_than_the_setting_allows(script: Script) -> None:
    keys = [Key("a", f"one-{number}") for number in range(6)]
    for key in keys:
        script.apply(key, functionName=key.name, eventSourceARN=QUEUE)
    script.begin()
    for key in keys:
        script.delete(key)
    script.calmly(10)
    assert len([key for key in keys if not script.gone(key)]) == 3
    assert len([key for key in keys if not script.gone(key) and script.reason(key) == "DeletionsHeld"]) == 3
    assert len(script.aws.standing) == 3
    script.converge()
    assert script.aws.standing == {}


def test_a_change_that_aws_does_not_keep_is_sent_with_growing_pauses(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    attempts: list[float] = []

    def not_kept(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        attempts.append(script.world.clock.now)
        return really(**{name: value for name, value in asked.items() if name != "BatchSize"})

    answers(script, "update_event_source_mapping", not_kept)
    script.edit(batchSize=5)
    script.calmly(2 * SWEEP_INTERVAL)
    assert 2 <= len(attempts) <= 6
    as_ever(script, "update_event_source_mapping")
    script.converge()


def test_a_mapping_that_is_deleted_outside_is_created_again_immediately_once(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.aws.standing.clear()
    script.calmly(1.2 * SWEEP_INTERVAL)
    assert script.reason() == "Enabled"
    script.converge()
    assert len(script.aws.standing) == 1


def test_a_mapping_that_vanishes_after_each_create_is_created_with_growing_pauses(script: Script) -> None:
    script.apply(**SQS)
    attempts: list[float] = []

    def vanishes(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        attempts.append(script.world.clock.now)
        answer = really(**asked)
        del script.aws.standing[answer["UUID"]]
        return answer

    answers(script, "create_event_source_mapping", vanishes)
    script.world.start()
    script.calmly(4 * SWEEP_INTERVAL)
    assert 3 <= len(attempts) <= 8
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert pauses[0] < FIRST, "a mapping that is deleted once is created again immediately"
    assert all(pause >= FIRST for pause in pauses[1:])
    assert script.reason() == "ChangeNotKept"
    as_ever(script, "create_event_source_mapping")
    script.edit(batchSize=5)
    script.converge()
    assert len(script.aws.standing) == 1
