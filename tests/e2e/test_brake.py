"""The limit of deletions: deletions beyond the limit of a minute wait and report it, and edits continue."""

from tests.bed import Bed
from tests.e2e.manifests import queue, stream
from tests.e2e.scraped import reader
from tests.waiting import eventually

LIMIT = 3


def test_deletions_beyond_the_limit_wait(bed: Bed) -> None:
    bed.operator(f"--deletions-per-minute={LIMIT}")
    names = [f"orders-{number}" for number in range(LIMIT + 3)]
    bed.apply(*(queue(name) for name in names), queue("living"))
    for name in (*names, "living"):
        bed.wait_ready(name)
    for name in names:
        bed.delete(name)
    eventually(lambda: len(bed.mappings()) <= len(names) + 1 - LIMIT, what="the first are deleted")
    held = eventually(
        lambda: [one for one in bed.all() if "DeletionsHeld" in str(one.get("status", {}).get("conditions"))]
    )
    name = held[0]["metadata"]["name"]
    message = bed.condition(name, "Ready")["message"]
    assert "--deletions-per-minute" in message
    assert "paused" in message
    bed.event(name, "DeletionsHeld")

    bed.patch("living", {"batchSize": 7})
    eventually(lambda: bed.mapping("living")["BatchSize"] == 7, what="an edit is not held")
    deleted = bed.calls()["DeleteEventSourceMapping"]
    assert deleted <= LIMIT + 2
    for one in held:
        bed.annotate(one["metadata"]["name"], paused="true")
    eventually(
        lambda: all(
            "Paused" in str(one["status"]["conditions"]) for one in bed.all() if one["metadata"]["name"] != "living"
        ),
        what="what is held can be stopped",
    )


def test_a_held_deletion_is_carried_out_later(bed: Bed) -> None:
    bed.operator("--deletions-per-minute=20")
    names = [f"orders-{number}" for number in range(22)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        bed.wait_ready(name)
    bed.delete_all()
    eventually(lambda: not bed.all(), what="all are gone")
    assert not bed.mappings()


def test_a_resource_that_needs_no_deletion_any_more_stops_waiting(bed: Bed) -> None:
    operator = bed.operator("--deletions-per-minute=1", "--sweep-interval=1")
    bed.apply(queue("first"), stream("held", replacePolicy="Recreate"))
    uuid = bed.wait_ready("held")["status"]["uuid"]
    bed.wait_ready("first")
    bed.delete("first")
    bed.wait_gone("first")
    bed.patch("held", {"startingPosition": "TRIM_HORIZON"})
    bed.wait_condition("held", "Ready", "False", "DeletionsHeld")
    read = reader(operator)
    assert read("deletions_held") == 1
    bed.control.delete_mapping(uuid)
    bed.wait_ready("held")
    assert read("deletions_held") == 0
