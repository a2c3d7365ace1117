"""The operator is killed at each boundary of a creation and of a replacement, and a referenced value changes meanwhile.

At the end there is exactly one mapping, of the newest value, and the status agrees.
"""

from typing import Any

import pytest

from tests.bed import Bed, is_ready
from tests.e2e.kills import Stage, stage
from tests.e2e.manifests import HERE, mapping
from tests.e2e.referenced_objects import case_of, put, reference, with_reference
from tests.waiting import eventually

pytestmark = pytest.mark.long

TABLE = case_of("Table", "dynamodb.services.k8s.aws")


def stream(number: int) -> str:
    return f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-0{number}T00:00:00.000"


def set_value(bed: Bed, name: str, number: int) -> None:
    """Let the table have another stream."""
    put(bed, TABLE, name, {"status": {"latestStreamARN": stream(number)}})


def create(bed: Bed, name: str) -> None:
    spec = with_reference(TABLE, reference(TABLE, name))
    bed.apply(mapping(name, replacePolicy="Recreate", **spec))


def problems(on: Stage, name: str, number: int) -> list[str]:
    """The differences from the only mapping of a value."""
    found = [one["EventSourceArn"] for one in on.mappings_of(name).values()]
    resource: dict[str, Any] = on.bed.get(name) or {}
    values = [one["value"] for one in (resource.get("status") or {}).get("references") or ()]
    if found == [stream(number)] == values and is_ready(resource):
        return []
    return [f"mappings of {found}, values {values}, ready: {is_ready(resource)}"]


def wait_at_rest(on: Stage, name: str, number: int) -> None:
    eventually(lambda: not problems(on, name, number), lambda: f"{problems(on, name, number)} {on.shown(name)}")


def begin(on: Stage, name: str, *, replace: bool, kill_at: str) -> None:
    """Begin a creation with the second value, or a replacement from the first value to the second."""
    if replace:
        set_value(on.bed, name, 1)
        create(on.bed, name)
        wait_at_rest(on, name, 1)
    on.watch.begin(kill_at=kill_at)
    set_value(on.bed, name, 2)
    if not replace:
        create(on.bed, name)


@pytest.mark.parametrize("replace", [False, True], ids=["creation", "replacement"])
def test_a_kill_while_the_value_changes_leaves_one_mapping(reference_bed: Bed, *, replace: bool) -> None:
    on = stage(reference_bed, "--sweep-interval=1")
    on.start()
    begin(on, "learn", replace=replace, kill_at="")
    wait_at_rest(on, "learn", 2)
    on.watch.end()
    boundaries = [one for one in on.watch.passed() if "events" not in one]
    assert any("CreateEventSourceMapping" in one for one in boundaries)
    for number, boundary in enumerate(boundaries):
        name = f"play-{number}"
        begin(on, name, replace=replace, kill_at=boundary)
        eventually(lambda name=name: on.operator.has_ended() or not problems(on, name, 2), f"killed {boundary}")
        on.operator.kill()
        on.watch.end()
        set_value(on.bed, name, 3)
        on.operator.start()
        wait_at_rest(on, name, 3)
        assert on.creations(name) <= 3
