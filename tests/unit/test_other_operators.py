"""Another operator is told of when it writes what is known here; one that wrote before is history."""

from datetime import UTC, datetime
from typing import Any

import pytest

from esm_operator.cluster.operator_names import MANAGER, manager_name
from esm_operator.cluster.other_operators import AHEAD, REPORTED_FOR, OtherOperators

OWN = manager_name("esm-operator", "esm-operator")
OTHER = manager_name("team-a", "esm-operator")
REMEDY = "--namespaces or --selector"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


#: 00:05 of the day of the objects, in seconds since 1970.
MINUTE_5 = datetime(2026, 1, 1, 0, 5, tzinfo=UTC).timestamp()


def others_of(clock: Clock | None = None, *, now: float = MINUTE_5) -> OtherOperators:
    """What the operator OWN knows of others, at a time in seconds since 1970."""
    return OtherOperators(OWN, clock or Clock(), wall=lambda: now)


def body(**times: str) -> dict[str, Any]:
    """An object that each of these wrote at a time: ``own``, ``other``, ``kubectl``; by the minute."""
    names = {"own": OWN, "other": OTHER}
    entries = [
        {"manager": names.get(name, name), "operation": "Update", "time": f"2026-01-01T00:{minute}:00Z"}
        for name, minute in times.items()
    ]
    return {"metadata": {"name": "orders", "managedFields": entries}}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (body(own="01"), body(own="01", other="02"), True),
        (body(own="01", other="02"), body(own="01", other="03"), True),
        (body(other="02"), body(other="02"), False),
        (body(other="02"), body(own="03", other="02"), False),
        (body(other="02"), body(own="03"), False),
        (body(own="01"), body(own="02"), False),
        (body(own="01"), body(own="01", kubectl="02"), False),
        (body(own="01"), {"metadata": {"name": "orders"}}, False),
    ],
)
def test_who_writes_what_is_known_is_told_of(before: dict[str, Any], now: dict[str, Any], told: bool) -> None:
    others = others_of()
    assert others.seen(before, known=False) == ""
    said = others.seen(now, known=True)
    assert bool(said) is told
    assert others.told() == ([said] if told else [])
    if told:
        assert "team-a/esm-operator" in said
        assert REMEDY in said


def test_what_comes_from_another_operator_is_no_sign_of_it() -> None:
    """It moved from one to the other, or another object of the name was there before."""
    others = others_of()
    others.seen(body(other="01"), known=False)
    assert others.seen(body(other="02"), known=False) == ""
    assert others.told() == []


def test_a_write_is_noticed_once() -> None:
    """What the other wrote comes back with each event of the resource."""
    clock = Clock()
    others = others_of(clock)
    others.seen(body(own="01"), known=False)
    assert others.seen(body(own="01", other="02"), known=True)
    clock.now = REPORTED_FOR
    assert not others.seen(body(own="03", other="02"), known=True)
    assert others.told() == []


def test_history_of_one_resource_hides_no_later_write_to_another() -> None:
    others = others_of()
    others.seen(body(own="01"), known=False)
    others.seen(body(own="01", other="02"), known=False)
    assert not others.seen(body(own="01", other="02"), known=True)
    assert others.seen(body(own="01", other="03"), known=True)


def test_a_time_that_was_written_by_hand_tells_and_hides_nothing() -> None:
    others = others_of(now=MINUTE_5 - AHEAD - 120)
    others.seen(body(other="04"), known=False)
    assert not others.seen(body(other="05"), known=True)
    assert others.told() == []
    assert others.seen(body(other="03"), known=True), "the clock of the API server may be ahead"


def test_it_is_told_of_once_an_hour() -> None:
    clock = Clock()
    others = others_of(clock)
    assert others.seen(body(other="01"), known=True)
    assert not others.seen(body(other="01"), known=True)
    clock.now = REPORTED_FOR - 1
    assert not others.seen(body(other="02"), known=True)
    clock.now = REPORTED_FOR + 1
    assert others.seen(body(other="03"), known=True), "it goes on writing"
    assert others.told()
    clock.now = 2 * REPORTED_FOR + 1
    assert not others.told()


@pytest.mark.parametrize(("later", "told"), [(0, True), (REPORTED_FOR - 300, True), (REPORTED_FOR, False)])
def test_who_wrote_last_shortly_before_the_start_is_counted(later: float, told: bool) -> None:
    clock = Clock()
    others = others_of(clock, now=MINUTE_5 + later)
    for _ in range(3):
        others.seen(body(own="01", other="02"), known=False)
    others.seen(body(own="02", other="01"), known=False)
    said = others.begin()
    assert len(said) == told
    assert others.told() == said
    assert others.met == 0, "nobody knows whether it still runs"
    if told:
        assert ", 3 of them" in said[0]
        assert "team-a/esm-operator" in said[0]
        assert REMEDY in said[0]
    clock.now = REPORTED_FOR + 1
    assert others.told() == []


def test_what_moves_here_after_the_start_is_not_counted() -> None:
    others = others_of()
    assert others.begin() == []
    others.seen(body(own="01", other="02"), known=False)
    assert others.told() == []


def test_the_names_of_field_managers_are_ones_that_kubernetes_takes() -> None:
    leases = [("a", "esm-operator"), ("b", "esm-operator"), ("n" * 63, "l" * 253), ("n" * 63, "l" * 252 + "x")]
    names = {manager_name(namespace, name) for namespace, name in leases}
    assert len(names) == len(leases)
    for name in names:
        assert name.startswith(MANAGER)
        assert len(name) <= 128


def test_what_is_some_time_ago_says_so() -> None:
    clock = Clock()
    others = others_of(clock)
    others.seen(body(own="01"), known=False)
    said = others.seen(body(own="01", other="02"), known=True)
    clock.now += 150.0
    assert others.told() == [f"{said} It wrote last 2 minutes ago; if it has ended since, there is nothing to do."]
