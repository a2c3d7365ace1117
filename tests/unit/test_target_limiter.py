"""The target limiter: each namespace gets its first target, and none takes the last free one."""

from hypothesis import given
from hypothesis import strategies as st

from esm_operator.ratelimit.target_limiter import Refusal, TargetLimiter


def test_a_namespace_uses_at_most_so_many_targets() -> None:
    limiter = TargetLimiter[str, int](per_namespace=3, total=100)
    assert [limiter.admit("shop", target) for target in range(4)] == [None, None, None, Refusal.NAMESPACE]
    assert limiter.admit("shop", 0) is None, "it uses this target already"
    assert limiter.admit("bank", 3) is None


def test_a_target_that_is_released_makes_room() -> None:
    limiter = TargetLimiter[str, int](per_namespace=1, total=100)
    assert limiter.admit("shop", 1) is None
    assert limiter.admit("shop", 2) is Refusal.NAMESPACE
    limiter.keep([("shop", 3)])
    assert limiter.pairs() == []
    assert limiter.admit("shop", 2) is None


def test_a_namespace_leaves_room_for_others() -> None:
    """One namespace may use half of the targets, the next one half of the rest."""
    limiter = TargetLimiter[str, str](per_namespace=100, total=16)
    admitted = {
        name: sum(limiter.admit(name, f"{name} {number}") is None for number in range(100)) for name in ("a", "b", "c")
    }
    assert admitted == {"a": 8, "b": 4, "c": 2}
    assert limiter.admit("d", "d 0") is None
    assert limiter.admit("d", "d 1") is Refusal.TOTAL


def test_a_target_that_others_use_costs_nothing_in_total() -> None:
    limiter = TargetLimiter[str, int](per_namespace=2, total=2)
    assert limiter.admit("a", 1) is None
    assert limiter.admit("b", 2) is None
    assert limiter.admit("a", 3) is Refusal.TOTAL
    assert limiter.admit("a", 2) is None
    assert limiter.admit("a", 1) is None


def test_what_is_always_allowed_counts() -> None:
    limiter = TargetLimiter[str, int](per_namespace=1, total=1)
    assert [limiter.admit("shop", target, always=True) for target in range(3)] == [None, None, None]
    assert limiter.admit("shop", 3) is Refusal.NAMESPACE


@given(
    st.integers(1, 5),
    st.integers(1, 12),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20), st.booleans())),
)
def test_the_limits_hold_for_all_orders(per_namespace: int, total: int, requests: list[tuple[str, int, bool]]) -> None:
    limiter = TargetLimiter[str, int](per_namespace, total)
    for namespace, target, released in requests:
        first = namespace not in {user for user, _ in limiter.pairs()}
        assert not first or limiter.admit(namespace, target) is None, "the first is always admitted"
        limiter.admit(namespace, target)
        if released:
            limiter.keep([pair for pair in limiter.pairs() if pair != (namespace, target)])
        pairs = limiter.pairs()
        users = [user for user, _ in pairs]
        assert all(users.count(user) <= per_namespace for user in set(users))
        assert len({target for _, target in pairs}) <= total + len(set(users)), "first targets may exceed the total"
