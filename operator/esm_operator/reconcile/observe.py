"""The view: what the inventory and this process's memory can say about one resource's mapping.

Made for each plan; the last step before ``plan.py``.
"""

from dataclasses import replace

from esm_operator.aws.inventory import InventoryEntry
from esm_operator.cluster.cache import ResourceCache
from esm_operator.planning.state import Desired, Observation, Observed
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.ownership_records import tags_in_place
from esm_operator.reconcile.state import ResourceStates


def observe(
    context: ReconcileContext, desired: Desired, states: ResourceStates, cache: ResourceCache, *, unsettled: bool
) -> Observation:
    """What is known of a resource's mapping.

    Args:
        context: the work on the resource.
        desired: what it asks for.
        states: what this process remembers.
        cache: all resources, for an older one that claims the same mapping.
        unsettled: whether a Create of it may still be carried out.
    """
    resource, inventory, since = context.resource, context.connected.inventory, context.began
    uuid = desired.looked_for
    entry = inventory.get(uuid) if uuid else None
    candidates = {one.uuid: one for one in inventory.with_identity(desired.identity)}
    leaving = {one.uuid: one for one in inventory.leaving(desired.identity)}
    intended = inventory.with_identity(desired.intended) if desired.intended is not None else []
    group = desired.consumer_group
    same_group = {one.uuid: one for one in inventory.leaving_group(group) if one.uuid not in leaving} if group else {}
    state = states.of(resource.key)
    named = state.conflict
    conflicting = inventory.get(named.uuid) if named is not None else None
    if named is not None and conflicting is not None:
        in_group = group is not None and group.same_as(conflicting.consumer_group)
        only_group = in_group and not conflicting.identity.same_as(desired.identity)
        if named.is_in_the_way(desired, conflicting.identity, explained=only_group):
            others = leaving if conflicting.state == "Deleting" else candidates
            (same_group if only_group else others)[named.uuid] = conflicting
    made = states.created_uuid(resource.key)
    cluster = desired.owner.cluster

    def seen(entry: InventoryEntry) -> Observed:
        observed = entry.observed(since)
        if desired.owner_tags:
            return observed
        return replace(observed, tags=tags_in_place(context, entry, cluster, states, cache), tags_fresh=True)

    missed = made and made != desired.uuid and inventory.get(made) is None and not inventory.is_gone(made)
    return Observation(
        swept=inventory.swept,
        mapping=seen(entry) if entry is not None else None,
        gone=bool(uuid) and inventory.is_gone(uuid),
        candidates=tuple(seen(one) for one in candidates.values()),
        intended=tuple(seen(one) for one in intended if one.uuid not in candidates),
        leaving=tuple(seen(one) for one in leaving.values()),
        same_group=tuple(seen(one) for one in same_group.values()),
        unsettled=unsettled,
        unsearched=state.pending_creates.unsearched,
        may_have_made=state.pending_creates.may_have_made,
        unseen=made if missed else "",
        refused={members: failure.message for members, failure in state.field_refusals.of(resource.generation).items()},
        rival=cache.older_claimant(resource),
    )
