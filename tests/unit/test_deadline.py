"""The deadline: it waits until its moment, which may be brought forward."""

import asyncio
import math
import time
from dataclasses import dataclass

from esm_operator.ratelimit.deadline import Deadline
from tests.waiting import LIMIT


@dataclass
class At:
    """A schedule."""

    due: float
    asked: int = 0

    def next_due(self) -> float:
        self.asked += 1
        return self.due


async def test_it_waits_until_the_moment() -> None:
    due = time.monotonic() + 0.05
    async with asyncio.timeout(LIMIT):
        await Deadline().until(At(due).next_due)
    assert time.monotonic() >= due


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    await asyncio.wait_for(Deadline().until(At(-math.inf).next_due), LIMIT)


async def test_it_can_be_brought_forward() -> None:
    deadline, schedule = Deadline(), At(math.inf)
    waiting = asyncio.create_task(deadline.until(schedule.next_due))
    await asyncio.sleep(0)
    deadline.recheck()
    await asyncio.sleep(0)
    assert not waiting.done(), "it is not due because the schedule is asked again"
    schedule.due = 0.0
    deadline.recheck()
    await asyncio.wait_for(waiting, LIMIT)


async def test_several_rechecks_are_taken_together() -> None:
    deadline, schedule = Deadline(), At(math.inf)
    waiting = asyncio.create_task(deadline.until(schedule.next_due, together=0.2))
    for _ in range(50):
        deadline.recheck()
        await asyncio.sleep(0)
    assert schedule.asked <= 2
    waiting.cancel()
