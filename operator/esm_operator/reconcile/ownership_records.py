"""The owners of mappings without owner tags, from the records on resources and in this term.

Event source mappings have no names, and CreateEventSourceMapping has no idempotency token. If the ownership mode is
ResourceOnly, a resource owns a mapping in these cases:

1. The status of the resource has the UUID of the mapping, and records that the operator created or adopted it. If
   several resources record the mapping, the oldest resource owns it.
2. This process created the mapping for the resource.
3. The mapping has the identity and the immutable fields of the resource's intent, and a Create may have made it. The
   executor records the Create in ``status.creating`` before it sends it. The record remains until each Create has been
   answered or searched for.

If neither 1 nor 2 is true, a mapping counts as that of another resource of the account and region that records the UUID
at another endpoint. So no resource adopts it.

The planner gets the owner tags that the mapping would carry, so its rules are the same with and without tags.
docs/how-to/regions-without-tags.md lists the guarantees that are weaker without tags.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from esm_operator.api.resource import Intent, Resource
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.planning.access import may_use
from esm_operator.planning.desired import MappingRecord, identity_of
from esm_operator.planning.differences import immutable_texts
from esm_operator.planning.ownership import Owner, owner_of
from esm_operator.planning.target import Place, ResolvedTarget
from esm_operator.reconcile.context import ReconcileContext


def tags_in_place(context: ReconcileContext, entry: InventoryEntry) -> Mapping[str, str]:
    """The owner tags that a mapping would carry. Empty if no resource owns the mapping."""
    owner = _owner(context, entry)
    if owner is None:
        return {}
    return _owner_tags(context, owner)


def with_recorded_owner(
    context: ReconcileContext, entry: InventoryEntry, tags: Mapping[str, str] | None
) -> Mapping[str, str] | None:
    """The tags of a mapping in AWS. Without an owner there, another resource that records the mapping is the owner.

    The mapping has no tags if the ownership mode is or was ResourceOnly, or if a user removed the tags. No other
    resource may adopt or observe the mapping. The record gives no rights to the resource itself.
    """
    if tags is None or owner_of(tags) is not None:
        return tags
    others = [one for one in _recorded(context, entry.uuid) if one is not context.resource and not _leaves(one)]
    return {**tags, **_owner_tags(context, _oldest(others))} if others else tags


def known_tags(context: ReconcileContext, entry: InventoryEntry) -> Mapping[str, str] | None:
    """The tags that decide about access to a mapping. None: this term has not read them.

    Those in the status count only if the tagging API has answered the same, because users may be able to write it.
    """
    if not context.desired.owner_tags:
        return tags_in_place(context, entry)
    recorded = context.resource.status.tags
    is_confirmed = entry.tags is None and recorded is not None and entry.confirms(recorded)
    return with_recorded_owner(context, entry, recorded if is_confirmed else entry.tags)


def may_show(context: ReconcileContext, entry: InventoryEntry) -> bool:
    """Whether the status may show a mapping. The mapping that a status records may have got another owner."""
    tags = known_tags(context, entry)
    return tags is not None and may_use(context.desired, entry.observed(), tags)


def is_unproven(context: ReconcileContext, entry: InventoryEntry) -> bool:
    """Whether only the status shows that the resource owns a mapping. Users may be able to write the status."""
    return known_tags(context, entry) is None and not context.desired.observe_only


def recorded(resource: Resource) -> str:
    """The record in the status of a Create that may be outstanding; empty: none.

    A record that was restored from a backup does not count, because another incarnation wrote it.
    """
    creating = resource.status.creating
    return creating if creating.startswith(f"{resource.uid}/") else ""


def may_have_made(context: ReconcileContext) -> bool:
    """Whether a Create of the resource may have made a mapping that its status does not record."""
    return bool(context.creating) and context.state.create_outstanding


def marker(context: ReconcileContext) -> str:
    """The record to write before a Create is sent; empty: the last record of this term is still valid.

    The record differs each time, so that a late write cannot restore an earlier record.
    """
    if may_have_made(context) and context.creating == context.state.create_marker:
        return ""
    resource = context.resource
    digest = _digest(resource.intent) if resource.intent is not None else ""
    return f"{resource.uid}/{resource.resource_version}/{digest}"


def outstanding(context: ReconcileContext) -> str:
    """The next value of ``status.creating``: the present value, or empty if no Create is outstanding any more."""
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
    stay = [one for one in recorded if not (released if one is resource else _leaves(one))]
    if stay:
        return _oldest(stay)
    if released:
        return None
    creator = context.states.creator(context.connected.place, uuid) if not recorded else None
    creator_resource = context.cache.get(creator) if creator is not None else None
    if creator_resource is not None:
        return creator_resource
    possible = list(_possible_owners(context, uuid))
    if possible:
        return _oldest(possible)
    return resource if not recorded and may_have_made(context) and _matches_intent(context, entry) else None


def _owner_tags(context: ReconcileContext, owner: Resource) -> Mapping[str, str]:
    return Owner(context.desired.owner.cluster, owner.key.namespace, owner.key.name, owner.uid).tags()


def _oldest(resources: Iterable[Resource]) -> Resource:
    return min(resources, key=lambda one: (one.created, one.uid))


def _digest(intent: Intent) -> str:
    requested = [intent.function, intent.source, sorted(intent.servers), sorted(intent.immutable.items())]
    return sha256(json.dumps(requested).encode()).hexdigest()[:16]


def _matches_intent(context: ReconcileContext, entry: InventoryEntry) -> bool:
    """Whether a mapping has the identity of the intent, and no immutable field that differs from the intent.

    The intent must be the one for which the Create was recorded. Clients that may edit the resource may write the
    annotation with the intent, but not the status.
    """
    intent = context.resource.intent
    if intent is None or context.creating.rpartition("/")[2] != _digest(intent):
        return False
    if entry.identity != identity_of(intent):
        return False
    has = immutable_texts(entry.observed().values)
    return all(has.get(path, value) == value for path, value in intent.immutable.items())


def _recorded(context: ReconcileContext, uuid: str) -> Iterator[Resource]:
    """The resources whose statuses record the mapping as their own, now or after this reconcile."""
    if context.record.uuid == uuid and context.record.owns:
        yield context.resource
    yield from (other for other in _others(context, uuid) if not _is_elsewhere(context, other))


def _others(context: ReconcileContext, uuid: str) -> Iterator[Resource]:
    """The other resources whose statuses record a mapping with this UUID as their own, in any place."""
    for key in context.cache.keys_of([uuid]):
        other = context.cache.get(key)
        if other is None or key == context.resource.key:
            continue
        if MappingRecord.of(other).owns:
            yield other


def _possible_owners(context: ReconcileContext, uuid: str) -> Iterator[Resource]:
    """The other resources that may have the mapping, at another endpoint of the account or without a target.

    Two URLs can lead to one AWS, for example with and without a slash at the end. So a resource that has a mapping at
    another endpoint cannot claim this one, but nobody may adopt it either, and no pending Create may claim it.
    """
    here = context.connected.place
    for other in _others(context, uuid):
        if not _leaves(other) and may_be_in(other, context.states.of(other.key).place, here):
            yield other
    for place, key in context.states.creators(uuid).items():
        creator = context.cache.get(key) if place is not None and place[:2] == here[:2] else None
        if creator is not None and key != context.resource.key and not _leaves(creator):
            yield creator


def may_be_in(other: Resource, reconciled: Place | None, here: Place) -> bool:
    """Whether the mapping that a status records may be in the account and region of a place."""
    arn = other.recorded_arn
    known = [reconciled[:2]] if reconciled is not None else []
    known += [(arn.account, arn.region)] if arn is not None else []
    return not known or here[:2] in known


def _is_elsewhere(context: ReconcileContext, other: Resource) -> bool:
    """Whether the mapping of another resource is in another account, in another region, or at another endpoint.

    The server of a ProviderConfig's ``endpointURL`` can answer with any UUID, and so with that of a mapping in AWS. If
    this process has not reconciled the other resource yet, its target decides. A resource without a target counts as
    elsewhere, because its ProviderConfig may have named any endpoint. See :func:`_possible_owners`, too.
    """
    known = context.states.of(other.key).place
    if known is not None:
        return known != context.connected.place
    here, there = context.target.target, context.config_cache.resolve(other)
    if not isinstance(there, ResolvedTarget):
        return True
    place = (there.target.region, there.target.access.endpoint_url)
    return place != (here.region, here.access.endpoint_url)


def _leaves(resource: Resource) -> bool:
    """Whether the mapping of a resource remains when the resource is deleted. Another resource may then adopt it."""
    return resource.deleting and (resource.orphan or resource.spec.retain)
