"""A term: one stretch of leading, with all that works on resources and knows of AWS.

Made by the operator when it holds the lease and knows all resources; thrown away with the lease, for by the
next time its knowledge of AWS would be stale. What outlives it (the store, the connections) is the operator's.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from esm_operator import tasks
from esm_operator.api.resource import Key, Resource
from esm_operator.aws.client import Connections
from esm_operator.aws.errors import REASONS
from esm_operator.aws.targets import Targets
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.lease import RENEWAL
from esm_operator.cluster.operator_names import finalizer_name, manager_name
from esm_operator.cluster.usage_finalizer import INTERVAL, UsageFinalizer
from esm_operator.fence import Fence
from esm_operator.metrics import gauges
from esm_operator.metrics.gauges import Snapshot
from esm_operator.planning.target import Resolved, Target
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile.controller import LIMITS, Controller
from esm_operator.reconcile.orphan_counter import OrphanCounter
from esm_operator.reconcile.reconciler import Reconciler
from esm_operator.reconcile.state import ResourceStates
from esm_operator.settings import Settings

logger = logging.getLogger(__name__)

#: The longest pause between attempts to connect to where mappings live, in seconds.
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """Limits and intervals that users can't set. Tests at simulated time use others."""

    limits: Mapping[QueuePriority, int] = field(default_factory=lambda: LIMITS)
    """Reconciles that may run at the same time in each target, by priority."""
    lease_renewal: float = RENEWAL
    """Seconds between renewals of the lease."""
    usage_interval: float = INTERVAL
    """Seconds between looks for ProviderConfigs that can be released."""


class Term:
    """Queue, targets, reconciler, and the tasks that run them. Within one event loop."""

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
    ) -> None:
        """
        Args:
            settings: the operator's.
            cache: the resources; all are in it.
            config_cache: what the targets of the resources depend on.
            kubernetes: the API server; its writes are fenced here.
            connections: to AWS.
            fence: of the lease, for all writes of this term.
            tuning: limits and intervals.
        """
        self._cache = cache
        self._config_cache = config_cache
        self._each = settings.metrics_per_mapping
        self._states = ResourceStates(settings.deletions_per_minute)
        self._controller = Controller(self._target_of, tuning.limits)
        self._targets = Targets(
            connections,
            fence,
            cluster=settings.cluster_name,
            requests_per_second=settings.requests_per_second,
            sweep_interval=settings.sweep_interval,
            tag_sweep_interval=settings.tag_sweep_interval,
            ours=self._ours,
            noted_tags=self._noted_tags,
            changes_pending=self._controller.pending_changes,
            changed=self._changed,
            waiting=self._waiting,
            sight=self._sight,
            orphan_counter=lambda: OrphanCounter(settings.cluster_name, settings.namespaces, cache, kubernetes).count,
        )
        fenced = kubernetes.fenced(fence, manager_name(settings.lease_namespace, settings.lease_name))
        finalizer = finalizer_name(
            whole=not settings.namespaces and not settings.selector,
            lease_namespace=settings.lease_namespace,
            lease_name=settings.lease_name,
        )
        self._usage_finalizer = UsageFinalizer(finalizer, cache, config_cache, fenced, tuning.usage_interval)
        self._recorder = EventRecorder(fenced)
        self._reconciler = Reconciler(
            cluster=settings.cluster_name,
            states=self._states,
            cache=cache,
            targets=self._targets,
            kubernetes=fenced,
            recorder=self._recorder,
            config_cache=config_cache,
            usage_finalizer=self._usage_finalizer,
            enqueue=self._controller.enqueue,
        )
        self._wanted: Collection[Target] | None = None
        """Where mappings live; None: all that was asked for is wanted."""
        self._others: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work on all resources."""
        self._states.began_with(self._cache.all_keys())
        for resource in self._cache.all():
            self._begin(resource)
        gauges.watch(self._snapshot)
        self._controller.start(self._reconciler.reconcile)
        self._others = [
            *(tasks.start(self._connect(target), "warm-up") for target in self._first_targets()),
            tasks.start(self._usage_finalizer.run(), "holds"),
        ]

    async def finish(self, within: float) -> None:
        """Take no more work, and let what is under way finish.

        Args:
            within: seconds after which it is cut off by :meth:`stop`.
        """
        until = time.monotonic() + within
        await self._controller.finish(within)
        await self._recorder.settle(max(0.0, until - time.monotonic()))

    async def stop(self) -> None:
        """Stop working; the next term, of any process, finds what is cut off here."""
        gauges.watch(None)
        await self._controller.stop()
        await tasks.cancel(self._others)
        await self._targets.close()

    # What the operator calls

    def seen(self, resource: Resource, old: Resource | None) -> None:
        """A resource is new or another; ``old`` is what was known of it before."""
        edited = (
            old is None
            or old.uid != resource.uid
            or old.generation != resource.generation
            or old.deleting != resource.deleting
            or (resource.paused, resource.orphan, resource.requested) != (old.paused, old.orphan, old.requested)
        )
        if edited:
            self._states.of(resource.key).asleep = None
            self._states.edited(resource.key)
        if edited and old is not None:
            self._targets.retry()
        self._controller.enqueue([resource.key], _priority(resource, old), immediately=edited)

    def forget(self, key: Key) -> None:
        """A resource is gone from the cluster."""
        self._states.forget(key)
        self._controller.forget(key)

    def tell(self, resource: Resource, another: str) -> None:
        """Another operator works on a resource.

        Args:
            resource: the resource.
            another: a sentence that says which, and what to do.
        """
        self._recorder.warning(resource, "AnotherOperator", another)

    def failures(self) -> list[str]:
        """What AWS refuses of looking at mappings, as sentences."""
        return self._targets.failures()

    def keep(self, targets: Collection[Target]) -> None:
        """Mappings live in these targets only."""
        self._wanted = frozenset(targets)
        self._targets.keep(targets)

    def requeue(self, keys: Iterable[Key]) -> None:
        """The surroundings of some resources have changed."""
        for key in keys:
            self._states.of(key).asleep = None
            self._controller.enqueue([key], QueuePriority.RESYNC)

    # What the tasks do

    def _begin(self, resource: Resource) -> None:
        """Queue a resource, unless it was told of already: then the sweep has to say first how its mapping is."""
        key, target = resource.key, self._target_of(resource.key)
        if not _is_told(resource) or target is None:
            self._controller.enqueue([key], _priority(resource, None))
            return
        self._states.of(key).asleep = target
        if _was_refused(resource):  # by another process: it takes its turn with those that fail
            self._states.failure_backoff.failed(key)

    def _first_targets(self) -> set[Target]:
        """Where to begin to sweep: where resources wait for it; while there are none, where the first will live."""
        return self._states.sleeping_in() or self._config_cache.targets(self._cache.all())

    async def _connect(self, target: Target) -> None:
        """Begin to sweep a target, however often that fails: while there are no resources, nobody else asks for it."""
        failures = 0
        while self._wanted is None or target in self._wanted:
            try:
                await self._targets.get(target)
            except Exception:  # the operator tells of it: it connects too, leading or not
                failures += 1
            else:
                return
            if failures == 1:
                self._waiting(target)
            await asyncio.sleep(backoff.exponential(failures, 1.0, _LONGEST_PAUSE))

    def _target_of(self, key: Key) -> Target | None:
        """Where a resource's mapping lives, as far as that is known."""
        resource = self._cache.get(key)
        resolved = self._config_cache.resolve(resource) if resource is not None else None
        return resolved.target if isinstance(resolved, Resolved) else None

    def _snapshot(self) -> Snapshot:
        """What is told at a scrape."""
        return Snapshot(
            resources=self._cache.counts(),
            queue=self._controller.queue_states(),
            delayed=self._controller.delayed,
            places=self._targets.states(),
            deletions_held=len(self._states.deletion_limiter),
            each=self._cache.all() if self._each else (),
        )

    def _ours(self, uuids: Collection[str]) -> list[str]:
        return list({*self._cache.known_uuids(uuids), *self._states.blocked_by.known(uuids)})

    def _noted_tags(self, uuids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Of the UUIDs, those of resources that have owner tags, with the tags that their statuses tell."""
        noted = self._cache.noted_tags(uuids)
        return {uuid: tags for uuid, tags in noted.items() if self._has_owner_tags(uuid)}

    def _has_owner_tags(self, uuid: str) -> bool:
        if not self._targets.without_tags:
            return True
        targets = (self._target_of(key) for key in self._cache.keys_of([uuid]))
        return any(target is not None and target.owner_tags for target in targets)

    def _changed(self, uuids: Collection[str]) -> None:
        """AWS has other things to say of some mappings."""
        for key in self._cache.keys_of(uuids):
            if self._states.of(key).asleep is None:
                failing = self._states.failure_backoff.is_failing(key)
                self._controller.enqueue([key], QueuePriority.TRANSITION, immediately=not failing)
        self._controller.enqueue(self._states.unblock(uuids), QueuePriority.TRANSITION)

    def _sight(self, target: Target) -> None:
        """Mappings can't be seen for long, or can again: their resources are to tell it."""
        self.requeue([resource.key for resource in self._cache.all() if self._target_of(resource.key) == target])

    def _waiting(self, target: Target) -> None:
        """The first sweep of a target is in, or has failed: work on those who wait for it."""
        for key in self._states.wake(target):
            resource = self._cache.get(key)
            if resource is not None:
                self._controller.enqueue([key], _priority(resource, None), immediately=False)


def _is_told(resource: Resource) -> bool:
    """Whether the status is of the resource as it is now, and nobody waits for anything."""
    return resource.told and not resource.deleting and not resource.look_requested


def _was_refused(resource: Resource) -> bool:
    """Whether the status tells of something that AWS has refused, or that another has."""
    if resource.conditions.get("Ready") == "True":
        return False
    reason = resource.status.condition("Ready").reason
    return reason == "Conflict" or reason in REASONS


def _priority(resource: Resource, old: Resource | None) -> QueuePriority:
    """How urgent a resource is: one that was not changed since it was last told of can wait at the start."""
    if resource.uuid:
        return QueuePriority.RESYNC if old is None and not resource.deleting and resource.told else QueuePriority.EDIT
    return QueuePriority.EDIT if resource.deleting else QueuePriority.CREATE
