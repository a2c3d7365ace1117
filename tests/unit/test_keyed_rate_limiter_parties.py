"""The turns of the keyed rate limiter between parties: one with many keys does not delay another."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.resource import Key
from esm_operator.ratelimit.failure_backoff import SHARE
from esm_operator.ratelimit.keyed_rate_limiter import KeyedRateLimiter
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.reconcile.resource_state import ResourceStates
from tests.unit.clock import stopped

RATE = 5.0
SLOT = 1 / RATE
MANY = 500


def limiter(rate: float = RATE) -> KeyedRateLimiter[tuple[str, int]]:
    return KeyedRateLimiter(rate, 1, party=lambda key: key[0])


def test_one_key_of_another_party_waits_for_two_turns_at_most() -> None:
    with stopped():
        pace = limiter()
        for number in range(MANY):
            pace.take(("big", number))
        assert pace.take(("small", 0)) <= 2 * SLOT + 1e-6
        assert len(pace) == MANY


def test_a_key_that_lost_its_turn_is_told_so_when_it_asks_and_is_granted_the_last_one() -> None:
    with stopped() as clock:
        pace = limiter(1.0)
        waits = {number: pace.take(("big", number)) for number in range(4)}
        assert waits == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}
        assert pace.take(("small", 0)) == 2.0
        clock.now += 2.0
        assert pace.take(("big", 1)) == 0.0
        assert pace.take(("small", 0)) == 0.0
        assert pace.take(("big", 2)) == 2.0
        clock.now += 2.0
        assert [pace.take(("big", number)) for number in (2, 3)] == [0.0, 0.0]
        assert len(pace) == 0


def test_namespaces_take_turns_to_delete() -> None:
    with stopped():
        pace = ResourceStates(deletions_per_minute=1).deletion_limiter
        waits = [pace.take(Key("big", f"orders-{number}")) for number in range(9)]
        assert waits == [60.0 * number for number in range(9)]
        assert pace.take(Key("small", "bills")) == 120.0


def test_namespaces_take_turns_to_retry() -> None:
    with stopped():
        backoff, rate_limiter = ResourceStates(deletions_per_minute=1).failure_backoff, RateLimiter(1 / SHARE)
        keys = [Key("big", f"orders-{number}") for number in range(9)]
        for key in (*keys, Key("small", "bills")):
            backoff.failed(key)
        assert [backoff.wait(key, rate_limiter) for key in keys] == [float(number) for number in range(9)]
        assert backoff.wait(Key("small", "bills"), rate_limiter) == 2.0


def test_parties_take_turns_to_be_brought_forward() -> None:
    with stopped():
        pace = limiter()
        for number in range(MANY):
            pace.take(("big", number))
        pace.take(("small", 0))
        pace.take(("small", 1))
        assert {party for party, _ in pace.advance(2)} == {"big", "small"}
        assert {party for party, _ in pace.advance(2)} == {"big", "small"}


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_a_party_waits_for_as_many_keys_of_each_other_party_as_it_has_itself(sizes: list[int]) -> None:
    """Whichever party comes first. Some more are possible, because keys keep the turn that is next."""
    with stopped():
        pace = limiter()
        keys = [(str(party), number) for party, size in enumerate(sizes) for number in range(size)]
        waiting = [key for key in keys if pace.take(key)]
        order = sorted((pace.take(key), key[0]) for key in waiting)
        before: Counter[str] = Counter()
        for _, party in order:
            others = (count for other, count in before.items() if other != party)
            assert all(count <= before[party] + 3 for count in others)
            before[party] += 1


@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans(), st.floats(0, 1.5)), max_size=200),
)
def test_no_two_that_wait_share_a_turn(steps: list[tuple[int, int, bool, float]]) -> None:
    with stopped() as clock:
        pace = limiter(1.0)
        for party, number, leaves, passes in steps:
            clock.now += passes
            if leaves:
                pace.forget((str(party), number))
            else:
                pace.take((str(party), number))
        keys = [(str(party), number) for party in range(4) for number in range(10)]
        waiting = [key for key in keys if pace.take(key)]
        waits = sorted(pace.take(key) for key in waiting)  # keys that came later may have changed the turns
        assert all(later - sooner >= 1 - 1e-6 for sooner, later in pairwise(waits))
