"""The planner decides the next action for one resource from its desired and its observed state.

The reconciler calls it again after each action, until the action is a :data:`Rest`. The order of the cases, the first
match wins ("own": the owner tags name the resource):

| resource | mapping | action |
|---|---|---|
| paused | any | Stall instead of an action that writes to AWS |
| deleting, without finalizer | any | NoOp |
| deleting, annotation orphan or Observe | any | RemoveFinalizer |
| deleting, a policy that is not known | any | Stall |
| deleting, Retain | own | RemoveOwnerTags, then RemoveFinalizer |
| deleting | unknown | GetMapping, or Wait for the sweep |
| deleting | own, tags unknown | ListTags |
| deleting | own, its UUID not in the status | RecordUUID |
| deleting | own, in transition | Wait |
| deleting | own | Delete, then RemoveFinalizer when it is gone |
| deleting | none, but a Create may still be in progress | Wait |
| deleting | none, but a Create may have made one that sweeps miss | SearchByFunction |
| deleting, no UUID in the status | none, one of the same identity is being deleted | Wait |
| any | no owner, but perhaps made by an own Create; AWS may not show its tags yet | ListTags, Wait |
| deleting | no owner, by tags that were read before this reconcile | ListTags |
| deleting | another owner or none | RemoveFinalizer, never Delete |
| invalid | any | Stall |
| Observe | another owner, without access | Conflict |
| Observe | any | NoOp, or Wait while there is none; ListTags if this term has not read its owner |
| no finalizer or intent | any | AddFinalizer; an existing intent is kept |
| live | unknown | GetMapping, or Wait for the sweep |
| live | none, one of the same identity is being deleted | Wait |
| live | none, one in the same consumer group is being deleted | Wait |
| live | none, AWS has named another one in the same consumer group | Conflict |
| live | none, but another resource had one of the same identity or group | Conflict |
| live | none | Create, once the intent names it; SearchByFunction before another intent is overwritten |
| live | another owner, without access | Conflict |
| live | of others, to be adopted or without owner, but the ProviderConfig does not allow it | Conflict |
| live | no owner, to be adopted, but AWS may not show its tags yet | Wait |
| live | another owner or none | Adopt if the policy allows it, else Conflict |
| live, another function or immutable field | own by the status, tags unknown | ListTags |
| live | in transition | Wait |
| live, immutable field differs from what was applied | own | Stall (Never), Replace (Recreate) |
| the same, and the identity differs | own | Create the new one first, then Replace the old one |
| the same, in the same consumer group | own | Replace, because AWS accepts one mapping in each group |
| the same, and something else is in the way of the new one | own | Wait or Conflict, as without a mapping |
| live | own, and a second own one | Discard the second |
| live, function differs | own, and one of another owner has that function, or had it | Conflict |
| live, fields differ | own | Update, without the members that AWS has refused |
| live, tags differ | own | Tag |
| live | as desired | NoOp |
"""

from collections.abc import Iterable
from dataclasses import replace

from esm_operator.api.identity import ConsumerGroup
from esm_operator.api.reasons import OutcomeReason, of_state
from esm_operator.planning.access import may_use, not_allowed, shown_owner
from esm_operator.planning.actions import (
    IDENTITY,
    WRITES,
    Action,
    AddFinalizer,
    Adopt,
    Conflict,
    Create,
    Delete,
    Discard,
    GetMapping,
    ListTags,
    NoOp,
    RecordUUID,
    RemoveFinalizer,
    RemoveOwnerTags,
    Replace,
    SearchByFunction,
    Stall,
    Tag,
    Update,
    Wait,
)
from esm_operator.planning.differences import differences, immutable_changes, tag_changes, tags_edited
from esm_operator.planning.inputs import Desired, Observation, ObservedMapping
from esm_operator.planning.isolation import portion
from esm_operator.planning.managers import manager_of
from esm_operator.planning.ownership import OWNER_TAGS, Ownership, owner_of, ownership

SWEEPING = Wait("WaitingForSweep")
UNSETTLED = Wait("CreateOutcomeUnknown")
NOT_FOUND = Wait("NotFound")
#: What `_find` returns if something has to be read or awaited before the mapping is known.
_First = GetMapping | ListTags | Wait


def plan(desired: Desired, view: Observation) -> Action:
    """The next action."""
    action = _plan_deletion(desired, view) if desired.deleting else _plan_live(desired, view)
    if desired.paused and isinstance(action, WRITES):
        rescue = desired.owner_tags if isinstance(action, Delete) else None
        return Stall("Paused", values={"action": action, "rescue": rescue})
    return action


def _plan_deletion(desired: Desired, view: Observation) -> Action:
    if not desired.finalizer:
        return NoOp()
    if desired.orphan or desired.observe_only:
        return RemoveFinalizer()
    if desired.problems:
        return Stall("InvalidSpec", values={"problems": desired.problems})
    found = _find(desired, view)
    if isinstance(found, _First):
        return found
    if found is None or not _may_be_ours(desired, found):
        return _plan_without_own_mapping(desired, view)
    if found.tags is None and (desired.retain or not found.in_transition):
        return ListTags(found.uuid)
    if desired.uuid != found.uuid:
        return RecordUUID(found.uuid)  # with its UUID recorded, the deletion is awaited
    if found.state == "Deleting" or (found.in_transition and not desired.retain):
        return _transition("Deleting", found, "" if found.state == "Deleting" else "Delete")
    if desired.heir:
        values = {"uuid": found.uuid, "heir": desired.heir, "heir_problem": desired.heir_problem}
        return Wait("HandingOver", values=values, uuid=found.uuid)
    if not found.tags_fresh:
        return ListTags(found.uuid)
    return RemoveOwnerTags(found.uuid, OWNER_TAGS) if desired.retain else Delete(found.uuid)


def _plan_without_own_mapping(desired: Desired, view: Observation) -> Action:
    """No mapping is known to be the resource's own. Confirm that before the finalizer is removed."""
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
    return RemoveFinalizer()


def _plan_live(desired: Desired, view: Observation) -> Action:
    if desired.problems:
        return Stall("InvalidSpec", values={"problems": desired.problems})
    if desired.observe_only:
        return _plan_observed(desired, view)
    if not desired.prepared:
        return AddFinalizer(keep_intent=desired.intended is not None)
    found = _find(desired, view)
    if isinstance(found, _First):
        return found
    if found is None:
        return _plan_missing(desired, view)
    if not _may_be_ours(desired, found):
        return _plan_other(desired, view, found)
    if desired.uuid != found.uuid:
        return RecordUUID(found.uuid)
    return _plan_ours(desired, view, found)


def _plan_observed(desired: Desired, view: Observation) -> Action:
    found = _observed(desired, view)
    if found is not None:
        tags = found.tags
        if tags is None:
            return ListTags(found.uuid)  # the status may have them, but somebody else may have written it
        if _is_too_new(desired, found):
            return _tags_awaited(found)
        return NoOp() if may_use(desired, found, tags) else _conflict(desired, view, found)
    named = desired.adoption.uuid
    if named and not view.gone:
        return GetMapping(desired.known_uuid) if view.swept else SWEEPING
    if named and named == desired.known_uuid:
        return Wait("NotFound", "Named", {"uuid": named})
    return NOT_FOUND if view.swept else SWEEPING


def shown_mapping(desired: Desired, view: Observation) -> ObservedMapping | None:
    """The mapping that is shown if ``managementPolicy`` is Observe. None: there is none, or access is not proven."""
    found = _observed(desired, view)
    if found is None or found.tags is None or _is_too_new(desired, found):
        return None
    return found if may_use(desired, found, found.tags) else None


def _is_too_new(desired: Desired, found: ObservedMapping) -> bool:
    """Whether an observed mapping may have an owner whose tags AWS does not show yet."""
    return found.tags_may_follow and found.uuid != desired.uuid


def _observed(desired: Desired, view: Observation) -> ObservedMapping | None:
    """The mapping to observe: the own or named one, else the only candidate."""
    if view.mapping is not None or desired.adoption.uuid or len(view.candidates) != 1:
        return view.mapping
    return view.candidates[0]


def _find(desired: Desired, view: Observation) -> ObservedMapping | _First | None:
    """The mapping with the UUID, else the one with identity and owner tags, else the one in the way."""
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


def _first_ours(
    desired: Desired, view: Observation, mappings: Iterable[ObservedMapping]
) -> ObservedMapping | ListTags | Wait | None:
    """The first mapping with the resource's owner tags, once all tags before it are known."""
    awaited: ListTags | Wait | None = None
    for mapping in mappings:
        if mapping.tags is None:
            return ListTags(mapping.uuid)
        if _whose(desired, mapping) is Ownership.OURS:
            return mapping
        if awaited is None and _tags_may_follow(desired, view, mapping):
            awaited = _tags_awaited(mapping)
    return awaited


def _whose(desired: Desired, mapping: ObservedMapping) -> Ownership:
    return ownership(desired.owner, mapping.tags, incarnation=desired.removed)


def _may_be_ours(desired: Desired, mapping: ObservedMapping) -> bool:
    return _whose(desired, mapping) in (Ownership.OURS, Ownership.UNKNOWN)


def _tags_may_follow(desired: Desired, view: Observation, mapping: ObservedMapping) -> bool:
    """Whether a mapping without owner tags may be the resource's own, because AWS may show tags later."""
    return mapping.tags_may_follow and (view.may_have_made or mapping.uuid in (desired.uuid, view.made))


def _tags_awaited(mapping: ObservedMapping) -> ListTags | Wait:
    if not mapping.tags_fresh:
        return ListTags(mapping.uuid)
    return Wait("TagsNotVisible", values={"uuid": mapping.uuid}, uuid=mapping.uuid)


def _plan_missing(desired: Desired, view: Observation) -> Action:
    adoption = desired.adoption
    if adoption.policy == "Required":
        return Stall("NothingToAdopt", values={"with_uuid": adoption.uuid, "gone": bool(desired.uuid)})
    lost = desired.uuid if view.mapping is None else ""  # else it exists, and has another owner
    replaced = desired.uuid if immutable_changes(desired) else ""
    return _plan_create(desired, view, Create(again=bool(lost) and not replaced, replaces=replaced))


def _plan_create(desired: Desired, view: Observation, create: Create) -> Action:
    """Create, once nothing is in its way and the intent names it."""
    blocked = _plan_blocked(desired, view, own=create.replaces if view.mapping is not None else "")
    if blocked is not None:
        return blocked
    if desired.intent_current:
        return create
    if view.unsettled:
        return UNSETTLED
    return SearchByFunction() if view.unsearched else AddFinalizer()


def _plan_blocked(desired: Desired, view: Observation, *, own: str) -> Wait | ListTags | Conflict | None:
    """What to do if another mapping or resource is in the way of a Create. None: nothing is in the way.

    ``own`` is the UUID of the resource's own mapping, which it keeps.
    """
    if view.leaving:
        return _predecessor(view.leaving[0])
    if view.holder:
        return _plan_behind(desired, view, own=own)
    if view.same_group and desired.consumer_group is not None:
        return _plan_held(desired, desired.consumer_group, view.same_group[0], own=own)
    return None


def _plan_behind(desired: Desired, view: Observation, *, own: str) -> Conflict:
    """Another resource had the mapping, and comes first."""
    return Conflict("Conflict", "ComesFirst", {"rival": _named(desired, view.holder), "kept": own})


def _named(desired: Desired, other: str) -> str:
    """Another resource (namespace/name), as far as messages may name it: empty for one of another namespace."""
    return other if other.partition("/")[0] == desired.owner.namespace else ""


def _plan_held(
    desired: Desired, group: ConsumerGroup, holder: ObservedMapping, *, own: str
) -> Wait | ListTags | Conflict:
    """Another mapping is in the consumer group. It has another function or topic, so the resource cannot adopt it."""
    if holder.state == "Deleting":
        return Wait("PredecessorDeleting", "ConsumerGroup", {"uuid": holder.uuid, "group": group.name}, holder.uuid)
    if holder.tags is None or not holder.tags_fresh:
        return ListTags(holder.uuid)
    whose = shown_owner(desired, owner_of(holder.tags))
    values = {"uuid": holder.uuid, "group": group, "whose": whose, "kept": own}
    if may_use(desired, holder, holder.tags):
        return Conflict("Conflict", "ConsumerGroup", {**values, "found": holder}, holder.uuid)
    return Conflict("Conflict", "ConsumerGroupHidden", values, holder.uuid)


def _joined_again(desired: Desired, found: ObservedMapping) -> str:
    """The consumer group of the spec if the mapping is in it, so that AWS accepts no second mapping in it."""
    group = desired.consumer_group
    return group.name if group is not None and group.same_as(found.consumer_group) else ""


def _predecessor(leaving: ObservedMapping) -> Wait:
    return Wait("PredecessorDeleting", values={"uuid": leaving.uuid}, uuid=leaving.uuid)


def _plan_other(desired: Desired, view: Observation, found: ObservedMapping) -> Action:
    if not found.tags_fresh:
        return ListTags(found.uuid)
    other = owner_of(found.tags or {})
    adoption = desired.adoption
    if not may_use(desired, found, found.tags or {}):
        return _conflict(desired, view, found)
    refused = desired.scope.refusal(found.values, uuid=found.uuid)
    if refused is not None and (adoption.uuid == found.uuid or (adoption.allowed and not adoption.uuid)):
        return Conflict(refused.reason, refused.case, refused.values, found.uuid)
    if other is None and adoption.allowed and adoption.uuid in ("", found.uuid):
        if view.rival:
            return Conflict(
                "Conflict", "Claimed", {"uuid": found.uuid, "rival": _named(desired, view.rival)}, found.uuid
            )
        return _tags_awaited(found) if found.tags_may_follow else Adopt(found.uuid)
    named = other is not None and adoption.takes_over_from(desired.owner.cluster, str(other))
    wanted = named and adoption.allowed and adoption.uuid in ("", found.uuid)
    if wanted and (desired.uuid != found.uuid or desired.edited):
        return Adopt(found.uuid, str(other))  # only once, or after an edit: the other resource may have taken it back
    return _conflict(desired, view, found)


def _conflict(desired: Desired, view: Observation, found: ObservedMapping, *, own: str = "") -> Conflict:
    """A mapping of others is in the way; ``own``: the UUID of the resource's own mapping, which it keeps."""
    tags = found.tags or {}
    refused = not_allowed(desired, found, tags)
    if refused is not None and not own:
        return Conflict(refused.reason, refused.case, refused.values, found.uuid)
    other, hidden = owner_of(tags), not may_use(desired, found, tags)
    manager = manager_of({} if other is not None or hidden else tags)
    if found.uuid == desired.adoption.uuid and all(one.uuid != found.uuid for one in view.candidates):
        case = "HiddenNamed" if hidden else "OtherIdentity"
    elif own:
        case = "Ring" if view.ring else "KeepsOwn"
    elif hidden:
        case = "Hidden" if desired.owner_tags or desired.observe_only else "HiddenRecorded"
    elif other is None and found.uuid == desired.uuid and desired.owner_tags:
        case = "TagsRemoved"
    elif other is None and not desired.owner_tags:
        case = "Unrecorded"
    elif other is None:
        case = "Managed" if manager.name else "Unowned"
    else:
        case = "Owned" if desired.owner_tags else "Recorded"
    whose = shown_owner(desired, other)
    values: dict[str, object] = {"uuid": found.uuid, "whose": whose, "kept": own, "ring": view.ring}
    if hidden:
        values |= {"manager": manager, "taker": desired.owner}
    else:
        values |= {"manager": manager, "owner": other, "found": found}
    return Conflict("Conflict", case, values, found.uuid)


def _plan_ours(desired: Desired, view: Observation, found: ObservedMapping) -> Action:
    immutable = immutable_changes(desired, found)
    change, reset, old = differences(desired, found)
    if found.tags is None and (immutable or IDENTITY & change.keys()):
        return ListTags(found.uuid)  # the UUID in the status may be one that somebody else has written
    if found.in_transition:
        if immutable and desired.recreate:
            return _transition("Replacing", found, "Waiting", immutable)
        return _transition(of_state(found.state), found)
    change, reset = portion(change, reset, view.refused, desired.refused_before)
    writes = bool(immutable or change or reset)
    if (writes or tags_edited(desired)) and found.tags is None:
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
    if view.holder and "functionName" in change:
        return _plan_behind(desired, view, own=found.uuid)
    if view.unsettled and IDENTITY & change.keys():
        return UNSETTLED  # AWS would carry out the Create once this mapping has another function
    if change or reset:
        if not desired.edited and not found.tags_fresh:
            return ListTags(found.uuid)  # the one who changed it may have become its owner
        old = {path: old[path] for path in (*change, *reset)}
        return Update(found.uuid, change, reset, old, drift=desired.was_in_sync)
    if found.tags is not None:
        add, remove = tag_changes(desired, found.tags)
        if add or remove:
            return Tag(found.uuid, add, remove, drift=desired.was_in_sync and found.tags != desired.known_tags)
    return NoOp()


def _plan_replacement(
    desired: Desired, view: Observation, found: ObservedMapping, immutable: tuple[str, ...]
) -> Action:
    """Delete and create again, or first create and then delete if AWS accepts both mappings."""
    if not desired.recreate:
        case = "Reference" if desired.referenced.intersection(immutable) else ""
        return Stall("ImmutableFieldChanged", case, {"fields": immutable})
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


def _plan_replaced_first(
    desired: Desired, view: Observation, found: ObservedMapping, immutable: tuple[str, ...]
) -> Action:
    """Delete first, because AWS does not accept both, unless something else would still be in the way.

    Otherwise the mapping would be lost, because the new one could not be created.
    """
    for other in view.candidates:
        if other.uuid != found.uuid and other.tags is None:
            return ListTags(other.uuid)
        if other.uuid != found.uuid and _tags_may_follow(desired, view, other):
            return _tags_awaited(other)
        if other.uuid != found.uuid and not _may_be_ours(desired, other):
            return _conflict(desired, view, other, own=found.uuid)
    others = tuple(one for one in view.same_group if one.uuid != found.uuid)
    blocked = _plan_blocked(desired, replace(view, same_group=others), own=found.uuid)
    if blocked is not None:
        return blocked
    group = _joined_again(desired, found)
    return Replace(found.uuid, immutable, consumer_group=group) if found.tags_fresh else ListTags(found.uuid)


def _plan_discard(second: ObservedMapping) -> Action:
    """Delete a second mapping of the resource."""
    if second.in_transition:
        return replace(_transition(of_state(second.state), second), uuid=second.uuid)
    return Discard(second.uuid) if second.tags_fresh else ListTags(second.uuid)


def _transition(reason: OutcomeReason, found: ObservedMapping, case: str = "", fields: tuple[str, ...] = ()) -> Wait:
    return Wait(reason, case, {"uuid": found.uuid, "state": found.state, "fields": fields})
