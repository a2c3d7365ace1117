"""What one process remembers of resources, beside what stands on them.

Nothing of it has to outlive the process: it spares calls to AWS, or keeps the operator from acting too soon.
Used by what acts and by the view.
"""

from dataclasses import dataclass, field

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.resource import Key
from esm_operator.clock import passed
from esm_operator.planning.state import Desired
from esm_operator.reconcile.drift_backoff import DriftBackoff
from esm_operator.reconcile.field_refusals import FieldRefusals
from esm_operator.reconcile.pending_creates import PendingCreates

#: Seconds after which AWS is asked again whether a mapping is in the way of another identity than its own.
_NAMED_FOR = 300.0


@dataclass(frozen=True, slots=True)
class ConflictingMapping:
    """A mapping that AWS named when it refused what was asked for."""

    asked: Identity
    """The identity that was asked for."""
    consumer_group: ConsumerGroup | None
    """The consumer group that was asked for."""
    uuid: str
    identity: Identity
    """The identity that the mapping had then, as far as we can tell."""
    at: float = field(default_factory=passed)

    def is_in_the_way(self, desired: Desired, identity: Identity, *, explained: bool) -> bool:
        """Whether it still is.

        Args:
            desired: what is asked for now.
            identity: the identity that the mapping has now.
            explained: whether the two are in one consumer group. AWS need not be asked again then.
        """
        same = (desired.identity, desired.consumer_group) == (self.asked, self.consumer_group)
        return same and identity == self.identity and (explained or passed() - self.at < _NAMED_FOR)


@dataclass(frozen=True, slots=True)
class CreateAttempt:
    """An attempt of this process to create a mapping."""

    marker: str
    """``status.creating``, as it was written before."""
    outstanding: bool = False
    """Whether it, or one before it, may make or have made a mapping that is not known."""


@dataclass(slots=True)
class ResourceStates:
    """Of all resources."""

    conflicts: dict[Key, ConflictingMapping] = field(default_factory=dict[Key, ConflictingMapping])
    made: dict[Key, str] = field(default_factory=dict[Key, str])
    """UUIDs of the mappings that were made last."""
    deleted: dict[Key, str] = field(default_factory=dict[Key, str])
    """UUIDs of the mappings that we ourselves deleted last."""
    pending_creates: PendingCreates[Key] = field(default_factory=PendingCreates[Key])
    removals_confirmed: set[Key] = field(default_factory=set[Key])
    """Resources of which the API server has confirmed that they were removed although they carried our finalizer."""
    intents_known: set[Key] = field(default_factory=set[Key])
    """Resources whose intent this process has written, or has looked at."""
    creates: dict[Key, CreateAttempt] = field(default_factory=dict[Key, CreateAttempt])
    """The last attempts to create mappings. Kept only where mappings have no owner tags."""
    released: set[Key] = field(default_factory=set[Key])
    """Resources that are being deleted and have let go of their mapping. Needed where it has no owner tags."""
    made_by_others: dict[Key, float] = field(default_factory=dict[Key, float])
    """Resources whose mapping was noted when this process saw them first: should it be gone, another process may have
    been about to make it again. With the monotonic time from which AWS does not carry that out any more, in seconds."""
    drift_backoff: DriftBackoff[Key] = field(default_factory=DriftBackoff[Key])
    field_refusals: FieldRefusals[Key] = field(default_factory=FieldRefusals[Key])

    def forget(self, key: Key) -> None:
        """The resource is gone from the cluster."""
        self.conflicts.pop(key, None)
        self.made.pop(key, None)
        self.deleted.pop(key, None)
        self.pending_creates.forget(key)
        self.removals_confirmed.discard(key)
        self.intents_known.discard(key)
        self.creates.pop(key, None)
        self.released.discard(key)
        self.made_by_others.pop(key, None)
        self.drift_backoff.forget(key)
        self.field_refusals.forget(key)
