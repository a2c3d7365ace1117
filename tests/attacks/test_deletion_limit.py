"""A namespace that deletes many resources does not hold a deletion in another namespace behind all of them."""

from tests.bed import Bed, Resources
from tests.bed.cluster import create_namespace
from tests.e2e.manifests import queue
from tests.waiting import eventually

LIMIT = 12
HELD = 20


def test_namespaces_take_turns_to_delete(bed: Bed) -> None:
    neighbour = Resources(bed.client, f"{bed.namespace}-neighbour")
    create_namespace(bed.client, neighbour.namespace)
    bed.exits.callback(neighbour.clear)
    bed.operator(f"--deletions-per-minute={LIMIT}")
    names = [f"orders-{number}" for number in range(LIMIT + HELD)]
    bed.apply(*(queue(name) for name in names))
    neighbour.apply(queue("bills"))
    for name in names:
        bed.wait_ready(name)
    neighbour.wait_ready("bills")
    bed.delete_all()
    eventually(lambda: len(bed.mappings()) <= HELD + 1, what="the limit is reached")
    eventually(lambda: "DeletionsHeld" in str(bed.all()), what="deletions are held")
    neighbour.delete("bills")
    neighbour.wait_gone("bills")
    assert len(bed.all()) > HELD // 2, "the neighbour did not wait for the other namespace"
