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
from dataclasses import replace

from esm_operator.api.identity import ConsumerGroup
from esm_operator.api.reasons import OutcomeReason, of_state
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
from esm_operator.planning.differences import differences, immutable_changes, tag_changes, tags_edited
from esm_operator.planning.isolation import portion
from esm_operator.planning.ownership import OWNER_TAGS, Ownership, owner_of, ownership
from esm_operator.planning.state import Desired, Observation, Observed

SWEEPING = Wait("WaitingForSweep")
UNSETTLED = Wait("CreateOutcomeUnknown")
NOT_FOUND = Wait("NotFound")
#: What `_find` answers where something else comes before the mapping.
_First = GetMapping | ListTags | Wait


def plan(desired: Desired, view: Observation) -> Action:
    """The one thing to do next."""
    action = _plan_going(desired, view) if desired.deleting else _plan_live(desired, view)
    if desired.paused and isinstance(action, WRITES):
        rescue = desired.owner_tags if isinstance(action, Delete) else None
        return Stall("Paused", values={"action": action, "rescue": rescue})
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
        return _transition("Deleting", found, "" if found.state == "Deleting" else "Delete")
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
    if desired.problems:
        return Stall("InvalidSpec", values={"problems": desired.problems})
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
        return Wait("NotFound", "Named", {"uuid": named})
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
    return Wait("TagsNotVisible", values={"uuid": mapping.uuid}, uuid=mapping.uuid)


def _plan_missing(desired: Desired, view: Observation) -> Action:
    adoption = desired.adoption
    if adoption.policy == "Required":
        return Stall("NothingToAdopt", values={"with_uuid": adoption.uuid, "gone": bool(desired.uuid)})
    lost = desired.uuid if view.mapping is None else ""  # else it stands, and has become another's
    replaced = desired.uuid if immutable_changes(desired) else ""
    return _plan_create(desired, view, Create(again=bool(lost) and not replaced, replaces=replaced))


def _plan_create(desired: Desired, view: Observation, create: Create) -> Action:
    """Create, once nothing is in its way and the intent says what is about to be made."""
    if view.leaving:
        return _predecessor(view.leaving[0])
    if view.same_group and desired.consumer_group is not None:
        own = create.replaces if view.mapping is not None else ""
        return _plan_held(desired.consumer_group, view.same_group[0], own=own)
    if desired.intent_current:
        return create
    if view.unsettled:
        return UNSETTLED
    return SearchByFunction() if view.unsearched else Prepare()


def _plan_held(group: ConsumerGroup, holder: Observed, *, own: str) -> Wait | ListTags | Conflict:
    """Another mapping is in the consumer group. It has another function or topic, so it is not taken up or adopted."""
    if holder.state == "Deleting":
        return Wait("PredecessorDeleting", "ConsumerGroup", {"uuid": holder.uuid, "group": group.name}, holder.uuid)
    if holder.tags is None or not holder.tags_fresh:
        return ListTags(holder.uuid)
    values = {"uuid": holder.uuid, "source": holder, "group": group, "whose": owner_of(holder.tags), "kept": own}
    return Conflict("Conflict", "ConsumerGroup", values, holder.uuid)


def _joined_again(desired: Desired, found: Observed) -> str:
    """The consumer group of the spec if the mapping is in it, so that AWS takes no successor beside the mapping."""
    group = desired.consumer_group
    return group.name if group is not None and group.same_as(found.consumer_group) else ""


def _predecessor(leaving: Observed) -> Wait:
    return Wait("PredecessorDeleting", values={"uuid": leaving.uuid}, uuid=leaving.uuid)


def _plan_other(desired: Desired, view: Observation, found: Observed) -> Action:
    if not found.tags_fresh:
        return ListTags(found.uuid)
    other = owner_of(found.tags or {})
    adoption = desired.adoption
    if other is None and adoption.allowed and adoption.uuid in ("", found.uuid):
        if view.rival:
            return Conflict("Conflict", "Claimed", {"uuid": found.uuid, "rival": view.rival}, found.uuid)
        return _tags_awaited(found) if found.tags_may_follow else Adopt(found.uuid, "nobody")
    named = other is not None and adoption.uuid == found.uuid and adoption.take_over_from == str(other)
    if named and (desired.uuid != found.uuid or desired.edited):
        return Adopt(found.uuid, str(other))  # once: what was taken from it meanwhile, it takes back after an edit only
    return _conflict(desired, view, found)


def _conflict(desired: Desired, view: Observation, found: Observed, *, own: str = "") -> Conflict:
    """A mapping of others is in the way; ``own``: the UUID of the resource's own mapping, which it keeps."""
    other = owner_of(found.tags or {})
    if found.uuid == desired.adoption.uuid and all(one.uuid != found.uuid for one in view.candidates):
        case = "OtherIdentity"
    elif own:
        case = "KeepsOwn"
    elif other is None and found.uuid == desired.uuid and desired.owner_tags:
        case = "TagsRemoved"
    elif other is None:
        case = "Unowned" if desired.owner_tags else "Unrecorded"
    else:
        case = "Owned" if desired.owner_tags else "Recorded"
    values = {"uuid": found.uuid, "owner": other, "whose": other, "kept": own, "source": found}
    return Conflict("Conflict", case, values, found.uuid)


def _plan_ours(desired: Desired, view: Observation, found: Observed) -> Action:
    immutable = immutable_changes(desired, found)
    if found.in_transition:
        if immutable and desired.recreate:
            return _transition("Replacing", found, "Waiting", immutable)
        return _transition(of_state(found.state), found)
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
        return Stall("ImmutableFieldChanged", values={"fields": immutable})
    if desired.adoption.policy == "Required":
        return Stall("ImmutableFieldChanged", "AdoptionRequired", {"fields": immutable})
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
    if _joined_again(desired, found):
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
    group = _joined_again(desired, found)
    return Replace(found.uuid, immutable, consumer_group=group) if found.tags_fresh else ListTags(found.uuid)


def _plan_discard(second: Observed) -> Action:
    """A mapping of ours that is one too many."""
    if second.in_transition:
        return replace(_transition(of_state(second.state), second), uuid=second.uuid)
    return Discard(second.uuid) if second.tags_fresh else ListTags(second.uuid)


def _transition(reason: OutcomeReason, found: Observed, case: str = "", fields: tuple[str, ...] = ()) -> Wait:
    return Wait(reason, case, {"uuid": found.uuid, "state": found.state, "fields": fields})
