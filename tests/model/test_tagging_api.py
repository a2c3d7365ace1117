"""The tag sweep without a tagging API, as in a private VPC without an endpoint for it, and when it comes back."""

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from tests.model.aws import refusal
from tests.model.script import ONE, SQS, Script, answers, as_ever

HOUR = 3600.0
TAGS = {"team": "shop"}
UNREACHABLE = EndpointConnectionError(endpoint_url="https://tagging.eu-west-1.amazonaws.com/")
TIMEOUT = ConnectTimeoutError(endpoint_url="https://tagging.eu-west-1.amazonaws.com/")
NOT_IMPLEMENTED = refusal("GetResources", "InternalFailure", 501, "The service is not implemented.")
UNKNOWN = refusal("GetResources", "UnknownOperationException", 400, "")
DENIED = refusal("GetResources", "AccessDeniedException", 403, "User: x is not authorized to perform: tag:GetResources")
THROTTLED = refusal("GetResources", "ThrottledException", 400, "Rate exceeded")
FAILURES = [UNREACHABLE, TIMEOUT, NOT_IMPLEMENTED, UNKNOWN, DENIED]


def without(script: Script, failure: Exception) -> list[float]:
    """Let GetResources fail. Returns the times of the attempts."""
    attempts: list[float] = []

    def fail(_: Any, asked: dict[str, Any]) -> Any:
        del asked
        attempts.append(script.world.clock.now)
        raise failure

    answers(script, "get_resources", fail)
    return attempts


def change_tags(script: Script) -> None:
    """Another client changes a tag."""
    script.mapping().tags["team"] = "hand"


def corrected(script: Script) -> bool:
    return script.mapping().tags["team"] == "shop"


def ready(script: Script) -> None:
    """A resource that is in sync, and whose tags were not written lately."""
    script.apply(**SQS, tags=TAGS)
    script.world.start()
    script.calmly(2 * HOUR)


@pytest.mark.parametrize("failure", FAILURES, ids=[type(one).__name__ + str(n) for n, one in enumerate(FAILURES)])
def test_tags_are_corrected_without_a_tagging_api(script: Script, failure: Exception) -> None:
    attempts = without(script, failure)
    ready(script)
    change_tags(script)
    script.calmly(HOUR)
    assert corrected(script)
    assert len(attempts) <= 3 + 4, "a few attempts, and then one an hour"


@pytest.mark.parametrize("failure", FAILURES, ids=[type(one).__name__ + str(n) for n, one in enumerate(FAILURES)])
def test_the_tagging_api_is_used_again_when_it_answers(script: Script, failure: Exception) -> None:
    without(script, failure)
    ready(script)
    as_ever(script, "get_resources")
    script.calmly(1.5 * HOUR)
    reads: list[str] = []

    def count(really: Any, asked: dict[str, Any]) -> Any:
        reads.append(asked["Resource"])
        return really(**asked)

    answers(script, "list_tags", count)
    script.calmly(HOUR)
    assert reads == [], "unchanged tags cost no call for each mapping"
    change_tags(script)
    script.calmly(HOUR)
    assert corrected(script)
    assert len(reads) == 1


def test_a_short_failure_changes_nothing(script: Script) -> None:
    ready(script)
    attempts = without(script, UNREACHABLE)
    while not attempts:
        script.calmly(30)
    as_ever(script, "get_resources")
    change_tags(script)
    script.calmly(HOUR / 3)
    assert corrected(script)
    assert "one mapping after the other" not in synced(script)


def test_a_throttled_tagging_api_is_not_replaced(script: Script) -> None:
    ready(script)
    reads: list[str] = []
    answers(script, "list_tags", lambda really, asked: reads.append(asked["Resource"]) or really(**asked))
    without(script, THROTTLED)
    script.calmly(2 * HOUR)
    assert reads == []


def test_the_next_status_shows_that_tags_are_read_one_by_one(script: Script) -> None:
    without(script, NOT_IMPLEMENTED)
    ready(script)
    before = len([line for line in script.world.history if " PATCH " in line])
    script.calmly(2 * HOUR)
    assert len([line for line in script.world.history if " PATCH " in line]) == before, "it is no reason for a write"
    script.edit(batchSize=5)
    script.calmly(60)
    assert "one mapping after the other" in synced(script)
    script.world.crash()
    script.world.start()
    script.calmly(60)
    assert "one mapping after the other" in synced(script), "a restart does not write it again"
    as_ever(script, "get_resources")
    script.calmly(1.5 * HOUR)
    script.edit(batchSize=6)
    script.calmly(60)
    assert "one mapping after the other" not in synced(script)


def synced(script: Script) -> str:
    """The message of the condition Synced."""
    conditions = script.status(ONE)["conditions"]
    return next(one["message"] for one in conditions if one["type"] == "Synced")
