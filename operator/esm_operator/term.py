"""A term: one stretch of leading, with all that works on resources and knows of AWS.

Made by the operator when it holds the lease and knows all resources; thrown away with the lease, for by the
next time its knowledge of AWS would be stale. What outlives it (the store, the connections) is the operator's.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping

from esm_operator import tasks
from esm_operator.api.recorded_status import condition
from esm_operator.api.resource import Key, Resource
from esm_operator.aws.client import Connections
from esm_operator.aws.errors import REASONS
from esm_operator.aws.targets import Targets
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.operator_names import finalizer_name, manager_name
from esm_operator.cluster.usage_finalizer import UsageFinalizer
from esm_operator.fence import Fence
from esm_operator.metrics import counters, gauges
from esm_operator.metrics.gauges import Snapshot
from esm_operator.planning.target import Resolved, Target
from esm_operator.ratelimit.deadline import pause_after
from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue
from esm_operator.reconcile.orphan_counter import OrphanCounter
from esm_operator.reconcile.reconciler import Reconciler
from esm_operator.settings import Settings

logger = logging.getLogger(__name__)

#: Keys under way at once in each target, by urgency: many creations must leave room for edits.
LIMITS = {QueuePriority.EDIT: 16, QueuePriority.CREATE: 16, QueuePriority.TRANSITION: 8, QueuePriority.RESYNC: 4}
#: Those whose work begins with a call that changes something at AWS.
_CHANGES = (QueuePriority.EDIT, QueuePriority.CREATE)
#: Seconds until a resource is tried again whose reconciliation ended in a way that nothing foresaw.
_AGAIN = 30.0
#: The longest pause between attempts to connect to where mappings live, in seconds.
_LONGEST_PAUSE = 10.0


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
    ) -> None:
        """
        Args:
            settings: the operator's.
            cache: the resources; all are in it.
            config_cache: what the targets of the resources depend on.
            kubernetes: the API server; its writes are fenced here.
            connections: to AWS.
            fence: of the lease, for all writes of this term.
        """
        self._cache = cache
        self._config_cache = config_cache
        self._each = settings.metrics_per_mapping
        self._queue: WorkQueue[Key] = WorkQueue(
            LIMITS, lane=self._target_of, party=lambda key: key.namespace, waited=counters.waited
        )
        self._targets = Targets(
            connections,
            fence,
            cluster=settings.cluster_name,
            requests_per_second=settings.requests_per_second,
            sweep_interval=settings.sweep_interval,
            tag_sweep_interval=settings.tag_sweep_interval,
            ours=self._ours,
            noted_tags=self._noted_tags,
            changes_pending=lambda target: sum(self._queue.pending(one, target) for one in _CHANGES),
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
        self._usage_finalizer = UsageFinalizer(finalizer, cache, config_cache, fenced)
        self._recorder = EventRecorder(fenced)
        self._reconciler = Reconciler(
            cluster=settings.cluster_name,
            deletions_per_minute=settings.deletions_per_minute,
            cache=cache,
            queue=self._queue,
            targets=self._targets,
            kubernetes=fenced,
            recorder=self._recorder,
            config_cache=config_cache,
            usage_finalizer=self._usage_finalizer,
        )
        self._asleep: dict[Key, Target] = {}
        """Resources that were well when last told of: nothing is to be done before their target is swept."""
        self._wanted: Collection[Target] | None = None
        """Where mappings live; None: all that was asked for is wanted."""
        self._under_way: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None
        self._others: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work on all resources."""
        self._reconciler.began_with(self._cache.all_keys())
        for resource in self._cache.all():
            self._begin(resource)
        gauges.watch(self._snapshot)
        self._dispatcher = tasks.start(self._dispatch(), "dispatcher")
        self._others = [
            *(tasks.start(self._connect(target), "warm-up") for target in self._first_targets()),
            tasks.start(self._usage_finalizer.run(), "holds"),
        ]

    async def finish(self, within: float) -> None:
        """Take no more work, and let what is under way finish.

        Args:
            within: seconds after which it is cut off by :meth:`stop`.
        """
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        until = time.monotonic() + within
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within)
        await self._recorder.settle(max(0.0, until - time.monotonic()))

    async def stop(self) -> None:
        """Stop working; what is under way is cut off and found again by the next term, whoever's it is."""
        gauges.watch(None)
        dispatcher = [self._dispatcher] if self._dispatcher is not None else []
        await tasks.cancel([*self._under_way, *self._others, *dispatcher])
        await self._targets.close()

    # What the operator calls

    def seen(self, resource: Resource, old: Resource | None) -> None:
        """A resource is new or another; ``old`` is what was known of it before."""
        edited = (
            old is None
            or old.uid != resource.uid
            or old.generation != resource.generation
            or old.deleting != resource.deleting
            or (resource.paused, resource.let_go, resource.requested) != (old.paused, old.let_go, old.requested)
        )
        if edited:
            self._asleep.pop(resource.key, None)
            self._reconciler.edited(resource.key)
        if edited and old is not None:
            self._targets.retry()
        self._queue.add(resource.key, _priority(resource, old), at_once=edited)

    def forget(self, key: Key) -> None:
        """A resource is gone from the cluster."""
        self._asleep.pop(key, None)
        self._reconciler.forget(key)

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
            self._asleep.pop(key, None)
            self._queue.add(key, QueuePriority.RESYNC)

    # What the tasks do

    def _begin(self, resource: Resource) -> None:
        """Queue a resource, unless it was told of already: then the sweep has to say first how its mapping is."""
        key, target = resource.key, self._target_of(resource.key)
        if not _is_told(resource) or target is None:
            self._queue.add(key, _priority(resource, None))
            return
        self._asleep[key] = target
        if _was_refused(resource):
            self._reconciler.inherit_failure(key)

    async def _dispatch(self) -> None:
        while True:
            key = await self._queue.take()
            task = asyncio.create_task(self._work(key), name=f"work on {key}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _work(self, key: Key) -> None:
        try:
            await self._reconciler.reconcile(key)
        except Exception:
            logger.exception("Working on %s failed unexpectedly; it is tried again", key)
            self._queue.add_after(key, QueuePriority.RESYNC, _AGAIN)
        finally:
            self._queue.done(key)

    def _first_targets(self) -> set[Target]:
        """Where to begin to sweep: where resources wait for it; while there are none, where the first will live."""
        return set(self._asleep.values()) or self._config_cache.targets(self._cache.all())

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
            await asyncio.sleep(pause_after(failures, _LONGEST_PAUSE))

    def _target_of(self, key: Key) -> Target | None:
        """Where a resource's mapping lives, as far as that is known."""
        resource = self._cache.get(key)
        resolved = self._config_cache.resolve(resource) if resource is not None else None
        return resolved.target if isinstance(resolved, Resolved) else None

    def _snapshot(self) -> Snapshot:
        """What is told at a scrape."""
        return Snapshot(
            resources=self._cache.counts(),
            queue={priority.name.lower(): self._queue.state(priority) for priority in QueuePriority},
            delayed=self._queue.delayed,
            places=self._targets.states(),
            deletions_held=self._reconciler.deletions_held,
            each=self._cache.all() if self._each else (),
        )

    def _ours(self, uuids: Collection[str]) -> list[str]:
        return list({*self._cache.known_uuids(uuids), *self._reconciler.awaited(uuids)})

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
            if key not in self._asleep:
                self._queue.add(key, QueuePriority.TRANSITION, at_once=not self._reconciler.is_failing(key))
        for key in self._reconciler.freed(uuids):
            self._queue.add(key, QueuePriority.TRANSITION)

    def _sight(self, target: Target) -> None:
        """Mappings can't be seen for long, or can again: their resources are to tell it."""
        self.requeue([resource.key for resource in self._cache.all() if self._target_of(resource.key) == target])

    def _waiting(self, target: Target) -> None:
        """The first sweep of a target is in, or has failed: work on those who wait for it."""
        asleep = [key for key, one in self._asleep.items() if one == target]
        for key in asleep:
            del self._asleep[key]
        for key in {*asleep, *self._reconciler.unswept()}:
            resource = self._cache.get(key)
            if resource is not None:
                self._queue.add(key, _priority(resource, None), at_once=False)


def _is_told(resource: Resource) -> bool:
    """Whether the status is of the resource as it is now, and nobody waits for anything."""
    return resource.told and not resource.deleting and not resource.look_requested


def _was_refused(resource: Resource) -> bool:
    """Whether the status tells of something that AWS has refused, or that another has."""
    if resource.conditions.get("Ready") == "True":
        return False
    reason = condition(resource.status, "Ready").get("reason")
    return reason == "Conflict" or reason in REASONS


def _priority(resource: Resource, old: Resource | None) -> QueuePriority:
    """How urgent a resource is: one that was not changed since it was last told of can wait at the start."""
    if resource.uuid:
        return QueuePriority.RESYNC if old is None and not resource.deleting and resource.told else QueuePriority.EDIT
    return QueuePriority.EDIT if resource.deleting else QueuePriority.CREATE
