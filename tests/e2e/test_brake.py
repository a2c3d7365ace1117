"""The brake: deletions beyond the limit of a minute wait, and say so; edits go on."""

import urllib.request

from tests.e2e.bed import Bed, eventually
from tests.e2e.manifests import queue, stream
from tests.operator_process import OperatorProcess

LIMIT = 3


def test_deletions_beyond_the_limit_wait_their_turn(bed: Bed) -> None:
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
    assert "DeletionsHeld" in eventually(lambda: bed.events(name))

    bed.patch("living", {"batchSize": 7})
    eventually(lambda: bed.mapping("living")["BatchSize"] == 7, what="an edit is not held")
    deleted = bed.calls()["DeleteEventSourceMapping"]
    assert deleted <= LIMIT + 2
    bed.kubectl("annotate", "esm", *(one["metadata"]["name"] for one in held), "lambda.esm-operator.io/paused=true")
    eventually(
        lambda: all(
            "Paused" in str(one["status"]["conditions"]) for one in bed.all() if one["metadata"]["name"] != "living"
        ),
        what="what is held can be stopped",
    )


def test_what_was_held_is_deleted_in_the_end(bed: Bed) -> None:
    bed.operator("--deletions-per-minute=20")
    names = [f"orders-{number}" for number in range(22)]
    bed.apply(*(queue(name) for name in names))
    for name in names:
        bed.wait_ready(name)
    bed.kubectl("delete", "esm", "--all", "--wait=false")
    eventually(lambda: not bed.all(), what="all are gone")
    assert not bed.mappings()


def test_what_needs_no_deletion_any_more_waits_for_none(bed: Bed) -> None:
    operator = bed.operator("--deletions-per-minute=1", "--sweep-interval=1")
    bed.apply(queue("first"), stream("held", replacePolicy="Recreate"))
    uuid = bed.wait_ready("held")["status"]["uuid"]
    bed.wait_ready("first")
    bed.delete("first")
    bed.wait_gone("first")
    bed.patch("held", {"startingPosition": "TRIM_HORIZON"})
    bed.wait_condition("held", "Ready", "False", "DeletionsHeld")
    assert held(operator) == 1
    bed.control.delete_mapping(uuid)
    bed.wait_ready("held")
    assert held(operator) == 0


def held(operator: OperatorProcess) -> float:
    """How many deletions it says that wait."""
    with urllib.request.urlopen(f"{operator.url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("esm_operator_deletions_held "))
    return float(value)
