"""The work queue: once each, the urgent first, nothing lost, nobody starved."""

import asyncio
import time

from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue
from tests.waiting import LIMIT

LIMITS = {QueuePriority.EDIT: 2, QueuePriority.CREATE: 2, QueuePriority.TRANSITION: 2, QueuePriority.RESYNC: 1}


def first_letter(key: str) -> str:
    return key[0]


def empty() -> WorkQueue[str]:
    return WorkQueue(LIMITS)


async def take(queue: WorkQueue[str]) -> str:
    async with asyncio.timeout(LIMIT):
        return await queue.take()


async def nothing_comes(queue: WorkQueue[str]) -> bool:
    """Whether the queue has nothing to give now."""
    task = asyncio.create_task(queue.take())
    for _ in range(5):
        await asyncio.sleep(0)
    waiting = not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return waiting


async def test_a_key_is_given_once() -> None:
    queue = empty()
    queue.add("a", QueuePriority.EDIT)
    queue.add("a", QueuePriority.EDIT)
    assert await take(queue) == "a"
    queue.done("a")
    assert await nothing_comes(queue)


async def test_a_key_that_changes_while_it_is_worked_on_is_worked_on_again() -> None:
    queue = empty()
    queue.add("a", QueuePriority.EDIT)
    await take(queue)
    queue.add("a", QueuePriority.RESYNC)
    queue.add("a", QueuePriority.CREATE)
    assert await nothing_comes(queue)
    queue.done("a")
    assert queue.pending(QueuePriority.CREATE) == 1
    assert await take(queue) == "a"
    queue.done("a")
    assert await nothing_comes(queue)


async def test_the_urgent_come_first() -> None:
    queue = empty()
    for priority in reversed(QueuePriority):
        queue.add(priority.name, priority)
    queue.add("RESYNC", QueuePriority.EDIT)
    taken: list[str] = []
    for _ in QueuePriority:
        taken.append(await take(queue))
        queue.done(taken[-1])
    assert taken == ["EDIT", "RESYNC", "CREATE", "TRANSITION"]


async def test_a_lower_urgency_takes_nothing_away() -> None:
    queue = empty()
    queue.add("a", QueuePriority.EDIT)
    queue.add("a", QueuePriority.RESYNC)
    assert queue.pending(QueuePriority.EDIT) == 1
    assert queue.pending(QueuePriority.RESYNC) == 0


async def test_limits_leave_workers_for_others() -> None:
    queue = empty()
    for number in range(4):
        queue.add(f"create-{number}", QueuePriority.CREATE)
    queue.add("resync", QueuePriority.RESYNC)
    assert {await take(queue) for _ in range(3)} == {"create-0", "create-1", "resync"}
    assert await nothing_comes(queue)
    assert queue.pending(QueuePriority.CREATE) == 4
    queue.done("create-0")
    assert await take(queue) == "create-2"


async def test_parties_take_turns_however_many_keys_one_has() -> None:
    queue: WorkQueue[str] = WorkQueue({**LIMITS, QueuePriority.CREATE: 100}, party=first_letter)
    for number in range(10):
        queue.add(f"a{number}", QueuePriority.CREATE)
    for number in range(2):
        queue.add(f"b{number}", QueuePriority.CREATE)
    assert [await take(queue) for _ in range(6)] == ["a0", "b0", "a1", "b1", "a2", "a3"]


async def test_a_full_lane_holds_up_no_other() -> None:
    queue: WorkQueue[str] = WorkQueue(LIMITS, lane=first_letter)
    for number in range(4):
        queue.add(f"a{number}", QueuePriority.CREATE)
    assert [await take(queue) for _ in range(2)] == ["a0", "a1"]
    assert await nothing_comes(queue)
    queue.add("b0", QueuePriority.CREATE)
    assert await take(queue) == "b0"
    assert queue.pending(QueuePriority.CREATE, "a") == 4
    assert queue.pending(QueuePriority.CREATE, "b") == 1
    queue.done("a0")
    assert await take(queue) == "a2"


async def test_a_key_keeps_its_lane_until_it_is_done_though_it_has_moved() -> None:
    now = "before"
    queue: WorkQueue[str] = WorkQueue(LIMITS, lane=lambda _: now)
    queue.add("key", QueuePriority.EDIT)
    await take(queue)
    now = "after"
    queue.add("key", QueuePriority.EDIT)
    queue.done("key")
    assert queue.pending(QueuePriority.EDIT, "before") == 0
    assert queue.pending(QueuePriority.EDIT, "after") == 1
    queue.forget("key")
    assert queue.pending(QueuePriority.EDIT, "after") == 0


async def test_a_waiting_worker_is_woken() -> None:
    queue = empty()
    worker = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    queue.add("a", QueuePriority.RESYNC)
    assert await worker == "a"


async def test_a_delayed_key_comes_when_it_is_due_and_not_before() -> None:
    queue = empty()
    due = time.monotonic() + 0.05
    queue.add_after("a", QueuePriority.RESYNC, 0.05)
    queue.add_after("a", QueuePriority.RESYNC, 5.0)
    assert await take(queue) == "a"
    assert time.monotonic() >= due
    queue.done("a")
    assert await nothing_comes(queue)


async def test_the_earlier_of_two_delays_counts() -> None:
    queue = empty()
    queue.add_after("a", QueuePriority.RESYNC, 60.0)
    queue.add_after("a", QueuePriority.EDIT, 0.01)
    assert await take(queue) == "a"


async def test_an_edit_does_not_wait_for_a_delay_but_news_from_aws_do() -> None:
    queue = empty()
    queue.add_after("a", QueuePriority.RESYNC, 60.0)
    queue.add("a", QueuePriority.TRANSITION, immediately=False)
    assert await nothing_comes(queue)
    queue.add("a", QueuePriority.EDIT)
    assert await take(queue) == "a"


async def test_news_during_the_work_do_not_end_the_delay_that_the_work_set() -> None:
    queue = empty()
    queue.add("a", QueuePriority.EDIT)
    await take(queue)
    queue.add("a", QueuePriority.TRANSITION, immediately=False)
    queue.add_after("a", QueuePriority.RESYNC, 60.0)
    queue.done("a")
    assert await nothing_comes(queue)


async def test_what_is_forgotten_does_not_come() -> None:
    queue = empty()
    queue.add("a", QueuePriority.EDIT)
    queue.add_after("b", QueuePriority.EDIT, 0.01)
    queue.forget("a")
    queue.forget("b")
    queue.add_after("c", QueuePriority.EDIT, 0.02)
    assert await take(queue) == "c"
    assert await nothing_comes(queue)


async def test_many_keys_and_workers_lose_nothing_and_share_no_key() -> None:
    queue = empty()
    keys = [f"key-{number}" for number in range(200)]
    done: dict[str, int] = {}
    under_way: set[str] = set()

    finished = asyncio.Event()

    async def work() -> None:
        while True:
            key = await queue.take()
            assert key not in under_way
            under_way.add(key)
            await asyncio.sleep(0)
            under_way.discard(key)
            done[key] = done.get(key, 0) + 1
            if done[key] == 1:
                queue.add(key, QueuePriority.TRANSITION)
            queue.done(key)
            if len(done) == len(keys) and min(done.values()) == 2:
                finished.set()

    workers = [asyncio.create_task(work()) for _ in range(7)]
    for number, key in enumerate(keys):
        queue.add(key, QueuePriority(number % len(QueuePriority)))
    async with asyncio.timeout(LIMIT):
        await finished.wait()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert set(done.values()) == {2}


async def test_its_state_by_urgency() -> None:
    queue: WorkQueue[str] = WorkQueue(LIMITS, lane=first_letter)
    assert queue.state(QueuePriority.CREATE) == (0, 0, 0.0)
    before = time.monotonic()
    for key in ("a1", "a2", "b1"):
        queue.add(key, QueuePriority.CREATE)
    queue.add_after("c1", QueuePriority.EDIT, 60.0)
    assert (queue.delayed, queue.state(QueuePriority.EDIT).depth) == (1, 0)
    await asyncio.sleep(0.02)
    depth, under_way, oldest = queue.state(QueuePriority.CREATE)
    assert (depth, under_way) == (3, 0)
    assert 0.02 <= oldest <= time.monotonic() - before
    key = await take(queue)
    priority, waited = queue.wait_of(key)
    assert priority is QueuePriority.CREATE
    assert waited >= 0.02
    assert queue.state(QueuePriority.CREATE)[:2] == (2, 1)
    queue.done(key)
    queue.add("a2", QueuePriority.EDIT)
    assert (queue.state(QueuePriority.CREATE).depth, queue.state(QueuePriority.EDIT).depth) == (1, 1)
    queue.forget("c1")
    assert queue.delayed == 0
