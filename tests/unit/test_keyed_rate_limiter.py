"""The keyed rate limiter: which key is granted its turn, and when."""

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.clock import replaced
from esm_operator.ratelimit.keyed_rate_limiter import KeyedRateLimiter
from tests.unit.clock import TickingClock, stopped


@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 5)), max_size=200),
)
def test_no_more_turns_than_burst_and_rate_allow(rate: float, burst: int, steps: list[tuple[int, float]]) -> None:
    with stopped() as clock:
        pace: KeyedRateLimiter[int] = KeyedRateLimiter(rate, burst)
        granted: list[float] = []
        for key, passes in steps:
            clock.now += passes
            if pace.take(key) == 0:
                granted.append(clock.now)
        for first, begin in enumerate(granted):
            for last in range(first, len(granted)):
                assert last - first + 1 <= burst + 1 + rate * (granted[last] - begin) + 1e-6


@given(rate=st.floats(0.1, 50), keys=st.integers(2, 40))
def test_each_that_waits_is_granted_in_its_own_time(rate: float, keys: int) -> None:
    with stopped() as clock:
        pace: KeyedRateLimiter[int] = KeyedRateLimiter(rate, 1)
        waits = {key: pace.take(key) for key in range(keys)}
        assert len(pace) == keys - 1
        for key, wait in waits.items():
            if wait:
                clock.now = 1000.0 + wait - 0.01 / rate
                assert pace.take(key) > 0
                clock.now = 1000.0 + wait + 1e-6
                assert pace.take(key) == 0
        assert len(pace) == 0


def test_each_call_brings_others_forward() -> None:
    with stopped():
        pace: KeyedRateLimiter[str] = KeyedRateLimiter(1.0, 1)
        for key in "abcdef":
            pace.take(key)
        assert [pace.advance(2), pace.advance(2), pace.advance(2)] == [["b", "c"], ["d", "e"], ["f"]]


def test_those_that_wait_can_be_brought_forward_or_forgotten() -> None:
    with stopped():
        pace: KeyedRateLimiter[str] = KeyedRateLimiter(1.0, 1)
        waits = [pace.take(key) for key in "abcd"]
        assert waits == [0.0, 1.0, 2.0, 3.0]
        assert pace.advance(2) == ["b", "c"]
        assert (pace.take("b"), pace.take("c")) == (0.0, 0.0)
        pace.forget("d")
        assert len(pace) == 0
        assert pace.advance(2) == []


def test_as_many_keys_as_the_burst_are_granted_without_a_wait_while_the_clock_runs() -> None:
    with replaced(TickingClock()):
        pace: KeyedRateLimiter[int] = KeyedRateLimiter(1.0, 3)
        assert [pace.take(key) for key in range(3)] == [0.0, 0.0, 0.0]
        assert len(pace) == 0
