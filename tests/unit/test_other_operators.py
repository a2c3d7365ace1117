"""Another operator is reported when it writes resources that are known here; one that wrote before is history."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from esm_operator.api.resource import FINALIZER
from esm_operator.clock import SystemClock, replaced
from esm_operator.cluster.operator_names import MANAGER, manager_name
from esm_operator.cluster.other_operators import AHEAD, MOST, REPORTED_FOR, OtherOperators

OWN = manager_name("esm-operator", "esm-operator")
OTHER = manager_name("team-a", "esm-operator")
REMEDY = "--namespaces, --namespace-selector or --selector"


#: 00:05 of the day of the objects, in seconds since 1970.
MINUTE_5 = datetime(2026, 1, 1, 0, 5, tzinfo=UTC).timestamp()


class Clock(SystemClock):
    """A clock of the process that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall_now = MINUTE_5

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.wall_now


@pytest.fixture(autouse=True)
def clock() -> Generator[Clock]:
    made = Clock()
    with replaced(made):
        yield made


@pytest.fixture
def others() -> OtherOperators:
    """What the operator OWN knows of others."""
    return OtherOperators(OWN)


def body(**times: str) -> dict[str, Any]:
    """An object that each of these wrote at a time: ``own``, ``other``, ``kubectl``; by the minute."""
    names = {"own": OWN, "other": OTHER}
    entries = [
        {"manager": names.get(name, name), "subresource": "status", "time": f"2026-01-01T00:{minute}:00Z"}
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
def test_a_writer_of_known_resources_is_reported(
    before: dict[str, Any], now: dict[str, Any], told: bool, others: OtherOperators
) -> None:
    assert others.record(before, known=False) == ""
    said = others.record(now, known=True)
    assert bool(said) is told
    assert others.sentences() == ([said] if told else [])
    if told:
        assert "team-a/esm-operator" in said
        assert REMEDY in said


def test_resources_made_by_another_operator_do_not_count(others: OtherOperators) -> None:
    """It moved from one to the other, or another object of the name was there before."""
    others.record(body(other="01"), known=False)
    assert others.record(body(other="02"), known=False) == ""
    assert others.sentences() == []


def test_a_write_is_noticed_once(others: OtherOperators, clock: Clock) -> None:
    """What the other wrote comes back with each event of the resource."""
    others.record(body(own="01"), known=False)
    assert others.record(body(own="01", other="02"), known=True)
    clock.now = REPORTED_FOR
    assert not others.record(body(own="03", other="02"), known=True)
    assert others.sentences() == []


def test_history_of_one_resource_hides_no_later_write_to_another(others: OtherOperators) -> None:
    others.record(body(own="01"), known=False)
    others.record(body(own="01", other="02"), known=False)
    assert not others.record(body(own="01", other="02"), known=True)
    assert others.record(body(own="01", other="03"), known=True)


def test_a_time_that_was_written_by_hand_shows_and_hides_nothing(others: OtherOperators, clock: Clock) -> None:
    clock.wall_now = MINUTE_5 - AHEAD - 120
    others.record(body(other="04"), known=False)
    assert not others.record(body(other="05"), known=True)
    assert others.sentences() == []
    assert others.record(body(other="03"), known=True), "the clock of the API server may be ahead"


def test_it_is_reported_once_an_hour(others: OtherOperators, clock: Clock) -> None:
    assert others.record(body(other="01"), known=True)
    assert not others.record(body(other="01"), known=True)
    clock.now = REPORTED_FOR - 1
    assert not others.record(body(other="02"), known=True)
    clock.now = REPORTED_FOR + 1
    assert others.record(body(other="03"), known=True), "it continues to write"
    assert others.sentences()
    clock.now = 2 * REPORTED_FOR + 1
    assert not others.sentences()


@pytest.mark.parametrize(("later", "told"), [(0, True), (REPORTED_FOR - 300, True), (REPORTED_FOR, False)])
def test_who_wrote_last_shortly_before_the_start_is_counted(
    later: float, told: bool, others: OtherOperators, clock: Clock
) -> None:
    clock.wall_now = MINUTE_5 + later
    for _ in range(3):
        others.record(body(own="01", other="02"), known=False)
    others.record(body(own="02", other="01"), known=False)
    said = others.end_of_list()
    assert len(said) == told
    assert others.sentences() == said
    assert others.count == 0, "nobody knows whether it still runs"
    if told:
        assert "to change 3 resources" in said[0]
        assert "team-a/esm-operator" in said[0]
        assert REMEDY in said[0]
    clock.now = REPORTED_FOR + 1
    assert others.sentences() == []


def test_what_moves_here_after_the_start_is_not_counted(others: OtherOperators) -> None:
    assert others.end_of_list() == []
    others.record(body(own="01", other="02"), known=False)
    assert others.sentences() == []


def test_the_names_of_field_managers_are_ones_that_kubernetes_takes() -> None:
    leases = [("a", "esm-operator"), ("b", "esm-operator"), ("n" * 63, "l" * 253), ("n" * 63, "l" * 252 + "x")]
    names = {manager_name(namespace, name) for namespace, name in leases}
    assert len(names) == len(leases)
    for name in names:
        assert name.startswith(MANAGER)
        assert len(name) <= 128


def test_the_report_has_the_age_of_the_last_write(others: OtherOperators, clock: Clock) -> None:
    others.record(body(own="01"), known=False)
    said = others.record(body(own="01", other="02"), known=True)
    clock.now += 150.0
    assert others.sentences() == [
        f"{said} Its last change was 2 minutes ago. If the other operator has stopped since then, no action is needed."
    ]


def invent(others: OtherOperators, number: int, minute: str = "02") -> str:
    """A user writes with a field manager of that number."""
    return others.record(body(**{f"{MANAGER}team-{number}/x": minute}), known=True)


def test_invented_field_managers_cost_little(others: OtherOperators) -> None:
    """Users choose the names of field managers."""
    assert sum(bool(invent(others, number)) for number in range(1000)) == MOST
    assert others.count == len(others.sentences()) == MOST
    for number in range(1000):
        others.record(body(**{f"{MANAGER}new-{number}/x": "03"}), known=False)
    assert len(others.end_of_list()) == MOST
    others.record(body(own="01", other="04"), known=True)
    lease = OTHER.removeprefix(MANAGER)
    assert any(lease in sentence for sentence in others.sentences()), "invented operators do not hide a real one"


def test_each_operator_is_reported_once_an_hour(others: OtherOperators, clock: Clock) -> None:
    assert "team-1/x" in invent(others, 1)
    assert OTHER.removeprefix(MANAGER) in others.record(body(own="01", other="03"), known=True)
    assert invent(others, 1, "04") == others.record(body(own="01", other="04"), known=True) == ""
    clock.now = REPORTED_FOR
    assert invent(others, 1, "05")


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        ({"subresource": "status"}, True),
        ({"fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, f'v:"{FINALIZER}"': {}}}}}, True),
        ({"fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, 'v:"example.com/other"': {}}}}}, False),
        ({"fieldsV1": {"f:metadata": {"f:annotations": {"f:team": {}}}}}, False),
        ({"subresource": "scale"}, False),
        ({}, False),
    ],
)
def test_only_writes_of_the_status_or_the_finalizer_are_those_of_an_operator(
    entry: dict[str, Any], counts: bool, others: OtherOperators
) -> None:
    managed = [{"manager": OTHER, "time": "2026-01-01T00:02:00Z", **entry}]
    assert bool(others.record({"metadata": {"managedFields": managed}}, known=True)) is counts
