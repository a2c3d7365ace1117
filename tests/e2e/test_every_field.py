"""Every field of every source is set, changed, removed and set again, and read back from AWS each time.

The operator does not change a field that was never set. An edit waits until AWS has finished a transition.

The table is ``tests/every_field.py``. Each source has one test with one resource for each field. All resources are
reconciled at the same time, so that a test takes seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from esm_operator.api.fields import FIELDS
from esm_operator.api.sources import SourceType
from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import mapping, stream
from tests.every_field import (
    KEPT,
    NOT_IN_THIS_MODE,
    PAIRS,
    REQUIRED,
    SOURCES,
    Pair,
    Value,
    answered,
    distinct,
    meaning,
    pairs_of,
)
from tests.specs import spec
from tests.waiting import eventually

#: The names of a source type in the table. A mode with other fields or meanings counts as its own source.
NAMES: Mapping[SourceType, tuple[str, ...]] = {
    SourceType.SQS: ("sqs", "fifo"),
    SourceType.KINESIS: ("kinesis",),
    SourceType.DYNAMODB: ("dynamodb",),
    SourceType.MSK: ("msk",),
    SourceType.SELF_MANAGED_KAFKA: ("self-managed", "self-managed-queue"),
    SourceType.MQ: ("mq",),
    SourceType.DOCUMENTDB: ("documentdb",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One resource, for one pair of source and field."""

    name: str
    pair: Pair

    def manifest(self, value: Value | None) -> dict[str, Any]:
        """The spec with the field set to a value, or without the field."""
        edit: dict[str, Any] = {"functionName": self.name, **self.pair.beside}
        if value is not None:
            edit[self.pair.path] = self._named(value.spec)
        base = spec("self-managed" if self.pair.source == "self-managed-queue" else self.pair.source, {})
        wanted = _edited({**base, **SOURCES[self.pair.source]}, edit)
        return mapping(self.name, **wanted)

    def answer(self, value: Value) -> Any:
        """The expected value in the answer of AWS."""
        return meaning(self._named(value.answer))

    def _named(self, value: Any) -> Any:
        return value.replace("{name}", self.name) if isinstance(value, str) else value


def _edited(base: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a spec, with values set at paths."""
    result = _copy(base)
    for path, value in edit.items():
        *parents, last = path.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return result


def _copy(value: Any) -> Any:
    return {name: _copy(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def test_every_mutable_field_of_every_source_has_a_row() -> None:
    operators = {
        (name, row.path)
        for row in FIELDS
        if not row.immutable
        for source in row.sources
        for name in NAMES[source]
        if (name, row.path) not in NOT_IN_THIS_MODE
    }
    besides = {pair for pair in distinct() if pair[1] in ("tags", "provisionedPollerConfig")}
    assert set(distinct()) - besides == operators


@pytest.mark.parametrize("source", SOURCES)
def test_every_field_is_set_changed_removed_and_set_again(bed: Bed, source: str) -> None:
    bed.control.set(pace=0.05)
    bed.operator("--sweep-interval=1", "--requests-per-second=1000")
    subjects = [Subject(f"{source}-{number}", pair) for number, pair in enumerate(pairs_of(source))]

    for turn in (0, 1):
        bed.apply(*(one.manifest(one.pair.values[turn]) for one in subjects))
        _expect(bed, f"value {turn}", {one: one.answer(one.pair.values[turn]) for one in subjects})

    removable = [one for one in subjects if one.pair.removed is not REQUIRED]
    bed.apply(*(one.manifest(None) for one in removable))
    kept = [one for one in removable if one.pair.removed is KEPT]
    _expect(
        bed,
        "removed",
        {one: one.answer(one.pair.values[1]) if one in kept else meaning(one.pair.removed) for one in removable},
    )
    for one in removable:
        told = bed.condition(one.name, "Synced")
        assert told["status"] == "True", (one, told)
        assert (told["reason"] == "KeptByAWS") == (one in kept), (one, told)
        assert (f"spec.{one.pair.path}" in told["message"]) == (one in kept), (one, told)

    updates = bed.calls().get("UpdateEventSourceMapping", 0)
    bed.wait_swept(2)
    assert bed.calls().get("UpdateEventSourceMapping", 0) == updates, "AWS is written to though nothing differs"

    bed.apply(*(one.manifest(one.pair.values[0]) for one in subjects))
    _expect(bed, "set again", {one: one.answer(one.pair.values[0]) for one in subjects})
    assert bed.control.counts().errors == {}
    assert len(bed.mappings()) == len(subjects)


def test_a_field_that_was_never_set_is_not_changed(bed: Bed) -> None:
    bed.control.set(pace=0.05)
    bed.operator("--sweep-interval=1", "--requests-per-second=1000")
    bare = {source: Pair(source, "", "", (Value(None, None), Value(None, None)), None, {}) for source in SOURCES}
    subjects = [Subject(f"bystander-{source}", pair) for source, pair in bare.items()]
    bed.apply(*(one.manifest(None) for one in subjects))
    _wait_settled(bed, subjects, "made")

    wanted: dict[str, dict[str, Any]] = {}
    for one in subjects:
        found = bed.mapping(one.name)
        by_hand = _by_hand(found, one.pair.source)
        bed.control.edit_mapping(found["UUID"], **by_hand)
        wanted[found["UUID"]] = by_hand
    bed.wait_swept(3)
    _wait_settled(bed, subjects, "well with what somebody else has set")
    for found in bed.mappings():
        for member, value in wanted[found["UUID"]].items():
            assert meaning(found[member]) == meaning(value), (found["source"], member)
    assert not bed.calls().keys() & {"UpdateEventSourceMapping", "TagResource", "UntagResource"}


def _by_hand(found: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Members of a mapping with another value for each field that its resource does not set."""
    edited: dict[str, Any] = {}
    for pair in PAIRS:
        if pair.source != source or pair.removed is REQUIRED or pair.member in ("Enabled", "Tags"):
            continue
        top, *rest = pair.member.split(".")
        value = pair.values[0].answer or pair.values[1].answer
        if not rest:
            edited[top] = value
            continue
        place = edited.setdefault(top, _copy(found.get(top) or {}))
        for name in rest[:-1]:
            place = place.setdefault(name, {})
        place[rest[-1]] = value
    return {**edited, "Tags": {**found["Tags"], "by": "hand"}}


@pytest.mark.parametrize(
    ("before", "edit", "state"),
    [
        ({}, {"batchSize": 7}, "Updating"),
        ({}, {"enabled": False}, "Disabling"),
        ({"enabled": False}, {"enabled": True}, "Enabling"),
    ],
)
def test_an_edit_waits_for_the_one_before_it(
    bed: Bed, before: dict[str, Any], edit: dict[str, Any], state: str
) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(stream(**before))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.patch("orders", edit)
    bed.wait_condition("orders", "Reconciling", "True", state)
    bed.patch("orders", {"batchSize": 50, "parallelizationFactor": 2, "tags": {"team": "shop"}})
    bed.patch("orders", {"batchSize": None})
    eventually(lambda: f"state {state}" in bed.condition("orders", "Reconciling").get("message", ""))
    bed.wait_swept(2)
    assert bed.calls()["UpdateEventSourceMapping"] == 1

    bed.control.set(hold=False)
    eventually(lambda: bed.mapping("orders").get("ParallelizationFactor") == 2)
    bed.wait_ready("orders")
    found = bed.mapping("orders")
    assert (found["BatchSize"], found["Tags"]["team"]) == (100, "shop")
    assert found["State"] == ("Disabled" if edit == {"enabled": False} else "Enabled")
    assert bed.calls()["UpdateEventSourceMapping"] == 2
    assert bed.control.counts().errors == {}


@pytest.mark.parametrize("kind", [FaultKind.IN_USE, FaultKind.CONFLICT])
def test_an_edit_that_aws_is_not_ready_for_is_sent_again(bed: Bed, kind: FaultKind) -> None:
    bed.operator()
    bed.apply(stream())
    bed.wait_ready("orders")
    bed.control.fault(kind, "UpdateEventSourceMapping", times=2)
    bed.patch("orders", {"batchSize": 7})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    bed.wait_ready("orders")
    assert bed.calls()["UpdateEventSourceMapping"] == 3


def test_a_field_that_aws_resets_is_not_reported_as_kept(bed: Bed) -> None:
    bed.control.set(pace=0.05, empty_resets=True)
    bed.operator("--sweep-interval=1", "--requests-per-second=1000")
    doubtful = ("LoggingConfig", "SchemaRegistryConfig")
    pairs = [pair for pair in PAIRS if set(pair.member.split(".")) & set(doubtful)]
    subjects = [Subject(f"{pair.source}-{number}", pair) for number, pair in enumerate(pairs)]
    bed.apply(*(one.manifest(one.pair.values[0]) for one in subjects))
    _expect(bed, "set", {one: one.answer(one.pair.values[0]) for one in subjects})
    bed.apply(*(one.manifest(None) for one in subjects))
    _expect(bed, "removed", dict.fromkeys(subjects))
    for one in subjects:
        assert bed.condition(one.name, "Synced")["reason"] == "InSync", one


def _wait_settled(bed: Bed, subjects: list[Subject], what: str) -> dict[str, dict[str, Any]]:
    """Wait until all resources are Ready for their current specs. Returns them by name."""
    found: dict[str, dict[str, Any]] = {}

    def settled() -> bool:
        found.update({one["metadata"]["name"]: one for one in bed.all()})
        return all(_is_ready(found[one.name]) for one in subjects)

    try:
        eventually(settled)
    except AssertionError as error:
        shown = {one.pair.path: found[one.name].get("status") for one in subjects if not _is_ready(found[one.name])}
        raise AssertionError(f"Not ready ({what}): {shown}") from error
    return found


def _is_ready(resource: Mapping[str, Any]) -> bool:
    status = resource.get("status") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return status.get("observedGeneration") == resource["metadata"]["generation"] and conditions.get("Ready") == "True"


def _expect(bed: Bed, what: str, wanted: Mapping[Subject, Any]) -> None:
    """Wait until all resources are Ready, and compare them with the mappings in AWS."""
    found = _wait_settled(bed, list(wanted), what)
    at_aws = {one["UUID"]: one for one in bed.mappings()}
    wrong = {
        (one.pair.source, one.pair.path, f"beside {dict(one.pair.beside)}"): (got, value)
        for one, value in wanted.items()
        if (got := answered(at_aws[found[one.name]["status"]["uuid"]], one.pair.member)) != value
    }
    assert not wrong, f"{what}: {{field: (what AWS has, what it shall have)}}: {wrong}"
