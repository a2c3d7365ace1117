"""What a resource desires, in the planner's terms: its spec, its notes, and what its target adds.

Pure; called by the reconciler before each plan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

from esm_operator.api import limits
from esm_operator.api.identity import Identity
from esm_operator.api.offline import function_elsewhere, offline_problems
from esm_operator.api.reasons import RefusalReason
from esm_operator.api.recorded_status import Applied
from esm_operator.api.resource import Intent, Resource
from esm_operator.api.spec import MappingSpec
from esm_operator.planning.differences import immutable_texts
from esm_operator.planning.finding import Finding
from esm_operator.planning.ownership import OWNER_TAGS, Owner
from esm_operator.planning.state import Desired
from esm_operator.planning.target import Resolved


@dataclass(frozen=True, slots=True)
class MappingRecord:
    """What the operator has to remember of a mapping: stands in the status, or is about to."""

    uuid: str
    applied: Applied

    @property
    def owns(self) -> bool:
        """Whether it says that the operator made or adopted the mapping, rather than only watched it."""
        return bool(self.uuid) and self.applied.tags >= OWNER_TAGS

    @classmethod
    def of(cls, resource: Resource) -> "MappingRecord":
        """What the resource's status says."""
        return cls(resource.uuid, resource.status.applied)

    def taken_up(self, uuid: str, resource: Resource) -> "MappingRecord":
        """The mapping was made by the intent that stands, or that is what made the one which is noted.

        What either says may have been applied. A field that was not is put back to AWS's default for nothing.
        """
        intent = resource.intent
        if intent is None:
            return MappingRecord(uuid, self.applied)
        fields, tags = self.applied.fields | set(intent.fields), self.applied.tags | set(intent.tags)
        return MappingRecord(uuid, Applied(fields, tags, intent.immutable))

    def adopted(self, uuid: str, desired: Desired) -> "MappingRecord":
        """The mapping was somebody else's: what the spec names is ours from now on."""
        return MappingRecord(uuid, Applied(frozenset(), frozenset(desired.tags), immutable_texts(desired.values)))


def desired_of(resource: Resource, record: MappingRecord, target: Resolved, account: str, cluster: str) -> Desired:
    """The planner's view of a resource.

    Args:
        resource: the resource as the cluster has it.
        record: what is remembered of its mapping, as of now.
        target: where the mapping lives.
        account: the account of the target.
        cluster: the operator's ``cluster_name``.
    """
    spec = resource.spec
    owner = Owner(cluster, resource.key.namespace, resource.key.name, resource.uid)
    intent = resource.intent
    intended = identity_of(intent) if intent is not None else None
    refused_before = frozenset(
        path for path, kept in record.applied.kept.items() if kept.message and kept.generation != resource.generation
    )
    owner_tags = target.target.owner_tags
    tags = {**target.default_tags, **spec.tags, **owner.tags()} if owner_tags else owner.tags()
    recorded = owner.tags() if record.owns else {}
    desired = Desired(
        owner=owner,
        identity=spec.identity,
        intended=intended,
        source=spec.source,
        consumer_group=spec.consumer_group,
        values=spec.values,
        tags=tags,
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
        edited=not resource.told,
        was_in_sync=_was_in_sync(resource),
        problems=() if resource.deleting else tuple(_problems(spec, tags, target)),
        retain=spec.retain,
        observe_only=spec.observe_only,
        recreate=spec.recreate,
        adoption=spec.adoption,
        owner_tags=owner_tags,
    )
    current = intent == intent_of(desired, account, target.target.region)
    return replace(desired, intent_current=current)


def identity_of(intent: Intent) -> Identity:
    """The identity of the mapping that an intent is about."""
    return Identity(intent.function, intent.source, frozenset(intent.servers))


def _problems(spec: MappingSpec, tags: Mapping[str, str], target: Resolved) -> Iterator[Finding]:
    """What makes the spec impossible to carry out."""
    for problem in offline_problems(spec, datetime.now(UTC)):
        yield Finding("InvalidSpec", "Rule", {"message": problem.message})
    if not spec.region and (wrong := function_elsewhere(spec.function_name, target.target.region)):
        yield Finding("InvalidSpec", "Rule", {"message": wrong})
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


def created_fields(desired: Desired) -> frozenset[str]:
    """The fields that a Create settles: the spec's, and ``enabled``, for a mapping that we make is to work."""
    return frozenset({*desired.values, "enabled"})


def _intended_fields(desired: Desired) -> frozenset[str]:
    """The fields that the intent names. Where a mapping may be adopted, that one's own ``enabled`` is left alone."""
    return created_fields(desired) if desired.adoption.policy == "Never" else frozenset(desired.values)


def intent_of(desired: Desired, account: str, region: str) -> Intent:
    """The intent to make the mapping that the spec asks for now."""
    asked = desired.identity
    return Intent(
        owner=f"{desired.owner.namespace}/{desired.owner.name}",
        account=account,
        region=region,
        function=asked.function,
        source=asked.source,
        servers=tuple(sorted(asked.servers)),
        fields=tuple(sorted(_intended_fields(desired))),
        tags=tuple(sorted(desired.tags)),
        immutable=immutable_texts(desired.values),
    )


#: Why a mapping that was in sync can't be seen any more.
_UNSEEN = frozenset(get_args(RefusalReason))


def _was_in_sync(resource: Resource) -> bool:
    synced = resource.status.condition("Synced")
    seen = synced.status == "True" or (synced.status == "Unknown" and synced.reason in _UNSEEN)
    return seen and synced.observed_generation == resource.generation
