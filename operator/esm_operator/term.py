"""A term: the period in which this process holds the lease, with all that reconciles resources and knows AWS.

The operator makes a term when it holds the lease and knows all resources, and drops the term when it loses the lease.
The cache and the connections outlive the term. The :class:`TermMemory` outlives it too if this process leads in the
next term, and no other process in between.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from esm_operator import tasks
from esm_operator.api.resource import Key, Resource, is_same_work
from esm_operator.aws.connection import Connection
from esm_operator.aws.connections import Connections
from esm_operator.aws.errors import REASONS
from esm_operator.aws.inventory_listener import CountOrphans
from esm_operator.aws.targets import Knowledge, Targets
from esm_operator.clock import monotonic
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.lease import RENEWAL
from esm_operator.cluster.operator_names import finalizer_name, manager_name
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.cluster.usage_finalizer import INTERVAL, UsageFinalizer
from esm_operator.fence import Fence
from esm_operator.metrics import gauges
from esm_operator.metrics.gauges import Snapshot
from esm_operator.planning.target import Place, Target
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile.controller import LIMITS, Controller
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.orphan_counter import OrphanCounter
from esm_operator.reconcile.outcome_reporter import OutcomeReporter
from esm_operator.reconcile.outputs import Outputs
from esm_operator.reconcile.reconciler import Reconciler
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.settings import Settings
from esm_operator.status.conditions import REFERENCES_RESOLVED

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Limits and intervals that users can't set. Tests at simulated time use others."""

    limits: Mapping[QueuePriority, int] = field(default_factory=lambda: LIMITS)
    """Reconciles that may run at the same time in each target, by priority."""
    lease_renewal: float = RENEWAL
    """Seconds between renewals of the lease."""
    usage_interval: float = INTERVAL
    """Seconds between searches for ProviderConfigs that can be released."""


class TermMemory:
    """What a process knows of AWS and of its own requests. It is valid while no other process leads."""

    def __init__(self, settings: Settings) -> None:
        self.states = ResourceStates(settings.deletions_per_minute)
        self.knowledge = Knowledge()
        self.resumed = False
        """Whether it is from an earlier term of this process."""
        self._suspended: dict[Key, Resource] = {}

    def suspend(self, resources: Iterable[Resource]) -> None:
        """End a term with these resources."""
        self._suspended = {resource.key: resource for resource in resources}

    def resume(self, cache: ResourceCache) -> None:
        """Begin the next term. Mappings are unknown until AWS has answered them again.

        Resources that were edited, deleted or replaced since the last term lose what no longer applies to them.
        """
        self.resumed = True
        self.states.resume()
        changing = [one for one in cache.all() if one.uuid and not one.status_is_current]
        self.knowledge.resume((self.states.of(one.key).place, one.uuid) for one in changing)
        for key, old in self._suspended.items():
            new = cache.get(key)
            if new is None:
                self.states.forget(key)
            else:
                self.states.record_change(old, new)
        self._suspended = {}


class Term:
    """Queue, targets, reconciler, and the tasks that run them. Within one event loop.

    It is the ``InventoryListener`` of the targets, and the ``ConnectionListener`` of the connections.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        cache: ResourceCache,
        config_cache: ConfigCache,
        kubernetes: KubernetesClient,
        connections: Connections,
        fence: Fence,
        tuning: Tuning,
        memory: TermMemory,
    ) -> None:
        """The cache is synced. The fence guards every write of this term."""
        self._settings = settings
        self._cache = cache
        self._config_cache = config_cache
        self._kubernetes = kubernetes
        self._connections = connections
        self._states = memory.states
        self._knowledge = memory.knowledge
        self._resumed = memory.resumed
        self._controller = Controller(cache, config_cache, tuning.limits)
        self._targets = Targets(connections, fence, settings, self, memory.knowledge)
        fenced = kubernetes.fenced(fence, manager_name(settings.lease_namespace, settings.lease_name))
        finalizer = finalizer_name(
            whole=not (settings.namespaces or settings.namespace_selector or settings.selector),
            lease_namespace=settings.lease_namespace,
            lease_name=settings.lease_name,
        )
        self._usage_finalizer = UsageFinalizer(finalizer, cache, config_cache, fenced, tuning.usage_interval)
        self._recorder = EventRecorder(fenced)
        self._outputs = Outputs(self._states, cache, fenced, self._controller, settings.namespaces)
        status_writer = StatusWriter(self._states, cache, fenced, self._recorder, self._outputs)
        executor = Executor(self._states, cache, fenced, self._recorder, status_writer)
        self._reconciler = Reconciler(
            cluster=settings.cluster_name,
            takeover_clusters=frozenset(settings.takeover_from_clusters),
            states=self._states,
            cache=cache,
            targets=self._targets,
            kubernetes=fenced,
            config_cache=config_cache,
            usage_finalizer=self._usage_finalizer,
            recorder=self._recorder,
            controller=self._controller,
            status_writer=status_writer,
            executor=executor,
            outcome_reporter=OutcomeReporter(
                self._states, cache, self._recorder, status_writer, executor, self._controller
            ),
        )
        self._to_sweep: set[Target] = set()
        """The targets that are swept as soon as they are connected, whether a resource is reconciled or not."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work on all resources."""
        if not self._resumed:
            self._states.record_existing(self._cache.all_keys())
        for resource in self._cache.all():
            self._begin(resource)
        gauges.show_term(self.snapshot)
        self._controller.start(self._reconciler.reconcile)
        self._tasks = [
            tasks.start(self._usage_finalizer.run(), "usage finalizer"),
            tasks.start(self._show_changed_results(), "changed results"),
            tasks.start(self._outputs.run(), "outputs"),
        ]
        # If no resource waits for a first sweep, the targets in which mappings will be created are swept.
        self._to_sweep = self._states.sleeping_in() or self._config_cache.targets(self._cache.all())
        self._connections.listener = self
        for target in list(self._to_sweep):
            connection = self._connections.established(target)
            if connection is not None:
                self.connected(target, connection)
            elif self._connections.is_failing(target):
                self.connection_failed(target)

    async def drain(self, within: float) -> None:
        """Take no more work, and wait at most so many seconds for the reconciles that run."""
        until = monotonic() + within
        await self._controller.drain(within)
        await self._recorder.settle(max(0.0, until - monotonic()))

    async def stop(self) -> None:
        """Stop working. The next term, of any process, repairs what is cut off here."""
        gauges.show_term(None)
        if self._connections.listener is self:
            self._connections.listener = None
        await self._controller.stop()
        await tasks.cancel(self._tasks)
        await self._targets.close()

    # For the operator

    def reconcile_changed(self, resource: Resource, old: Resource | None) -> None:
        """Reconcile a resource that is new, or has changed from the old one."""
        edited = self._states.record_change(old, resource)
        if edited and resource.uuid:
            self._knowledge.forget_tags_before(self._states.of(resource.key).place, resource.uuid)
        target = self._controller.target_of(resource.key) if edited and old is not None else None
        if target is not None:
            self._targets.retry(target)
        self._controller.enqueue([resource.key], _priority(resource, old), immediately=edited)
        self._reconcile_predecessors(resource, old)
        if resource.uuid and old is not None and old.consents_to != resource.consents_to:
            self.mappings_changed(self._states.of(resource.key).place, [resource.uuid])

    def _reconcile_predecessors(self, *versions: Resource | None) -> None:
        """Reconcile the resources whose deletion waits for one of the versions of an heir.

        A resource without access is no heir. Its changes do not end the back-off of other resources.
        """
        for one in filter(None, versions):
            former = self._cache.inherits_from(one, self._settings.cluster_name)
            if former is not None and former.deleting:
                self._controller.enqueue([former.key], QueuePriority.EDIT)

    def references_changed(self, resource: Resource, old: Resource | None) -> None:
        """Reconcile a resource if the objects that it references have changed. The status may show the change already.

        Without the old resource, the cache took the new values from the answer to a write of the operator. The
        reconcile that sent the write may have ended with the old values.

        While the operator still reads an object, as at a start, a reconcile would only wait. The end of the read causes
        one.
        """
        if resource.awaits_objects:
            return
        changed = old is not None and (not is_same_work(old, resource) or _lacks_another(old, resource))
        if changed or self._states.of(resource.key).awaits_references or not _shows_references(resource):
            self.reconcile_changed(resource, old)

    def forget(self, key: Key) -> None:
        """Forget a resource that no longer exists."""
        self._states.forget(key)
        self._controller.forget(key)

    def record_other_operator(self, resource: Resource, message: str) -> None:
        """Record an Event that another operator works on a resource. The message names it, and what to do."""
        self._recorder.warning(resource, "AnotherOperator", message)

    def failures(self) -> list[str]:
        """Why accounts and regions can't be swept now, as sentences."""
        return self._targets.failures()

    def keep_targets(self, targets: Collection[Target]) -> None:
        """Stop sweeping all targets but these."""
        self._to_sweep &= set(targets)
        self._targets.keep(targets)

    def reconcile_again(self, keys: Iterable[Key]) -> None:
        """Reconcile resources because something that they depend on has changed."""
        for key in keys:
            self._states.of(key).asleep = None
            self._controller.enqueue([key], QueuePriority.RESYNC)

    # For the connections

    def connected(self, target: Target, connection: Connection) -> None:
        """Begin to sweep a target that resources wait for."""
        if target in self._to_sweep:
            self._to_sweep.discard(target)
            self._targets.attach(target, connection)

    def connection_failed(self, target: Target) -> None:
        """Reconcile the resources that wait for the first sweep of a target: their statuses show the failure."""
        if target in self._to_sweep:
            self.first_sweep_ended(target)

    # For the targets

    def referenced(self, place: Place, uuids: Collection[str]) -> list[str]:
        """Of the UUIDs, those of mappings in a place that resources have or wait for."""
        states, recorded = self._states, self._keys_of(place, uuids)
        return list({*recorded, *states.blocking(place, uuids), *states.created_of(place, uuids)})

    def recorded_tags(self, place: Place, uuids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Of the UUIDs, those of mappings in a place whose resources have owner tags, with the tags in the statuses."""
        recorded = self._keys_of(place, uuids)
        return {uuid: self._cache.recorded_tags(keys) for uuid, keys in recorded.items() if self._has_owner_tags(keys)}

    def pending_changes(self, target: Target) -> int:
        """How many resources of a target wait for a change of theirs to be sent."""
        return self._controller.pending_changes(target)

    def write_latency(self) -> float:
        """Seconds that a write to the API server takes."""
        return self._kubernetes.latency

    def new_orphan_counter(self) -> CountOrphans:
        """A counter of orphans for one more account and region."""
        settings = self._settings
        return OrphanCounter(settings.cluster_name, settings.namespaces, self._cache, self._kubernetes).count

    def mappings_changed(self, place: Place | None, uuids: Collection[str]) -> None:
        """Reconcile the resources of mappings that have changed in AWS, and those that the mappings have blocked.

        Without a place, the mappings may be in any.
        """
        created = self._states.created_of(place, uuids).values() if place is not None else ()
        for key in {*self._states.in_place(place, self._cache.keys_of(uuids)), *created}:
            if self._states.of(key).asleep is None:
                failing = self._states.failure_backoff.is_failing(key)
                self._controller.enqueue([key], QueuePriority.TRANSITION, immediately=not failing)
        self._controller.enqueue(self._states.unblock(place, uuids), QueuePriority.TRANSITION)

    def results_changed(self, place: Place, uuids: Collection[str]) -> None:
        """Show the last processing results of mappings in the statuses, each in its turn."""
        for key in self._states.in_place(place, self._cache.keys_of(uuids)):
            self._states.result_changes.add(key)

    def staleness_changed(self, target: Target) -> None:
        """Reconcile all resources of a target, so that their statuses show whether the state of mappings is known."""
        self.reconcile_again([key for key in self._cache.all_keys() if self._controller.target_of(key) == target])

    def first_sweep_ended(self, target: Target) -> None:
        """Reconcile the resources that waited for the first sweep of a target."""
        for key in self._states.wake(target):
            resource = self._cache.get(key)
            if resource is not None:
                self._controller.enqueue([key], _priority(resource, None), immediately=False)

    # For the gauges

    def snapshot(self) -> Snapshot:
        """The metrics of this term."""
        return Snapshot(
            resources=self._cache.counts(),
            queue=self._controller.queue_states(),
            delayed=self._controller.delayed,
            places=self._targets.states(),
            deletions_held=len(self._states.deletion_limiter),
            each=self._cache.all() if self._settings.metrics_per_mapping else (),
        )

    def _begin(self, resource: Resource) -> None:
        """Enqueue a resource. If its status is up to date, it waits until the first sweep has shown its mapping.

        In a resumed term all resources wait, because the sweep shows the state of interrupted requests too.
        """
        key, target = resource.key, self._controller.target_of(resource.key)
        up_to_date = resource.status_is_current and not resource.deleting and not resource.reconcile_requested
        if target is None or not (up_to_date or self._resumed):
            self._controller.enqueue([key], _priority(resource, None))
            return
        self._states.of(key).asleep = target
        if up_to_date and _was_refused(resource):  # by another process: it takes its turn with the failing ones
            self._states.failure_backoff.failed(key)

    async def _show_changed_results(self) -> None:
        while True:
            key = await self._states.result_changes.take()
            self._states.of(key).shows_result = True
            self._controller.enqueue([key], QueuePriority.RESYNC, immediately=False)

    def _keys_of(self, place: Place, uuids: Collection[str]) -> Mapping[str, list[Key]]:
        """The resources of mappings in a place, by UUID."""
        known = self._cache.known_uuids(uuids)
        found = {uuid: self._states.in_place(place, self._cache.keys_of([uuid])) for uuid in known}
        return {uuid: keys for uuid, keys in found.items() if keys}

    def _has_owner_tags(self, keys: Collection[Key]) -> bool:
        if not self._targets.without_tags:
            return True
        targets = (self._controller.target_of(key) for key in keys)
        return any(target is not None and target.owner_tags for target in targets)


def _lacks_another(old: Resource, new: Resource) -> bool:
    """Whether another object is missing than before, or for another reason. False if none was missing before."""
    return new.outdated != old.outdated and old.outdated is not None and not old.outdated.passes


def _shows_references(resource: Resource) -> bool:
    """Whether the status shows the present values of the references, and whether they are those of the objects."""
    kept = resource.conditions.get(REFERENCES_RESOLVED) == "False"
    return resource.status_is_current and kept == (resource.reference_problem is not None)


def _was_refused(resource: Resource) -> bool:
    """Whether the status shows that AWS has refused something, or that another owner has the mapping."""
    if resource.conditions.get("Ready") == "True":
        return False
    reason = resource.status.condition("Ready").reason
    return reason == "Conflict" or reason in REASONS


def _priority(resource: Resource, old: Resource | None) -> QueuePriority:
    """The priority of a resource. At the start, one that was not changed since its status was written can wait."""
    if resource.uuid:
        can_wait = old is None and not resource.deleting and resource.status_is_current
        return QueuePriority.RESYNC if can_wait else QueuePriority.EDIT
    return QueuePriority.EDIT if resource.deleting else QueuePriority.CREATE
