"""The last processing result changes by itself. Which changes the status shows, and how soon."""

from collections.abc import Callable

import pytest

from esm_operator.api.resource import Key
from esm_operator.reconcile.resource_state import RESULT_INTERVAL
from tests.model.aws import STREAM
from tests.model.script import KINESIS, Script
from tests.model.world import SWEEP_INTERVAL

IDLE, OK, PROBLEM = "No records processed", "OK", "PROBLEM: Function call failed"


@pytest.fixture
def stream(script: Script) -> Script:
    """A stream that has no records, and a status that shows it."""
    script.apply(**KINESIS)
    script.begin()
    change(script, IDLE)
    script.calmly(RESULT_INTERVAL + SWEEP_INTERVAL)
    assert shown(script) == IDLE
    return script


def change(script: Script, result: str) -> None:
    for mapping in script.aws.standing.values():
        mapping.result = result


def shown(script: Script) -> str:
    return script.status().get("lastProcessingResult", "")


def status_writes(script: Script) -> int:
    return sum(" PATCH " in line and "/status" in line for line in script.world.history)


def writes_during(script: Script, action: Callable[[], None]) -> int:
    before = status_writes(script)
    action()
    return status_writes(script) - before


def test_a_result_that_changes_once_is_shown(stream: Script) -> None:
    change(stream, OK)
    stream.calmly(RESULT_INTERVAL + 2 * SWEEP_INTERVAL)
    assert shown(stream) == OK


def test_a_result_that_changes_all_the_time_is_written_once_in_ten_minutes(stream: Script) -> None:
    def flap() -> None:
        for number in range(24):  # two hours
            change(stream, (OK, IDLE)[number % 2])
            stream.calmly(SWEEP_INTERVAL)

    assert 1 <= writes_during(stream, flap) <= 24 * SWEEP_INTERVAL / RESULT_INTERVAL + 1
    stream.calmly(RESULT_INTERVAL + 2 * SWEEP_INTERVAL)
    assert shown(stream) == IDLE


def test_a_problem_and_its_end_are_shown_immediately(stream: Script) -> None:
    for result in (PROBLEM, OK, PROBLEM, IDLE):
        change(stream, result)
        stream.calmly(SWEEP_INTERVAL + 2)
        assert shown(stream) == result


def test_another_change_shows_the_newest_result(stream: Script) -> None:
    change(stream, OK)
    stream.calmly(RESULT_INTERVAL)
    change(stream, IDLE)
    stream.calmly(SWEEP_INTERVAL + 2)
    change(stream, OK)
    stream.calmly(1)
    stream.edit(batchSize=7)
    stream.calmly(SWEEP_INTERVAL + 2)
    assert shown(stream) == OK


def test_a_restart_writes_changed_results_slowly(script: Script) -> None:
    for number in range(100):
        script.apply(Key("a", f"stream-{number}"), **{**KINESIS, "eventSourceARN": f"{STREAM}-{number}"})
    script.begin()
    change(script, IDLE)
    script.calmly(SWEEP_INTERVAL + 60)
    script.world.crash()
    change(script, OK)
    script.world.start()
    assert writes_during(script, lambda: script.calmly(5)) < 30
    script.calmly(SWEEP_INTERVAL)
    assert {body["status"]["lastProcessingResult"] for body in script.cluster.mappings.values()} == {OK}
