"""The observation for one plan, from the inventory and from the resource state in memory."""

import math
from collections.abc import Mapping
from dataclasses import replace

from esm_operator.api.identity import digests
from esm_operator.api.resource import Key, Resource
from esm_operator.api.spec import MappingSpec
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.planning.access import knows
from esm_operator.planning.allowed import Scope
from esm_operator.planning.desired import MappingRecord, scope_of
from esm_operator.planning.differences import immutable_changes
from esm_operator.planning.inputs import Observation, ObservedMapping
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.target import ResolvedTarget
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.ownership_records import may_be_in, tags_in_place, with_recorded_owner
from esm_operator.reconcile.resource_state import ResourceState

#: The most resources of a ring that a message names. A longer ring shows the ordinary Conflict.
_LONGEST_RING = 8


def observe(context: ReconcileContext, *, unsettled: bool) -> Observation:
    """The observation of a resource's mapping. Unsettled: AWS may still carry out a Create of the mapping."""
    resource, inventory, desired = context.resource, context.connected.inventory, context.desired
    uuid = desired.known_uuid
    entry = inventory.get(uuid) if uuid else None
    candidates = {one.uuid: one for one in inventory.with_identity(desired.identity)}
    leaving = {one.uuid: one for one in inventory.leaving(desired.identity)}
    intended = inventory.with_identity(desired.intended) if desired.intended is not None else []
    group = desired.consumer_group
    same_group = {one.uuid: one for one in inventory.leaving_group(group) if one.uuid not in leaving} if group else {}
    state = context.state
    conflicting = inventory.get(state.conflict.uuid) if state.conflict is not None else None
    if state.conflict is not None and conflicting is not None:
        in_group = group is not None and group.same_as(conflicting.consumer_group)
        only_group = in_group and not conflicting.identity.same_as(desired.identity)
        if state.conflict.still_conflicts(desired, conflicting.identity, same_group=only_group):
            others = leaving if conflicting.state == "Deleting" else candidates
            (same_group if only_group else others)[conflicting.uuid] = conflicting

    def observed(entry: InventoryEntry) -> ObservedMapping:
        mapping = entry.observed(context.began)
        if desired.owner_tags:
            return replace(mapping, tags=with_recorded_owner(context, entry, mapping.tags))
        return replace(mapping, tags=tags_in_place(context, entry), tags_fresh=True)

    def ring() -> tuple[str, ...]:
        """The resources that wait for each other, as far as this one may know them."""
        waiting = [resource.key]
        blocking = next((one for one in candidates.values() if one.uuid != uuid), None)
        while blocking is not None and len(waiting) <= _LONGEST_RING:
            owner = owner_of(observed(blocking).tags or {})
            if owner is None or owner.cluster != desired.owner.cluster or not knows(desired, owner):
                return ()
            key = Key(owner.namespace, owner.name)
            other = context.cache.get(key)
            if key == resource.key:
                return (*map(str, waiting), str(resource.key))
            if other is None or other.deleting or key in waiting:
                return ()
            waiting.append(key)
            wanted = inventory.with_identity(other.spec.identity)
            blocking = next((one for one in wanted if one.uuid != other.uuid), None)
        return ()

    is_own = entry is not None and entry.identity.same_as(desired.identity)
    replaced = is_own and desired.recreate and bool(immutable_changes(desired))
    rivals = candidates.keys() - {uuid} if replaced else candidates.keys()
    if replaced and group is not None:  # its mapping would be deleted before AWS could refuse the new one
        same_group |= {one.uuid: one for one in inventory.in_group(group) if one.uuid not in candidates}
    found = candidates if entry is None else {**candidates, entry.uuid: entry}
    made = state.created
    missed = made and made != desired.uuid and inventory.get(made) is None and not inventory.is_gone(made)
    return Observation(
        swept=inventory.swept,
        mapping=observed(entry) if entry is not None else None,
        gone=bool(uuid) and inventory.is_gone(uuid),
        candidates=tuple(observed(one) for one in candidates.values()),
        intended=tuple(observed(one) for one in intended if one.uuid not in candidates),
        leaving=tuple(observed(one) for one in leaving.values()),
        same_group=tuple(observed(one) for one in same_group.values()),
        unsettled=unsettled,
        unsearched=state.pending_creates.unsearched,
        may_have_made=state.pending_creates.may_have_made,
        made=made,
        unseen=made if missed else "",
        refused={members: failure.answer for members, failure in state.field_refusals.of(resource.packed_spec).items()},
        holder="" if rivals or (is_own and not replaced) else _holder(context),
        rival=_rival(context, found),
        ring=ring() if entry is not None and not is_own else (),
    )


def _holder(context: ReconcileContext) -> str:
    """The resource that had a mapping with the identity or in the consumer group of the spec; empty: none.

    The mapping is missing, because the resource replaces the mapping, or a user deleted the mapping in AWS. Until the
    resource creates the mapping again, others with the same function and source could take its place. Of several such
    resources, the last one that had the mapping comes first. A resource that cannot create the mapping does not count.
    If the resource would have to delete its own mapping first, each of the others comes before it.

    Users may be able to write statuses. So a resource that had the mapping does not wait for another resource if only
    the status of the other one shows that it had the mapping. If this process has created or deleted the mapping of a
    resource, that resource comes first.
    """
    desired, connected, resource = context.desired, context.connected, context.resource
    wanted = digests(desired.identity, desired.consumer_group)

    def had_until(record: MappingRecord, spec: MappingSpec, state: ResourceState) -> float | None:
        """The monotonic time until which a resource had it. -inf: only its status shows it. None: it had not."""
        entry, former = connected.inventory.get(record.uuid), connected.inventory.former(record.uuid)
        if not record.owns or (entry is not None and entry.state != "Deleting"):
            return None  # a mapping that exists is a candidate, or its identity has changed
        if spec.adoption.policy == "Required" or wanted.isdisjoint(digests(spec.identity, spec.consumer_group)):
            return None
        had, until = (former.keys, former.at) if former is not None else (None, -math.inf)
        if entry is not None:
            had, until = digests(entry.identity, entry.consumer_group), math.inf
        if had is not None and wanted.isdisjoint(had):
            return None
        is_proven = had is not None and record.uuid in (state.created, state.deleted)
        return until if is_proven else -math.inf

    def may_create(other: Resource) -> bool:
        scope = _scope_here(context, other)
        return scope is not None and scope.refusal(other.spec.values, uuid=other.uuid) is None

    holders: list[tuple[float, Resource]] = []
    for other in context.cache.with_same_source(resource):
        state = context.states.of(other.key)
        if other.deleting or not may_be_in(other, state.place, connected.place):
            continue
        until = had_until(MappingRecord.of(other), other.spec, state)
        if until is not None and may_create(other):
            holders.append((until, other))
    own = had_until(context.record, resource.spec, context.state)
    if own is not None or _is_in_the_way(connected.inventory.get(context.record.uuid), wanted):
        holders = [(until, other) for until, other in holders if until > -math.inf]
    if own is not None:
        holders.append((own, resource))
    _, first = min(holders, key=lambda one: (-one[0], one[1].created, one[1].uid), default=(0.0, resource))
    return str(first.key) if first is not resource else ""


def _is_in_the_way(own: InventoryEntry | None, wanted: frozenset[int]) -> bool:
    """Whether AWS accepts no mapping of the spec while the resource's own mapping exists."""
    return own is not None and not wanted.isdisjoint(digests(own.identity, own.consumer_group))


def _rival(context: ReconcileContext, found: Mapping[str, InventoryEntry]) -> str:
    """The older resource that may adopt one of the found mappings; empty: none.

    A resource in another account or region does not count. Nor does one without access, or one that has not adopted the
    mapping in a minute.
    """
    if not found or context.state.claim_left <= 0:
        return ""
    values = {uuid: one.observed().values for uuid, one in found.items()} if context.resource.may_adopt else {}

    def may_adopt(other: Resource) -> bool:
        scope = _scope_here(context, other)
        return scope is not None and any(scope.refusal(of, uuid=uuid) is None for uuid, of in values.items())

    return context.cache.older_claimant(context.resource, found, may_adopt)


def _scope_here(context: ReconcileContext, other: Resource) -> Scope | None:
    """What another resource may connect in this account and region. None: it cannot reach them."""
    target, connected = context.config_cache.resolve_without_limits(other), context.connected
    if not isinstance(target, ResolvedTarget) or target.target not in connected.account_region.clients:
        return None
    return scope_of(other, target, connected.client.account)
