"""The input of the planner: the desired and the observed state of one resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.ignore_changes import NOTHING, IgnoredChanges
from esm_operator.api.recorded_status import Condition
from esm_operator.api.resource import Key
from esm_operator.api.sources import SourceType
from esm_operator.api.spec import Adoption
from esm_operator.api.values import Canonical
from esm_operator.planning.allowed import UNLIMITED, Scope
from esm_operator.planning.finding import Finding
from esm_operator.planning.ownership import Owner, Ownership, ownership

#: The condition of a resource that has no problem, or none that may be shown.
NO_PROBLEM = Condition("Ready")
TRANSITIONS = frozenset({"Creating", "Enabling", "Disabling", "Updating", "Deleting"})


@dataclass(frozen=True, slots=True)
class Creation:
    """What a Create sends: the spec, but with the values that AWS had for ignored fields and tags."""

    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The parameters of CreateEventSourceMapping without tags."""
    values: Mapping[str, Canonical] = field(default_factory=dict[str, Canonical])
    """The same by path, in canonical form."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    fields: frozenset[str] = frozenset()
    """The fields of the spec, including those that ``ignoreChanges`` names."""
    tag_keys: frozenset[str] = frozenset()
    """The keys of the tags of the spec, of the default tags and of the owner tags."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a resource, with what its status and annotations record."""

    owner: Owner
    identity: Identity
    """The identity that the spec asks for now."""
    intended: Identity | None
    """The identity that the intent names. After a crash a mapping may have it whose UUID is not in the status."""
    source: SourceType | None
    values: Mapping[str, Canonical]
    """The fields of the spec without those that ``ignoreChanges`` names."""
    tags: Mapping[str, str]
    """Default tags, overridden by the tags of the spec, and the owner tags. Those that ``ignoreChanges`` names are left
    out."""
    ignored: IgnoredChanges = NOTHING
    """The fields and tags that ``ignoreChanges`` leaves to others."""
    creation: Creation = field(default_factory=Creation)
    """What a Create sends."""
    consumer_group: ConsumerGroup | None = None
    deleting: bool = False
    prepared: bool = False
    """Whether the resource has finalizer and intent."""
    intent_current: bool = False
    """Whether the intent names the identity and the fields that a Create would send now."""
    finalizer: bool = False
    removed: bool = False
    """Whether the object does not exist any more. Only the mapping of this UID is deleted then."""
    uuid: str = ""
    emptied: frozenset[str] = frozenset()
    """The fields that the spec sets to an empty value. They are to have AWS's default."""
    referenced: frozenset[str] = frozenset()
    """The fields whose values come from references to other objects."""
    applied_fields: frozenset[str] = frozenset()
    applied_tags: frozenset[str] = frozenset()
    applied_immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: frozenset[str] = frozenset()
    """Fields gone from the spec that AWS keeps. They are not reset again."""
    refused_before: frozenset[str] = frozenset()
    """Fields whose reset AWS refused before the last edit. They are reset once more, after everything else."""
    known_tags: Mapping[str, str] | None = None
    """Tags in the status, which show an edit without a call to AWS. Users may write them, so they give no access."""
    edited: bool = False
    """Whether the spec has changed since the status was written."""
    was_in_sync: bool = False
    """Whether AWS had all of this spec before, so that somebody else changed what differs now."""
    paused: bool = False
    orphan: bool = False
    problems: tuple[Finding, ...] = ()
    """Why the spec is invalid."""
    retain: bool = False
    observe_only: bool = False
    recreate: bool = False
    adoption: Adoption = field(default_factory=Adoption)
    takeover_clusters: frozenset[str] = frozenset()
    """The clusters whose mappings may be taken over and observed."""
    consenting: frozenset[Key] = frozenset()
    """The resources of this cluster that allow this resource to take over and observe their mappings."""
    heir: str = ""
    """If the resource is being deleted: the resource (namespace/name) that takes its mapping over."""
    heir_problem: Condition = NO_PROBLEM
    """The condition Ready of the heir if it is False and may be shown."""
    owner_tags: bool = True
    """Whether AWS has the owner tags. If not, resources record the owner, and the observed tags are made from that."""
    scope: Scope = UNLIMITED
    """What the ProviderConfig allows the resource to connect."""

    @property
    def queue_mode(self) -> bool:
        """Whether a mapping of self-managed Kafka has ConsumptionMode Queue."""
        path = "selfManagedKafkaEventSourceConfig.consumptionMode"
        return self.values.get(path, self.creation.values.get(path)) == "Queue"

    @property
    def known_uuid(self) -> str:
        """The UUID of its mapping or the one to adopt; empty: the mapping is found by its identity.

        A mapping that is only observed may be replaced by another in the spec.
        """
        if self.observe_only and ownership(self.owner, self.known_tags) is not Ownership.OURS:
            return self.adoption.uuid or self.uuid
        return self.uuid or self.adoption.uuid


@dataclass(frozen=True, slots=True)
class ObservedMapping:
    """A mapping as AWS reported it last."""

    uuid: str
    state: str
    values: Mapping[str, Canonical]
    tags: Mapping[str, str] | None = None
    """None: not read in this term."""
    tags_fresh: bool = True
    """Whether the tags were read since this reconcile began. Others allow nothing that can't be undone."""
    tags_may_follow: bool = False
    """Whether tags are missing, perhaps only because AWS shows them later than the mapping."""
    consumer_group: ConsumerGroup | None = None
    filters_hidden: bool = False
    """FilterCriteria is encrypted. List answers null for it, which is no drift."""
    answer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """AWS's answer."""
    disabled_because: str = ""
    """If AWS itself has disabled the mapping: AWS's reason."""

    @property
    def in_transition(self) -> bool:
        return self.state in TRANSITIONS


@dataclass(frozen=True, slots=True)
class Observation:
    """The observed state of one resource."""

    swept: bool
    """Whether a sweep of the target is complete. Before that, absence means nothing."""
    mapping: ObservedMapping | None = None
    """The mapping with the UUID ``Desired.known_uuid``."""
    gone: bool = False
    """Whether AWS has answered that there is no mapping with that UUID."""
    candidates: tuple[ObservedMapping, ...] = ()
    """Mappings with the identity of the spec: the resource's own, or in its way."""
    intended: tuple[ObservedMapping, ...] = ()
    """Mappings with the identity of the intent, if that differs: the resource's own, or irrelevant."""
    leaving: tuple[ObservedMapping, ...] = ()
    """Mappings with the identity of the spec that AWS is deleting. They still block a Create."""
    same_group: tuple[ObservedMapping, ...] = ()
    """Mappings of another identity that block the spec's consumer group: AWS is deleting them, or has named them in a
    refusal."""
    unsettled: bool = False
    """Whether AWS may still carry out a Create whose answer was lost, or which an earlier process sent."""
    unsearched: bool = False
    """Whether such a Create may have made a mapping that sweeps miss. The list by function shows it."""
    may_have_made: bool = False
    """Whether a Create whose answer this term has not received may have made a mapping."""
    made: str = ""
    """The UUID of the mapping that this process made last for the resource."""
    unseen: str = ""
    """The UUID of a mapping that this term made for the resource, and that no list has shown since."""
    refused: Mapping[frozenset[str], str] = field(default_factory=dict[frozenset[str], str])
    """Sets of members of an Update that AWS refused since the last edit, each with the message."""
    holder: str = ""
    """Another resource (namespace/name) that comes first if the spec's mapping is created, because it had one."""
    rival: str = ""
    """An older resource (namespace/name) that may adopt the same mapping, which has no owner yet."""
    ring: tuple[str, ...] = ()
    """Resources (namespace/name) that wait for each other, beginning with this one. Each needs the function and the
    source of the mapping of the next one. The last needs those of the first."""
