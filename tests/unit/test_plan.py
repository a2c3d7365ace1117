"""The planner, case by case: what is done next for one resource."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator import plan
from esm_operator.api import identity
from esm_operator.api.fields import desired_values, observed_values
from esm_operator.api.sources import source_type
from esm_operator.ownership import OWNER_TAGS, Owner
from esm_operator.plan import Adoption, Desired, Observed, View

OWNER = Owner("cluster", "shop", "orders", "uid-1")
OTHER = Owner("cluster", "shop", "payments", "uid-2")
HERE = "eu-west-1:123456789012"
UUID = "11111111-1111-1111-1111-111111111111"
SECOND = "22222222-2222-2222-2222-222222222222"
SQS = {"functionName": "orders", "eventSourceARN": f"arn:aws:sqs:{HERE}:orders"}
KINESIS = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/orders",
    "startingPosition": "LATEST",
}
MSK = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:kafka:{HERE}:cluster/orders/1-2-3",
    "topics": ["orders"],
}
MQ = {
    "functionName": "orders",
    "eventSourceARN": f"arn:aws:mq:{HERE}:broker:orders:b-1",
    "queues": ["orders"],
    "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": "secret"}, {"type": "VIRTUAL_HOST", "uri": "/a"}],
}


def wanted(spec: Mapping[str, Any] = SQS, *, tags: Mapping[str, str] | None = None, **more: Any) -> Desired:
    """A resource that is prepared and has nothing in AWS yet."""
    values = desired_values(spec)
    asked = identity.of_spec(spec)
    settings: dict[str, Any] = {"prepared": True, "finalizer": True, "intent_current": True, **more}
    return Desired(
        owner=OWNER,
        identity=asked,
        intended=asked,
        source=source_type(spec),
        values=values,
        tags={**(tags or {}), **OWNER.tags()},
        **settings,
    )


def made(spec: Mapping[str, Any] = SQS, *, tags: Mapping[str, str] | None = None, **more: Any) -> Desired:
    """A resource whose mapping was made by it."""
    desired = wanted(spec, tags=tags)
    settings: dict[str, Any] = {
        "uuid": UUID,
        "applied_fields": frozenset(desired.values),
        "applied_tags": frozenset(desired.tags),
        "applied_immutable": plan.immutable_texts(desired.values),
        "known_tags": desired.tags,
        **more,
    }
    return replace(desired, **settings)


def seen(owner: Owner | None = OWNER, *, uuid: str = UUID, state: str = "Enabled", **members: Any) -> Observed:
    """A mapping of an SQS queue as AWS has it, unless the members say else."""
    raw = {
        "UUID": uuid,
        "FunctionArn": f"arn:aws:lambda:{HERE}:function:orders",
        "EventSourceArn": SQS["eventSourceARN"],
        "State": state,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        **members,
    }
    return Observed(uuid, state, observed_values(raw), tags=owner.tags() if owner else {})


def found(mapping: Observed) -> View:
    return View(swept=True, mapping=mapping)


def candidates(*mappings: Observed) -> View:
    return View(swept=True, candidates=mappings)


NOTHING = View(swept=True)
GONE = View(swept=True, gone=True)
UNSWEPT = View(swept=False)
UNSEEN_TAGS = replace(seen(), tags=None)

CASES: dict[str, tuple[Desired, View, plan.Action | type[Any]]] = {
    "the intent's identity: a mapping of somebody else is nothing to us": (
        wanted(),
        View(swept=True, intended=(seen(None),)),
        plan.Create(),
    ),
    "the intent's identity: a mapping of somebody else is not adopted": (
        wanted(adoption=plan.Adoption("IfExists")),
        View(swept=True, intended=(seen(None),)),
        plan.Create(),
    ),
    "the intent's identity: ours is taken up": (
        wanted(),
        View(swept=True, intended=(seen(),)),
        plan.TakeUp(UUID),
    ),
    "going, the noted uuid is another's: ours is found by its identity": (
        made(deleting=True),
        View(swept=True, mapping=seen(OTHER), candidates=(seen(uuid=SECOND),)),
        plan.TakeUp(SECOND),
    ),
    "the noted uuid is another's: ours is found by its identity": (
        made(),
        View(swept=True, mapping=seen(OTHER), candidates=(seen(uuid=SECOND),)),
        plan.TakeUp(SECOND),
    ),
    # Going
    "going, and was never ours to hold": (wanted(deleting=True, finalizer=False), NOTHING, plan.NoOp()),
    "going, nothing was made": (wanted(deleting=True, prepared=False), UNSWEPT, plan.Finish()),
    "going, only observed": (made(deleting=True, observe_only=True), found(seen()), plan.Finish()),
    "going, unseen": (made(deleting=True), UNSWEPT, plan.Look(UUID)),
    "going, perhaps made by the intent": (wanted(deleting=True), UNSWEPT, plan.Wait),
    "going, not made": (wanted(deleting=True), NOTHING, plan.Finish()),
    "going, made by the intent": (wanted(deleting=True), candidates(seen()), plan.TakeUp(UUID)),
    "going, tags unseen": (made(deleting=True), found(UNSEEN_TAGS), plan.LookTags(UUID)),
    "going, retained, tags unseen": (made(deleting=True, retain=True), found(UNSEEN_TAGS), plan.LookTags(UUID)),
    "going, AWS deletes it, tags unseen": (
        made(deleting=True),
        found(replace(seen(state="Deleting"), tags=None)),
        plan.Wait,
    ),
    "going, a candidate with unseen tags": (wanted(deleting=True), candidates(UNSEEN_TAGS), plan.LookTags(UUID)),
    "going, another's in its place": (wanted(deleting=True), candidates(seen(OTHER)), plan.Finish()),
    "going, nobody's in its place": (wanted(deleting=True), candidates(seen(None)), plan.Finish()),
    "going, ours": (made(deleting=True), found(seen()), plan.Delete(UUID)),
    "going, taken over by another": (made(deleting=True), found(seen(OTHER)), plan.Finish()),
    "going, in transition": (made(deleting=True), found(seen(state="Updating")), plan.Wait),
    "going, AWS deletes it": (made(deleting=True), found(seen(state="Deleting")), plan.Wait),
    "going, gone": (made(deleting=True), GONE, plan.Finish()),
    "going, gone before the sweep": (made(deleting=True), View(swept=False, gone=True), plan.SWEEPING),
    "going, retained": (made(deleting=True, retain=True), found(seen()), plan.Release(UUID, OWNER_TAGS)),
    "going, the spec is wrong": (made(deleting=True, problem="No."), found(seen()), plan.Delete(UUID)),
    # Not worked on
    "invalid": (made(problem="No."), found(seen()), plan.Stall("InvalidSpec", "No.")),
    "observed": (wanted(observe_only=True, prepared=False), candidates(seen(None)), plan.NoOp()),
    "observed, before the sweep": (wanted(observe_only=True), UNSWEPT, plan.Wait),
    "observed, none": (wanted(observe_only=True), NOTHING, plan.NOT_FOUND),
    # Being made
    "no finalizer or intent": (wanted(prepared=False), NOTHING, plan.Prepare()),
    "before the sweep": (wanted(), UNSWEPT, plan.Wait),
    "none": (wanted(), NOTHING, plan.Create()),
    "none, with an intent of another spec": (wanted(intent_current=False), NOTHING, plan.Prepare()),
    "made by the intent": (wanted(), candidates(seen()), plan.TakeUp(UUID)),
    "ours among others": (
        wanted(),
        candidates(seen(OTHER, uuid="2"), seen(), seen(None, uuid="3")),
        plan.TakeUp(UUID),
    ),
    "one with unseen tags": (wanted(), candidates(UNSEEN_TAGS), plan.LookTags(UUID)),
    "another's": (wanted(), candidates(seen(OTHER)), plan.Conflict),
    "nobody's": (wanted(), candidates(seen(None)), plan.Conflict),
    "Required and none": (wanted(adoption=Adoption("Required")), NOTHING, plan.Stall),
    # Adoption
    "nobody's, IfExists": (
        wanted(adoption=Adoption("IfExists")),
        candidates(seen(None)),
        plan.Adopt(UUID, "nobody"),
    ),
    "nobody's, Required": (
        wanted(adoption=Adoption("Required")),
        candidates(seen(None)),
        plan.Adopt(UUID, "nobody"),
    ),
    "named, unseen": (wanted(adoption=Adoption("IfExists", UUID)), NOTHING, plan.Look(UUID)),
    "named, nobody's": (
        wanted(adoption=Adoption("IfExists", UUID)),
        found(seen(None)),
        plan.Adopt(UUID, "nobody"),
    ),
    "another's, IfExists": (wanted(adoption=Adoption("IfExists")), candidates(seen(OTHER)), plan.Conflict),
    "another's, with the wrong owner": (
        wanted(adoption=Adoption("IfExists", UUID, "cluster/shop/someone")),
        found(seen(OTHER)),
        plan.Conflict,
    ),
    "another's, by name": (
        wanted(adoption=Adoption("IfExists", UUID, str(OTHER))),
        found(seen(OTHER)),
        plan.Adopt(UUID, str(OTHER)),
    ),
    # Made
    "as desired": (made(), found(seen()), plan.NoOp()),
    "as desired, tags unseen but noted": (made(), found(UNSEEN_TAGS), plan.NoOp()),
    "unseen and as it was": (made(), UNSWEPT, plan.SWEEPING),
    "unseen and edited": (made(edited=True), UNSWEPT, plan.Look(UUID)),
    "in a sweep no more, AWS not asked": (made(), NOTHING, plan.Look(UUID)),
    "gone, to be replaced": (
        replace(made(KINESIS, recreate=True), values=desired_values({**KINESIS, "startingPosition": "TRIM_HORIZON"})),
        GONE,
        plan.Create(again=False),
    ),
    "gone, before the sweep": (made(), View(swept=False, gone=True), plan.Wait),
    "gone": (made(), GONE, plan.Create(again=True)),
    "gone, made again by the intent": (
        made(),
        View(swept=True, gone=True, candidates=(seen(uuid="2"),)),
        plan.TakeUp("2"),
    ),
    "gone, another's in its place": (
        made(),
        View(swept=True, gone=True, candidates=(seen(OTHER, uuid="2"),)),
        plan.Conflict,
    ),
    "in transition": (made(), found(seen(state="Creating")), plan.Wait),
    "taken over by another": (
        made(),
        View(swept=True, mapping=seen(OTHER), candidates=(seen(OTHER),)),
        plan.Conflict,
    ),
    # Fields
    "a field differs": (
        made({**SQS, "batchSize": 5}),
        found(seen()),
        plan.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}),
    ),
    "a field differs that was as the spec says": (
        made({**SQS, "batchSize": 5}, was_in_sync=True),
        found(seen()),
        plan.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}, drift=True),
    ),
    "a field is new": (
        made({**SQS, "batchSize": 5}, applied_fields=frozenset({"functionName", "eventSourceARN"})),
        found(seen()),
        plan.Update(UUID, {"batchSize": 5}, frozenset(), {"batchSize": 10}),
    ),
    "a field differs, tags unseen": (made({**SQS, "batchSize": 5}), found(UNSEEN_TAGS), plan.LookTags(UUID)),
    "a field was removed": (
        made(applied_fields=frozenset({"batchSize"})),
        found(seen(BatchSize=5)),
        plan.Update(UUID, {}, frozenset({"batchSize"}), {"batchSize": 5}),
    ),
    "a structure was removed": (
        made(applied_fields=frozenset({"scalingConfig.maximumConcurrency"})),
        found(seen(ScalingConfig={"MaximumConcurrency": 5})),
        plan.Update(
            UUID,
            {},
            frozenset({"scalingConfig.maximumConcurrency"}),
            {"scalingConfig.maximumConcurrency": 5},
        ),
    ),
    "a removed field has AWS's default": (made(applied_fields=frozenset({"batchSize"})), found(seen()), plan.NoOp()),
    "a field that was never set": (made(), found(seen(BatchSize=5)), plan.NoOp()),
    "filters that List hides": (
        made({**SQS, "filterCriteria": {"filters": [{"pattern": "{}"}]}, "kmsKeyARN": "key"}),
        found(replace(seen(KMSKeyArn="key"), filters_hidden=True)),
        plan.NoOp(),
    ),
    "filters with other white space": (
        made({**SQS, "filterCriteria": {"filters": [{"pattern": '{"a": [1]}'}]}}),
        found(seen(FilterCriteria={"Filters": [{"Pattern": '{ "a":[1] }'}]})),
        plan.NoOp(),
    ),
    "a function by its ARN": (
        made({**SQS, "functionName": f"arn:aws:lambda:{HERE}:function:orders:$LATEST"}),
        found(seen()),
        plan.NoOp(),
    ),
    "disabled by hand": (
        made({**SQS, "enabled": True}, was_in_sync=True),
        found(seen(state="Disabled")),
        plan.Update(UUID, {"enabled": True}, frozenset(), {"enabled": False}, drift=True),
    ),
    "to be disabled": (
        made({**SQS, "enabled": False}),
        found(seen()),
        plan.Update(UUID, {"enabled": False}, frozenset(), {"enabled": True}),
    ),
    "unresettable": (
        made(MSK, applied_fields=frozenset({"maximumBatchingWindowInSeconds"})),
        found(seen(EventSourceArn=MSK["eventSourceARN"], Topics=["orders"], MaximumBatchingWindowInSeconds=30)),
        plan.NoOp(),
    ),
    # Immutable fields
    "an immutable field was changed": (
        replace(made(KINESIS), values=desired_values({**KINESIS, "startingPosition": "TRIM_HORIZON"})),
        found(seen()),
        plan.Stall,
    ),
    "an immutable field was changed, Recreate": (
        replace(made(KINESIS, recreate=True), values=desired_values({**KINESIS, "startingPosition": "TRIM_HORIZON"})),
        found(seen()),
        plan.Replace(UUID, ("startingPosition",)),
    ),
    "an immutable field that AWS filled in": (
        made(MSK),
        found(seen(EventSourceArn=MSK["eventSourceARN"], Topics=["orders"], StartingPosition="TRIM_HORIZON")),
        plan.NoOp(),
    ),
    "a virtual host was changed": (
        made(
            MQ,
            applied_immutable=plan.immutable_texts(desired_values(MQ))
            | {"sourceAccessConfigurations[VIRTUAL_HOST]": "/b"},
        ),
        found(seen(SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": "secret"}])),
        plan.Stall,
    ),
    "access configurations in another order": (
        made(MQ),
        found(
            seen(
                SourceAccessConfigurations=[
                    {"Type": "VIRTUAL_HOST", "URI": "/a"},
                    {"Type": "BASIC_AUTH", "URI": "secret"},
                ]
            )
        ),
        plan.NoOp(),
    ),
    # Tags
    "a tag is new": (
        made(tags={"team": "shop"}, known_tags=OWNER.tags()),
        found(seen()),
        plan.Tag(UUID, {"team": "shop"}, frozenset()),
    ),
    "a tag is new, tags unseen": (
        made(tags={"team": "shop"}, known_tags=OWNER.tags()),
        found(UNSEEN_TAGS),
        plan.LookTags(UUID),
    ),
    "a tag was changed": (
        made(tags={"team": "shop"}),
        found(replace(seen(), tags={**OWNER.tags(), "team": "else"})),
        plan.Tag(UUID, {"team": "shop"}, frozenset()),
    ),
    "a tag was removed": (
        made(applied_tags=frozenset({"team", *OWNER_TAGS})),
        found(replace(seen(), tags={**OWNER.tags(), "team": "shop", "foreign": "stays"})),
        plan.Tag(UUID, {}, frozenset({"team"})),
    ),
    "a foreign tag": (made(), found(replace(seen(), tags={**OWNER.tags(), "foreign": "stays"})), plan.NoOp()),
    "another incarnation of the resource": (
        made(),
        found(seen(replace(OWNER, uid="uid-0"))),
        plan.Tag(UUID, {"esm-operator.io/uid": "uid-1"}, frozenset()),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(case: str) -> None:
    desired, view, expected = CASES[case]
    action = plan.plan(desired, view)
    if isinstance(expected, type):
        assert isinstance(action, expected)
    else:
        assert action == expected


def test_conflicts_say_whose_it_is_and_how_to_take_it_over() -> None:
    foreign = plan.plan(wanted(), candidates(seen(OTHER)))
    assert isinstance(foreign, plan.Conflict)
    assert f"takeOverFrom: {OTHER}" in foreign.message
    nobodys = plan.plan(wanted(), candidates(seen(None)))
    assert isinstance(nobodys, plan.Conflict)
    assert "spec.adoption.policy to IfExists" in nobodys.message


def test_what_is_kept_is_told() -> None:
    desired = made(MSK, applied_fields=frozenset({"maximumBatchingWindowInSeconds", "batchSize"}))
    assert plan.unresettable(desired) == ("maximumBatchingWindowInSeconds",)


def test_an_update_is_described_with_old_and_new_values() -> None:
    update = plan.Update(UUID, {"batchSize": 5}, frozenset({"kmsKeyARN"}), {"batchSize": 10, "kmsKeyARN": "key"})
    assert plan.describe(update) == "batchSize: 10 -> 5, kmsKeyARN: key -> AWS's default"


WRITES = (plan.Create, plan.Update, plan.Tag, plan.Replace, plan.Delete, plan.Release, plan.Adopt)
_states = st.sampled_from(["Enabled", "Disabled", "Creating", "Updating", "Deleting"])
_tags = st.sampled_from([OWNER.tags(), OTHER.tags(), {}, None])


def _mapping(state: str, tags: dict[str, str] | None, batch: int) -> Observed:
    return replace(seen(state=state, BatchSize=batch), tags=tags)


_mappings = st.builds(_mapping, _states, _tags, st.integers(1, 20))
_views = st.builds(
    View,
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
    problem=st.sampled_from(["", "No."]),
)


@given(_desired, _views)
def test_no_plan_touches_what_is_not_ours(desired: Desired, view: View) -> None:
    action = plan.plan(desired, view)
    if not isinstance(action, WRITES):
        return
    assert not desired.observe_only
    if isinstance(action, plan.Create):
        assert view.swept
        assert desired.prepared
        assert desired.intent_current
        assert not view.candidates
        return
    all_seen = [one for one in (view.mapping, *view.candidates) if one is not None and one.uuid == action.uuid]
    assert any(one.tags is not None and one.tags.get("esm-operator.io/name") == OWNER.name for one in all_seen)
    assert any(not one.in_transition for one in all_seen) or isinstance(action, plan.Release)


@given(st.integers(1, 100), st.integers(0, 60))
def test_carrying_an_update_out_leaves_nothing_to_do(batch: int, window: int) -> None:
    desired = made({**SQS, "batchSize": batch, "maximumBatchingWindowInSeconds": window})
    action = plan.plan(desired, found(seen()))
    if isinstance(action, plan.Update):
        after = replace(seen(), values={**seen().values, **action.change})
        action = plan.plan(desired, found(after))
    assert action == plan.NoOp()
