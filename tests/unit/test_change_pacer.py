"""The change pacer: a key that has changed is released once in an interval, and all keys at one rate."""

import asyncio

from esm_operator.ratelimit.change_pacer import ChangePacer
from tests.unit.clock import ShiftedClock

#: Rates that a test is never slow enough to reach, and intervals that it never is slow enough to see the end of.
FAST, SLOW, LONG = 1e9, 1e-6, 1e6


async def taken(pacer: ChangePacer[str]) -> list[str]:
    """The keys that are released now."""
    keys: list[str] = []
    while True:
        try:
            keys.append(await asyncio.wait_for(pacer.take(), 0.05))
        except TimeoutError:
            return keys


async def test_keys_are_released_once_in_the_order_of_their_changes() -> None:
    pacer = ChangePacer[str](FAST, 10.0, LONG)
    for key in ("a", "b", "a"):
        pacer.add(key)
    assert await pacer.take() == "a"
    assert await pacer.take() == "b"
    assert await taken(pacer) == []


async def test_a_key_that_changes_again_waits_for_the_end_of_its_interval(shifted_clock: ShiftedClock) -> None:
    pacer = ChangePacer[str](FAST, 10.0, LONG)
    pacer.add("a")
    assert await pacer.take() == "a"
    pacer.add("a")
    pacer.add("a")
    assert await taken(pacer) == []
    shifted_clock.ahead += LONG
    assert await pacer.take() == "a"
    assert len(pacer) == 0


async def test_a_released_key_that_does_not_change_again_is_not_kept(shifted_clock: ShiftedClock) -> None:
    pacer = ChangePacer[str](FAST, 10.0, LONG)
    pacer.add("a")
    assert await pacer.take() == "a"
    shifted_clock.ahead += LONG
    assert await taken(pacer) == []
    pacer.add("a")
    assert await pacer.take() == "a"


async def test_all_keys_share_one_rate() -> None:
    pacer = ChangePacer[str](SLOW, 3.0, LONG)
    for number in range(10):
        pacer.add(str(number))
    for number in range(3):
        assert await pacer.take() == str(number)
    assert await taken(pacer) == []
    assert len(pacer) == 7


async def test_the_rate_lets_the_next_key_through(shifted_clock: ShiftedClock) -> None:
    pacer = ChangePacer[str](SLOW, 1.0, LONG)
    pacer.add("a")
    pacer.add("b")
    assert await pacer.take() == "a"
    assert await taken(pacer) == []
    shifted_clock.ahead += 1 / SLOW
    assert await pacer.take() == "b"


async def test_a_key_that_changes_ends_a_wait() -> None:
    pacer = ChangePacer[str](FAST, 10.0, LONG)
    waiting = asyncio.create_task(pacer.take())
    await asyncio.sleep(0)
    pacer.add("a")
    assert await waiting == "a"


async def test_a_key_that_is_forgotten_is_not_released(shifted_clock: ShiftedClock) -> None:
    pacer = ChangePacer[str](FAST, 10.0, LONG)
    for key in ("a", "b"):
        pacer.add(key)
    pacer.forget("a")
    assert await pacer.take() == "b"
    pacer.add("b")
    pacer.forget("b")
    assert len(pacer) == 0
    shifted_clock.ahead += LONG
    assert await taken(pacer) == []
    pacer.add("b")
    assert await pacer.take() == "b"
