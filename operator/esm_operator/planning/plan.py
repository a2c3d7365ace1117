"""The planner: what is to be done for one resource, given what is desired and what is observed.

Pure: no clock, no input or output, no client. The reconciler asks it again after each action it has
carried out, until nothing is left but to wait. The order of the cases, first match wins:

| resource | mapping | what follows |
|---|---|---|
| paused | any | what would write to AWS is only told: Stall |
| going, without our finalizer | any | NoOp |
| going, let go or Observe | any | Finish |
| going, Retain | ours | Release, then Finish |
| going | unseen | Look / Wait for the sweep |
| going | ours, tags unseen | LookTags |
| going | ours, its uuid not noted | TakeUp |
| going | ours, in transition | Wait |
| going | ours | Delete, then Finish when it is gone |
| going | none, but a Create may still be under way | Wait |
| going | none, but a Create may have made one that sweeps miss | Search |
| going, its uuid not noted | none, one of the same identity is being deleted | Wait |
| any | nobody's, but perhaps made by our Create; AWS may not show its tags yet | LookTags, Wait |
| going | nobody's, by tags that were seen before this work began | LookTags |
| going | another's or nobody's | Finish: never delete what is not ours |
| invalid | any | Stall |
| Observe | any | NoOp: only tell |
| no finalizer or intent | any | Prepare; an intent that stands is kept |
| live | unseen | Look / Wait for the sweep |
| live | none, one of the same identity is being deleted | Wait |
| live | none, one in the same consumer group is being deleted | Wait |
| live | none, AWS has named another one in the same consumer group | Conflict |
| live | none | Create, once the intent says what; where it says another, Search before it is overwritten |
| live | nobody's, to be adopted, but AWS may not show its tags yet | Wait |
| live | not ours | Adopt where the policy says so, else Conflict |
| live | in transition | Wait |
| live, immutable field differs from what was applied | ours | Stall (Never), Replace (Recreate) |
| the same, and the identity differs | ours | Create the new one first, then Replace the old one |
| the same, in the same consumer group | ours | Replace: AWS takes one mapping in each group |
| live | ours, and a second one of ours | Discard the second |
| live, function differs | ours, and another's has that function | Conflict |
| live, fields differ | ours | Update, without the members that AWS has refused |
| live, tags differ | ours | Tag |
| live | as desired | NoOp |
"""

from collections.abc import Iterable

from esm_operator.api.reasons import of_state
from esm_operator.planning import consumer_group
from esm_operator.planning.actions import (
    IDENTITY,
    WRITES,
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Discard,
    Finish,
    GetMapping,
    ListTags,
    NoOp,
    Prepare,
    Release,
    Replace,
    SearchByFunction,
    Stall,
    Tag,
    TakeUp,
    Update,
    Wait,
)
from esm_operator.planning.differences import (
    describe,
    describe_source,
    differences,
    immutable_changes,
    tag_changes,
    tags_edited,
)
from esm_operator.planning.isolation import portion
from esm_operator.planning.ownership import OWNER_TAGS, Ownership, owner_of, ownership
from esm_operator.planning.state import Desired, Observation, Observed

SWEEPING = Wait(
    "WaitingForSweep",
    "Waiting for the first list of the mappings of this account and region, so that none is made twice or left behind.",
)
NOT_FOUND = Wait(
    "NotFound",
    "managementPolicy is Observe and there is no such mapping at AWS. It is shown as soon as there is one.",
)
#: What `_find` answers where something else comes before the mapping.
_First = GetMapping | ListTags | Wait
_RESCUE = (
    "To keep the mapping instead, set the annotation lambda.esm-operator.io/orphan to true: the resource goes, the "
    "mapping stays, and a resource of the same name, applied again, takes it up"
)
#: How a deletion that is not meant is stopped for good; by whether mappings have owner tags.
RESCUES = {True: f"{_RESCUE}.", False: f"{_RESCUE} if its spec.adoption.policy is IfExists."}
UNSETTLED = Wait(
    "CreateOutcomeUnknown",
    "AWS has not answered a request to create the mapping, or the operator was stopped before it heard the answer. "
    "For some seconds the mapping may still appear; the operator looks for it before anything else is done.",
)


def plan(desired: Desired, view: Observation) -> Action:
    """The one thing to do next."""
    action = _plan_going(desired, view) if desired.deleting else _plan_live(desired, view)
    if desired.paused and isinstance(action, WRITES):
        return Stall("Paused", _paused(desired, action))
    return action


def _plan_going(desired: Desired, view: Observation) -> Action:
    if not desired.finalizer:
        return NoOp()
    if desired.orphan or desired.observe_only:
        return Finish()
    found = _find(desired, view)
    if isinstance(found, _First):
        return found
    if found is None or not _may_be_ours(desired, found):
        return _plan_parting(desired, view)
    if found.tags is None and (desired.retain or not found.in_transition):
        return ListTags(found.uuid)
    if desired.uuid != found.uuid:
        return TakeUp(found.uuid)  # else it is not waited for: what is being deleted is no candidate
    if found.state == "Deleting" or (found.in_transition and not desired.retain):
        return Wait("Deleting", _transition(found, "it is deleted" if found.state != "Deleting" else ""))
    if not found.tags_fresh:
        return ListTags(found.uuid)
    return Release(found.uuid, OWNER_TAGS) if desired.retain else Delete(found.uuid)


def _plan_parting(desired: Desired, view: Observation) -> Action:
    """No mapping is ours as far as is known: make sure of that before the finalizer is removed."""
    if view.unsettled:
        return UNSETTLED
    if view.leaving and not desired.uuid:
        return _predecessor(view.leaving[0])
    if view.unsearched:
        return SearchByFunction()
    named = (view.mapping,) if view.mapping is not None else ()
    for other in (*named, *view.intended, *view.candidates):
        if _whose(desired, other) is Ownership.NOBODYS and not other.tags_fresh:
            return ListTags(other.uuid)
    return Finish()


def _plan_live(desired: Desired, view: Observation) -> Action:
    if desired.problem:
        return Stall("InvalidSpec", desired.problem)
    if desired.observe_only:
        return _plan_observed(desired, view)
    if not desired.prepared:
        return Prepare(keep_intent=desired.intended is not None)
    found = _find(desired, view)
    if isinstance(found, _First):
        return found
    if found is None:
        return _plan_missing(desired, view)
    if not _may_be_ours(desired, found):
        return _plan_other(desired, view, found)
    if desired.uuid != found.uuid:
        return TakeUp(found.uuid)
    return _plan_ours(desired, view, found)


def _plan_observed(desired: Desired, view: Observation) -> Action:
    if observed_mapping(desired, view) is not None:
        return NoOp()
    named = desired.adoption.uuid
    if named and not view.gone:
        return GetMapping(desired.looked_for) if view.swept else SWEEPING
    if named and named == desired.looked_for:
        return Wait(
            "NotFound",
            f"managementPolicy is Observe and there is no mapping {named} at AWS, which spec.adoption.uuid names. "
            "Correct it, or leave it out to have the mapping of this function and source shown.",
        )
    return NOT_FOUND if view.swept else SWEEPING


def observed_mapping(desired: Desired, view: Observation) -> Observed | None:
    """The mapping that is watched where ``managementPolicy`` is Observe: its own or named one, else the only one."""
    if view.mapping is not None or desired.adoption.uuid or len(view.candidates) != 1:
        return view.mapping
    return view.candidates[0]


def _find(desired: Desired, view: Observation) -> Observed | _First | None:
    """The mapping of this resource: by its uuid, else by identity and owner tags; else the one in its way."""
    if view.unseen:
        return GetMapping(view.unseen)
    if desired.uuid:
        if view.mapping is not None:
            if _may_be_ours(desired, view.mapping):
                return view.mapping
            if _tags_may_follow(desired, view, view.mapping):
                return _tags_awaited(view.mapping)
        elif not view.gone:
            return GetMapping(desired.uuid) if view.swept or desired.edited or desired.deleting else SWEEPING
    if not view.swept:
        return SWEEPING
    candidates = view.candidates
    if desired.adoption.uuid and not desired.uuid and not desired.deleting:
        if view.mapping is None and not view.gone:
            return GetMapping(desired.adoption.uuid)
        candidates = (view.mapping,) if view.mapping is not None else view.candidates
    ours = _first_ours(desired, view, (*view.intended, *view.candidates, *candidates))
    if ours is not None:
        return ours
    return candidates[0] if candidates else None


def _first_ours(desired: Desired, view: Observation, mappings: Iterable[Observed]) -> Observed | ListTags | Wait | None:
    """The first mapping that our tags are on; tags that were not seen yet, or may follow, are looked at first."""
    awaited: ListTags | Wait | None = None
    for mapping in mappings:
        if mapping.tags is None:
            return ListTags(mapping.uuid)
        if _whose(desired, mapping) is Ownership.OURS:
            return mapping
        if awaited is None and _tags_may_follow(desired, view, mapping):
            awaited = _tags_awaited(mapping)
    return awaited


def _whose(desired: Desired, mapping: Observed) -> Ownership:
    return ownership(desired.owner, mapping.tags, incarnation=desired.removed)


def _may_be_ours(desired: Desired, mapping: Observed) -> bool:
    return _whose(desired, mapping) in (Ownership.OURS, Ownership.UNKNOWN)


def _tags_may_follow(desired: Desired, view: Observation, mapping: Observed) -> bool:
    """Whether a mapping without owner tags may be ours all the same: tags can become visible after the mapping."""
    return mapping.tags_may_follow and (view.may_have_made or mapping.uuid == desired.uuid)


def _tags_awaited(mapping: Observed) -> ListTags | Wait:
    if not mapping.tags_fresh:
        return ListTags(mapping.uuid)
    return Wait(
        "TagsNotVisible",
        f"AWS shows no tags on the mapping {mapping.uuid}, which was created or changed less than 10 minutes ago. "
        "Tags can become visible some seconds after the mapping, so it may have an owner. The operator reads the tags "
        "again within seconds.",
        mapping.uuid,
    )


def _plan_missing(desired: Desired, view: Observation) -> Action:
    adoption = desired.adoption
    if adoption.policy == "Required":
        named = f"with uuid {adoption.uuid} " if adoption.uuid else ""
        gone = "any more" if desired.uuid else "to adopt"
        return Stall(
            "NothingToAdopt",
            f"adoption.policy is Required, so nothing is created, and there is no mapping {named}{gone}. Create it at "
            "AWS, correct spec.adoption.uuid, or set spec.adoption.policy to IfExists.",
        )
    lost = desired.uuid if view.mapping is None else ""  # else it stands, and has become another's
    replaced = desired.uuid if immutable_changes(desired) else ""
    return _plan_create(desired, view, Create(again=bool(lost) and not replaced, replaces=replaced))


def _plan_create(desired: Desired, view: Observation, create: Create) -> Action:
    """Create, once nothing is in its way and the intent says what is about to be made."""
    if view.leaving:
        return _predecessor(view.leaving[0])
    if view.same_group and desired.consumer_group is not None:
        own = create.replaces if view.mapping is not None else ""
        return consumer_group.plan_held(desired.consumer_group, view.same_group[0], own=own)
    if desired.intent_current:
        return create
    if view.unsettled:
        return UNSETTLED
    return SearchByFunction() if view.unsearched else Prepare()


def _predecessor(leaving: Observed) -> Wait:
    return Wait(
        "PredecessorDeleting",
        f"AWS is still deleting the mapping {leaving.uuid} of this function and source; the work goes on after that.",
        leaving.uuid,
    )


def _plan_other(desired: Desired, view: Observation, found: Observed) -> Action:
    if not found.tags_fresh:
        return ListTags(found.uuid)
    other = owner_of(found.tags or {})
    adoption = desired.adoption
    if other is None and adoption.allowed and adoption.uuid in ("", found.uuid):
        if view.rival:
            return Conflict(
                found.uuid,
                f"The mapping {found.uuid} of this function and source is also claimed by {view.rival}, which is older "
                "and gets it. Delete one of the two resources.",
            )
        return _tags_awaited(found) if found.tags_may_follow else Adopt(found.uuid, "nobody")
    named = other is not None and adoption.uuid == found.uuid and adoption.take_over_from == str(other)
    if named and (desired.uuid != found.uuid or desired.edited):
        return Adopt(found.uuid, str(other))  # once: what was taken from it meanwhile, it takes back after an edit only
    return _conflict(desired, view, found)


def _conflict(desired: Desired, view: Observation, found: Observed, *, own: str = "") -> Conflict:
    """Say whose the mapping is that is in the way; ``own``: the UUID of the resource's own, which it keeps."""
    other = owner_of(found.tags or {})
    if found.uuid == desired.adoption.uuid and all(one.uuid != found.uuid for one in view.candidates):
        whose = f"belongs to {other} (cluster/namespace/name)" if other else "belongs to no resource"
        message = (
            f"The mapping {found.uuid}, which spec.adoption.uuid names, {whose} and is of another function or source: "
            f"{describe_source(found)}. Correct spec.adoption.uuid, or spec.functionName and the source."
        )
    elif own:
        whose = f"belongs to {other} (cluster/namespace/name)" if other else "belongs to no resource"
        message = (
            f"The spec asks for a function and source that the mapping {found.uuid} has already, which {whose}. This "
            f"resource keeps its mapping {own} as it is. Correct the spec, or delete the other one first."
        )
    elif other is None and found.uuid == desired.uuid and desired.owner_tags:
        message = (
            f"Somebody has taken the operator's tags (esm-operator.io/...) off the mapping {found.uuid} of this "
            "resource, so it is not touched any more, nor deleted with the resource. To have them put back, set "
            "spec.adoption to {policy: IfExists}."
        )
    elif other is None and not desired.owner_tags:
        message = (
            f"The mapping {found.uuid} of this function and source exists, and this resource does not record it. "
            "Without tags AWS shows no owner, so it may belong to another cluster. If it belongs to nobody, set "
            "spec.adoption to {policy: IfExists} to adopt it."
        )
    elif other is None:
        message = (
            f"The mapping {found.uuid} of this function and source exists and belongs to no resource. To take it "
            "over, set spec.adoption to {policy: IfExists}; else delete it at AWS."
        )
    elif not desired.owner_tags:
        message = (
            f"The mapping {found.uuid} of this function and source belongs to {other} (cluster/namespace/name), which "
            "records it. Correct the spec, or delete one of the two resources."
        )
    else:
        message = (
            f"The mapping {found.uuid} of this function and source belongs to {other} (cluster/namespace/name). "
            f"To take it over, set spec.adoption to {{policy: IfExists, uuid: {found.uuid}, "
            f"takeOverFrom: {other}}}; else correct the spec, or delete the other resource."
        )
    return Conflict(found.uuid, message)


def _plan_ours(desired: Desired, view: Observation, found: Observed) -> Action:
    immutable = immutable_changes(desired, found)
    if found.in_transition:
        if immutable and desired.recreate:
            then = f"{_list(immutable)} can't be changed, so the mapping is replaced by a new one"
            return Wait("Replacing", _transition(found, then))
        return Wait(of_state(found.state), _transition(found, ""))
    change, reset, old = differences(desired, found)
    change, reset = portion(change, reset, view.refused, desired.refused_before)
    writes = bool(immutable or change or reset)
    if (writes or found.tags_in_doubt or tags_edited(desired)) and found.tags is None:
        return ListTags(found.uuid)
    if immutable:
        return _plan_replacement(desired, view, found, immutable)
    second = _first_ours(desired, view, (one for one in (*view.intended, *view.candidates) if one.uuid != found.uuid))
    if isinstance(second, _First):
        return second
    if second is not None:
        return _plan_discard(second)
    others = [one for one in view.candidates if one.uuid != found.uuid]
    if others and "functionName" in change:
        return _conflict(desired, view, others[0], own=found.uuid)
    if view.leaving and "functionName" in change:
        return _predecessor(view.leaving[0])
    if view.unsettled and IDENTITY & change.keys():
        return UNSETTLED  # AWS would carry it out once this mapping is none of that function any more
    if change or reset:
        if not desired.edited and not found.tags_fresh:
            return ListTags(found.uuid)  # whoever changed it may own it by now
        old = {path: old[path] for path in (*change, *reset)}
        return Update(found.uuid, change, reset, old, drift=desired.was_in_sync)
    if found.tags is not None:
        add, remove = tag_changes(desired, found.tags)
        if add or remove:
            return Tag(found.uuid, add, remove, drift=desired.was_in_sync and found.tags != desired.known_tags)
    return NoOp()


def _plan_replacement(desired: Desired, view: Observation, found: Observed, immutable: tuple[str, ...]) -> Action:
    """Delete and create again; or the other way round, where AWS takes both mappings beside each other."""
    if not desired.recreate:
        return Stall(
            "ImmutableFieldChanged",
            f"AWS can't change {_list(immutable)} of a mapping. Set it back, or set spec.replacePolicy to "
            "Recreate to have the mapping deleted and created again.",
        )
    if desired.adoption.policy == "Required":
        return Stall(
            "ImmutableFieldChanged",
            f"AWS can't change {_list(immutable)} of a mapping, and spec.adoption.policy is Required, so none is "
            "created. Set it back, or set spec.adoption.policy to Never to have the mapping replaced.",
        )
    if not view.swept:
        return SWEEPING
    if any(one.uuid == found.uuid for one in view.candidates):
        return _plan_replaced_first(desired, view, found, immutable)
    successor = _first_ours(desired, view, view.candidates)
    if isinstance(successor, _First):
        return successor
    if successor is not None:
        return Replace(found.uuid, immutable, successor.uuid) if found.tags_fresh else ListTags(found.uuid)
    if view.candidates:
        return _conflict(desired, view, view.candidates[0], own=found.uuid)
    stray = _first_ours(desired, view, (one for one in view.intended if one.uuid != found.uuid))
    if isinstance(stray, _First):
        return stray
    if stray is not None:
        return _plan_discard(stray)
    if consumer_group.joined_again(desired, found):
        return _plan_replaced_first(desired, view, found, immutable)
    return _plan_create(desired, view, Create(replaces=found.uuid))


def _plan_replaced_first(desired: Desired, view: Observation, found: Observed, immutable: tuple[str, ...]) -> Action:
    """Delete it, for the new one can't be beside it; but not if another's would be in the way even then."""
    for other in view.candidates:
        if other.uuid != found.uuid and other.tags is None:
            return ListTags(other.uuid)
        if other.uuid != found.uuid and _tags_may_follow(desired, view, other):
            return _tags_awaited(other)
        if other.uuid != found.uuid and not _may_be_ours(desired, other):
            return _conflict(desired, view, other, own=found.uuid)
    group = consumer_group.joined_again(desired, found)
    return Replace(found.uuid, immutable, consumer_group=group) if found.tags_fresh else ListTags(found.uuid)


def _plan_discard(second: Observed) -> Action:
    """A mapping of ours that is one too many."""
    if second.in_transition:
        return Wait(of_state(second.state), _transition(second, ""), second.uuid)
    return Discard(second.uuid) if second.tags_fresh else ListTags(second.uuid)


def _transition(found: Observed, then: str) -> str:
    doing = f"AWS is at work on the mapping {found.uuid} (state {found.state})"
    return f"{doing}; {then} after that." if then else f"{doing}."


def _list(paths: tuple[str, ...]) -> str:
    return ", ".join(f"spec.{path}" for path in paths)


_VERBS: dict[type[Action], str] = {
    Create: "create the mapping",
    Update: "change the mapping",
    Tag: "change its tags",
    Adopt: "take over the mapping",
    Replace: "delete the mapping and create it again",
    Discard: "delete a second mapping",
    Delete: "delete the mapping",
    Release: "take its tags off the mapping",
}


def _paused(desired: Desired, action: Action) -> str:
    what = _VERBS[type(action)]
    if isinstance(action, Update):
        what += f" ({describe(action)})"
    message = (
        f"The operator would {what} now, but the annotation lambda.esm-operator.io/paused holds it back. Remove the "
        "annotation to let it go on."
    )
    return f"{message} {RESCUES[desired.owner_tags]}" if desired.deleting and isinstance(action, Delete) else message
