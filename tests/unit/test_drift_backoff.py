"""The drift back-off: the pauses between repetitions of the same correction."""

from collections.abc import Generator

import pytest

from esm_operator.reconcile.drift_backoff import FIRST, FORGOTTEN, LONGEST, DriftBackoff
from tests.unit.clock import StoppedClock, stopped


@pytest.fixture
def clock() -> Generator[StoppedClock]:
    with stopped() as clock:
        yield clock


def test_the_same_change_is_sent_with_growing_pauses(clock: StoppedClock) -> None:
    drift_backoff = DriftBackoff()
    change = {"enabled": True}
    assert drift_backoff.wait("fields", change, drift=True) == 0
    waits: list[float] = []
    for _ in range(8):
        drift_backoff.sent("fields", change, drift=True)
        waits.append(drift_backoff.wait("fields", change, drift=True))
        clock.now += waits[-1]
    assert waits == [min(LONGEST, FIRST * 2**times) for times in range(8)]
    assert drift_backoff.wait("fields", change, drift=True) == 0


@pytest.mark.usefixtures("clock")
def test_another_change_or_kind_is_sent_immediately() -> None:
    drift_backoff = DriftBackoff()
    drift_backoff.sent("fields", {"batchSize": 5}, drift=True)
    assert drift_backoff.wait("fields", {"batchSize": 6}, drift=True) == 0
    assert drift_backoff.wait("tags", {"batchSize": 5}, drift=True) == 0
    assert drift_backoff.wait("fields", {"batchSize": 5}, drift=True) > 0
    drift_backoff.sent("creation", {}, drift=True)
    drift_backoff.forget("fields", "tags")
    assert drift_backoff.wait("fields", {"batchSize": 5}, drift=True) == 0
    assert drift_backoff.wait("creation", {}, drift=True) > 0
    drift_backoff.clear()
    assert drift_backoff.wait("creation", {}, drift=True) == 0


def test_a_change_that_lasted_for_long_counts_as_new(clock: StoppedClock) -> None:
    drift_backoff = DriftBackoff()
    for _ in range(5):
        drift_backoff.sent("fields", {}, drift=True)
    clock.now += FORGOTTEN
    drift_backoff.sent("fields", {}, drift=True)
    assert drift_backoff.wait("fields", {}, drift=True) == FIRST


def test_an_edit_that_is_undone_in_aws_is_corrected_immediately_once(clock: StoppedClock) -> None:
    drift_backoff = DriftBackoff()
    change = {"batchSize": 10}
    drift_backoff.sent("fields", change, drift=False)
    assert drift_backoff.wait("fields", change, drift=False) == FIRST, "AWS has not kept the edit"
    assert drift_backoff.wait("fields", change, drift=True) == 0
    waits: list[float] = []
    for seen_in_sync in (True, True, False, True):
        drift_backoff.sent("fields", change, drift=seen_in_sync)
        waits.append(drift_backoff.wait("fields", change, drift=True))
        clock.now += waits[-1]
    assert waits == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert drift_backoff.repeats("fields", change)
    assert not drift_backoff.repeats("fields", {"batchSize": 11})
