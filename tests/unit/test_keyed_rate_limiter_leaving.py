"""A pace whose keys leave before their turn: what they leave is free for others, and the rate holds all the same."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.ratelimit.failure_backoff import SHARE, FailureBackoff
from esm_operator.ratelimit.keyed_rate_limiter import KeyedRateLimiter
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.clock import stopped

MANY = 5000
RATE = 5.0
SLOT = 1 / RATE


def crowded() -> KeyedRateLimiter[int]:
    """A pace for whose turns thousands wait."""
    pace: KeyedRateLimiter[int] = KeyedRateLimiter(RATE, 1)
    for key in range(MANY):
        pace.take(key)
    assert len(pace) == MANY - 1
    return pace


def test_after_thousands_were_forgotten_a_new_one_waits_for_one_turn_at_most() -> None:
    with stopped():
        pace = crowded()
        for key in random.Random(1).sample(range(MANY), MANY):
            pace.forget(key)
        assert len(pace) == 0
        assert pace.take(MANY) <= SLOT + 1e-6


def test_after_thousands_were_brought_forward_a_new_one_waits_for_one_turn_at_most() -> None:
    with stopped():
        pace = crowded()
        while keys := [key for key in pace.advance(2) if pace.take(key) == 0]:
            assert len(keys) <= 2
        assert len(pace) == 0
        assert pace.take(MANY) <= SLOT + 1e-6


def test_no_two_that_wait_share_a_turn_when_others_were_brought_forward_or_left() -> None:
    with stopped():
        pace: KeyedRateLimiter[str] = KeyedRateLimiter(1.0, 1)
        assert [pace.take(key) for key in "abcde"] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert pace.advance(1) == ["b"]
        pace.forget("b")
        pace.forget("d")
        waits = sorted(pace.take(key) for key in "cefgh")
        assert all(later - sooner >= 1 for sooner, later in pairwise(waits)), waits
        assert waits[-1] <= 6


def test_those_that_stay_keep_their_turns_when_others_leave() -> None:
    with stopped():
        pace: KeyedRateLimiter[str] = KeyedRateLimiter(1.0, 1)
        waits = {key: pace.take(key) for key in "abcdef"}
        for key in "bd":
            pace.forget(key)
        assert {key: pace.take(key) for key in "cef"} == {key: waits[key] for key in "cef"}


@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.floats(0, 1.5)), max_size=200),
)
def test_no_more_turns_than_burst_and_rate_allow_though_keys_leave(
    rate: float, burst: int, steps: list[tuple[int, bool, float]]
) -> None:
    with stopped() as clock:
        pace: KeyedRateLimiter[int] = KeyedRateLimiter(rate, burst)
        granted: list[float] = []
        for key, leaves, passes in steps:
            clock.now += passes / rate
            if leaves:
                pace.forget(key)
            elif pace.take(key) == 0:
                granted.append(clock.now)
        for first, begin in enumerate(granted):
            for last in range(first, len(granted)):
                assert last - first + 1 <= burst + 1 + rate * (granted[last] - begin) + 1e-6


def test_newcomers_do_not_double_the_rate_of_those_that_wait() -> None:
    """Half of those that wait leave, the first ones; as many come instead."""
    with stopped():
        pace = crowded()
        for key in range(MANY // 2):
            pace.forget(key)
        waits = [pace.take(key) for key in range(MANY // 2, MANY + MANY // 2)]
        seconds = max(waits)
        assert all(sum(begin <= wait < begin + 10 for wait in waits) <= 10 * RATE + 2 for begin in range(int(seconds)))


def test_resources_that_fail_no_more_leave_their_retries_to_others() -> None:
    rate_limiter = RateLimiter(10.0)
    retries: FailureBackoff[str] = FailureBackoff()
    names = [f"orders-{number}" for number in range(MANY)]
    for name in names:
        retries.failed(name)
        retries.wait(name, rate_limiter)
    for name in names:
        retries.forget(name)
    retries.failed("lonely")
    assert retries.wait("lonely", rate_limiter) <= 1 / (SHARE * rate_limiter.full_rate) + 1e-6
