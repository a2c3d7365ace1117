"""The desired state of a resource: its spec, what its status and annotations record, and what its target adds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

from esm_operator.api import identity, limits
from esm_operator.api.identity import Identity
from esm_operator.api.offline import (
    function_elsewhere,
    offline_problems,
    problems_of_values,
    unknown_entries,
    unknown_policies,
)
from esm_operator.api.reasons import RefusalReason
from esm_operator.api.recorded_status import Applied, Condition, MappingStatus
from esm_operator.api.resource import Intent, Key, Resource
from esm_operator.api.spec import MappingSpec
from esm_operator.api.values import Canonical
from esm_operator.planning.allowed import Scope
from esm_operator.planning.differences import immutable_texts
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import NO_PROBLEM, Desired
from esm_operator.planning.left_to_others import creation
from esm_operator.planning.ownership import OWNER_TAGS, Owner
from esm_operator.planning.target import ResolvedTarget


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """What the operator records of a mapping in the status."""

    uuid: str
    applied: Applied

    @property
    def owns(self) -> bool:
        """Whether the operator created or adopted the mapping, and does not only observe it."""
        return bool(self.uuid) and self.applied.tags >= OWNER_TAGS

    @classmethod
    def of(cls, resource: Resource) -> "MappingRecord":
        """The record in the resource's status."""
        return cls(resource.uuid, recorded_applied(resource.status))

    def taken_up(self, uuid: str, resource: Resource) -> "MappingRecord":
        """Record a mapping of the intent. What the record or the intent names may have been applied.

        A field that was not applied is reset to AWS's default without effect.
        """
        intent = resource.intent
        if intent is None:
            return MappingRecord(uuid, self.applied)
        fields, tags = self.applied.fields | set(intent.fields), self.applied.tags | set(intent.tags)
        return MappingRecord(uuid, Applied(fields, tags, intent.immutable, ignored=self.applied.ignored))

    def adopted(self, uuid: str, desired: Desired) -> "MappingRecord":
        """Record a mapping that somebody else has created."""
        immutable = immutable_texts(desired.creation.values)
        return MappingRecord(uuid, Applied(frozenset(), frozenset(desired.tags), immutable))


def recorded_applied(status: MappingStatus) -> Applied:
    """The record of a mapping in a status, without ``enabled`` while the mapping is enabled and matches the spec.

    In this state, the removal of ``enabled`` from the spec needs no reset. Earlier versions recorded ``enabled`` for
    each mapping that they created, even if the spec did not have it.
    """
    applied, synced = status.applied, status.condition("Synced")
    if "enabled" in applied.fields and status.report.state == "Enabled" and _is_seen(synced.status, synced.reason):
        return replace(applied, fields=applied.fields - {"enabled"})
    return applied


def desired_of(
    resource: Resource,
    record: MappingRecord,
    target: ResolvedTarget,
    account: str,
    cluster: str,
    *,
    takeover_clusters: frozenset[str] = frozenset(),
    consenting: frozenset[Key] = frozenset(),
    heir: Resource | None = None,
    predecessor_uuid: str = "",
) -> Desired:
    """The desired state of a resource.

    Args:
        resource: the resource.
        record: its mapping.
        target: the account and region, and the tags of all mappings there.
        account: the account of the target.
        cluster: the operator's ``cluster_name``.
        takeover_clusters: the operator's ``takeover_from_clusters``.
        consenting: the resources whose annotations name this resource in their consent.
        heir: the resource that takes the mapping over, if this resource is being deleted.
        predecessor_uuid: the UUID of the mapping of the resource that ``takeOverFrom`` names; empty: not known.
    """
    spec, adoption = resource.spec, resource.spec.adoption
    if not (adoption.uuid or record.uuid or spec.observe_only):
        adoption = replace(adoption, uuid=predecessor_uuid)
    owner = Owner(cluster, resource.key.namespace, resource.key.name, resource.uid)
    intent = resource.intent
    intended = identity_of(intent) if intent is not None else None
    refused_before = frozenset(
        path for path, kept in record.applied.kept.items() if kept.message and kept.generation != resource.generation
    )
    owner_tags = target.target.owner_tags
    tags = {**target.default_tags, **spec.tags, **owner.tags()} if owner_tags else owner.tags()
    recorded, ignored = owner.tags() if record.owns else {}, spec.ignored
    scope = scope_of(resource, target, account)
    created = creation(
        spec,
        tags,
        record.applied.ignored,
        replaces=record.applied.immutable,
        scope=scope,
        default_tags=target.default_tags,
    )
    desired = Desired(
        owner=owner,
        identity=spec.identity,
        intended=intended,
        source=spec.source,
        consumer_group=identity.consumer_group(created.parameters) if ignored.fields else spec.consumer_group,
        values=_without(spec.values, ignored.fields),
        emptied=spec.emptied - ignored.fields,
        referenced=frozenset(one.reference.value_path for one in resource.references),
        tags={key: value for key, value in tags.items() if not ignored.has_tag(key)},
        ignored=ignored,
        creation=created,
        deleting=resource.deleting,
        finalizer=resource.has_finalizer,
        removed=resource.removed,
        prepared=resource.has_finalizer and intent is not None,
        uuid=record.uuid,
        applied_fields=record.applied.fields,
        applied_tags=record.applied.tags,
        applied_immutable=record.applied.immutable,
        kept=frozenset(record.applied.kept) - refused_before,
        refused_before=refused_before,
        known_tags=resource.status.tags if owner_tags else recorded,
        paused=resource.paused,
        orphan=resource.orphan,
        edited=not resource.status_is_current,
        was_in_sync=_was_in_sync(resource),
        problems=tuple(_problems_of_deletion(spec) if resource.deleting else _problems(resource, tags, target)),
        retain=spec.retain,
        observe_only=spec.observe_only,
        recreate=spec.recreate,
        adoption=adoption,
        heir=str(heir.key) if heir is not None else "",
        heir_problem=_shown_problem(heir, resource) if heir is not None else NO_PROBLEM,
        takeover_clusters=takeover_clusters,
        consenting=consenting,
        owner_tags=owner_tags,
        scope=scope,
    )
    current = intent == intent_of(desired, account, target.target.region)
    return replace(desired, intent_current=current)


def _shown_problem(heir: Resource, resource: Resource) -> Condition:
    """Why an heir is not Ready. The users of another namespace may not read that, so its conditions are not shown."""
    ready = heir.status.condition("Ready")
    return ready if ready.status == "False" and heir.key.namespace == resource.key.namespace else NO_PROBLEM


def _without(values: Mapping[str, Canonical], paths: frozenset[str]) -> Mapping[str, Canonical]:
    return {path: value for path, value in values.items() if path not in paths} if paths else values


def scope_of(resource: Resource, target: ResolvedTarget, account: str) -> Scope:
    """What the ProviderConfig of a target allows a resource to connect."""
    return Scope(target.allow_lists, target.config, resource.key.namespace, target.target.region, account)


def identity_of(intent: Intent) -> Identity:
    """The identity that an intent names."""
    return Identity(intent.function, intent.source, frozenset(intent.servers))


def _problems_of_deletion(spec: MappingSpec) -> Iterator[Finding]:
    for problem in unknown_policies(spec):
        yield Finding("InvalidSpec", "Rule", {"message": problem.message})


def _problems(resource: Resource, tags: Mapping[str, str], target: ResolvedTarget) -> Iterator[Finding]:
    spec = resource.spec
    wrong = () if not resource.has_references or _is_valid(resource) else problems_of_values(resource.packed_spec)
    for problem in wrong:
        yield Finding("InvalidSpec", "Rule", {"message": problem.message})
    if wrong:
        yield Finding("InvalidSpec", "Values", {"references": resource.references})
    for problem in (*offline_problems(spec, datetime.now(UTC)), *unknown_entries(spec)):
        yield Finding("InvalidSpec", "Rule", {"message": problem.message})
    if not spec.region and (elsewhere := function_elsewhere(spec.function_name, target.target.region)):
        yield Finding("InvalidSpec", "Rule", {"message": elsewhere})
    if spec.observe_only:
        return
    if not target.target.owner_tags:
        where = {"ownership": target.config, "tags": ", ".join(sorted(target.default_tags))}
        if spec.tags:
            yield Finding("InvalidSpec", "TagsWithoutOwnership", where)
        if target.default_tags:
            yield Finding("InvalidSpec", "DefaultTagsWithoutOwnership", where)
        if spec.adoption.take_over_from:
            yield Finding("InvalidSpec", "TakeOverWithoutOwnership", where)
    excess = len(tags) - limits.MOST_TAGS
    if excess > 0:
        added = sorted(target.default_tags.keys() - spec.tags.keys() - OWNER_TAGS)
        values = {"count": len(tags), "excess": excess, "most": limits.MOST_TAGS, "default": ", ".join(added) or "none"}
        yield Finding("InvalidSpec", "TooManyTags", {**values, "own": len(OWNER_TAGS)})


def _is_valid(resource: Resource) -> bool:
    """Whether the rules have accepted the present values of references, so that a restart checks none again.

    Each status records the present values, whether they were checked or not. Only a mapping that matches the spec shows
    that they were.
    """
    return resource.status_is_current and resource.conditions.get("Synced") == "True"


def intent_of(desired: Desired, account: str, region: str) -> Intent:
    """The intent to create the mapping of the spec."""
    asked, created = desired.identity, desired.creation
    return Intent(
        owner=f"{desired.owner.namespace}/{desired.owner.name}",
        account=account,
        region=region,
        function=asked.function,
        source=asked.source,
        servers=tuple(sorted(asked.servers)),
        fields=tuple(sorted(created.fields)),
        tags=tuple(sorted(created.tag_keys)),
        immutable=immutable_texts(created.values),
    )


#: Reasons why the mapping can't be read any more.
_UNSEEN = frozenset(get_args(RefusalReason))


def _was_in_sync(resource: Resource) -> bool:
    synced = resource.status.condition("Synced")
    current = resource.status_is_current or not resource.has_references
    return _is_seen(synced.status, synced.reason) and synced.observed_generation == resource.generation and current


def _is_seen(status: str, reason: str) -> bool:
    """Whether the mapping matched the spec when the operator last read it. Arguments: of the condition Synced."""
    return status == "True" or (status == "Unknown" and reason in _UNSEEN)
