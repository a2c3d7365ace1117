"""The first call to AWS takes long or fails once, as on a slow machine or in a new pod. The operator waits."""

from tests.aws import FaultKind
from tests.bed import Bed, condition_of
from tests.e2e.manifests import queue

#: Seconds. Any other call would be given up before.
LATE = 8.0


def test_a_late_first_answer_is_not_reported_as_a_failure(bed: Bed) -> None:
    bed.control.fault(FaultKind.DELAY, "GetCallerIdentity", seconds=LATE, times=1)
    reasons: list[str] = []
    bed.follow("orders", lambda found: reasons.append(condition_of(found, "Ready").get("reason", "")))
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    assert "AWSUnreachable" not in reasons
    assert "AWSUnreachable" not in bed.events("orders")
    assert bed.calls()["GetCallerIdentity"] == 1, "the operator did not give the first call up"


def test_a_first_call_that_fails_once_is_not_reported_as_a_failure(bed: Bed) -> None:
    bed.control.fault(FaultKind.CLOSE, "GetCallerIdentity", times=1)
    reasons: list[str] = []
    bed.follow("orders", lambda found: reasons.append(condition_of(found, "Ready").get("reason", "")))
    bed.apply(queue())
    bed.operator()
    bed.wait_ready("orders")
    assert "AWSUnreachable" not in reasons
    assert "AWSUnreachable" not in bed.events("orders")
    assert bed.calls()["GetCallerIdentity"] == 2
