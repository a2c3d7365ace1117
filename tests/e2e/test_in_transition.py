"""AWS refuses changes during a transition of a mapping. The operator waits, and sends no requests that AWS refuses."""

from tests.bed import Bed
from tests.e2e.manifests import stream
from tests.waiting import eventually


def test_an_edit_waits_for_the_creation_to_end(bed: Bed) -> None:
    bed.operator()
    bed.control.set(hold=True)
    bed.apply(stream())
    eventually(lambda: bed.status("orders").get("state") == "Creating")
    bed.patch("orders", {"batchSize": 7})
    reconciling = bed.wait_condition("orders", "Reconciling", "True", "Creating")
    assert "state Creating" in reconciling["message"]
    bed.patch("orders", {"batchSize": 8, "tags": {"team": "shop"}})
    bed.wait_condition("orders", "Reconciling", "True", "Creating")
    assert bed.condition("orders", "Ready")["status"] == "False"

    bed.control.set(hold=False)
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 8)
    eventually(lambda: bed.mapping("orders")["Tags"].get("team") == "shop")
    bed.wait_ready("orders")
    assert [one["BatchSize"] for one in bed.requests("UpdateEventSourceMapping")] == [8]
    assert bed.control.counts().errors == {}


def test_a_deletion_waits_for_the_creation_to_end(bed: Bed) -> None:
    bed.operator()
    bed.control.set(hold=True)
    bed.apply(stream())
    eventually(lambda: bed.status("orders").get("state") == "Creating")
    bed.delete("orders")
    bed.wait_condition("orders", "Reconciling", "True", "Deleting")
    assert "DeleteEventSourceMapping" not in bed.calls()

    bed.control.set(hold=False)
    bed.wait_gone("orders")
    assert bed.mappings() == []
    assert bed.control.counts().errors.keys() <= {"GetEventSourceMapping"}


def test_the_finalizer_stays_until_aws_has_deleted_the_mapping(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.delete("orders")
    eventually(lambda: bed.status("orders").get("state") == "Deleting")
    bed.wait_swept(2)
    assert bed.get("orders") is not None
    assert bed.calls()["DeleteEventSourceMapping"] == 1

    bed.control.set(hold=False)
    bed.wait_gone("orders")
    assert bed.mappings() == []
