"""An Update that AWS refuses is divided until each refused member is known, and all others are changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.fields import FIELDS
from esm_operator.api.frozen_json import FrozenJSON
from esm_operator.planning.isolation import alone, next_members
from esm_operator.reconcile.field_refusals import FieldRefusals
from esm_operator.status.failure import Disposition, Failure
from tests.unit.clock import stopped

A, B, C, D = "BatchSize", "FilterCriteria", "KMSKeyArn", "ScalingConfig"
MEMBERS = sorted({row.top for row in FIELDS if not row.immutable})
SPEC, OTHER_SPEC = FrozenJSON({"batchSize": 1}), FrozenJSON({"batchSize": 2})
NO = "It can't be."


def sets(*refused: Iterable[str], message: str = NO) -> dict[frozenset[str], str]:
    return {frozenset(members): message for members in refused}


CASES: Mapping[str, tuple[set[str], dict[frozenset[str], str], set[str], set[str]]] = {
    "nothing was refused: all": ({A, B, C}, {}, set(), {A, B, C}),
    "nothing is wanted": (set(), sets({A}), set(), set()),
    "all were refused: a half": ({A, B, C, D}, sets({A, B, C, D}), set(), {A, B}),
    "one of two": ({A, B}, sets({A, B}), set(), {A}),
    "the first was refused alone: the others together": ({A, B, C}, sets({A, B, C}, {A}), set(), {B, C}),
    "the first is changed, so the other is the refused one": ({B}, sets({A, B}), set(), {B}),
    "each was refused alone: none": ({A, B}, sets({A, B}, {A}, {B}), set(), set()),
    "the message names one: the others": ({A, B, C}, sets({A, B, C}, message="batchSize is too big."), set(), {B, C}),
    "the message names a part": ({C, D}, sets({C, D}, message="Value '1' at 'maximumConcurrency'"), set(), {C}),
    "the message names all": ({A, C}, sets({A, C}, message="No batch size with KMSKeyArn"), set(), {A}),
    "the others were refused too": (
        {A, B, C},
        sets({A, B, C}, {B, C}, message="The batch size is too big."),
        set(),
        {B},
    ),
    "what was never sent comes first": ({A, B, D}, sets({A, B}, {A}), set(), {D}),
    "one half is done: the other half has the refused one": ({C, D}, sets({A, B, C, D}), set(), {C}),
    "one half had the refused one: the other half": ({B, C, D}, sets({A, B, C, D}, {A, B}, {A}), set(), {B}),
    "the same, and its other one is done": ({A, C, D}, sets({A, B, C, D}, {A, B}, {A}), set(), {C, D}),
    "last comes last": ({A, B}, {}, {B}, {A}),
    "last, when the rest was refused": ({A, B}, sets({A}), {B}, {B}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_sent_next(case: str) -> None:
    wanted, refused, last, expected = CASES[case]
    assert next_members(frozenset(wanted), refused, frozenset(last)) == expected


@dataclass
class Aws:
    """Refuses an Update with a member that it does not take, or not yet."""

    bad: frozenset[str]
    first: tuple[str, str] | None = None
    """The second of the two is refused until the first was changed by an earlier Update."""
    names: bool = False
    changed: set[str] = field(default_factory=set[str])
    calls: int = 0

    def update(self, members: frozenset[str]) -> str:
        """The sentence of the refusal; empty where it is accepted."""
        self.calls += 1
        wrong = members & self.bad
        if self.first is not None and self.first[1] in members and self.first[0] not in self.changed:
            wrong |= {self.first[1]}
        if wrong:
            return f"{min(wrong)} is wrong." if self.names else NO
        self.changed |= members
        return ""


def carry_out(aws: Aws, wanted: frozenset[str], refusals: FieldRefusals) -> frozenset[str]:
    """Send until nothing is left to send. Returns the members that were refused alone."""
    while True:
        failures = refusals.of(SPEC)
        refused = {members: failure.sentence for members, failure in failures.items()}
        members = next_members(wanted - aws.changed, refused)
        if not members and refusals.repeat():
            continue
        if not members:
            return alone(failures) & wanted
        message = aws.update(members)
        if message:
            failure = Failure("RefusedByAWS", Disposition.PERSON, sentence=message)
            refusals.refused(SPEC, members, failure)
        else:
            refusals.accepted()


_members = st.frozensets(st.sampled_from(MEMBERS), min_size=1)


@given(wanted=_members, bad=_members, names=st.booleans())
def test_all_but_the_refused_members_are_changed(wanted: frozenset[str], bad: frozenset[str], names: bool) -> None:
    aws = Aws(bad, names=names)
    assert carry_out(aws, wanted, FieldRefusals()) == wanted & bad
    assert aws.changed == wanted - bad
    assert aws.calls <= 2 * len(wanted) - 1 + len(wanted & bad)


@given(wanted=_members, bad=_members, names=st.booleans(), data=st.data())
def test_members_that_are_taken_in_one_order_only_are_changed(
    wanted: frozenset[str], bad: frozenset[str], names: bool, data: st.DataObject
) -> None:
    first, second = data.draw(st.permutations(MEMBERS))[:2]
    aws = Aws(bad - {first, second}, (first, second), names)
    wanted |= {first, second}
    assert carry_out(aws, wanted, FieldRefusals()) == wanted & aws.bad
    assert aws.changed == wanted - aws.bad
    assert aws.calls <= 4 * len(wanted)


@pytest.mark.parametrize(
    ("wanted", "bad", "names", "calls"),
    [
        ({A}, set(), False, 1),
        ({A, B, C, D}, set(), False, 1),
        ({A}, {A}, False, 1),
        ({A, B, C, D}, {B}, True, 3),  # all, all but B, B
        ({A, B}, {B}, False, 3),  # both, A, B
        ({A, B}, {A}, False, 4),  # both, A, B, and A once more
        ({A, B, C}, {A, B, C}, False, 5),
        (set(MEMBERS), {A}, True, 3),
    ],
)
def test_what_it_costs(wanted: set[str], bad: set[str], names: bool, calls: int) -> None:
    aws = Aws(frozenset(bad), names=names)
    carry_out(aws, frozenset(wanted), FieldRefusals())
    assert aws.calls == calls


def test_what_was_refused_is_left_out_until_its_time_or_an_edit() -> None:
    refusals = FieldRefusals()
    failure = Failure("RefusedByAWS", Disposition.PERSON, sentence=NO)
    refused = frozenset({A})

    with stopped() as clock:
        refusals.refused(SPEC, refused, failure)
        assert refusals.left() is None
        refusals.retry_after(60.0)
        clock.now += 59.0
        assert refusals.of(SPEC) == {refused: failure}
        assert refusals.left() == 1.0
        clock.now += 1.0
        assert refusals.of(SPEC) == {}

    refusals.refused(SPEC, refused, failure)
    assert refusals.of(OTHER_SPEC) == {}
    refusals.refused(SPEC, refused, failure)
    refusals.clear()
    assert refusals.of(SPEC) == {}


def test_what_was_refused_before_an_accepted_update_is_sent_once_more() -> None:
    refusals = FieldRefusals()
    failure = Failure("RefusedByAWS", Disposition.PERSON, sentence=NO)
    both, one, other = frozenset({A, B}), frozenset({A}), frozenset({C})
    refusals.refused(SPEC, both, failure)
    refusals.refused(SPEC, one, failure)
    assert not refusals.repeat()
    refusals.accepted()
    refusals.refused(SPEC, other, failure)
    assert refusals.repeat()
    assert refusals.of(SPEC).keys() == {both, other}
    refusals.refused(SPEC, one, failure)
    assert not refusals.repeat()
