"""A tenant writes resources in regions that do not exist. Each region would cost threads, clients and memory."""

from pathlib import Path

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.waiting import eventually

#: The number of resources, each in a region of its own.
_COUNT = 30


def test_regions_that_do_not_exist_cost_nothing(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue("good"))
    bed.wait_ready("good")
    threads = _threads(operator.pid)
    for number in range(_COUNT):
        bed.apply(queue(f"dead-{number}", eventSourceARN=f"arn:aws:sqs:xx-dead-{number}:123456789012:orders"))
    for number in range(_COUNT):
        stalled = bed.wait_condition(f"dead-{number}", "Stalled", "True", "RegionUnknown")
        assert f"xx-dead-{number}" in stalled["message"]
        assert "spec.eventSourceARN" in stalled["message"]
        assert "--more-regions" in stalled["message"]
    assert [one for one in bed.control.requests(10_000) if one["region"].startswith("xx-dead-")] == []
    assert _threads(operator.pid) <= threads + 2, "one to work on the good one, and one in reserve"
    bed.delete_all()
    eventually(lambda: not bed.all(), "nothing was created, so nothing holds the resources")


def test_a_region_that_is_named_is_used(bed: Bed) -> None:
    bed.operator("--more-regions=xx-new-1,xx-new-2")
    bed.apply(queue("new", eventSourceARN="arn:aws:sqs:xx-new-2:123456789012:orders"))
    bed.wait_ready("new")


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
