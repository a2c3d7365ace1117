"""After a kill of the operator, or a lost answer of AWS, there is exactly one mapping, and never an orphan."""

import json

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import HERE, queue
from tests.waiting import eventually


@pytest.fixture(params=[0.0, 3.0], ids=["tags at once", "tags 3 s late"], autouse=True)
def tag_delay(bed: Bed, request: pytest.FixtureRequest) -> None:
    """The seconds until the tags of a Create are visible."""
    bed.control.set(tag_delay=request.param)


def test_a_create_whose_answer_is_lost_makes_one_mapping(bed: Bed) -> None:
    bed.control.fault(FaultKind.ANSWER_LOST, "CreateEventSourceMapping", times=1)
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    assert [one["UUID"] for one in bed.mappings()] == [bed.status("orders")["uuid"]]


def test_a_kill_during_a_create_and_an_edit_before_the_restart_leave_one_mapping(bed: Bed) -> None:
    bed.control.fault(FaultKind.DELAY_ANSWER, "CreateEventSourceMapping", times=1, seconds=4.0)
    operator = bed.operator()
    bed.apply(queue(batchSize=5))
    made = eventually(bed.mappings)[0]
    operator.kill()
    found = bed.get("orders")
    assert found is not None
    assert "uuid" not in (found.get("status") or {})
    intent = json.loads(found["metadata"]["annotations"]["lambda.esm-operator.io/intent"])
    assert intent["function"] == "orders"

    bed.patch("orders", {"functionName": "payments", "batchSize": None})
    operator.start()
    ready = bed.wait_ready("orders")
    assert ready["status"]["uuid"] == made["UUID"]
    assert ready["status"]["functionARN"].endswith(":function:payments")
    assert [one["UUID"] for one in bed.mappings()] == [made["UUID"]]
    assert bed.mappings()[0]["BatchSize"] == 10
    assert bed.calls()["CreateEventSourceMapping"] == 1


def test_a_kill_during_a_create_and_a_deletion_before_the_restart_leave_no_mapping(bed: Bed) -> None:
    bed.control.fault(FaultKind.DELAY_ANSWER, "CreateEventSourceMapping", times=1, seconds=4.0)
    operator = bed.operator()
    bed.apply(queue())
    eventually(bed.mappings)
    operator.kill()
    bed.delete("orders")

    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []


def test_a_create_that_takes_effect_after_a_kill_leaves_no_orphan(bed: Bed) -> None:
    """The next operator must not conclude from a missing mapping that none will be created."""
    names = ("same", "function-edited", "source-edited", "deleted")
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", times=len(names), seconds=5.0)
    operator = bed.operator()
    bed.apply(*(queue(name, batchSize=5, replacePolicy="Recreate") for name in names))
    eventually(lambda: bed.calls().get("CreateEventSourceMapping", 0) == len(names))
    operator.kill()
    assert bed.mappings() == []
    bed.patch("function-edited", {"functionName": "payments"})
    bed.patch("source-edited", {"eventSourceARN": f"arn:aws:sqs:{HERE}:payments", "batchSize": None})
    bed.delete("deleted")

    operator.start()
    bed.wait_gone("deleted")
    for name in ("same", "function-edited", "source-edited"):
        bed.wait_ready(name)
    eventually(lambda: not any(one["State"] == "Deleting" for one in bed.mappings()))
    made = {one["UUID"]: (one["FunctionArn"].rpartition(":")[2], one["EventSourceArn"]) for one in bed.mappings()}
    assert made == {
        bed.status("same")["uuid"]: ("same", f"arn:aws:sqs:{HERE}:same"),
        bed.status("function-edited")["uuid"]: ("payments", f"arn:aws:sqs:{HERE}:function-edited"),
        bed.status("source-edited")["uuid"]: ("source-edited", f"arn:aws:sqs:{HERE}:payments"),
    }
    assert bed.mapping("source-edited")["BatchSize"] == 10
    late = bed.requests("CreateEventSourceMapping")
    assert len(late) >= len(names), "all late ones have been answered"


def test_a_recreation_that_takes_effect_after_a_kill_leaves_no_orphan(bed: Bed) -> None:
    """The status has the UUID of a deleted mapping, and does not record the Create in progress."""
    names = ("deleted", "edited")
    operator = bed.operator("--sweep-interval=1")
    bed.apply(*(queue(name) for name in names))
    uuids = [bed.wait_ready(name)["status"]["uuid"] for name in names]
    bed.control.fault(FaultKind.DELAY, "CreateEventSourceMapping", times=len(names), seconds=5.0)
    for uuid in uuids:
        bed.control.delete_mapping(uuid)
    eventually(lambda: bed.calls()["CreateEventSourceMapping"] == 2 * len(names), what="they are made again")
    operator.kill()
    bed.delete("deleted")
    bed.patch("edited", {"functionName": "payments"})

    operator.start()
    bed.wait_gone("deleted")
    bed.wait_ready("edited")
    late = bed.requests("CreateEventSourceMapping")
    assert len(late) >= 2 * len(names), "all late ones have been answered"
    eventually(lambda: not any(one["State"] == "Deleting" for one in bed.mappings()))
    made = {one["UUID"]: one["FunctionArn"].rpartition(":")[2] for one in bed.mappings()}
    assert made == {bed.status("edited")["uuid"]: "payments"}


def test_a_kill_during_a_deletion_leaves_no_mapping(bed: Bed) -> None:
    operator = bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.delete("orders")
    eventually(lambda: "DeleteEventSourceMapping" in bed.calls())
    operator.kill()
    assert bed.get("orders") is not None

    bed.control.set(hold=False)
    operator.start()
    bed.wait_gone("orders")
    assert bed.mappings() == []
