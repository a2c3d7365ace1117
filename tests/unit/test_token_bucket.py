"""The token bucket: no more than rate and burst, and the moment at which the next token comes."""

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.ratelimit.token_bucket import TokenBucket
from tests.unit.clock import stopped

RATES, BURSTS = st.floats(0.01, 50), st.integers(1, 20)


@given(rate=RATES, burst=BURSTS, pauses=st.lists(st.floats(0, 5), max_size=200))
def test_no_more_tokens_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    with stopped() as clock:
        bucket = TokenBucket(rate, burst)
        taken: list[float] = []
        for pause in pauses:
            clock.now += pause
            if bucket.take():
                taken.append(clock.now)
        for first, begin in enumerate(taken):
            for last in range(first, len(taken)):
                assert last - first + 1 <= burst + rate * (taken[last] - begin) + 1e-6


@given(rate=RATES, burst=BURSTS)
def test_a_token_is_there_after_the_delay_and_not_before(rate: float, burst: int) -> None:
    with stopped() as clock:
        bucket = TokenBucket(rate, burst)
        assert bucket.delay == 0
        while bucket.take():
            pass
        delay = bucket.delay
        assert 0 < delay <= 1 / rate
        clock.now += 0.99 * delay
        assert not bucket.take()
        clock.now += 0.02 * delay
        assert bucket.take()


def test_reserved_tokens_are_due_one_after_the_other() -> None:
    with stopped() as clock:
        bucket = TokenBucket(2.0, 2)
        assert [bucket.reserve() - clock.now for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.5]
        assert bucket.tokens == -3
        assert not bucket.take(), "what is reserved is not taken by another"
        clock.now += 2.0
        assert bucket.take()


def test_after_a_drain_no_token_comes_before_its_end() -> None:
    with stopped() as clock:
        bucket = TokenBucket(10.0, 3)
        bucket.drain(clock.now + 5)
        assert bucket.delay == 5 + 1 / 10
        clock.now += 5
        assert not bucket.take()
        clock.now += 0.2
        assert bucket.take()
        bucket.drain()
        assert (bucket.tokens, bucket.take()) == (0.0, False)


def test_a_rate_that_is_changed_counts_from_now_on() -> None:
    with stopped() as clock:
        bucket = TokenBucket(1.0, 1)
        assert bucket.take()
        bucket.rate = 4.0
        clock.now += 0.25
        assert bucket.take()
