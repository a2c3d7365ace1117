"""The resource states: one object for each resource, with the information that a process keeps only in memory.

The states outlive a term if the same process leads in the next one, and no other process in between. They need not
outlive the process. They save calls to AWS, or keep the operator from acting too soon.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from esm_operator.api.identity import ConsumerGroup, Identity
from esm_operator.api.resource import Key, Resource, is_edit
from esm_operator.clock import monotonic
from esm_operator.planning.inputs import Desired
from esm_operator.planning.target import Place, Target
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.change_pacer import ChangePacer
from esm_operator.ratelimit.failure_backoff import FailureBackoff
from esm_operator.ratelimit.keyed_rate_limiter import KeyedRateLimiter
from esm_operator.reconcile.drift_backoff import DriftBackoff
from esm_operator.reconcile.field_refusals import FieldRefusals
from esm_operator.reconcile.pending_creates import SETTLE, PendingCreates

#: Seconds after which the operator asks AWS again whether a mapping of another identity conflicts.
_CONFLICT_EXPIRES = 300.0
#: The first and the longest delay, in seconds, of the next attempt to write a ConfigMap with outputs.
_OUTPUTS_DELAYS = (10.0, 300.0)
#: Status writes a second, in all accounts and regions together, that only show a changed last processing result without
#: a problem, and how many of them are written without a pause. A write takes some 30 ms of the API server and of the
#: operator (measured).
_RESULT_RATE, _RESULT_BURST = 0.5, 10.0
#: Seconds between two such writes of one resource.
RESULT_INTERVAL = 600.0


@dataclass(frozen=True, slots=True)
class ConflictingMapping:
    """A mapping that AWS named when it refused a request."""

    requested: Identity
    requested_group: ConsumerGroup | None
    uuid: str
    identity: Identity
    """The identity that the mapping had in the inventory at the time of the refusal."""
    at: float = field(default_factory=monotonic)

    def still_conflicts(self, desired: Desired, identity: Identity, *, same_group: bool) -> bool:
        """Whether the mapping, with its present identity, conflicts with the present request.

        If the conflict is in a consumer group, it does not expire.
        """
        before = (self.requested, self.requested_group, self.identity)
        same = (desired.identity, desired.consumer_group, identity) == before
        return same and (same_group or monotonic() - self.at < _CONFLICT_EXPIRES)


#: Seconds for which an older resource keeps a younger one from adopting a mapping, if the older one does not adopt it.
CLAIMED_FOR = 60.0


@dataclass(slots=True)
class ResourceState:
    """The information about one resource in the memory of this term."""

    predates_term: bool = False
    """Whether the resource existed when this term began. Every earlier process that managed it has ended."""
    place: Place | None = None
    """Where the mapping of the resource was when the resource was reconciled last; None: not reconciled yet. It remains
    when the target is no longer known."""
    asleep: Target | None = None
    """The target whose first sweep must end before the resource is reconciled. Set if the status was up to date."""
    awaits_sweep: Target | None = None
    """The target whose first sweep was not complete when the resource was reconciled last."""
    failures: Counter[tuple[float, float]] = field(default_factory=Counter[tuple[float, float]])
    """Failed reconciles since the last success or edit, by the first and the longest delay of the failure back-off. So
    a kind of failure with short delays does not lengthen the delays of another."""
    ignored_intent: int = 0
    """The hash of the last annotation with an intent that the operator has reported as ignored."""
    intent_known: bool = False
    """Whether this term has written the intent, or has read it."""
    unanswered_write: str = ""
    """The resourceVersion for which the last write to the API server had no answer. Before the next write, the resource
    is read, because a read costs the API server less than a write that it refuses as stale."""
    awaits_references: bool = False
    """Whether the last reconcile did nothing, because the objects that the resource references were not known yet."""
    removal_confirmed: bool = False
    """Whether the API server has confirmed that the object was removed although it carried our finalizer."""
    released: bool = False
    """Whether the resource is being deleted and has released its mapping. Used for mappings without owner tags."""
    created: str = ""
    """UUID of the mapping that this process created last for the resource."""
    created_in: Place | None = None
    """Where it was created."""
    created_at: float = -math.inf
    """Monotonic time at which it was created, in seconds."""
    deleted: str = ""
    """UUID of the mapping that the operator itself deleted last."""
    blocked_by: str = ""
    """UUID of the mapping that blocks the resource: another owner has it, or AWS is deleting it."""
    conflict: ConflictingMapping | None = None
    create_marker: str = ""
    """The last ``status.creating`` that this term wrote. Empty where mappings have owner tags."""
    create_outstanding: bool = True
    """Whether the Create of the marker, or an earlier one, may have made a mapping that is not known."""
    made_by_other_until: float | None = None
    """Monotonic time, in seconds, from which AWS no longer carries out a Create of an earlier process. Set if the
    status recorded a mapping when this term first read it. If that mapping is gone, the earlier process may have
    sent a Create to replace it."""
    outranked_since: float | None = None
    """Monotonic time, in seconds, since which an older resource has claimed the mapping to adopt; None: none does."""
    lacks_permission_since: float | None = None
    """Monotonic time, in seconds, of the first of the present refusals because of a missing permission."""
    shows_result: bool = False
    """Whether the next status may be written only to show another last processing result without a problem."""
    outputs_outdated: bool = False
    """Whether the ConfigMap with the outputs was found to differ from the status, or not to exist."""
    outputs_failures: int = 0
    """Failed attempts to write the ConfigMap since the last success or edit."""
    pending_creates: PendingCreates = field(default_factory=PendingCreates)
    drift_backoff: DriftBackoff = field(default_factory=DriftBackoff)
    field_refusals: FieldRefusals = field(default_factory=FieldRefusals)

    def back_off(self, first: float, longest: float) -> float:
        """Count a failed reconcile, and return the delay in seconds. It doubles from the first to the longest."""
        failures = self.failures[first, longest]
        self.failures[first, longest] += 1
        return backoff.jittered(backoff.exponential(failures, first, longest))

    @property
    def outputs_delay(self) -> float:
        """Seconds until the next attempt to write the ConfigMap with the outputs."""
        return backoff.jittered(backoff.exponential(self.outputs_failures - 1, *_OUTPUTS_DELAYS))

    @property
    def claim_left(self) -> float:
        """Seconds for which the older resource still comes first."""
        return CLAIMED_FOR - (monotonic() - self.outranked_since) if self.outranked_since is not None else CLAIMED_FOR

    def record_claim(self, *, outranked: bool) -> None:
        """Record whether an older resource keeps this one from adopting a mapping."""
        self.outranked_since = (self.outranked_since or monotonic()) if outranked else None

    def record_create(self, *, sent: bool = False) -> None:
        """Record that a Create is sent, or has ended. A Create stays outstanding while its outcome is unknown."""
        if self.create_marker:
            self.create_outstanding = sent or self.pending_creates.unsearched


class ResourceStates:
    """The states of all resources, with indexes. For one event loop.

    When a resource is gone, call :meth:`forget`.
    """

    def __init__(self, deletions_per_minute: int) -> None:
        self._states: dict[Key, ResourceState] = {}
        self._creators: dict[str, dict[Place | None, Key]] = {}
        """By UUID and place: the resource for which this term created the mapping. Several endpoints can have one."""
        self._blocked: dict[str, set[Key]] = {}
        """By UUID: the resources that the mapping blocks."""
        self._began = monotonic()
        self.deletion_limiter: KeyedRateLimiter[Key] = KeyedRateLimiter(
            deletions_per_minute / 60, deletions_per_minute, party=lambda key: key.namespace
        )
        """Namespaces take turns, so the deletions of one do not delay those of another."""
        self.failure_backoff: FailureBackoff[Key] = FailureBackoff(party=lambda key: key.namespace)
        self.result_changes: ChangePacer[Key] = ChangePacer(_RESULT_RATE, _RESULT_BURST, RESULT_INTERVAL)
        """The resources whose last processing result has changed without a problem. On a stream with little traffic it
        changes all the time, so it is shown slowly."""

    def of(self, key: Key) -> ResourceState:
        """The state of a resource. An unknown resource gets a new state."""
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = ResourceState()
        return state

    def record_existing(self, keys: Collection[Key]) -> None:
        """Record which resources existed when this process began to lead.

        Resources that appear later may come from an operator that still runs, after a change of their labels.
        """
        for key in keys:
            self.of(key).predates_term = True

    def resume(self) -> None:
        """Begin the next term. No other process has led since the last one."""
        for state in self._states.values():
            state.asleep = state.awaits_sweep = None

    def sleeping_in(self) -> set[Target]:
        """The targets that have resources which wait for a sweep."""
        return {state.asleep for state in self._states.values() if state.asleep is not None}

    def wake(self, target: Target) -> list[Key]:
        """Wake the resources that wait for a sweep of a target, after a sweep has ended. Returns their keys."""
        woken = {key: state for key, state in self._states.items() if target in (state.asleep, state.awaits_sweep)}
        for state in woken.values():
            state.asleep = state.awaits_sweep = None
        return list(woken)

    def block(self, key: Key, uuid: str) -> None:
        """Record the mapping that blocks a resource: another owner has it, or AWS is deleting it. Empty: none."""
        state = self.of(key)
        blocked = self._blocked.get(state.blocked_by, set())
        blocked.discard(key)
        if not blocked:
            self._blocked.pop(state.blocked_by, None)
        state.blocked_by = uuid
        if uuid:
            self._blocked.setdefault(uuid, set()).add(key)

    def in_place(self, place: Place | None, keys: Iterable[Key]) -> list[Key]:
        """Those of the resources whose mappings may be in a place. None, and a resource without a place: in any.

        An endpoint can answer with the UUID of any mapping, so a UUID alone does not show which resources a mapping
        concerns.
        """
        return [key for key in keys if place is None or self.of(key).place in (None, place)]

    def blocking(self, place: Place, uuids: Collection[str]) -> list[str]:
        """Those of the UUIDs whose mappings in a place block a resource."""
        return [uuid for uuid in uuids if self.in_place(place, self._blocked.get(uuid, ()))]

    def unblock(self, place: Place | None, uuids: Collection[str]) -> set[Key]:
        """End the failure back-off of the resources that the changed mappings block. Returns their keys.

        Without a place, the mappings may be in any.
        """
        keys = {key for uuid in uuids for key in self.in_place(place, self._blocked.get(uuid, ()))}
        for key in keys:
            self.failure_backoff.forget(key)
        return keys

    def settles(self, state: ResourceState) -> float:
        """Monotonic time, in seconds, from which AWS no longer carries out requests of an earlier process."""
        return (self._began if state.predates_term else monotonic()) + SETTLE

    def record_created(self, key: Key, state: ResourceState, uuid: str) -> None:
        """Record the mapping that this term created last for a resource, unless a new object has its name."""
        if self.of(key) is not state:
            return
        self._forget_created(key)
        state.created, state.created_in, state.created_at = uuid, state.place, monotonic()
        self._creators.setdefault(uuid, {}).setdefault(state.place, key)

    def created_of(self, place: Place, uuids: Iterable[str]) -> Mapping[str, Key]:
        """Those of the mappings in a place that this process has created, with their resources."""
        return {uuid: key for uuid in uuids if (key := self.creator(place, uuid)) is not None}

    def creator(self, place: Place, uuid: str) -> Key | None:
        """The resource for which this term created a mapping in a place."""
        return self.creators(uuid).get(place)

    def creators(self, uuid: str) -> Mapping[Place | None, Key]:
        """The resources for which this term created a mapping with a UUID, by place."""
        return self._creators.get(uuid, {})

    def record_change(self, old: Resource | None, new: Resource) -> bool:
        """Record a new version of a resource. Returns whether a person has changed the resource, or it is a new one.

        An edit ends the back-offs, and the wait for a sweep and for a turn to delete. A new object does not inherit the
        state of an earlier one with its name.
        """
        edited = is_edit(old, new)
        if old is not None and old.uid != new.uid:
            self.forget(new.key)
        if edited:
            self.of(new.key).asleep = None
            self._end_backoffs(new.key)
        return edited

    def _end_backoffs(self, key: Key) -> None:
        state = self._states.get(key)
        if state is not None:
            state.failures.clear()
            state.outputs_failures = 0
            state.drift_backoff.clear()
            state.field_refusals.clear()
        self.failure_backoff.forget(key)
        self.deletion_limiter.forget(key)

    def forget(self, key: Key) -> None:
        """Forget a resource that no longer exists."""
        self._end_backoffs(key)
        self.block(key, "")
        self._forget_created(key)
        self.result_changes.forget(key)
        del self._states[key]

    def _forget_created(self, key: Key) -> None:
        state = self.of(key)
        creators = self._creators.get(state.created, {})
        if creators.get(state.created_in) == key:
            del creators[state.created_in]
            if not creators:
                del self._creators[state.created]
