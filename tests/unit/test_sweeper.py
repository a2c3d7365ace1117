"""The sweeper and the reads of transitions on the AWS server: how often they read, and how they handle a bad page."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Any

import pytest

from esm_operator import tasks
from esm_operator.api.limits import MAX_MAPPINGS
from esm_operator.aws.account_region import CROWD, AccountRegion
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connection import Connection
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.inventory_listener import CountOrphans
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.aws.sweeper import Sweeper
from esm_operator.aws.transitions import Transitions
from esm_operator.fence import Fence
from esm_operator.planning.target import Access, Place, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.status.subject import Subject
from tests.aws import AwsServer, FaultKind
from tests.waiting import eventually_async

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-{n}"
REGION = "eu-west-1"
LIST, GET = "ListEventSourceMappings", "GetEventSourceMapping"


class CountingTarget(AccountRegion):
    """An account and region that counts failed requests of its client."""

    failed = 0

    def switch_client(self, failed: MappingsClient) -> None:
        self.failed += 1
        super().switch_client(failed)


class Limiter(RateLimiter):
    """A rate limiter that delays requests while changes are pending."""

    def __init__(self, scene: "Scene") -> None:
        super().__init__(1000)
        self._scene = scene

    @property
    def is_exhausted(self) -> bool:
        return self._scene.pending > 0


class Scene:
    """The listener of an account whose mappings all have a resource."""

    def __init__(
        self, aws: AwsServer, target: Target, connection: Connection, interval: float, inventory: Inventory
    ) -> None:
        self.control = aws.control
        self.changed: list[str] = []
        self.results: list[str] = []
        self.first_sweeps = 0
        self.up_to_date: list[bool] = []
        self.pending = 0
        self.inventory = inventory
        limiter, tagging = Limiter(self), RateLimiter(1000)
        subject = Subject(region=REGION, account="123456789012")
        place = Place("123456789012", REGION, aws.endpoint)
        self.shared = CountingTarget(self, self.inventory, limiter, tagging, time.monotonic(), subject, place)
        api = MappingsApi(connection, limiter, tagging, Fence(clock=lambda: 0.0))
        self.shared.clients[target] = MappingsClient(api, self.inventory, self.shared.mappings_changed)
        self._sweeper = asyncio.create_task(Sweeper(self.shared, interval).run())
        self._transitions = asyncio.create_task(Transitions(self.shared).run())

    @property
    def failed(self) -> int:
        """The number of failed requests."""
        return self.shared.failed

    def mappings_changed(self, place: Place, uuids: Collection[str]) -> None:
        self.changed.extend(uuids)

    def results_changed(self, place: Place, uuids: Collection[str]) -> None:
        self.results.extend(uuids)

    def first_sweep_ended(self, target: Target) -> None:
        self.first_sweeps += 1

    def staleness_changed(self, target: Target) -> None:
        self.up_to_date.append(self.shared.stale is None)

    def referenced(self, place: Place, uuids: Collection[str]) -> list[str]:
        return list(uuids)

    def recorded_tags(self, place: Place, uuids: Collection[str]) -> dict[str, dict[str, str]]:
        raise AssertionError("the sweeper reads no tags")

    def pending_changes(self, target: Target) -> int:
        return self.pending

    def write_latency(self) -> float:
        return 0.0

    def new_orphan_counter(self) -> CountOrphans:
        raise AssertionError("the sweeper counts no orphans")

    def calls(self, operation: str) -> int:
        return self.control.counts().calls.get(operation, 0)

    def times(self, operation: str) -> list[float]:
        return [one["time"] for one in self.control.requests(2000) if one["operation"] == operation]

    def begin_transitions(self, count: int, state: str = "Updating") -> list[str]:
        """Start transitions of this many mappings, which the inventory knows. Returns their UUIDs."""
        moving = self.inventory.uuids()[:count]
        for uuid in moving:
            self.control.edit_mapping(uuid, State=state)
            self.inventory.record({"UUID": uuid, "FunctionArn": uuid, "State": state}, time.monotonic())
        self.shared.wake()
        return moving

    async def end_transitions(self, moving: list[str]) -> None:
        """End the transitions, and wait until the operator has read the new states."""
        for uuid in moving:
            self.control.settle(uuid)
        await eventually_async(lambda: not self.inventory.in_transition())

    async def stop(self) -> None:
        await tasks.cancel([self._sweeper, self._transitions])


Begin = Callable[..., Any]


@pytest.fixture
async def begin(aws: AwsServer, connections: Connections) -> AsyncGenerator[Begin]:
    """Start to observe this many mappings."""
    scenes: list[Scene] = []

    async def begin(mappings: int, *, interval: float, most: int = MAX_MAPPINGS) -> Scene:
        aws.control.reset()
        aws.control.set(hold=True)
        if mappings:
            aws.control.make_mappings(mappings, region=REGION, FunctionName="orders-{n}", EventSourceArn=QUEUE)
        target = Target(REGION, Access(aws.endpoint))
        scenes.append(Scene(aws, target, await connections.connect(target), interval, Inventory(most)))
        return scenes[-1]

    yield begin
    for scene in scenes:
        await scene.stop()


async def test_the_first_sweep_starts_immediately_and_is_reported_once(begin: Begin) -> None:
    scene = await begin(450, interval=600.0)
    await eventually_async(lambda: scene.first_sweeps > 0)
    assert scene.inventory.swept
    assert len(scene.inventory) == 450
    assert len(set(scene.changed)) == 450
    assert scene.calls(LIST) == 5
    assert scene.first_sweeps == 1


async def test_a_list_that_is_too_long_is_forgotten_and_reported(begin: Begin) -> None:
    scene = await begin(450, interval=600.0, most=300)
    await eventually_async(lambda: scene.shared.failure is not None)
    assert scene.shared.failure is not None
    assert "more than 300 mappings" in scene.shared.failure.answer
    assert "--max-mappings" in scene.shared.failure.answer
    assert (len(scene.inventory), scene.inventory.swept, scene.first_sweeps) == (0, False, 1)
    assert scene.calls(LIST) == 4
    for one in scene.control.mappings()[300:]:
        scene.control.delete_mapping(one["UUID"])
    scene.shared.retry()
    await eventually_async(lambda: scene.inventory.swept)
    assert scene.shared.failure is None
    assert len(scene.inventory) == 300


async def test_long_texts_count_as_many_mappings(begin: Begin) -> None:
    scene = await begin(100, interval=1.0, most=100)
    await eventually_async(lambda: scene.inventory.swept)
    scene.inventory.record_tags(scene.inventory.uuids()[0], {"a": "b" * 600_000}, written=time.monotonic())
    await eventually_async(lambda: scene.shared.failure is not None)
    assert len(scene.inventory) == 0


async def test_pages_are_not_read_faster_than_aws_allows_whatever_rate_is_set(begin: Begin) -> None:
    scene = await begin(1501, interval=600.0)
    began = time.monotonic()
    await eventually_async(lambda: scene.first_sweeps > 0)
    assert scene.calls(LIST) == 16
    assert time.monotonic() - began >= 1.0


async def test_pages_are_spread_over_the_interval(begin: Begin) -> None:
    scene = await begin(450, interval=4.0)
    await eventually_async(lambda: scene.calls(LIST) >= 15)
    later = scene.times(LIST)[5:15]
    assert all(second - first >= 0.5 for first, second in itertools.pairwise(later)), "no bursts"
    assert later[5] - later[0] < 6.5, "the interval, and up to a second of jitter"
    assert scene.calls(GET) == 0


async def test_results_that_change_by_themselves_are_reported_apart(begin: Begin) -> None:
    scene = await begin(3, interval=1.0)
    await eventually_async(lambda: scene.first_sweeps > 0)
    uuid = scene.inventory.uuids()[0]
    scene.control.edit_mapping(uuid, LastProcessingResult="No records processed")
    await eventually_async(lambda: scene.changed.count(uuid) == 2)
    scene.control.set(result_period=3)
    await eventually_async(lambda: len(scene.results) >= 2)
    assert set(scene.results) == {uuid}
    assert scene.changed.count(uuid) == 2


async def test_a_change_is_reported_when_its_page_is_read(begin: Begin) -> None:
    scene = await begin(300, interval=4.0)
    await eventually_async(lambda: scene.inventory.swept)
    scene.changed.clear()
    uuids = scene.inventory.uuids()
    for uuid in (uuids[0], uuids[-1]):
        scene.control.edit_mapping(uuid, BatchSize=7)
    await eventually_async(lambda: len(scene.changed) >= 2)
    assert set(scene.changed) == {uuids[0], uuids[-1]}


async def test_a_missing_mapping_is_reported_before_the_sweep_ends(begin: Begin) -> None:
    scene = await begin(900, interval=8.0)
    await eventually_async(lambda: scene.calls(LIST) >= 18)  # the second sweep shows the order in which AWS lists
    scene.changed.clear()
    first = scene.inventory.uuids()[0]
    swept_from = scene.inventory.swept_from
    scene.control.delete_mapping(first)
    await eventually_async(lambda: first in scene.changed)
    told_in_sweep = scene.inventory.swept_from == swept_from or scene.calls(LIST) % 9
    assert told_in_sweep
    assert scene.inventory.get(first) is None
    assert not scene.inventory.is_gone(first), "only AWS's word for it proves that"


async def test_a_few_transitions_are_read_one_by_one(begin: Begin) -> None:
    scene = await begin(250, interval=600.0)
    await eventually_async(lambda: scene.inventory.swept)
    moving = scene.begin_transitions(2)
    await eventually_async(lambda: scene.calls(GET) >= 4)
    await scene.end_transitions(moving)
    assert scene.calls(LIST) == 3


async def test_many_transitions_are_read_by_lists(begin: Begin) -> None:
    scene = await begin(150, interval=600.0)
    await eventually_async(lambda: scene.inventory.swept)
    moving = scene.begin_transitions(40)
    await eventually_async(lambda: scene.calls(LIST) >= 6)
    await scene.end_transitions(moving)
    assert scene.calls(GET) <= 10, "a few may be left over between two sweeps"


async def test_a_long_transition_is_read_with_growing_pauses(begin: Begin) -> None:
    scene = await begin(1, interval=600.0)
    await eventually_async(lambda: scene.inventory.swept)
    (uuid,) = scene.inventory.uuids()
    scene.control.edit_mapping(uuid, State="Creating")
    scene.inventory.record({"UUID": uuid, "FunctionArn": uuid, "State": "Creating"}, time.monotonic())
    entry = scene.inventory.get(uuid)
    assert entry is not None
    entry.since -= 100
    scene.shared.wake()
    await eventually_async(lambda: scene.calls(GET) >= 1)
    calls, began = scene.calls(GET), time.monotonic()
    await asyncio.sleep(5)
    assert scene.calls(GET) - calls <= (time.monotonic() - began) / 8 + 1, "a tenth of its age, 100 s"


async def test_transitions_are_read_rarely_while_many_changes_wait(begin: Begin) -> None:
    scene = await begin(100, interval=1.0)
    scene.pending = CROWD + 1
    await eventually_async(lambda: scene.inventory.swept)
    moving = scene.inventory.uuids()
    for uuid in moving:
        scene.inventory.record({"UUID": uuid, "FunctionArn": uuid, "State": "Creating"}, time.monotonic())
        scene.control.edit_mapping(uuid, State="Creating")
    scene.shared.wake()
    calls, began = scene.calls(LIST), time.monotonic()
    await asyncio.sleep(3)
    assert scene.calls(GET) == 0
    assert scene.calls(LIST) - calls <= time.monotonic() - began + 1, "not more than one sweep a second"
    scene.pending = 0
    calls = scene.calls(LIST)
    await eventually_async(lambda: scene.calls(LIST) - calls >= 3)


async def test_a_failed_page_is_read_again_and_the_sweep_continues(begin: Begin) -> None:
    scene = await begin(350, interval=600.0)
    await eventually_async(lambda: scene.inventory.swept)
    scene = await begin(350, interval=600.0)
    scene.control.fault(FaultKind.ERROR, LIST, code="ServiceException", status=500, message="Down.", times=1, after=2)
    await eventually_async(lambda: scene.inventory.swept)
    assert scene.failed == 1
    assert scene.first_sweeps == 1, "one failure is not worth telling everybody who waits"
    assert len(scene.inventory) == 350
    assert scene.calls(LIST) <= 5, "four pages, one of them twice"
    assert scene.shared.failure is None


async def test_an_expired_marker_restarts_the_sweep(begin: Begin) -> None:
    scene = await begin(0, interval=600.0)
    await scene.stop()
    scene = await begin(350, interval=1.0)
    await eventually_async(lambda: scene.inventory.swept)
    scene.control.fault(
        FaultKind.ERROR,
        LIST,
        code="InvalidParameterValueException",
        message="Invalid pagination token",
        status=400,
        times=1,
        after=1,
    )
    await eventually_async(lambda: scene.failed == 1)
    uuid = scene.inventory.uuids()[0]
    scene.control.edit_mapping(uuid, BatchSize=9)
    await eventually_async(lambda: (entry := scene.inventory.get(uuid)) is not None and entry.raw.get("BatchSize") == 9)


async def test_mappings_count_as_unknown_after_five_failed_intervals_until_a_sweep_succeeds(begin: Begin) -> None:
    scene = await begin(150, interval=1.0)
    await eventually_async(lambda: scene.inventory.swept)
    fault = scene.control.fault(FaultKind.EXPIRED_TOKEN, LIST)
    failing = time.monotonic()
    await eventually_async(lambda: scene.failed > 0)
    assert scene.shared.stale is None, "it may pass by itself"
    await eventually_async(lambda: scene.shared.stale is not None)
    assert time.monotonic() - failing >= 4.5
    assert (stale := scene.shared.stale) is not None
    assert stale.reason == "CredentialsRefused"
    scene.control.remove_fault(fault)
    scene.shared.retry()
    await eventually_async(lambda: scene.shared.stale is None)
    assert scene.up_to_date == [False, True]
