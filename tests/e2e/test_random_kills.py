"""The operator is killed fifty times at random, while 200 resources are created, edited, deleted and created again.

A seed determines all steps, but not their times. ``KILLS_SEED=7`` makes another plan.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import NewBed
from tests.controlplane.client import ExistsError
from tests.e2e.kills import Spec, Stage, Wanted, named, problems, stage, wait
from tests.e2e.manifests import HERE

pytestmark = pytest.mark.long

RESOURCES = 200
EDITS = 300
KILLS = 50
#: The shortest and the longest time between two kills, in seconds. Some kills hit the operator before it is ready.
BETWEEN = (0.1, 2.0)
#: Seconds to converge after the kills. No process ran longer than the wait for a pending Create. A busy machine needs
#: minutes for fifty processes.
LONGEST = 400.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: the fixed fields of its specs, and their members in AWS."""

    spec: Spec
    aws: Mapping[str, Any]
    replaced: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Immutable fields: the field, the member in AWS, and values."""
    applied: frozenset[str] = frozenset()
    immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    fields: tuple[tuple[str, str, tuple[Any, ...]], ...] = ()
    """Mutable fields: the field, the member in AWS, and values."""


_POSITION = ("startingPosition", "StartingPosition", ("LATEST", "TRIM_HORIZON"))
_QUEUES = tuple(f"arn:aws:sqs:{HERE}:{name}" for name in ("orders", "returns"))
_STREAM = f"arn:aws:kinesis:{HERE}:stream/orders"
_TABLE = f"arn:aws:dynamodb:{HERE}:table/orders/stream/2026-01-01T00:00:00.000"
_KAFKA = f"arn:aws:kafka:{HERE}:cluster/orders/11111111-2222-3333-4444-555555555555-1"
_SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-1.example.com:9092", "kafka-2.example.com:9092"]}
_ENDPOINTS = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"
_SECRET = f"arn:aws:secretsmanager:{HERE}:secret:orders"

_FIELDS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("batchSize", "BatchSize", (2, 5, 7)),
    ("enabled", "Enabled", (True, False)),
)
_WINDOW = ("maximumBatchingWindowInSeconds", "MaximumBatchingWindowInSeconds", (3, 30))

KINDS = (
    Kind(
        spec={},
        aws={},
        replaced=(("eventSourceARN", "EventSourceArn", _QUEUES),),
        fields=(*_FIELDS, _WINDOW),
    ),
    Kind(
        spec={"eventSourceARN": _STREAM},
        aws={"EventSourceArn": _STREAM},
        replaced=(_POSITION,),
        fields=(*_FIELDS, _WINDOW, ("parallelizationFactor", "ParallelizationFactor", (2, 3))),
    ),
    Kind(
        spec={"eventSourceARN": _TABLE},
        aws={"EventSourceArn": _TABLE},
        replaced=(_POSITION,),
        fields=(*_FIELDS, _WINDOW, ("maximumRetryAttempts", "MaximumRetryAttempts", (0, 3))),
    ),
    Kind(
        spec={"eventSourceARN": _KAFKA, "topics": ["orders"]},
        aws={"EventSourceArn": _KAFKA, "Topics": ["orders"]},
        replaced=(_POSITION,),
        applied=frozenset({"topics"}),
        immutable={"topics": "[orders]"},
        fields=_FIELDS,
    ),
    Kind(
        spec={
            "selfManagedEventSource": {"endpoints": _SERVERS},
            "topics": ["orders"],
            "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": _SECRET}],
        },
        aws={
            "SelfManagedEventSource": {"Endpoints": _SERVERS},
            "Topics": ["orders"],
            "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": _SECRET}],
        },
        replaced=(_POSITION,),
        applied=frozenset({"topics", _ENDPOINTS, "sourceAccessConfigurations"}),
        immutable={"topics": "[orders]", _ENDPOINTS: "[kafka-1.example.com:9092, kafka-2.example.com:9092]"},
        fields=_FIELDS,
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The values of a resource, and its mapping in AWS."""

    spec: Spec
    wanted: Wanted
    fixed: tuple[str, ...]
    """The values of immutable fields."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    name: str
    asked: Asked | None
    """None: the resource is deleted."""
    new: bool
    """Whether the step creates the resource."""


class Plan:
    """All steps in order, and the expected result."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds = {f"item-{number}": KINDS[number % len(KINDS)] for number in range(RESOURCES)}
        self.last: dict[str, Asked | None] = {}
        self.creations = 0
        """How many mappings AWS has to make for it, at most."""
        self.steps = list(self._steps())

    def _steps(self) -> Iterator[Step]:
        to_come = list(self._kinds)
        edits = EDITS
        while to_come or edits:
            if to_come and (not self.last or self._random.random() < 0.4):
                yield self._make(to_come.pop())
            elif edits:
                edits -= 1
                name = self._random.choice(list(self.last))
                if self.last[name] is None:
                    yield self._make(name)
                elif self._random.random() < 0.25:
                    self.last[name] = None
                    yield Step(name, None, new=False)
                else:
                    yield self._edit(name)

    def _make(self, name: str) -> Step:
        asked = self.last[name] = self._ask(name)
        self.creations += 1
        return Step(name, asked, new=True)

    def _edit(self, name: str) -> Step:
        old, new = self.last[name], self._ask(name)
        assert old is not None
        self.creations += old.fixed != new.fixed
        self.last[name] = new
        return Step(name, new, new=False)

    def _ask(self, name: str) -> Asked:
        kind, choice = self._kinds[name], self._random.choice
        function = choice(("{name}", "{name}", "{name}-new"))
        spec = {**kind.spec, "functionName": function, "replacePolicy": "Recreate"}
        aws = {**kind.aws, "FunctionName": function}
        fixed = tuple(choice(values) for _, _, values in kind.replaced)
        for (field_, member, _), value in zip(kind.replaced, fixed, strict=True):
            spec[field_], aws[member] = value, value
        applied = kind.applied | {name for name, _, _ in kind.replaced}
        for field_, member, values in kind.fields:
            if self._random.random() < 0.4:
                spec[field_] = aws[member] = choice(values)
                applied |= {field_}
        tags = {key: choice(("a", "b")) for key in ("team", "stage") if self._random.random() < 0.4}
        if tags:
            spec["tags"] = tags
        wanted = Wanted(named(aws, name), tags=tags, applied=applied, immutable=kind.immutable)
        return Asked(named(spec, name), wanted, fixed)


@pytest.mark.parametrize("tag_delay", [0.0, 3.0])
def test_fifty_random_kills_leave_the_mappings_of_the_specs(new_bed: NewBed, tag_delay: float) -> None:
    seed = int(os.environ.get("KILLS_SEED", "1"))
    print(f"KILLS_SEED={seed}")
    plan = Plan(seed)
    moments = random.Random(seed)
    on = stage(new_bed(account="111111111111"), "--requests-per-second=200")
    on.bed.control.set(tag_delay=tag_delay)
    try:
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(carry_out, plan, on, KILLS * sum(BETWEEN) / 2 / len(plan.steps))
            kill_often(on, load, moments)
            on.operator.start()
            load.result()
        check(plan, on)
    except Exception as error:
        raise AssertionError(f"KILLS_SEED={seed}: {error}\n{on.operator.tail(200)}") from error


def carry_out(plan: Plan, on: Stage, pause: float) -> None:
    """Carry out all steps, with a pause after each step."""
    for step in plan.steps:
        if step.asked is None:
            on.bed.delete(step.name)
        elif step.new:
            wait(lambda step=step: [] if _make(on, step) else [f"{step.name} is still there"], LONGEST)
        else:
            assert on.bed.edit(step.name, step.asked.spec), f"{step.name} is gone"
        time.sleep(pause)


def _make(on: Stage, step: Step) -> bool:
    assert step.asked is not None
    try:
        on.bed.create(step.name, step.asked.spec)
    except ExistsError:  # the previous one is being deleted
        return False
    return True


def kill_often(on: Stage, load: Future[None], moments: random.Random) -> None:
    """Start the operator and kill it, again and again."""
    for number in range(KILLS):
        on.operator.launch()
        time.sleep(moments.uniform(*BETWEEN))
        assert not on.operator.has_ended(), f"it ended by itself before kill {number + 1}"
        on.operator.kill()
        if load.done():
            load.result()


def check(plan: Plan, on: Stage) -> None:
    """Check that AWS has exactly the mappings of the specs."""
    models = {
        name: on.model(name, asked.wanted.mapping)
        for name, asked in plan.last.items()
        if asked is not None and asked.wanted.mapping is not None
    }

    def all_problems() -> list[str]:
        resources = {one["metadata"]["name"]: one for one in on.bed.all()}
        mappings: dict[str, dict[str, dict[str, Any]]] = {}
        for uuid, one in on.mappings().items():
            function = one["FunctionArn"].rpartition(":")[2].removesuffix("-new")
            mappings.setdefault(function, {})[uuid] = one
        found = [f"a mapping of {name}" for name in mappings.keys() - plan.last.keys()]
        for name, asked in plan.last.items():
            wanted = asked.wanted if asked is not None else Wanted(None)
            told = problems(
                *(name, on.bed.namespace, resources.get(name), mappings.get(name, {})),
                *(wanted, models.get(name, {}), frozenset[str]()),
            )
            if told:
                shown = json.dumps([resources.get(name), mappings.get(name)], indent=1) if len(found) < 3 else ""
                found.append(f"{name}: {'; '.join(told)}\n{shown}")
        return found

    wait(all_problems)
    counts = on.bed.control.counts()
    answered = Counter(counts.calls)["CreateEventSourceMapping"]
    made = answered - sum(counts.errors.get("CreateEventSourceMapping", {}).values())
    living = len(models)
    print(f"{len(plan.steps)} steps, {KILLS} kills, {living} mappings at last, {made} made, {plan.creations} asked for")
    assert living <= made <= plan.creations
