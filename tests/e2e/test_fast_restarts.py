"""Processes that run for a few seconds only still complete the deletion of a resource."""

import time

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

pytestmark = pytest.mark.long

#: Seconds that a process runs after it is ready. Less than the wait for a Create without an answer.
LIFE = 3.0
#: Far more processes than are needed.
PROCESSES = 40


def test_a_resource_is_removed_although_no_process_outlives_the_wait_for_a_create(bed: Bed) -> None:
    """AWS never received the Create of the first process."""
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
