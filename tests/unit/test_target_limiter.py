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


def test_targets_of_existing_mappings_count_and_have_twice_the_limit() -> None:
    limiter = TargetLimiter[str, int](per_namespace=2, total=100)
    assert [limiter.admit("shop", target, existing=True) for target in range(5)] == [None] * 4 + [Refusal.NAMESPACE]
    assert limiter.admit("shop", 5) is Refusal.NAMESPACE


def test_existing_mappings_move_to_other_targets_even_if_none_is_free() -> None:
    """All ProviderConfigs get another role, and the former targets are in use until their connections are closed."""
    limiter = TargetLimiter[str, str](per_namespace=100, total=16)
    former = [(name, f"{name} {number}") for name in ("a", "b", "c", "d", "e") for number in range(100)]
    former = [pair for pair in former if limiter.admit(*pair) is None]
    moved = [(namespace, f"{target} again") for namespace, target in former]
    assert [limiter.admit(*pair, existing=True) for pair in moved] == [None] * len(moved)
    limiter.keep(moved)
    assert sorted(limiter.pairs()) == sorted(moved)


def test_existing_mappings_have_a_limit_in_total() -> None:
    limiter = TargetLimiter[str, int](per_namespace=100, total=2)
    admitted = [limiter.admit("shop", target, existing=True) for target in range(6)]
    assert admitted == [None] * 4 + [Refusal.TOTAL] * 2
    assert limiter.admit("bank", 6) is None, "the first is always admitted"


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
