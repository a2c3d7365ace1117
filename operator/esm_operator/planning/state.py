"""What the planner is given: what a resource desires, what AWS was seen to have, what is known of the rest.

Values only. Made by ``desire.py`` and the inventory, read by ``plan.py``, ``differences.py`` and ``report.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.sources import SourceType
from esm_operator.api.spec import Adoption
from esm_operator.api.values import Canonical
from esm_operator.planning.finding import Finding
from esm_operator.planning.ownership import Owner, Ownership, ownership

TRANSITIONS = frozenset({"Creating", "Enabling", "Disabling", "Updating", "Deleting"})


@dataclass(frozen=True, slots=True)
class Desired:
    """What a resource asks for, and what the operator noted on it."""

    owner: Owner
    identity: Identity
    """The identity that the spec asks for now."""
    intended: Identity | None
    """The identity that the intent names: where a mapping may stand that a crash left without a note."""
    source: SourceType | None
    values: Mapping[str, Canonical]
    tags: Mapping[str, str]
    """Default tags, the spec's and the owner's; the spec's win over default ones."""
    consumer_group: ConsumerGroup | None = None
    """The Kafka consumer group that the spec names."""
    deleting: bool = False
    prepared: bool = False
    """Whether finalizer and intent stand on the resource."""
    intent_current: bool = False
    """Whether the intent names the identity and the fields that a Create would send now."""
    finalizer: bool = False
    removed: bool = False
    """Whether the object does not exist any more: only the mapping of this very incarnation is to be deleted."""
    uuid: str = ""
    applied_fields: frozenset[str] = frozenset()
    applied_tags: frozenset[str] = frozenset()
    applied_immutable: Mapping[str, str] = field(default_factory=dict[str, str])
    kept: frozenset[str] = frozenset()
    """Fields gone from the spec that AWS keeps. They are not reset again."""
    refused_before: frozenset[str] = frozenset()
    """Fields whose reset AWS refused before the last edit. They are reset once more, after everything else."""
    known_tags: Mapping[str, str] | None = None
    """Tags written last, by the status; to notice an edit without asking AWS."""
    edited: bool = False
    """Whether the spec is another than the one that the status speaks of."""
    was_in_sync: bool = False
    """Whether AWS had all of this very spec before: what differs now was changed by somebody else."""
    paused: bool = False
    """Whether a person asked for nothing to be written to AWS."""
    orphan: bool = False
    """Whether a person asked for the resource to go without its mapping."""
    problems: tuple[Finding, ...] = ()
    """What makes the spec impossible to carry out."""
    retain: bool = False
    observe_only: bool = False
    recreate: bool = False
    adoption: Adoption = field(default_factory=Adoption)
    owner_tags: bool = True
    """Whether owner tags are at AWS; else the resources record the owner, and tags here stand for that."""

    @property
    def looked_for(self) -> str:
        """The UUID by which its mapping is looked for; empty: by its identity.

        The noted one's, else the one to adopt. What is only watched is nothing to it, so it may name another.
        """
        if self.observe_only and ownership(self.owner, self.known_tags) is not Ownership.OURS:
            return self.adoption.uuid or self.uuid
        return self.uuid or self.adoption.uuid


@dataclass(frozen=True, slots=True)
class Observed:
    """A mapping as AWS told of it last."""

    uuid: str
    state: str
    values: Mapping[str, Canonical]
    tags: Mapping[str, str] | None = None
    """None: not seen in this process's life."""
    tags_fresh: bool = True
    """Whether the tags were seen since this work began; from others nothing follows that can't be undone."""
    tags_in_doubt: bool = False
    """Whether the tags in the status may be wrong, because AWS has not answered a request to change them."""
    tags_may_follow: bool = False
    """Whether there are no tags, perhaps only because AWS shows them later than the mapping."""
    consumer_group: ConsumerGroup | None = None
    filters_hidden: bool = False
    """FilterCriteria is encrypted: List answers null for it, which is no drift."""

    @property
    def in_transition(self) -> bool:
        return self.state in TRANSITIONS


@dataclass(frozen=True, slots=True)
class Observation:
    """What the inventory can say about one resource's mapping."""

    swept: bool
    """Whether a sweep of the target is complete; before that absence means nothing."""
    mapping: Observed | None = None
    """The mapping with the uuid that is looked for."""
    gone: bool = False
    """AWS itself has said that there is no mapping with that uuid."""
    candidates: tuple[Observed, ...] = ()
    """Mappings with the identity that the spec asks for: ours, or in the way."""
    intended: tuple[Observed, ...] = ()
    """Mappings with the identity of the intent, where that is another: ours, or nothing to us."""
    leaving: tuple[Observed, ...] = ()
    """Mappings with the identity that the spec asks for which AWS is deleting: still in the way of a Create."""
    same_group: tuple[Observed, ...] = ()
    """Mappings of another identity that keep the consumer group which the spec names from a Create: AWS is deleting
    them, or has named them in a refusal."""
    unsettled: bool = False
    """Whether AWS may still carry out a Create of the intent: its answer was lost, or an earlier process sent it."""
    unsearched: bool = False
    """Whether such a Create may have made one that no sweep shows: they miss some. The function's own list tells."""
    may_have_made: bool = False
    """Whether a Create of the resource, of which this process has seen no answer, may have made a mapping."""
    unseen: str = ""
    """The UUID of a mapping that this process made for the resource, and that no list has shown since."""
    refused: Mapping[frozenset[str], str] = field(default_factory=dict[frozenset[str], str])
    """Sets of members of an Update that AWS refused since the last edit, each with the message."""
    rival: str = ""
    """An older resource (namespace/name) that may adopt the same mapping, which belongs to nobody yet."""
