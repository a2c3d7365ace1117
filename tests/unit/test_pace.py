"""A pace and corrections: what is held back, for how long, and what lets it go."""

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.ratelimit.pacer import KeyedRateLimiter
from esm_operator.reconcile.drift_backoff import FIRST, FORGOTTEN, LONGEST, DriftBackoff


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 5)), max_size=200),
)
def test_no_more_turns_than_burst_and_rate_allow(rate: float, burst: int, steps: list[tuple[int, float]]) -> None:
    clock = Clock()
    pace: KeyedRateLimiter[int] = KeyedRateLimiter(rate, burst, clock)
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
    clock = Clock()
    pace: KeyedRateLimiter[int] = KeyedRateLimiter(rate, 1, clock)
    waits = {key: pace.take(key) for key in range(keys)}
    assert len(pace) == keys - 1
    for key, wait in waits.items():
        if wait:
            clock.now = 1000.0 + wait - 0.01 / rate
            assert pace.take(key) > 0
            clock.now = 1000.0 + wait + 1e-6
            assert pace.take(key) == 0
    assert len(pace) == 0


def test_those_that_wait_can_be_brought_forward_or_forgotten() -> None:
    clock = Clock()
    pace: KeyedRateLimiter[str] = KeyedRateLimiter(1.0, 1, clock)
    waits = [pace.take(key) for key in "abcd"]
    assert waits == [0.0, 1.0, 2.0, 3.0]
    assert pace.advance(2) == ["b", "c"]
    assert (pace.take("b"), pace.take("c")) == (0.0, 0.0)
    pace.forget("d")
    assert len(pace) == 0
    assert pace.advance(2) == []


def test_the_same_change_is_sent_ever_more_rarely() -> None:
    clock = Clock()
    corrections: DriftBackoff[str] = DriftBackoff(clock)
    change = {"enabled": True}
    assert corrections.wait("a", "fields", change) == 0
    waits: list[float] = []
    for _ in range(8):
        corrections.sent("a", "fields", change)
        waits.append(corrections.wait("a", "fields", change))
        clock.now += waits[-1]
    assert waits == [min(LONGEST, FIRST * 2**times) for times in range(8)]
    assert corrections.wait("a", "fields", change) == 0


def test_another_change_or_key_or_kind_is_sent_at_once() -> None:
    corrections: DriftBackoff[str] = DriftBackoff(Clock())
    corrections.sent("a", "fields", {"batchSize": 5})
    assert corrections.wait("a", "fields", {"batchSize": 6}) == 0
    assert corrections.wait("a", "tags", {"batchSize": 5}) == 0
    assert corrections.wait("b", "fields", {"batchSize": 5}) == 0
    assert corrections.wait("a", "fields", {"batchSize": 5}) > 0
    corrections.forget("a")
    assert corrections.wait("a", "fields", {"batchSize": 5}) == 0


def test_a_change_that_was_kept_for_long_counts_as_new() -> None:
    clock = Clock()
    corrections: DriftBackoff[str] = DriftBackoff(clock)
    for _ in range(5):
        corrections.sent("a", "fields", {})
    clock.now += FORGOTTEN
    corrections.sent("a", "fields", {})
    assert corrections.wait("a", "fields", {}) == FIRST
