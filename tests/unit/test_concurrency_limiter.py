"""The concurrency limiter, against simulated servers at simulated time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from esm_operator.clock import monotonic
from esm_operator.ratelimit.concurrency_limiter import INITIAL, MOST, ConcurrencyLimiter
from esm_operator.ratelimit.waiters import RequestPriority
from tests.model.loop import Clock, SteppedLoop

#: Requests that the operator wants to have in flight: its workers.
WORKERS = 44
EDIT, SWEEP = RequestPriority.EDIT, RequestPriority.SWEEP


def simulated(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine at simulated time to its end. Raises its exception."""
    clock, failures = Clock(), list[BaseException | None]()
    loop = SteppedLoop(clock)

    async def run() -> None:
        result = await asyncio.gather(scenario(), return_exceptions=True)
        failures.extend(result)

    loop.start(run)
    loop.settle()
    while not failures:
        assert loop.next_timer is not None, "the scenario waits for ever"
        clock.now += loop.next_timer
        loop.settle()
    loop.close()
    for failure in failures:
        if failure is not None:
            raise failure
    assert loop.failures == []


class Server:
    """Works on one request after the other, also on those whose clients have gone."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """The work for one request."""
        self._processor = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self) -> None:
        """Wait until one more request is answered."""
        task = asyncio.create_task(self._work(), name="work")
        self._tasks.add(task)
        await asyncio.shield(task)

    async def _work(self) -> None:
        async with self._processor:
            await asyncio.sleep(self.seconds)


class Clients:
    """Workers that send one request after the other through one limiter."""

    def __init__(self, answer: Callable[[], Awaitable[None]]) -> None:
        self.limiter = ConcurrencyLimiter()
        self.answered: list[float] = []
        """The times of the answers."""
        self.timed_out = 0
        self._answer = answer

    async def run(self, requests: int = 10**9) -> None:
        """Send so many requests, each once."""
        left = iter(range(requests))

        async def work() -> None:
            for _ in left:
                await self._send()

        await asyncio.gather(*(work() for _ in range(WORKERS)))

    async def run_until(self, until: float) -> None:
        """Send requests until a monotonic time, in seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - monotonic()):
                await self.run()

    def rate(self, since: float, until: float) -> float:
        """Answers a second in a stretch of time."""
        return sum(since <= at < until for at in self.answered) / (until - since)

    async def _send(self) -> None:
        async with self.limiter.slot(EDIT):
            sent = monotonic()
            try:
                async with asyncio.timeout(self.limiter.latency.timeout(5.0, 30.0)):
                    await self._answer()
            except TimeoutError:
                self.timed_out += 1
                self.limiter.timed_out(sent)
            else:
                self.limiter.answered(sent)
                self.answered.append(monotonic())


def test_a_starved_server_answers_as_many_requests_as_it_can() -> None:
    async def scenario() -> None:
        clients, began = Clients(Server(0.2).answer), monotonic()
        await clients.run(500)
        assert clients.timed_out <= 0.05 * 500
        assert monotonic() - began < 1.1 * 500 * 0.2

    simulated(scenario)


def test_full_speed_is_back_soon_after_the_server_was_slow() -> None:
    async def scenario() -> None:
        server = Server(0.01)
        clients, began = Clients(server.answer), monotonic()
        await clients.run_until(began + 20)
        server.seconds = 0.4
        await clients.run_until(began + 140)
        server.seconds = 0.01
        await clients.run_until(began + 200)
        # At first the server works on requests that it got before it was slow, and that have timed out.
        before, after = clients.rate(began, began + 20), clients.rate(began + 145, began + 165)
        assert clients.rate(began + 60, began + 140) > 0.9 / 0.4
        assert after > 0.9 * before

    simulated(scenario)


def test_a_distant_server_gets_many_requests_at_the_same_time() -> None:
    """The latency does not depend on the load, so fewer requests would not make it better."""

    async def scenario() -> None:
        clients, began = Clients(lambda: asyncio.sleep(4.0)), monotonic()
        await clients.run_until(began + 60)
        assert clients.timed_out == 0
        assert clients.rate(began, began + 60) > 0.9 * INITIAL / 4.0

    simulated(scenario)


def test_requests_that_take_long_without_load_do_not_lower_the_limit() -> None:
    """An admission webhook delays writes of one type, while the answers to all other requests are fast."""

    async def scenario() -> None:
        limiter = ConcurrencyLimiter()

        async def send(seconds: float, group: str) -> None:
            for _ in range(50):
                async with limiter.slot(EDIT):
                    sent = monotonic()
                    await asyncio.sleep(seconds)
                    limiter.answered(sent, group)

        await asyncio.gather(*(send(1.2, "patch") for _ in range(WORKERS)), *(send(0.01, "event") for _ in range(4)))
        assert limiter.limit >= INITIAL

    simulated(scenario)


def test_the_limit_stays_within_its_bounds() -> None:
    async def scenario() -> None:
        limiter = ConcurrencyLimiter()
        for _ in range(100):
            limiter.timed_out(monotonic())
        assert limiter.limit == 1
        for _ in range(10_000):
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(limiter.limit):
                    await stack.enter_async_context(limiter.slot(EDIT))
                limiter.answered(monotonic())
        assert limiter.limit == MOST

    simulated(scenario)


def test_requests_that_failed_together_halve_the_limit_once() -> None:
    async def scenario() -> None:
        limiter, sent = ConcurrencyLimiter(), monotonic()
        await asyncio.sleep(5)
        for _ in range(10):
            limiter.timed_out(sent)
        assert limiter.limit == INITIAL / 2

    simulated(scenario)


def test_the_limit_does_not_grow_while_it_is_not_used() -> None:
    async def scenario() -> None:
        limiter = ConcurrencyLimiter()
        for _ in range(1000):
            async with limiter.slot(EDIT):
                limiter.answered(monotonic())
        assert limiter.limit == INITIAL

    simulated(scenario)


def test_no_request_is_sent_before_the_end_of_a_retry_after() -> None:
    async def scenario() -> None:
        limiter, began = ConcurrencyLimiter(), monotonic()
        limiter.overloaded(began, retry_after=7.0)
        limiter.overloaded(began, retry_after=3.0)
        async with limiter.slot(EDIT):
            assert 7.0 <= monotonic() - began < 7.1

    simulated(scenario)


def test_urgent_requests_are_first_and_a_cancelled_one_keeps_no_slot() -> None:
    async def scenario() -> None:
        limiter, order = ConcurrencyLimiter(), list[str]()
        for _ in range(20):
            limiter.timed_out(monotonic())

        async def send(name: str, priority: RequestPriority) -> None:
            async with limiter.slot(priority):
                order.append(name)
                await asyncio.sleep(1)

        first = asyncio.create_task(send("first", SWEEP), name="first")
        await asyncio.sleep(0)
        gone = asyncio.create_task(send("gone", EDIT), name="gone")
        later = [asyncio.create_task(send(name, priority), name=name) for name, priority in WAITING.items()]
        await asyncio.sleep(0.5)
        gone.cancel()
        await asyncio.gather(first, *later)
        assert order == ["first", "edit", "creation", "event"]

    simulated(scenario)


WAITING = {"event": SWEEP, "creation": RequestPriority.CREATE, "edit": EDIT}


def test_a_request_that_is_cancelled_when_it_gets_its_slot_returns_it() -> None:
    async def scenario() -> None:
        limiter = ConcurrencyLimiter()
        for _ in range(20):
            limiter.timed_out(monotonic())

        async def send() -> None:
            async with limiter.slot(EDIT):
                await asyncio.sleep(1)

        first, second = (asyncio.create_task(send(), name=name) for name in ("first", "second"))
        await first
        second.cancel()  # its slot was granted, and it has not run since
        async with asyncio.timeout(10), limiter.slot(EDIT):
            pass

    simulated(scenario)
