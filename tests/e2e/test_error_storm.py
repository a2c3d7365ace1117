"""Many resources fail at the same time: their retries use a small share of the quota, and no others wait for them."""

import time
from typing import Any

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import queue
from tests.waiting import eventually

MANY = 60
RATE = 10.0
#: The share of the rate that retries may use.
SHARE = 0.2
WATCHED = 15.0


@pytest.mark.long
def test_many_failing_resources_use_only_their_share_of_the_rate(bed: Bed) -> None:
    bed.operator(f"--requests-per-second={RATE:.0f}")
    bed.apply(queue("healthy", batchSize=1))
    bed.wait_ready("healthy")
    # Errors with the shortest back-off. Permanent errors cost less.
    fault = bed.control.fault(FaultKind.CONFLICT, "CreateEventSourceMapping")
    names = [f"orders-{number}" for number in range(MANY)]
    bed.apply(*(queue(name) for name in names))
    eventually(lambda: {one["FunctionName"] for one in creations(bed)} >= set(names), what="each was tried once")

    began, before = time.time(), len(creations(bed))
    batch_size, slowest = 1, 0.0
    while time.time() < began + WATCHED or len(creations(bed)) == before:
        batch_size = batch_size % 10 + 1
        bed.patch("healthy", {"batchSize": batch_size})
        edited = time.monotonic()
        eventually(lambda size=batch_size: bed.mapping("healthy")["BatchSize"] == size, what="an edit of a healthy one")
        slowest = max(slowest, time.monotonic() - edited)
        eventually(lambda: bed.mapping("healthy")["State"] == "Enabled")
    retries, share = len(creations(bed)) - before, SHARE * RATE * (time.time() - began)
    assert 1 <= retries <= share * 1.25 + 3, f"{retries} retries, and a fifth of the rate is {share:.0f}"
    assert slowest < MANY / (SHARE * RATE), "an edit does not wait for a round of retries"
    told = bed.wait_condition(names[0], "Ready", "False", "OperationInProgress")
    assert "retries automatically" in told["message"]

    bed.control.remove_fault(fault)
    for name in names:
        bed.wait_ready(name)
    assert len(bed.mappings()) == MANY + 1


def test_an_edit_ends_any_back_off(bed: Bed) -> None:
    """Even of a resource with a permanent error, among others with one."""
    fault = bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message="It can't be.",
        retry_after=RETRY_AFTER,
    )
    bed.operator()
    names = [f"orders-{number}" for number in range(20)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        told = bed.wait_condition(name, "Stalled", "True", "RefusedByAWS")
        assert "It can't be." in told["message"]
        assert "Correct the spec" in told["message"]
    refused = len(creations(bed))
    bed.control.remove_fault(fault)
    bed.patch("orders-7", {"batchSize": 5})
    bed.wait_ready("orders-7", limit=NOT_DELAYED)
    assert bed.mapping("orders-7")["BatchSize"] == 5
    assert refused == len(names), "no attempt but one each, because each waits for an edit"


def creations(bed: Bed) -> list[dict[str, Any]]:
    """The members of all requests to create a mapping."""
    return bed.requests("CreateEventSourceMapping")
