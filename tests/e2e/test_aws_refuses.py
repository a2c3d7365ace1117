"""Refusals of AWS: the status has AWS's message and the remedy, and resources recover without a user."""

from tests.aws import FaultKind
from tests.bed import Bed, is_ready
from tests.e2e.back_off import NOT_DELAYED, RETRY_AFTER
from tests.e2e.manifests import QUEUE, queue
from tests.waiting import eventually


def test_a_missing_function_or_source_is_reported_and_resources_recover(bed: Bed) -> None:
    bed.control.set_world(missing_functions=["no-function"], missing_sources=[QUEUE])
    bed.control.fault(
        FaultKind.ROLE_LACKS_PERMISSION, "CreateEventSourceMapping", match={"FunctionName": "new-role"}, times=1
    )
    bed.operator()
    bed.apply(queue("no-function"), queue("no-queue", eventSourceARN=QUEUE), queue("new-role"))

    for name, reason, says, remedy in (
        ("no-function", "FunctionNotFound", "Function does not exist", "spec.functionName"),
        ("no-queue", "EventSourceNotFound", "NonExistentQueue", "spec.eventSourceARN"),
        ("new-role", "RoleLacksPermission", "does not have permissions", "wait some minutes"),
    ):
        ready = bed.wait_condition(name, "Ready", "False", reason)
        assert says in ready["message"]
        assert remedy in ready["message"]
        assert bed.condition(name, "Reconciling")["status"] == "True"
        assert bed.condition(name, "Stalled")["status"] == "False"
        eventually(lambda name=name, reason=reason, told=ready["message"]: bed.events(name).get(reason) == told)

    bed.control.set_world(missing_functions=[], missing_sources=[])
    for name in ("no-function", "no-queue", "new-role"):
        bed.wait_ready(name)
    assert len(bed.mappings()) == 3


def test_an_edit_is_sent_immediately(bed: Bed) -> None:
    bed.control.fault(
        FaultKind.ERROR,
        "CreateEventSourceMapping",
        code="InvalidParameterValueException",
        message="Function does not exist",
        match={"FunctionName": "wrong"},
        retry_after=RETRY_AFTER,
    )
    bed.operator()
    bed.apply(queue(functionName="wrong"))
    bed.wait_condition("orders", "Ready", "False", "FunctionNotFound")
    bed.patch("orders", {"functionName": "right"})
    bed.wait_ready("orders", limit=NOT_DELAYED)


def test_resources_recover_from_throttling_and_failures(bed: Bed) -> None:
    kinds = (FaultKind.THROTTLE, FaultKind.THROTTLING_EXCEPTION, FaultKind.SERVICE_EXCEPTION, FaultKind.CLOSE)
    for kind in kinds:
        bed.control.fault(kind, "CreateEventSourceMapping", match={"FunctionName": str(kind)}, times=1)
    bed.operator()
    bed.apply(*(queue(str(kind)) for kind in kinds))
    for kind in kinds:
        bed.wait_ready(str(kind))
    assert bed.calls()["CreateEventSourceMapping"] == 2 * len(kinds)
    assert len(bed.mappings()) == len(kinds)


def test_refused_credentials_are_reported(bed: Bed) -> None:
    fault = bed.control.fault(FaultKind.UNRECOGNIZED_CLIENT, retry_after=RETRY_AFTER)
    bed.operator()
    bed.apply(queue())
    ready = bed.wait_condition("orders", "Ready", "False", "CredentialsRefused")
    assert "security token included in the request is invalid" in ready["message"]
    assert "Give the operator valid AWS credentials" in ready["message"]
    bed.control.remove_fault(fault)
    bed.patch("orders", {"batchSize": 5})
    bed.wait_ready("orders", limit=NOT_DELAYED)


def test_many_creations_stay_within_the_rate_limit(bed: Bed) -> None:
    bed.control.set(quota=15)
    bed.operator("--requests-per-second=10")
    bed.apply(*(queue(f"orders-{number}") for number in range(30)))
    eventually(lambda: all(map(is_ready, bed.all())))
    counts = bed.control.counts()
    assert counts.throttled == 0
    assert counts.calls["CreateEventSourceMapping"] == 30
    assert len(bed.mappings()) == 30
