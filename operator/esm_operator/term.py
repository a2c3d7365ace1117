"""A term: one stretch of leading, with all that works on resources and knows of AWS.

Made by the operator when it holds the lease and knows all resources; thrown away with the lease, for by the
next time its knowledge of AWS would be stale. What outlives it (the store, the connections) is the operator's.
"""

import asyncio
import logging
import time
from collections.abc import Collection

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws.client import Connections
from esm_operator.aws.errors import understand
from esm_operator.aws.targets import Targets
from esm_operator.cluster.events import Events
from esm_operator.cluster.holds import Holds, finalizer_name
from esm_operator.cluster.kube import Kubernetes
from esm_operator.cluster.store import Key, Resource, Store
from esm_operator.cluster.surroundings import Surroundings
from esm_operator.cluster.target import Resolved, Target
from esm_operator.leading.fence import Fence
from esm_operator.reconcile import Reconciler
from esm_operator.settings import Settings
from esm_operator.telling import metrics, status
from esm_operator.waiting.queue import Urgency, WorkQueue

logger = logging.getLogger(__name__)

#: Keys under way at once, by urgency: many creations must leave workers free for edits.
LIMITS = {Urgency.EDIT: 16, Urgency.CREATE: 16, Urgency.TRANSITION: 8, Urgency.RESYNC: 4}


#: Seconds until a resource is tried again whose reconciliation ended in a way that nothing foresaw.
_AGAIN = 30.0


class Term:
    """Queue, targets, reconciler, and the tasks that run them. Within one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        surroundings: Surroundings,
        kubernetes: Kubernetes,
        connections: Connections,
        fence: Fence,
    ) -> None:
        """
        Args:
            settings: the operator's.
            store: the resources; all are in it.
            surroundings: what the targets of the resources depend on.
            kubernetes: the API server; its writes are fenced here.
            connections: to AWS.
            fence: of the lease, for all writes of this term.
        """
        self._store = store
        self._surroundings = surroundings
        self._queue: WorkQueue[Key] = WorkQueue(LIMITS)
        self._targets = Targets(
            connections,
            fence,
            cluster=settings.cluster_name,
            requests_per_second=settings.requests_per_second,
            sweep_interval=settings.sweep_interval,
            tag_sweep_interval=settings.tag_sweep_interval,
            ours=self._ours,
            noted_tags=store.noted_tags,
            creations_pending=lambda: self._queue.pending(Urgency.CREATE),
            changed=self._changed,
            waiting=self._waiting,
        )
        fenced = kubernetes.fenced(fence)
        finalizer = finalizer_name(
            namespaces=settings.namespaces,
            lease_namespace=settings.lease_namespace,
            lease_name=settings.lease_name,
        )
        self._holds = Holds(finalizer, store, surroundings, fenced)
        self._events = Events(fenced)
        self._reconciler = Reconciler(
            cluster=settings.cluster_name,
            deletions_per_minute=settings.deletions_per_minute,
            store=store,
            queue=self._queue,
            targets=self._targets,
            kubernetes=fenced,
            events=self._events,
            surroundings=surroundings,
            holds=self._holds,
        )
        self._finishing = False
        self._busy: set[asyncio.Task[None]] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._others: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work on all resources."""
        for key in self._store.all_keys():
            resource = self._store.get(key)
            if resource is not None:
                self._queue.add(key, _urgency(resource, None))
        metrics.watch(
            processing_problems=self._processing_problems, deletions_held=lambda: self._reconciler.deletions_held
        )
        workers = sum(LIMITS.values())
        self._workers = [asyncio.create_task(self._work(), name=f"worker {n}") for n in range(workers)]
        self._others = [
            asyncio.create_task(self._sweep_default(), name="warm-up"),
            asyncio.create_task(self._holds.run(), name="holds"),
        ]

    async def finish(self, within: float) -> None:
        """Take no more work, and let what is under way finish.

        Args:
            within: seconds after which it is cut off by :meth:`stop`.
        """
        self._finishing = True
        for worker in self._workers:
            if worker not in self._busy:
                worker.cancel()
        until = time.monotonic() + within
        if self._busy:
            await asyncio.wait(self._busy, timeout=within)
        await self._events.settle(max(0.0, until - time.monotonic()))

    async def stop(self) -> None:
        """Stop working; what is under way is cut off and found again by the next term, whoever's it is."""
        metrics.watch()
        tasks = [*self._workers, *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
            self._reconciler.edited(resource.key)
        if edited and old is not None:
            self._targets.retry()
        self._queue.add(resource.key, _urgency(resource, old), at_once=edited)

    def forget(self, key: Key) -> None:
        """A resource is gone from the cluster."""
        self._reconciler.forget(key)

    def keep(self, targets: Collection[Target]) -> None:
        """Mappings live in these targets only."""
        self._targets.keep(targets)

    def requeue_all(self) -> None:
        """The surroundings have changed."""
        for key in self._store.all_keys():
            self._queue.add(key, Urgency.RESYNC)

    # What the tasks do

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while not self._finishing:
            key = await self._queue.take()
            self._busy.add(task)
            try:
                await self._reconciler.reconcile(key)
            except Exception:
                logger.exception("Working on %s failed unexpectedly; it is tried again", key)
                self._queue.add_after(key, Urgency.RESYNC, _AGAIN)
            finally:
                self._busy.discard(task)
                self._queue.done(key)

    async def _sweep_default(self) -> None:
        """Begin to sweep where most mappings live, so that the first one need not wait for it."""
        resolved = self._surroundings.default()
        if isinstance(resolved, Resolved):
            try:
                await self._targets.get(resolved.target)
            except (ClientError, BotoCoreError) as error:
                logger.error("%s", understand(error).message)

    def _processing_problems(self) -> int:
        resources = (self._store.get(key) for key in self._store.all_keys())
        conditions = (status.condition(one.status, "Processing") for one in resources if one is not None)
        return sum(condition.get("status") == "False" for condition in conditions)

    def _ours(self, uuids: Collection[str]) -> list[str]:
        return list({*self._store.known_uuids(uuids), *self._reconciler.awaited(uuids)})

    def _changed(self, uuids: Collection[str]) -> None:
        """AWS has other things to say of some mappings."""
        for key in self._store.keys_of(uuids):
            self._queue.add(key, Urgency.TRANSITION, at_once=not self._reconciler.is_failing(key))
        for key in self._reconciler.waiting_for(uuids):
            self._queue.add(key, Urgency.TRANSITION)

    def _waiting(self) -> None:
        """The first sweep of a target is in, or has failed: work on those who wait for it."""
        for key in self._store.all_keys():
            resource = self._store.get(key)
            if resource is not None:
                self._queue.add(key, _urgency(resource, resource), at_once=False)


def _urgency(resource: Resource, old: Resource | None) -> Urgency:
    """How urgent a resource is: one that was not changed since it was last told of can wait at the start."""
    if resource.uuid:
        told = resource.status.get("observedGeneration") == resource.generation
        return Urgency.RESYNC if old is None and not resource.deleting and told else Urgency.EDIT
    return Urgency.EDIT if resource.deleting else Urgency.CREATE
