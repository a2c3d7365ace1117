"""The controller: takes keys from the work queue, calls the reconciler for each, and requeues them by the results.

Only the controller uses the work queue. Sources of events, such as watches and sweeps, add keys with
:meth:`Controller.enqueue`. Only :meth:`Controller._requeue` puts a key back according to its result.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping

from esm_operator import tasks
from esm_operator.api.resource import Key
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.metrics import counters
from esm_operator.planning.target import ResolvedTarget, Target
from esm_operator.ratelimit.waiters import requests_of
from esm_operator.ratelimit.workqueue import QueuePriority, QueueState, WorkQueue
from esm_operator.reconcile.result import Result

logger = logging.getLogger(__name__)

#: Keys that may be reconciled at the same time in each target, by priority. Many creations must not delay edits.
LIMITS = {QueuePriority.EDIT: 16, QueuePriority.CREATE: 16, QueuePriority.TRANSITION: 8, QueuePriority.RESYNC: 4}
#: Seconds until the next reconcile of a resource whose reconcile has raised. This is a bug.
_AFTER_A_BUG = 30.0

#: :meth:`.Reconciler.reconcile`.
Reconcile = Callable[[Key], Awaitable[Result]]


class Controller:
    """The work queue and its workers. For one event loop."""

    def __init__(self, cache: ResourceCache, config_cache: ConfigCache, limits: Mapping[QueuePriority, int]) -> None:
        """The limits are for reconciles that run at the same time in each target, which is a lane of the queue."""
        self._cache = cache
        self._config_cache = config_cache
        self._queue: WorkQueue[Key] = WorkQueue(limits, self.lane, self.party)
        self._under_way: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None

    def start(self, reconcile: Reconcile) -> None:
        """Begin to reconcile the resources in the queue."""
        self._dispatcher = tasks.start(self._dispatch(reconcile), "dispatcher")

    async def drain(self, within: float) -> None:
        """Start no more reconciles. Wait for the running ones at most ``within`` seconds."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within)

    async def stop(self) -> None:
        """Cancel all reconciles."""
        await tasks.cancel([*self._under_way, *filter(None, [self._dispatcher])])

    def enqueue(self, keys: Iterable[Key], priority: QueuePriority, *, immediately: bool = True) -> None:
        """Reconcile resources as soon as possible. With ``immediately`` false, a delayed resource keeps its delay."""
        for key in keys:
            self._queue.add(key, priority, immediately=immediately)

    def forget(self, key: Key) -> None:
        """Drop a resource that no longer exists."""
        self._queue.forget(key)

    def pending_changes(self, target: Target) -> int:
        """The number of waiting or running reconciles of a target whose first action changes AWS."""
        return sum(self._queue.pending(one, target) for one in (QueuePriority.EDIT, QueuePriority.CREATE))

    def queue_states(self) -> dict[str, QueueState]:
        """The state of the queue by priority, for metrics."""
        return {priority.name.lower(): self._queue.state(priority) for priority in QueuePriority}

    @property
    def delayed(self) -> int:
        """The number of resources whose reconcile is delayed."""
        return self._queue.delayed

    def target_of(self, key: Key) -> Target | None:
        """The target of a resource; None: unknown."""
        resource = self._cache.get(key)
        resolved = self._config_cache.resolve(resource) if resource is not None else None
        return resolved.target if isinstance(resolved, ResolvedTarget) else None

    def lane(self, key: Key) -> Hashable:
        """Resources of one target share limits."""
        return self.target_of(key)

    def party(self, key: Key) -> Hashable:
        """Namespaces take turns."""
        return key.namespace

    async def _dispatch(self, reconcile: Reconcile) -> None:
        while True:
            key = await self._queue.take()
            counters.waited(*self._queue.wait_of(key))
            task = asyncio.create_task(self._work(key, reconcile), name=f"work on {key}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _work(self, key: Key, reconcile: Reconcile) -> None:
        try:
            with requests_of(self.party(key)):
                result = await reconcile(key)
            self._requeue(key, result)
        except Exception:
            logger.exception("Reconciling %s failed unexpectedly; the operator retries", key)
            self._queue.add_after(key, QueuePriority.RESYNC, _AFTER_A_BUG)
        finally:
            self._queue.done(key)

    def _requeue(self, key: Key, result: Result) -> None:
        """The requeue switch."""
        if result.deleted:
            self._queue.forget(key)
        match result.requeue_after:
            case None:
                pass
            case 0:
                self._queue.add(key, result.priority)
            case delay:
                self._queue.add_after(key, result.priority, delay)
