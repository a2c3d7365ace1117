"""A mapping moves to another namespace, name or application in two commits, and processes events all the time."""

from typing import Any

from tests.bed import KIND, WRITES, Bed
from tests.e2e.manifests import queue


def spec(**more: Any) -> dict[str, Any]:
    return {"functionName": "orders", "batchSize": 10, **more}


def test_to_another_name(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue("orders", **spec()))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.reset_counts()

    # The first commit: the old resource keeps its mapping when it is deleted.
    bed.apply(queue("orders", **spec(deletionPolicy="Retain")))
    bed.wait_ready("orders")
    # The second commit: the new resource is applied before the old one is pruned, as in Argo CD and Flux.
    source = queue("orders")["spec"]["eventSourceARN"]
    bed.apply(queue("bills", **spec(eventSourceARN=source, adoption={"policy": "IfExists"})))
    bed.wait_condition("bills", "Stalled", "True", "Conflict")
    bed.kubectl("delete", KIND, "orders", "--timeout=200s")

    assert bed.wait_ready("bills")["status"]["uuid"] == uuid
    (found,) = bed.mappings()
    assert (found["UUID"], found["State"], found["Tags"]["esm-operator.io/name"]) == (uuid, "Enabled", "bills")
    assert bed.calls().keys() & WRITES == {"TagResource", "UntagResource"}
