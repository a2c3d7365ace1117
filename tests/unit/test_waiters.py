"""Namespaces take turns at a limiter, so the requests of one do not delay those of another."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.resource import Key
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.planning.target import ProviderConfigSettings
from esm_operator.ratelimit.concurrency_limiter import ConcurrencyLimiter
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.waiters import RequestPriority, Waiters, current_party, requests_of
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile.controller import LIMITS, Controller
from esm_operator.reconcile.result import Result
from tests.waiting import eventually_async

EDIT, CREATE, TRANSITION, SWEEP = list(RequestPriority)[:4]
#: One grant in so many goes to the request that has waited longest.
FAIR_TURN = 8
#: The requests for edits that a namespace may send before the creations of others.
EDITS = 4


class Line:
    """Waiters, and the names of the requests in the order in which they are granted."""

    def __init__(self) -> None:
        self.waiters = Waiters()
        self.granted: list[Any] = []
        self.turns: dict[int, tuple[Any, asyncio.Future[None]]] = {}

    def add(self, party: Hashable, priority: RequestPriority, name: Any = None) -> asyncio.Future[None]:
        with requests_of(party):
            turn = self.waiters.add(priority)
        self.turns[id(turn)] = (party if name is None else name, turn)
        return turn

    def grant(self) -> Any:
        """Grant one turn. Returns the name of the request."""
        assert self.waiters.grant()
        (number,) = [number for number, (_, turn) in self.turns.items() if turn.done() and not turn.cancelled()]
        name, _ = self.turns.pop(number)
        self.granted.append(name)
        return name


def run(scenario: Callable[[Line], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario(Line()))


def test_the_creation_of_a_namespace_does_not_wait_for_all_edits_of_another() -> None:
    async def scenario(line: Line) -> None:
        for _ in range(100):
            line.add("big", EDIT)
        line.add("small", CREATE)
        assert [line.grant() for _ in range(EDITS + 1)] == [*EDITS * ["big"], "small"]

    run(scenario)


def test_the_requests_of_an_edit_do_not_wait_for_the_creations_of_all_namespaces() -> None:
    """Each namespace waits with many creations, also that of the edit."""

    async def scenario(line: Line) -> None:
        namespaces = [f"n{number}" for number in range(20)]
        for namespace in 30 * namespaces:
            line.add(namespace, CREATE)
        for number in range(60):  # some before the turn of the namespace in the round, some after it
            line.grant()
            if number % 9:
                continue
            for _ in range(EDITS - 1):  # each follows the answer to the one before
                line.add(namespaces[number % 7], EDIT, "edit")
                assert "edit" in (line.grant(), line.grant())  # one of two, because of the fair turns

    run(scenario)


def test_the_edits_of_a_namespace_have_a_limited_part_of_the_turns_if_another_namespace_waits_too() -> None:
    async def scenario(line: Line) -> None:
        for _ in range(100):
            line.add("big", EDIT)
        for _ in range(20):
            line.add("small", CREATE)
            while line.grant() != "small":
                pass
        assert Counter(line.granted)["big"] <= EDITS * 20 + len(line.granted) / FAIR_TURN

    run(scenario)


def test_within_a_namespace_the_urgent_come_first() -> None:
    async def scenario(line: Line) -> None:
        for priority in (CREATE, CREATE, EDIT, EDIT):
            line.add("a", priority, priority)
        assert [line.grant() for _ in range(4)] == [EDIT, EDIT, CREATE, CREATE]

    run(scenario)


def test_in_a_round_the_urgent_come_first() -> None:
    async def scenario(line: Line) -> None:
        for party, priority in (("a", CREATE), ("b", EDIT), ("a", CREATE), ("b", EDIT)):
            line.add(party, priority)
        assert [line.grant() for _ in range(4)] == ["b", "b", "a", "a"]

    run(scenario)


def test_reads_for_all_namespaces_come_last() -> None:
    async def scenario(line: Line) -> None:
        for priority in (SWEEP, TRANSITION, CREATE, CREATE):
            line.add("a", priority, priority)
        assert [line.grant() for _ in range(4)] == [CREATE, CREATE, TRANSITION, SWEEP]

    run(scenario)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([EDIT, CREATE])), min_size=1, max_size=60))
def test_each_namespace_has_its_turn_in_each_round(
    requests: list[tuple[str, RequestPriority]],
) -> None:
    async def scenario(line: Line) -> None:
        for number, (party, priority) in enumerate(requests):
            line.add(party, priority, (party, number))
        waiting = Counter(party for party, _ in requests)
        since = dict.fromkeys(waiting, 0)
        for grant in range(1, len(requests) + 1):
            party, _ = line.grant()
            waiting[party] -= 1
            since[party] = grant
            for other in waiting:
                # The other parties, and the fair turns, also one that ended a round early.
                assert not waiting[other] or grant - since[other] <= 2 * 3 * EDITS + 4

    run(scenario)


@given(st.lists(st.sampled_from(["a", "b", "c", "cancel", "grant"]), max_size=80))
def test_requests_that_do_not_wait_any_more_are_forgotten(steps: list[str]) -> None:
    async def scenario(line: Line) -> None:
        waiting: list[asyncio.Future[None]] = []
        for step in steps:
            waiting = [turn for turn in waiting if not turn.done()]
            if step == "cancel":
                if waiting:
                    waiting.pop().cancel()
            elif step == "grant":
                assert line.waiters.grant() is bool(waiting)
            else:
                waiting.append(line.add(step, EDIT))
            assert len(line.waiters) == sum(not turn.done() for turn in waiting)
        while line.waiters.grant():
            pass
        assert not line.waiters
        assert not line.waiters._waiting  # pyright: ignore[reportPrivateUsage]
        assert not line.waiters._turns  # pyright: ignore[reportPrivateUsage]

    run(scenario)


async def test_the_limiters_take_the_namespace_of_the_task() -> None:
    """All requests of one namespace ask first."""
    order: list[str] = []
    rate_limiter, concurrency_limiter = RateLimiter(50.0), ConcurrencyLimiter()
    for _ in range(10):
        concurrency_limiter.timed_out(asyncio.get_running_loop().time() + 1e6)  # one request at the same time

    async def limited(namespace: str, *, rate: bool) -> None:
        with requests_of(namespace):
            if rate:
                await rate_limiter.take(CREATE)
                order.append(namespace)
                return
            async with concurrency_limiter.slot(CREATE):
                await asyncio.sleep(0)
                order.append(namespace)

    for rate in (True, False):
        order.clear()
        await asyncio.gather(*(limited(one, rate=rate) for one in [*12 * ["big"], "small"]))
        assert "small" in order[:6]


async def test_the_requests_of_a_reconcile_are_those_of_its_namespace() -> None:
    found: dict[str, Hashable] = {}
    controller = Controller(ResourceCache(), ConfigCache(ProviderConfigSettings("(operator)")), LIMITS)

    async def reconcile(key: Key) -> Result:
        await asyncio.sleep(0)
        found[key.namespace] = current_party()
        return Result(None)

    controller.start(reconcile)
    controller.enqueue([Key(name, "orders") for name in "abc"], QueuePriority.EDIT)
    await eventually_async(lambda: len(found) == 3)
    await controller.stop()
    assert found == {name: name for name in "abc"}
    assert current_party() is None
