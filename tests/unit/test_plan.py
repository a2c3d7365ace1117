"""The planner, case by case: what is done next for one resource."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.resource import Key
from esm_operator.api.spec import Adoption, MappingSpec
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.allowed import AllowLists, Scope
from esm_operator.planning.inputs import Desired, Observation, ObservedMapping
from esm_operator.status import messages
from esm_operator.status.rendering import message_of
from esm_operator.status.subject import Subject
from tests.unit.plan_cases import (
    CASES,
    DOCUMENTDB,
    ELSEWHERE,
    FOREIGN,
    INVALID,
    OTHER,
    OWNER,
    SECOND,
    SQS,
    UUID,
    candidates,
    documentdb,
    found,
    made,
    msk,
    seen,
    seen_documentdb,
    seen_msk,
    wanted,
)


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    desired, view, expected = CASES[case]
    action = plan.plan(desired, view)
    if isinstance(expected, type):
        assert isinstance(action, expected)
    else:
        assert action == expected


def test_conflicts_name_the_owner_and_the_way_to_take_over() -> None:
    foreign = plan.plan(wanted(), candidates(seen(OTHER)))
    assert isinstance(foreign, actions.Conflict)
    assert f"takeOverFrom: {OTHER}" in message_of(foreign)
    nobodys = plan.plan(wanted(), candidates(seen(None)))
    assert isinstance(nobodys, actions.Conflict)
    assert "spec.adoption to {policy: IfExists}" in message_of(nobodys)


KAFKA_HELD = Observation(
    swept=True,
    same_group=(replace(seen_msk("shop", Topics=["ledger"]), uuid=SECOND, tags=FOREIGN.tags()),),
)
#: Resources, and the mapping of another namespace that each meets.
MEETINGS = {
    "in the way": (wanted(), candidates(seen(FOREIGN))),
    "named": (wanted(adoption=Adoption("IfExists", UUID)), found(seen(FOREIGN, Topics=["ledger"]))),
    "observed": (wanted(observe_only=True), candidates(seen(FOREIGN))),
    "taken over": (made(), Observation(swept=True, mapping=seen(FOREIGN), candidates=(seen(FOREIGN),))),
    "in the consumer group": (wanted(msk("shop")), KAFKA_HELD),
    "without tags": (wanted(owner_tags=False), candidates(seen(FOREIGN))),
    "in the way of an edit": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), candidates=(seen(FOREIGN, uuid=SECOND),)),
    ),
}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_a_conflict_with_another_namespace_names_neither_the_owner_nor_the_mapping(meeting: str) -> None:
    desired, view = MEETINGS[meeting]
    conflict = plan.plan(desired, view)
    assert isinstance(conflict, actions.Conflict)
    told = message_of(conflict)
    assert "belongs to another owner" in told
    for secret in ("bank", "ledger", "takeOverFrom"):
        assert secret not in told
    assert "found" not in conflict.values

    known = plan.plan(replace(desired, consenting=frozenset({Key("bank", "ledger")})), view)
    if desired.observe_only:
        assert isinstance(known, actions.NoOp)
    else:
        assert isinstance(known, actions.Conflict)
        assert "cluster/bank/ledger" in message_of(known)


#: Allow-lists that allow the function, the queue and no destination.
LISTS = AllowLists(functions=("orders",), destinations=())
SECRET = "arn:aws:sqs:eu-west-1:123456789012:ledger"
TO_SECRET: dict[str, Any] = {"DestinationConfig": {"OnFailure": {"Destination": SECRET}}}
HELD = replace(seen_msk("shop", Topics=["ledger"], FunctionArn="payments"), uuid=SECOND, tags={})
#: Resources, and the mapping without an owner that each meets. The allow-lists forbid the mapping.
FORBIDDEN = {
    "in the consumer group": (wanted(msk("shop")), Observation(swept=True, same_group=(HELD,))),
    "in the way": (wanted(), candidates(seen(None, **TO_SECRET))),
    "in the way, recorded": (made(), replace(candidates(seen(None, **TO_SECRET)), mapping=seen(None, **TO_SECRET))),
    "named": (wanted(adoption=Adoption("Never", UUID)), found(seen(None, FunctionArn="payments"))),
    "observed": (wanted(observe_only=True), candidates(seen(None, **TO_SECRET))),
    "in the way of an edit": (
        replace(made(), values=MappingSpec.parse({**SQS, "functionName": "payments"}).values),
        Observation(swept=True, mapping=seen(), candidates=(seen(None, uuid=SECOND, **TO_SECRET),)),
    ),
}


@pytest.mark.parametrize("meeting", FORBIDDEN)
def test_a_conflict_with_a_mapping_that_the_allow_lists_forbid_shows_nothing_of_it(meeting: str) -> None:
    desired, view = FORBIDDEN[meeting]
    conflict = plan.plan(replace(desired, scope=Scope(LISTS, "shared", "shop", "eu-west-1")), view)
    assert isinstance(conflict, actions.Conflict)
    assert "found" not in conflict.values
    for secret in ("ledger", "payments"):
        assert secret not in message_of(conflict)


def test_the_allow_lists_show_nothing_of_a_mapping_of_another_namespace() -> None:
    scope = Scope(LISTS, "shared", "shop", "eu-west-1")
    desired = wanted(adoption=Adoption("IfExists", UUID, str(FOREIGN)), scope=scope)
    conflict = plan.plan(desired, found(seen(FOREIGN)))
    assert isinstance(conflict, actions.Conflict)
    assert conflict.reason == "Conflict"


def test_an_older_claimant_of_another_namespace_is_not_named() -> None:
    adopting = wanted(adoption=Adoption("IfExists"))
    for rival, named in (("shop/older", "The resource shop/older"), ("bank/older", "A resource of another namespace")):
        conflict = plan.plan(adopting, replace(candidates(seen(None)), rival=rival))
        assert isinstance(conflict, actions.Conflict)
        assert f"{named} claims the mapping too" in message_of(conflict)
        assert ("bank" in message_of(conflict)) is False


def test_a_resource_of_another_namespace_that_comes_first_is_not_named() -> None:
    for holder, named in (("shop/older", "The resource shop/older"), ("bank/older", "A resource of another namespace")):
        conflict = plan.plan(wanted(), Observation(swept=True, holder=holder))
        assert isinstance(conflict, actions.Conflict)
        assert f"{named} had a mapping" in message_of(conflict)
        assert ("bank" in message_of(conflict)) is False


def test_a_mapping_without_access_is_not_shown() -> None:
    observing = wanted(observe_only=True)
    for owner, shown in ((None, True), (OWNER, True), (OTHER, True), (FOREIGN, False), (ELSEWHERE, False)):
        assert (plan.shown_mapping(observing, candidates(seen(owner))) is not None) is shown
    assert plan.shown_mapping(observing, candidates(replace(seen(None), tags=None))) is None
    forged = made(observe_only=True, known_tags=OWNER.tags())
    assert plan.shown_mapping(forged, found(replace(seen(FOREIGN), tags=None))) is None
    assert plan.shown_mapping(observing, candidates(replace(seen(None), tags_may_follow=True))) is None


def test_a_mapping_adopted_with_another_collection_differs() -> None:
    collection = "documentDBEventSourceConfig.collectionName"
    one, all_of_them = seen_documentdb(CollectionName="open"), seen_documentdb()
    assert differences.immutable_differences(made(documentdb("closed")), one) == (collection,)
    assert differences.immutable_differences(made(DOCUMENTDB), one) == (collection,), (
        "the spec asks for all collections"
    )
    assert differences.immutable_differences(made(documentdb("open")), one) == ()
    assert differences.immutable_differences(made(DOCUMENTDB), all_of_them) == ()


def test_an_observed_mapping_of_another_collection_is_reported() -> None:
    observed = seen_documentdb(CollectionName="open")
    told = messages.outcome(made(DOCUMENTDB, observe_only=True), actions.NoOp(), observed, {}, Subject())
    assert told.synced is False
    assert "collectionName: open -> unset" in told.sync_message


def test_an_update_is_described_with_old_and_new_values() -> None:
    update = actions.Update(UUID, {"batchSize": 5}, frozenset({"kmsKeyARN"}), {"batchSize": 10, "kmsKeyARN": "key"})
    assert differences.describe(update) == "batchSize: 10 -> 5, kmsKeyARN: key -> AWS's default"


WRITES = (
    actions.Create,
    actions.Update,
    actions.Tag,
    actions.Replace,
    actions.Delete,
    actions.RemoveOwnerTags,
    actions.Adopt,
)
_states = st.sampled_from(["Enabled", "Disabled", "Creating", "Updating", "Deleting"])
_tags = st.sampled_from([OWNER.tags(), OTHER.tags(), {}, None])


def _mapping(state: str, tags: dict[str, str] | None, batch: int) -> ObservedMapping:
    return replace(seen(state=state, BatchSize=batch), tags=tags)


_mappings = st.builds(_mapping, _states, _tags, st.integers(1, 20))
_views = st.builds(
    Observation,
    swept=st.booleans(),
    mapping=st.none() | _mappings,
    gone=st.booleans(),
    candidates=st.lists(_mappings, max_size=3).map(tuple),
)
_desired = st.builds(
    lambda base, batch, **flags: replace(base, values={**base.values, "batchSize": batch}, **flags),
    st.sampled_from([wanted(), made()]),
    st.integers(1, 20),
    deleting=st.booleans(),
    prepared=st.booleans(),
    finalizer=st.booleans(),
    intent_current=st.booleans(),
    retain=st.booleans(),
    observe_only=st.booleans(),
    recreate=st.booleans(),
    problems=st.sampled_from([(), (INVALID,)]),
)


@given(_desired, _views)
def test_no_plan_touches_what_is_not_ours(desired: Desired, view: Observation) -> None:
    action = plan.plan(desired, view)
    if not isinstance(action, WRITES):
        return
    assert not desired.observe_only
    if isinstance(action, actions.Create):
        assert view.swept
        assert desired.prepared
        assert desired.intent_current
        assert not view.candidates
        return
    all_seen = [one for one in (view.mapping, *view.candidates) if one is not None and one.uuid == action.uuid]
    assert any(one.tags is not None and one.tags.get("esm-operator.io/name") == OWNER.name for one in all_seen)
    assert any(not one.in_transition for one in all_seen) or isinstance(action, actions.RemoveOwnerTags)


@given(st.integers(1, 100), st.integers(0, 60))
def test_carrying_an_update_out_leaves_nothing_to_do(batch: int, window: int) -> None:
    desired = made({**SQS, "batchSize": batch, "maximumBatchingWindowInSeconds": window})
    action = plan.plan(desired, found(seen()))
    if isinstance(action, actions.Update):
        after = replace(seen(), values={**seen().values, **action.change})
        action = plan.plan(desired, found(after))
    assert action == actions.NoOp()
