"""The back-off: delays double up to a limit, with jitter."""

import pytest

from esm_operator.ratelimit import backoff
from esm_operator.reconcile.resource_state import ResourceState


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(0, 1.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (1023, 60.0), (1024, 60.0), (10**9, 60.0)],
)
def test_delays_double_up_to_the_longest_however_often_it_fails(failures: int, pause: float) -> None:
    assert backoff.exponential(failures, 1.0, 60.0) == pause


@pytest.mark.parametrize(("first", "longest"), [(1.0, 60.0), (15.0, 300.0)])
def test_the_delay_of_a_failing_resource_doubles_within_jitter(first: float, longest: float) -> None:
    state = ResourceState()
    for failures in range(12):
        expected = min(longest, first * 2**failures)
        assert 0.75 * expected <= state.back_off(first, longest) <= 1.25 * expected
    state.failures.clear()
    assert state.back_off(first, longest) <= 1.25 * first
