"""Owners of mappings where AWS takes no tags: what resources record, and what this process remembers.

Event source mappings have no names, and a Create has no client token. Where the operator may not tag a mapping, a
mapping is a resource's own if

1. the status of the resource notes its UUID, and that the operator made or adopted it (of several such resources the
   oldest has the mapping), or
2. this process made it for the resource, or
3. it has just the identity and the immutable fields of the resource's intent, and a Create may have made it. The status
   records that before the Create is sent (``status.creating``), until every Create has been answered or searched for.

The planner is given the owner tags that such a mapping would carry, so it needs to know nothing of all this. Used by
the view, by what acts, and by the reconciler. What is weaker than tags is in docs/operations.md.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

from esm_operator.api.resource import Intent, Resource
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.cluster.cache import ResourceCache
from esm_operator.planning.desire import MappingRecord, identity_of
from esm_operator.planning.differences import immutable_texts
from esm_operator.planning.ownership import Owner
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.state import ResourceStates


def tags_in_place(
    context: ReconcileContext, entry: InventoryEntry, cluster: str, states: ResourceStates, cache: ResourceCache
) -> Mapping[str, str]:
    """The owner tags that a mapping would carry, or no tags where it is no resource's own.

    Args:
        context: the work on a resource.
        entry: the mapping.
        cluster: the operator's ``cluster_name``.
        states: what this process remembers.
        cache: all resources, some of which may have the mapping.
    """
    owner = _owner(context, entry, states, cache)
    return _tags(owner, cluster) if owner is not None else {}


def recorded(resource: Resource) -> str:
    """What the status records of a Create that may be outstanding; empty: nothing.

    It is of this incarnation: what was restored from a backup is of another.
    """
    creating = resource.status.creating
    return creating if creating.startswith(f"{resource.uid}/") else ""


def may_have_made(context: ReconcileContext, states: ResourceStates) -> bool:
    """Whether a Create of the resource may have made a mapping that its status does not note."""
    attempt = states.of(context.resource.key).create_attempt
    return bool(context.creating) and (attempt is None or attempt.outstanding)


def marker(context: ReconcileContext, states: ResourceStates) -> str:
    """What is to be recorded before a Create is sent; empty: this process has recorded it, and nothing else since.

    It differs each time, so that a late write cannot take back what was written after it.
    """
    attempt = states.of(context.resource.key).create_attempt
    if attempt is not None and attempt.outstanding and attempt.marker == context.creating:
        return ""
    intent = context.resource.intent
    asked = _digest(intent) if intent is not None else ""
    return f"{context.resource.uid}/{context.resource.resource_version}/{asked}"


def outstanding(context: ReconcileContext, states: ResourceStates) -> str:
    """What is to be recorded together with the note: as it is, or nothing if no Create is outstanding any more."""
    inventory, record, intent = context.connected.inventory, context.record, context.resource.intent
    if not context.creating or not inventory.swept or (record.uuid and not record.owns):
        return context.creating
    attempt = states.of(context.resource.key).create_attempt
    made = states.created_uuid(context.resource.key)
    settled = made in ("", record.uuid) or inventory.is_gone(made)
    if intent is not None and (attempt is None or attempt.outstanding):
        identity = identity_of(intent)
        found = {one.uuid for one in (*inventory.with_identity(identity), *inventory.leaving(identity))}
        settled = settled and not states.of(context.resource.key).pending_creates.unsearched and found <= {record.uuid}
    return "" if settled else context.creating


def _owner(
    context: ReconcileContext, entry: InventoryEntry, states: ResourceStates, cache: ResourceCache
) -> Resource | None:
    resource, uuid = context.resource, entry.uuid
    released = states.of(resource.key).released
    recorded = list(_recorded(context, uuid, cache))
    if recorded:
        stay = [one for one in recorded if not (released if one is resource else _leaves(one))]
        return min(stay, key=lambda one: (one.created, one.uid), default=None)
    if released:
        return None
    creator = states.creator(uuid)
    creator_resource = cache.get(creator) if creator is not None else None
    if creator_resource is not None:
        return creator_resource
    return resource if may_have_made(context, states) and _is_what_was_asked_for(context, entry) else None


def _digest(intent: Intent) -> str:
    """What a Create by an intent asks for, in short."""
    asked = [intent.function, intent.source, sorted(intent.servers), sorted(intent.immutable.items())]
    return sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _is_what_was_asked_for(context: ReconcileContext, entry: InventoryEntry) -> bool:
    """Whether a mapping has the identity of the intent, and nothing immutable that the intent has otherwise.

    The intent must be the one by which the Create was recorded: everybody who may edit the resource may write the
    annotation, but not the status.
    """
    intent = context.resource.intent
    if intent is None or context.creating.rpartition("/")[2] != _digest(intent):
        return False
    if entry.identity != identity_of(intent):
        return False
    has = immutable_texts(entry.observed().values)
    return all(has.get(path, value) == value for path, value in intent.immutable.items())


def _recorded(context: ReconcileContext, uuid: str, cache: ResourceCache) -> Iterator[Resource]:
    """The resources whose statuses, or whose statuses to be, record a mapping as their own."""
    if context.record.uuid == uuid and context.record.owns:
        yield context.resource
    for key in cache.keys_of([uuid]):
        other = cache.get(key)
        if other is not None and key != context.resource.key and MappingRecord.of(other).owns:
            yield other


def _leaves(resource: Resource) -> bool:
    """Whether a resource is about to go without its mapping, which another may adopt."""
    return resource.deleting and (resource.orphan or resource.spec.retain)


def _tags(owner: Resource, cluster: str) -> Mapping[str, str]:
    return Owner(cluster, owner.key.namespace, owner.key.name, owner.uid).tags()
