"""The deadline: it waits until its moment, which may be brought forward."""

import asyncio
import math
import time

from esm_operator.ratelimit.deadline import Deadline
from tests.waiting import LIMIT


async def test_it_waits_until_the_moment() -> None:
    due = time.monotonic() + 0.05
    async with asyncio.timeout(LIMIT):
        await Deadline().until(lambda: due)
    assert time.monotonic() >= due


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    await asyncio.wait_for(Deadline().until(lambda: -math.inf), LIMIT)


async def test_who_rings_brings_it_forward() -> None:
    alarm, moment = Deadline(), math.inf
    waiting = asyncio.create_task(alarm.until(lambda: moment))
    await asyncio.sleep(0)
    alarm.ring()
    await asyncio.sleep(0)
    assert not waiting.done(), "it is not due because somebody has rung"
    moment = 0.0
    alarm.ring()
    await asyncio.wait_for(waiting, LIMIT)


async def test_those_who_ring_are_taken_together() -> None:
    alarm, asked = Deadline(), 0

    def moment() -> float:
        nonlocal asked
        asked += 1
        return math.inf

    waiting = asyncio.create_task(alarm.until(moment, together=0.2))
    for _ in range(50):
        alarm.ring()
        await asyncio.sleep(0)
    assert asked <= 2
    waiting.cancel()
