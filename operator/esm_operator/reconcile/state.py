"""What the process remembers of resources in addition to what is written on them, one object for each resource.

Nothing of it has to outlive the process. It saves calls to AWS, or keeps the operator from acting too soon. All that
has to survive a restart is on the resource itself.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.resource import Key
from esm_operator.clock import monotonic
from esm_operator.planning.state import Desired
from esm_operator.planning.target import Target
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.failure_backoff import FailureBackoff
from esm_operator.ratelimit.keyed_rate_limiter import KeyedRateLimiter
from esm_operator.reconcile.blocked_by import BlockedBy
from esm_operator.reconcile.drift_backoff import DriftBackoff
from esm_operator.reconcile.field_refusals import FieldRefusals
from esm_operator.reconcile.pending_creates import SETTLE, PendingCreates

#: Seconds after which AWS is asked again whether a mapping conflicts with another identity than its own.
_NAMED_FOR = 300.0


@dataclass(frozen=True, slots=True)
class ConflictingMapping:
    """A mapping that AWS named when it refused a request."""

    asked: Identity
    """The identity that was requested."""
    consumer_group: ConsumerGroup | None
    """The consumer group that was requested."""
    uuid: str
    identity: Identity
    """The identity that the mapping had then, as far as the inventory knew."""
    at: float = field(default_factory=monotonic)

    def is_in_the_way(self, desired: Desired, identity: Identity, *, explained: bool) -> bool:
        """Whether it still conflicts.

        Args:
            desired: the present request.
            identity: the identity that the mapping has now.
            explained: whether the two are in one consumer group. AWS need not be asked again then.
        """
        same = (desired.identity, desired.consumer_group) == (self.asked, self.consumer_group)
        return same and identity == self.identity and (explained or monotonic() - self.at < _NAMED_FOR)


@dataclass(frozen=True, slots=True)
class CreateAttempt:
    """An attempt of this process to create a mapping without owner tags."""

    marker: str
    """``status.creating``, as it was written before."""
    outstanding: bool = False
    """Whether it, or one before it, may make or have made a mapping that is not known."""


@dataclass(slots=True)
class ResourceState:
    """What the process remembers of one resource."""

    predates_process: bool = False
    """Whether the resource existed when this process began to work, so that who worked on it before has ended."""
    asleep: Target | None = None
    """The target whose sweep has to end before the resource is reconciled, because its status was up to date."""
    awaits_sweep: bool = False
    """Whether it was reconciled before the first sweep of its target was complete."""
    failures: int = 0
    """Failed reconciles in a row, for the failure back-off."""
    intent_known: bool = False
    """Whether this process has written the intent, or has read it."""
    removal_confirmed: bool = False
    """Whether the API server has confirmed that the object was removed although it carried our finalizer."""
    released: bool = False
    """Whether it is being deleted and has released its mapping. Needed where the mapping has no owner tags."""
    deleted: str = ""
    """UUID of the mapping that the operator itself deleted last."""
    conflict: ConflictingMapping | None = None
    create_attempt: CreateAttempt | None = None
    """The last attempt to create a mapping. Kept only where mappings have no owner tags."""
    made_by_other_until: float | None = None
    """Set if the status recorded a mapping when this process first read it. If the mapping is gone, the earlier process
    may have been about to create it again. Monotonic time from which AWS does not carry that out, in seconds."""
    pending_creates: PendingCreates = field(default_factory=PendingCreates)
    drift_backoff: DriftBackoff = field(default_factory=DriftBackoff)
    field_refusals: FieldRefusals = field(default_factory=FieldRefusals)

    def back_off(self, first: float, longest: float) -> float:
        """The delay after one more failed reconcile, in seconds: doubling, with jitter.

        Args:
            first: the shortest delay, in seconds.
            longest: the upper bound, in seconds.
        """
        self.failures += 1
        return backoff.jittered(backoff.exponential(self.failures - 1, first, longest))


class ResourceStates:
    """The states of all resources. For one event loop.

    Indexes that answer questions about many resources are kept here too, so that :meth:`forget` is all that is needed
    when a resource is gone.
    """

    def __init__(self, deletions_per_minute: int) -> None:
        """
        Args:
            deletions_per_minute: mappings that may be deleted in a minute.
        """
        self._states: dict[Key, ResourceState] = {}
        self._created: dict[Key, str] = {}
        self._creators: dict[str, Key] = {}
        self._began = monotonic()
        self.deletion_limiter: KeyedRateLimiter[Key] = KeyedRateLimiter(deletions_per_minute / 60, deletions_per_minute)
        self.failure_backoff: FailureBackoff[Key] = FailureBackoff()
        self.blocked_by: BlockedBy[Key] = BlockedBy()

    def of(self, key: Key) -> ResourceState:
        """The state of a resource, which may be a new one."""
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = ResourceState()
        return state

    def began_with(self, keys: Collection[Key]) -> None:
        """Record which resources existed when this process began to work.

        Who worked on them before has ended. Other resources may come from an operator that still runs, because they
        were given another label.
        """
        for key in keys:
            self.of(key).predates_process = True

    def sleeping_in(self) -> set[Target]:
        """The targets for whose sweep resources wait."""
        return {state.asleep for state in self._states.values() if state.asleep is not None}

    def wake(self, target: Target) -> list[Key]:
        """Wake the resources that wait for a sweep of a target, now that one has ended. Returns them."""
        keys: list[Key] = []
        for key, state in self._states.items():
            if state.asleep == target or state.awaits_sweep:
                state.awaits_sweep = False
                if state.asleep == target:
                    state.asleep = None
                keys.append(key)
        return keys

    def unblock(self, uuids: Collection[str]) -> set[Key]:
        """End the failure back-off of the resources that changed mappings blocked. Returns them."""
        keys = self.blocked_by.keys(uuids)
        for key in keys:
            self.failure_backoff.forget(key)
        return keys

    def settles(self, state: ResourceState) -> float:
        """Monotonic time, in seconds, from which AWS does not carry out what an earlier process sent for a resource."""
        return (self._began if state.predates_process else monotonic()) + SETTLE

    def created(self, key: Key, uuid: str) -> None:
        """Record the mapping that was created last for a resource."""
        before = self._created.get(key, "")
        if before and self._creators.get(before) == key:
            del self._creators[before]
        self._created[key] = uuid
        self._creators.setdefault(uuid, key)

    def created_uuid(self, key: Key) -> str:
        """The mapping that was created last for a resource; empty: none by this process."""
        return self._created.get(key, "")

    def creator(self, uuid: str) -> Key | None:
        """The resource for which this process created a mapping."""
        return self._creators.get(uuid)

    def edited(self, key: Key) -> None:
        """Record that a person has changed the resource: it no longer waits for any back-off or limit of ours."""
        state = self._states.get(key)
        if state is not None:
            state.failures = 0
            state.drift_backoff.clear()
            state.field_refusals.clear()
        self.failure_backoff.forget(key)
        self.deletion_limiter.forget(key)

    def forget(self, key: Key) -> None:
        """Forget a resource that no longer exists."""
        self.edited(key)
        self.blocked_by.put(key, "")
        uuid = self._created.pop(key, "")
        if uuid and self._creators.get(uuid) == key:
            del self._creators[uuid]
        self._states.pop(key, None)
