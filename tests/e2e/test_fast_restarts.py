"""Processes that run for a few seconds only still complete the deletion of a resource."""

import time

import pytest

from esm_operator.reconcile.pending_creates import SETTLE
from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

pytestmark = pytest.mark.long

#: Seconds that each process runs after it is ready. Less than the wait for a Create without an answer
#: (``pending_creates.SETTLE``). There are far more processes than are needed. The last ones run longer, because a
#: process on a slow machine does nothing in the first seconds.
LIVES = (*20 * (3.0,), *20 * (0.9 * SETTLE,))


def test_a_resource_is_removed_although_no_process_outlives_the_wait_for_a_create(bed: Bed) -> None:
    """AWS never received the Create of the first process."""
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", seconds=3600.0)
    operator = bed.operator()
    bed.apply(queue())
    eventually(lambda: (bed.get("orders") or {})["metadata"].get("finalizers"))
    operator.kill()
    bed.delete("orders")
    for life in LIVES:
        operator.start()
        end = time.monotonic() + life
        while time.monotonic() < end and bed.get("orders") is not None:
            time.sleep(0.1)
        operator.kill()
        if bed.get("orders") is None:
            return
    raise AssertionError(f"{len(LIVES)} processes did not get to the end: {bed.get('orders')}")
