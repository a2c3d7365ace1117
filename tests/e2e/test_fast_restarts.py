"""Processes that live for a few seconds only still get a resource to its end."""

import time

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

pytestmark = pytest.mark.long

#: Seconds that a process lives after it is ready: less than it waits for a Create without an answer.
LIFE = 3.0
#: Far more processes than are needed; before, no number of them sufficed.
PROCESSES = 40


def test_a_resource_is_released_though_no_process_outlives_the_wait_for_a_create(bed: Bed) -> None:
    """AWS has never received the Create that the first process was about to send."""
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", seconds=3600.0)
    operator = bed.operator()
    bed.apply(queue())
    eventually(lambda: (bed.get("orders") or {})["metadata"].get("finalizers"))
    operator.kill()
    bed.delete("orders")
    for _ in range(PROCESSES):
        operator.start()
        end = time.monotonic() + LIFE
        while time.monotonic() < end and bed.get("orders") is not None:
            time.sleep(0.1)
        operator.kill()
        if bed.get("orders") is None:
            return
    raise AssertionError(f"{PROCESSES} processes did not get to the end: {bed.get('orders')}")
