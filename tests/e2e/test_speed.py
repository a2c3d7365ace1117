"""The time from apply to Create, and the number of requests. Times are printed, and counts are checked."""

import statistics
import time

from tests.bed import SWEEPS, Bed
from tests.e2e.manifests import queue, stream
from tests.waiting import eventually

#: Writes: finalizer and intent, the UUID of the mapping, the end of its transition.
WRITES_OF_A_CREATION = 3


def test_the_time_from_apply_to_create_is_printed(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("first"))
    bed.wait_ready("first")
    waited: list[float] = []
    for number in range(5):
        name = f"orders-{number}"
        bed.control.reset_counts()
        bed.apply(queue(name))
        applied = time.time()
        request = eventually(
            lambda: next(
                (one for one in bed.control.requests(50) if one["operation"] == "CreateEventSourceMapping"), None
            )
        )
        waited.append(request["time"] - applied)
        bed.wait_ready(name)
    print(f"From the end of kubectl apply to Create: median {1000 * statistics.median(waited):.0f} ms, ", end="")
    print(f"most {1000 * max(waited):.0f} ms")


def test_a_creation_is_one_call_and_three_writes(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue("first"))
    bed.wait_ready("first")
    bed.control.reset_counts()
    versions: set[str] = set()
    bed.follow("orders", lambda found: versions.add(found["metadata"]["resourceVersion"]))
    bed.apply(stream())
    bed.wait_ready("orders")
    bed.apply(queue("last"))
    bed.wait_ready("last")

    assert 1 < len(versions) <= 1 + WRITES_OF_A_CREATION, versions
    calls = bed.calls()
    assert calls["CreateEventSourceMapping"] == 2
    assert calls.keys() <= SWEEPS | {"CreateEventSourceMapping", "GetEventSourceMapping"}
