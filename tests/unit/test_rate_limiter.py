"""The budget: never more requests than the rate allows, the urgent first, nobody starved."""

import asyncio
import time

import pytest

from esm_operator.clock import monotonic
from esm_operator.ratelimit.rate_limiter import BURST, LEAST_RATE, RECOVERY, RateLimiter
from esm_operator.ratelimit.waiters import RequestPriority
from tests.unit.clock import stopped
from tests.waiting import LIMIT


async def turns(
    rate_limiter: RateLimiter, priorities: list[RequestPriority]
) -> tuple[list[RequestPriority], list[float]]:
    """Ask for all in one go: in which order they were granted, and how long after the start each."""
    order: list[RequestPriority] = []
    times: list[float] = []
    started = time.monotonic()

    async def one(priority: RequestPriority) -> None:
        await rate_limiter.take(priority)
        order.append(priority)
        times.append(time.monotonic() - started)

    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(one(priority) for priority in priorities))
    return order, times


async def drained(rate: float) -> RateLimiter:
    """A budget without tokens left from quiet times."""
    rate_limiter = RateLimiter(rate)
    for _ in range(int(min(BURST, rate))):
        await rate_limiter.take(RequestPriority.EDIT)
    return rate_limiter


@pytest.mark.parametrize("rate", [20.0, 100.0])
async def test_the_rate_is_never_exceeded(rate: float) -> None:
    asked_first = time.monotonic()
    rate_limiter = RateLimiter(rate)
    _, times = await turns(rate_limiter, [RequestPriority.CREATE] * 40)
    slack = time.monotonic() - asked_first - times[-1]
    for granted, at in enumerate(times, start=1):
        assert granted <= BURST + rate * (at + slack) + 1e-6


async def test_the_rate_is_used() -> None:
    _, times = await turns(await drained(50.0), [RequestPriority.CREATE] * 25)
    assert len(times) == 25
    assert times[-1] >= 24 / 50


async def test_a_quiet_time_saves_no_more_than_a_burst() -> None:
    rate_limiter = RateLimiter(1000.0)
    await asyncio.sleep(0.05)
    granted = 0
    while True:
        turn = asyncio.ensure_future(rate_limiter.take(RequestPriority.EDIT))
        await asyncio.sleep(0)
        if not turn.done():
            break
        granted += 1
        assert granted < 1000
    await turn
    assert granted >= BURST


async def test_the_urgent_come_first_and_nobody_starves() -> None:
    many = (
        [RequestPriority.SWEEP] * 2
        + [RequestPriority.TRANSITION] * 2
        + [RequestPriority.CREATE] * 20
        + [RequestPriority.EDIT] * 4
    )
    order, _ = await turns(await drained(20.0), many)
    assert order[:4] == [RequestPriority.EDIT] * 4
    assert RequestPriority.SWEEP in order[:8]
    assert order.count(RequestPriority.CREATE) == 20


async def test_one_who_has_given_up_takes_no_turn() -> None:
    rate_limiter = await drained(20.0)
    given_up = asyncio.create_task(rate_limiter.take(RequestPriority.EDIT))
    await asyncio.sleep(0)
    given_up.cancel()
    _, times = await turns(rate_limiter, [RequestPriority.EDIT])
    assert len(times) == 1
    assert given_up.cancelled()


def test_throttling_halves_the_rate_down_to_a_limit_and_it_comes_back() -> None:
    with stopped() as clock:
        rate_limiter = RateLimiter(40.0)
        rate_limiter.throttled(clock.now)
        rate_limiter.throttled(clock.now)
        assert rate_limiter.rate == 10.0
        for _ in range(20):
            rate_limiter.throttled(clock.now)
        assert rate_limiter.rate == LEAST_RATE
        clock.now += 1
        assert rate_limiter.rate == LEAST_RATE + RECOVERY * 40.0
        clock.now += 3600
        assert rate_limiter.rate == 40.0


def test_requests_that_were_under_way_together_halve_the_rate_once() -> None:
    with stopped() as clock:
        rate_limiter = RateLimiter(40.0)
        sent = clock.now
        clock.now += 0.1
        for _ in range(8):
            rate_limiter.throttled(sent)
        assert rate_limiter.rate == 20.0
        rate_limiter.throttled(clock.now)
        assert rate_limiter.rate == 10.0


async def test_a_wish_of_aws_to_wait_is_heeded() -> None:
    rate_limiter = RateLimiter(100.0)
    asked = monotonic()
    rate_limiter.throttled(asked, retry_after=0.2)
    await turns(rate_limiter, [RequestPriority.EDIT])
    assert monotonic() - asked >= 0.2


def test_the_rate_does_not_come_back_while_aws_asks_not_to_be_called() -> None:
    with stopped() as clock:
        rate_limiter = RateLimiter(100.0)
        rate_limiter.throttled(clock.now, retry_after=30.0)
        for _ in range(30):
            assert (rate_limiter.state().rate_now, rate_limiter.state().tokens) == (50.0, 0.0)
            clock.now += 1
        clock.now += 1
        assert rate_limiter.rate == 50.0 + 100.0 * RECOVERY
        assert rate_limiter.state().tokens == BURST


def test_a_share_of_the_rate_follows_what_is_granted_now() -> None:
    with stopped() as clock:
        rate_limiter = RateLimiter(10.0)
        assert rate_limiter.interval(0.05) == 2.0
        rate_limiter.throttled(clock.now)
        assert rate_limiter.interval(0.05) == 4.0


async def test_its_state() -> None:
    rate_limiter = RateLimiter(0.5)
    assert rate_limiter.state()[:2] == (0.5, 0.5)
    assert rate_limiter.state().tokens <= 1
    await rate_limiter.take(RequestPriority.EDIT)
    waiting = asyncio.create_task(rate_limiter.take(RequestPriority.EDIT))
    await asyncio.sleep(0)
    assert rate_limiter.state().waiting == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert rate_limiter.state().waiting == 0
    fast = RateLimiter(100.0)
    fast.throttled(monotonic())
    assert fast.state().rate_now < fast.state().rate_set == 100


def test_throttling_begins_and_ends_once() -> None:
    with stopped() as clock:
        rate_limiter = RateLimiter(10.0)
        assert not rate_limiter.has_recovered()
        assert rate_limiter.throttled(clock.now)
        assert not rate_limiter.throttled(clock.now), "it has begun before"
        assert not rate_limiter.has_recovered()
        clock.now += 1 / RECOVERY
        assert rate_limiter.has_recovered()
        assert not rate_limiter.has_recovered(), "it was reported"
        assert rate_limiter.throttled(clock.now)
