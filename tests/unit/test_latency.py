"""The latency of a server, and the time-outs that follow from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.ratelimit.latency import Latency
from tests.unit.clock import stopped

LEAST, LONGEST = 5.0, 30.0
SECONDS = st.floats(0.0, 100.0)


def after(samples: list[float]) -> Latency:
    """The latency after some answers."""
    latency = Latency()
    for seconds in samples:
        latency.record(seconds)
    return latency


@pytest.mark.parametrize(
    ("samples", "timeout"),
    [([], 5.0), ([0.02] * 10, 5.0), ([4.0] * 100, 8.0), ([60.0], 30.0)],
    ids=["no answer yet", "a fast server", "a slow server", "a very slow server"],
)
def test_the_time_out_follows_the_latency(samples: list[float], timeout: float) -> None:
    assert after(samples).timeout(LEAST, LONGEST) == pytest.approx(timeout)


def test_a_time_out_allows_for_latencies_that_differ() -> None:
    assert after([1.0, 9.0] * 50).timeout(LEAST, LONGEST) > 15


@given(st.lists(SECONDS), st.integers(0, 50))
def test_time_outs_stay_within_their_bounds(samples: list[float], timed_out: int) -> None:
    latency = after(samples)
    for _ in range(timed_out):
        latency.timed_out()
    assert LEAST <= latency.timeout(LEAST, LONGEST) <= LONGEST


def test_each_time_out_doubles_the_next_one_until_an_answer() -> None:
    latency, timeouts = Latency(), list[float]()
    for _ in range(4):
        timeouts.append(latency.timeout(LEAST, LONGEST))
        latency.timed_out()
    assert timeouts == [5.0, 10.0, 20.0, 30.0]
    latency.record(0.1)
    assert latency.timeout(LEAST, LONGEST) == LEAST


@given(st.lists(st.tuples(st.floats(0.1, 20.0), SECONDS), min_size=1))
def test_the_baseline_is_the_least_latency_of_the_last_minute(samples: list[tuple[float, float]]) -> None:
    with stopped() as clock:
        latency, recorded = Latency(), list[tuple[float, float]]()
        for pause, seconds in samples:
            clock.now += pause
            latency.record(seconds)
            recorded.append((clock.now, seconds))
            assert latency.baseline == min(seconds for at, seconds in recorded if at >= clock.now - 60.0)
