"""Owners of mappings where AWS takes no tags: what resources record, and what this process remembers.

Event source mappings have no names, and a Create has no client token. Where the operator may not tag a mapping, a
mapping is a resource's own if

1. the status of the resource has its UUID, and records that the operator made or adopted it (of several such resources
   the oldest has the mapping), or
2. this process made it for the resource, or
3. it has just the identity and the immutable fields of the resource's intent, and a Create may have made it. The status
   records that before the Create is sent (``status.creating``), until every Create has been answered or searched for.

The planner is given the owner tags that such a mapping would carry, so it needs to know nothing of all this. What is
weaker than tags is in docs/operations.md.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

from esm_operator.api.resource import Intent, Resource
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.planning.desire import MappingRecord, identity_of
from esm_operator.planning.differences import immutable_texts
from esm_operator.planning.ownership import Owner
from esm_operator.reconcile.context import ReconcileContext


def tags_in_place(context: ReconcileContext, entry: InventoryEntry) -> Mapping[str, str]:
    """The owner tags that a mapping would carry, or no tags where it is no resource's own."""
    owner = _owner(context, entry)
    if owner is None:
        return {}
    return Owner(context.desired.owner.cluster, owner.key.namespace, owner.key.name, owner.uid).tags()


def recorded(resource: Resource) -> str:
    """What the status records of a Create that may be outstanding; empty: nothing.

    A record that was restored from a backup does not count, because it is of another incarnation.
    """
    creating = resource.status.creating
    return creating if creating.startswith(f"{resource.uid}/") else ""


def may_have_made(context: ReconcileContext) -> bool:
    """Whether a Create of the resource may have made a mapping that its status does not record."""
    return bool(context.creating) and context.state.create_outstanding


def marker(context: ReconcileContext) -> str:
    """What is to be recorded before a Create is sent; empty: this process has recorded it, and nothing else since.

    It differs each time, so that a late write cannot take back what was written after it.
    """
    if may_have_made(context) and context.creating == context.state.create_marker:
        return ""
    resource = context.resource
    digest = _digest(resource.intent) if resource.intent is not None else ""
    return f"{resource.uid}/{resource.resource_version}/{digest}"


def outstanding(context: ReconcileContext) -> str:
    """``status.creating`` as it is to be written: as it is, or empty if no Create is outstanding any more."""
    inventory, record, intent = context.connected.inventory, context.record, context.resource.intent
    if not context.creating or not inventory.swept or (record.uuid and not record.owns):
        return context.creating
    state = context.state
    settled = state.created in ("", record.uuid) or inventory.is_gone(state.created)
    if intent is not None and state.create_outstanding:
        identity = identity_of(intent)
        found = {one.uuid for one in (*inventory.with_identity(identity), *inventory.leaving(identity))}
        settled = settled and not state.pending_creates.unsearched and found <= {record.uuid}
    return "" if settled else context.creating


def _owner(context: ReconcileContext, entry: InventoryEntry) -> Resource | None:
    resource, uuid = context.resource, entry.uuid
    released = context.state.released
    recorded = list(_recorded(context, uuid))
    if recorded:
        stay = [one for one in recorded if not (released if one is resource else _leaves(one))]
        return min(stay, key=lambda one: (one.created, one.uid), default=None)
    if released:
        return None
    creator = context.states.creator(uuid)
    creator_resource = context.cache.get(creator) if creator is not None else None
    if creator_resource is not None:
        return creator_resource
    return resource if may_have_made(context) and _matches_intent(context, entry) else None


def _digest(intent: Intent) -> str:
    requested = [intent.function, intent.source, sorted(intent.servers), sorted(intent.immutable.items())]
    return sha256(json.dumps(requested).encode()).hexdigest()[:16]


def _matches_intent(context: ReconcileContext, entry: InventoryEntry) -> bool:
    """Whether a mapping has the identity of the intent, and no immutable field that differs from it.

    The intent must be the one by which the Create was recorded: clients that may edit the resource may write the
    annotation, but not the status.
    """
    intent = context.resource.intent
    if intent is None or context.creating.rpartition("/")[2] != _digest(intent):
        return False
    if entry.identity != identity_of(intent):
        return False
    has = immutable_texts(entry.observed().values)
    return all(has.get(path, value) == value for path, value in intent.immutable.items())


def _recorded(context: ReconcileContext, uuid: str) -> Iterator[Resource]:
    """The resources that record a mapping as their own in their statuses, or will when this reconcile writes it."""
    if context.record.uuid == uuid and context.record.owns:
        yield context.resource
    for key in context.cache.keys_of([uuid]):
        other = context.cache.get(key)
        if other is not None and key != context.resource.key and MappingRecord.of(other).owns:
            yield other


def _leaves(resource: Resource) -> bool:
    """Whether a resource will be removed without its mapping, which another may then adopt."""
    return resource.deleting and (resource.orphan or resource.spec.retain)
