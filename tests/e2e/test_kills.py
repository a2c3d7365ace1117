"""The operator is killed at each boundary, that is, before and after each call to AWS and each write to Kubernetes.

Each scenario runs once without a kill, to record its boundaries. Then it runs once for each boundary. The operator is
killed at this boundary, and started again. At the end there is always exactly one mapping, correct in each field and
tag, or none, and the status of the resource agrees.
"""

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import pytest

from tests.aws import AwsServer
from tests.bed import WRITES, is_ready
from tests.conftest import NewBed
from tests.e2e.kills import REGION, Spec, Stage, Wanted, named, stage, wait
from tests.e2e.manifests import HERE

pytestmark = pytest.mark.long

#: The number of boundaries that are tried at the same time.
STAGES = 6
#: Seconds until the tags of a Create are visible, in the runs with late tags.
TAG_DELAY = 3.0

QUEUE: Spec = {"functionName": "{name}", "eventSourceARN": f"arn:aws:sqs:{HERE}:orders"}
STREAM: Spec = {
    "functionName": "{name}",
    "eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/orders",
    "startingPosition": "LATEST",
    "replacePolicy": "Recreate",
}
PATTERN = '{"body": {"kind": ["new"]}}'
FILTERS = {"filters": [{"pattern": PATTERN}]}
AT_AWS = {"FunctionName": "{name}", "EventSourceArn": QUEUE["eventSourceARN"]}
STREAM_AT_AWS = {**AT_AWS, "EventSourceArn": STREAM["eventSourceARN"], "StartingPosition": "LATEST"}
SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": ["kafka-1.example.com:9092", "kafka-2.example.com:9092"]}
ENDPOINTS = "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:orders"
KAFKA: Spec = {
    "functionName": "{name}",
    "selfManagedEventSource": {"endpoints": SERVERS},
    "topics": ["orders"],
    "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": SECRET}],
}
GROUP: Spec = {"selfManagedKafkaEventSourceConfig": {"consumerGroupID": "{name}"}}
KAFKA_AT_AWS = {
    "FunctionName": "{name}",
    "SelfManagedEventSource": {"Endpoints": SERVERS},
    "Topics": ["orders"],
    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": SECRET}],
}
IGNORED: Spec = {"ignoreChanges": ["batchSize", "enabled", "tags.team"]}
DELETED: Spec = {}


@dataclass(frozen=True, slots=True)
class Scenario:
    """The initial state, the edit, and the expected result."""

    name: str
    edit: Spec
    """The spec that is applied while boundaries are watched. DELETED: the resource is deleted."""
    wanted: Wanted
    before: Spec | None = None
    """The spec of the initial resource."""
    existing: dict[str, Any] | None = None
    """The members of a Create of an initial mapping that another tool created."""
    by_hand: dict[str, Any] | None = None
    """Members that another tool changes in the initial mapping, before the edit."""
    meanwhile: Spec | None = None
    """The spec that is applied between the kill and the restart."""
    creations: int = 0
    """The most mappings that AWS may create."""
    down: bool = False
    """Whether the edit happens while no operator runs."""

    @property
    def tags_matter(self) -> bool:
        """Whether a mapping is created while boundaries are watched, so that its tags determine the owner."""
        return self.creations > 0 and (self.before is None or self.creations > 1)


SCENARIOS = (
    Scenario(
        "create",
        edit={**QUEUE, "batchSize": 5, "filterCriteria": FILTERS, "tags": {"team": "shop"}},
        wanted=Wanted(
            {**AT_AWS, "BatchSize": 5, "FilterCriteria": {"Filters": [{"Pattern": PATTERN}]}},
            tags={"team": "shop"},
            applied=frozenset({"batchSize", "filterCriteria"}),
        ),
        creations=1,
    ),
    Scenario(
        "create at the start",
        edit={**QUEUE, "enabled": False},
        wanted=Wanted({**AT_AWS, "Enabled": False}, applied=frozenset({"enabled"})),
        creations=1,
        down=True,
    ),
    Scenario(
        "create for self-managed Kafka",
        edit={**KAFKA, "batchSize": 5},
        wanted=Wanted(
            {**KAFKA_AT_AWS, "BatchSize": 5},
            applied=frozenset({"batchSize", "sourceAccessConfigurations", "topics", ENDPOINTS}),
            immutable={"topics": "[orders]", ENDPOINTS: "[kafka-1.example.com:9092, kafka-2.example.com:9092]"},
        ),
        creations=1,
    ),
    Scenario(
        "create, the function edited meanwhile",
        edit={**STREAM, "batchSize": 5},
        meanwhile={**STREAM, "functionName": "{name}-new"},
        wanted=Wanted({**STREAM_AT_AWS, "FunctionName": "{name}-new"}, applied=frozenset({"startingPosition"})),
        creations=1,
    ),
    Scenario(
        "create, the source edited meanwhile",
        edit={**QUEUE, "replacePolicy": "Recreate", "batchSize": 5},
        meanwhile={**QUEUE, "replacePolicy": "Recreate", "eventSourceARN": f"arn:aws:sqs:{HERE}:others"},
        wanted=Wanted({**AT_AWS, "EventSourceArn": f"arn:aws:sqs:{HERE}:others"}),
        creations=2,
    ),
    Scenario(
        "create, deleted meanwhile",
        edit=STREAM,
        meanwhile=DELETED,
        wanted=Wanted(None),
        creations=1,
    ),
    Scenario(
        "adopt what is found",
        existing={**AT_AWS, "BatchSize": 5, "MaximumBatchingWindowInSeconds": 7, "Tags": {"theirs": "kept"}},
        edit={**QUEUE, "batchSize": 6, "tags": {"team": "shop"}, "adoption": {"policy": "IfExists"}},
        wanted=Wanted(
            {**AT_AWS, "BatchSize": 6, "MaximumBatchingWindowInSeconds": 7},
            tags={"team": "shop"},
            others_tags={"theirs": "kept"},
            applied=frozenset({"batchSize"}),
            same=True,
        ),
    ),
    Scenario(
        "adopt by uuid from another owner",
        existing={
            **AT_AWS,
            "Tags": {
                "esm-operator.io/cluster": "old",
                "esm-operator.io/namespace": "shop",
                "esm-operator.io/name": "orders",
                "esm-operator.io/uid": "11111111-2222-3333-4444-555555555555",
            },
        },
        edit={
            **QUEUE,
            "batchSize": 6,
            "adoption": {"policy": "Required", "uuid": "{uuid}", "takeOverFrom": "old/shop/orders"},
        },
        wanted=Wanted({**AT_AWS, "BatchSize": 6}, applied=frozenset({"batchSize"}), same=True),
    ),
    Scenario(
        "update",
        before={
            **QUEUE,
            "batchSize": 5,
            "filterCriteria": FILTERS,
            "scalingConfig": {"maximumConcurrency": 4},
            "tags": {"team": "shop", "stage": "test", "gone": "soon"},
        },
        edit={
            **QUEUE,
            "batchSize": 7,
            "maximumBatchingWindowInSeconds": 3,
            "scalingConfig": {"maximumConcurrency": 4},
            "tags": {"team": "sales", "stage": "test", "new": "tag"},
        },
        wanted=Wanted(
            {
                **AT_AWS,
                "BatchSize": 7,
                "MaximumBatchingWindowInSeconds": 3,
                "ScalingConfig": {"MaximumConcurrency": 4},
            },
            tags={"team": "sales", "stage": "test", "new": "tag"},
            applied=frozenset({"batchSize", "maximumBatchingWindowInSeconds", "scalingConfig.maximumConcurrency"}),
            same=True,
        ),
        creations=1,
    ),
    Scenario(
        "update, taken back meanwhile",
        before=QUEUE,
        edit={**QUEUE, "batchSize": 7, "maximumBatchingWindowInSeconds": 3, "tags": {"team": "shop"}},
        meanwhile=QUEUE,
        wanted=Wanted(AT_AWS, same=True),
        creations=1,
    ),
    Scenario(
        "another function",
        before=STREAM,
        edit={**STREAM, "functionName": "{name}-new"},
        wanted=Wanted(
            {**STREAM_AT_AWS, "FunctionName": "{name}-new"}, applied=frozenset({"startingPosition"}), same=True
        ),
        creations=1,
    ),
    Scenario(
        "replace by one of the same identity",
        before={**STREAM, "batchSize": 5},
        edit={**STREAM, "batchSize": 5, "startingPosition": "TRIM_HORIZON"},
        wanted=Wanted(
            {**STREAM_AT_AWS, "BatchSize": 5, "StartingPosition": "TRIM_HORIZON"},
            applied=frozenset({"batchSize", "startingPosition"}),
            same=False,
        ),
        creations=2,
    ),
    Scenario(
        "replace with values of others",
        before={**STREAM, "batchSize": 5, "tags": {"team": "shop"}, **IGNORED},
        by_hand={"BatchSize": 7, "State": "Disabled", "Tags": {"team": "others"}},
        edit={**STREAM, "batchSize": 9, "startingPosition": "TRIM_HORIZON", "tags": {"team": "shop"}, **IGNORED},
        wanted=Wanted(
            {**STREAM_AT_AWS, "BatchSize": 7, "Enabled": False, "StartingPosition": "TRIM_HORIZON"},
            tags={"team": "others"},
            applied=frozenset({"batchSize", "startingPosition"}),
            ignored={"batchSize": "7", "enabled": "false", "tags.team": '"others"'},
            same=False,
        ),
        creations=2,
    ),
    Scenario(
        "replace by one of another identity",
        before={**QUEUE, "replacePolicy": "Recreate", "batchSize": 5},
        edit={
            **QUEUE,
            "replacePolicy": "Recreate",
            "batchSize": 5,
            "eventSourceARN": f"arn:aws:sqs:{HERE}:others",
        },
        wanted=Wanted(
            {**AT_AWS, "BatchSize": 5, "EventSourceArn": f"arn:aws:sqs:{HERE}:others"},
            applied=frozenset({"batchSize"}),
            same=False,
        ),
        creations=2,
    ),
    Scenario(
        "replace within one consumer group",
        before={**KAFKA, **GROUP, "replacePolicy": "Recreate"},
        edit={**KAFKA, **GROUP, "replacePolicy": "Recreate", "topics": ["returns"]},
        wanted=Wanted(
            {**KAFKA_AT_AWS, "Topics": ["returns"], "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "{name}"}},
            applied=frozenset(
                {"sourceAccessConfigurations", "topics", ENDPOINTS, "selfManagedKafkaEventSourceConfig.consumerGroupID"}
            ),
            immutable={
                "topics": "[returns]",
                ENDPOINTS: "[kafka-1.example.com:9092, kafka-2.example.com:9092]",
                "selfManagedKafkaEventSourceConfig.consumerGroupID": "{name}",
            },
            same=False,
        ),
        creations=2,
    ),
    Scenario(
        "replace, deleted meanwhile",
        before={**QUEUE, "replacePolicy": "Recreate"},
        edit={**QUEUE, "replacePolicy": "Recreate", "eventSourceARN": f"arn:aws:sqs:{HERE}:others"},
        meanwhile=DELETED,
        wanted=Wanted(None),
        creations=2,
    ),
    Scenario("delete", before=STREAM, edit=DELETED, wanted=Wanted(None), creations=1),
    Scenario(
        "delete and retain",
        before={**QUEUE, "deletionPolicy": "Retain", "tags": {"team": "shop"}},
        edit=DELETED,
        wanted=Wanted(AT_AWS, tags={"team": "shop"}, same=True, alone=True),
        creations=1,
    ),
)


@pytest.fixture
def new_stage(new_bed: NewBed) -> Callable[[], Stage]:
    """Sets up stages with a running operator and an empty AWS."""
    numbers = itertools.count(1)

    def make() -> Stage:
        one = stage(new_bed(account=f"{next(numbers):012d}"), "--takeover-from-clusters=old")
        one.start()
        return one

    return make


def test_the_moment_of_a_kill_is_exact(new_stage: Callable[[], Stage]) -> None:
    on = new_stage()
    for number, (boundary, made) in enumerate(
        (("before CreateEventSourceMapping 1", 0), ("after CreateEventSourceMapping 1", 1))
    ):
        name = f"play-{number}"
        on.watch.begin(kill_at=boundary)
        on.bed.create(name, named(QUEUE, name))
        wait(lambda boundary=boundary: [] if on.operator.has_ended() else [f"not at {boundary}"])
        assert on.watch.passed()[-1] == boundary
        on.operator.kill()
        on.watch.end()
        assert len(on.mappings_of(name)) == made
        assert "uuid" not in ((on.bed.get(name) or {}).get("status") or {})
        on.operator.start()
        on.bed.wait_ready(name)


def _name(value: Scenario | float) -> str:
    return value.name.replace(" ", "-") if isinstance(value, Scenario) else f"tags-{value:g}-s-late"


@pytest.mark.parametrize(
    ("scenario", "tag_delay"),
    [*((one, 0.0) for one in SCENARIOS), *((one, TAG_DELAY) for one in SCENARIOS if one.tags_matter)],
    ids=_name,
)
def test_killed_at_every_boundary(
    scenario: Scenario, tag_delay: float, new_stage: Callable[[], Stage], aws_server: AwsServer
) -> None:
    aws_server.control.set(tag_delay=tag_delay)
    with ThreadPoolExecutor(STAGES) as pool:
        stages = list(pool.map(lambda _: new_stage(), range(STAGES)))
        boundaries = learn(scenario, stages[0])
        series = Series(scenario, boundaries)
        list(pool.map(lambda one: series.play_on(one, new_stage), stages))
    print(f"{scenario.name}: killed at {len(boundaries)} boundaries: {', '.join(boundaries)}; missed: {series.missed}")
    assert not series.failures, "\n\n".join(series.failures[:3])
    missed_writes = [boundary for boundary in series.missed if boundary.split()[1] in WRITES]
    assert not missed_writes, "calls that change something in AWS are the same each time"
    assert len(series.missed) <= len(boundaries) / 4


class Series:
    """A scenario that runs for each of its boundaries, on several stages at the same time."""

    def __init__(self, scenario: Scenario, boundaries: list[str]) -> None:
        self._scenario = scenario
        self._turns = enumerate(boundaries, 1)
        self._lock = Lock()
        self.failures: list[str] = []
        self.missed: list[str] = []
        """Boundaries that a run did not come to: whether a status is written on the way depends on the moment."""

    def play_on(self, on: Stage, new_stage: Callable[[], Stage]) -> None:
        """Run it for one boundary after the other, until none is left."""
        bystanders = on.mappings()
        while (turn := self._next()) is not None:
            number, boundary = turn
            name = f"play-{number}"
            try:
                if not play(self._scenario, on, name, boundary):
                    self.missed.append(boundary)
                now = on.mappings()
                touched = [uuid for uuid, one in bystanders.items() if now.get(uuid) != one]
                assert not touched, f"mappings of other resources were touched: {touched}"
                bystanders = now
            except Exception as error:
                self.failures.append(
                    f"{self._scenario.name}, killed {boundary}: {type(error).__name__}: {error}\n"
                    f"Boundaries passed: {on.watch.passed()}\n{on.shown(name)}"
                )
                on, bystanders = new_stage(), {}

    def _next(self) -> tuple[int, str] | None:
        with self._lock:
            return next(self._turns, None)


def learn(scenario: Scenario, on: Stage) -> list[str]:
    """Run a scenario without a kill. Returns its boundaries, in order."""
    before = begin(scenario, on, "play-0", "")
    wait(lambda: open_ends(scenario, on, "play-0", before))
    on.watch.end()
    return on.watch.passed()


def play(scenario: Scenario, on: Stage, name: str, boundary: str) -> bool:
    """Run a scenario with a kill at a boundary. The operator runs before and after it.

    Returns:
        whether the operator reached the boundary. If not, it was killed at the end.
    """
    before = begin(scenario, on, name, boundary)
    at_rest = math.inf

    def killed_or_at_rest() -> list[str]:
        nonlocal at_rest
        ends = open_ends(scenario, on, name, before)
        at_rest = math.inf if ends else min(at_rest, time.monotonic())
        return [] if on.operator.has_ended() or time.monotonic() - at_rest > 3 else [f"not at {boundary}", *ends]

    wait(killed_or_at_rest)
    killed = on.operator.has_ended()
    on.operator.kill()
    on.watch.end()
    if scenario.meanwhile is not None:
        apply(scenario.meanwhile, on, name, before)
    on.operator.start()
    wait(lambda: on.problems(name, scenario.wanted, before))
    creations = on.creations(name)
    assert creations <= scenario.creations, f"AWS made {creations} mappings in all"
    return killed


def begin(scenario: Scenario, on: Stage, name: str, boundary: str) -> frozenset[str]:
    """Create the initial state, and edit it. Returns the UUIDs of the initial mappings."""
    if scenario.existing is not None:
        on.bed.control.make_mapping(account=on.bed.account, region=REGION, **named(scenario.existing, name))
    if scenario.before is not None:
        on.bed.create(name, named(scenario.before, name))
        on.bed.wait_ready(name)
    before = frozenset(on.mappings_of(name))
    if scenario.by_hand is not None:
        (uuid,) = before
        tags = {**on.mappings()[uuid]["Tags"], **scenario.by_hand["Tags"]}
        on.bed.control.edit_mapping(uuid, **{**scenario.by_hand, "Tags": tags})
        aws = on.bed.aws.client("lambda", REGION, on.bed.account)
        arn = on.mappings()[uuid]["EventSourceMappingArn"]
        wait(lambda: [] if aws.list_tags(Resource=arn)["Tags"] == tags else ["AWS does not show the tags yet"])
    if scenario.down:
        on.operator.kill()
    on.watch.begin(kill_at=boundary)
    apply(scenario.edit, on, name, before)
    if scenario.down:
        on.operator.launch()
    return before


def apply(spec: Spec, on: Stage, name: str, before: frozenset[str]) -> None:
    """Apply the spec of a resource, or delete the resource."""
    filled = named(spec, name, next(iter(before), ""))
    if not spec:
        on.bed.delete(name)
    elif not on.bed.edit(name, filled):
        on.bed.create(name, filled)


def open_ends(scenario: Scenario, on: Stage, name: str, before: frozenset[str]) -> list[str]:
    """The parts of the first edit that are not done yet."""
    if scenario.meanwhile is not None:
        done = is_ready(on.bed.get(name)) if scenario.edit else on.bed.get(name) is None
        ends = [] if done else [f"{name} is not ready"]
    else:
        ends = on.problems(name, scenario.wanted, before)
    begun, ended = Counter[str](), Counter[str]()
    for boundary in on.watch.passed():
        when, _, call = boundary.partition(" ")
        (begun if when == "before" else ended)[call] += 1
    return ends or sorted(begun - ended)
