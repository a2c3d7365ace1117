"""The deadline: a task waits until a time that other tasks can bring forward."""

import asyncio
import math
import time
from dataclasses import dataclass

from esm_operator.ratelimit.deadline import Deadline
from tests.waiting import LIMIT


@dataclass
class At:
    """A new deadline."""

    due: float
    asked: int = 0

    def next_due(self) -> float:
        self.asked += 1
        return self.due


async def test_a_wait_ends_at_the_deadline() -> None:
    due = time.monotonic() + 0.05
    async with asyncio.timeout(LIMIT):
        await Deadline().until(At(due).next_due)
    assert time.monotonic() >= due


async def test_a_wait_for_a_past_deadline_ends_immediately() -> None:
    await asyncio.wait_for(Deadline().until(At(-math.inf).next_due), LIMIT)


async def test_a_deadline_can_be_brought_forward() -> None:
    deadline, schedule = Deadline(), At(math.inf)
    waiting = asyncio.create_task(deadline.until(schedule.next_due))
    await asyncio.sleep(0)
    deadline.recheck()
    await asyncio.sleep(0)
    assert not waiting.done(), "it is not due because the schedule is asked again"
    schedule.due = 0.0
    deadline.recheck()
    await asyncio.wait_for(waiting, LIMIT)


async def test_several_rechecks_within_a_short_time_are_combined() -> None:
    deadline, schedule = Deadline(), At(math.inf)
    waiting = asyncio.create_task(deadline.until(schedule.next_due, together=0.2))
    for _ in range(50):
        deadline.recheck()
        await asyncio.sleep(0)
    assert schedule.asked <= 2
    waiting.cancel()
