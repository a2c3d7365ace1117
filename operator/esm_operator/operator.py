"""The operator put together: store, queue, targets, reconciler, and the tasks that run them.

The handlers feed it; the command line starts and stops it with kopf.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws.errors import understand
from esm_operator.aws.targets import Targets
from esm_operator.events import Events
from esm_operator.kube import Kubernetes
from esm_operator.probes import Probes
from esm_operator.queue import Urgency, WorkQueue
from esm_operator.reconcile import Reconciler
from esm_operator.settings import Settings
from esm_operator.store import Key, Resource, Store, parse
from esm_operator.surroundings import PROVIDER_CONFIGS, Surroundings
from esm_operator.target import ProviderConfig, Resolved

logger = logging.getLogger(__name__)

#: Seconds between comparisons of the store with the cluster, beside those after a new list of the watch.
AUDIT = 60.0
#: Keys under way at once, by urgency: many creations must leave workers free for edits.
LIMITS = {Urgency.EDIT: 16, Urgency.CREATE: 16, Urgency.TRANSITION: 8, Urgency.RESYNC: 4}


class Operator:
    """One running operator. Made and used within one event loop."""

    def __init__(self, settings: Settings, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._namespaces = settings.namespaces
        self._store = Store()
        self._queue: WorkQueue[Key] = WorkQueue(LIMITS)
        self._surroundings = Surroundings(
            ProviderConfig(
                name="(operator)",
                region=settings.region,
                endpoint_url=settings.endpoint_url,
                default_tags=settings.default_tags,
            )
        )
        self._targets = Targets(
            requests_per_second=settings.requests_per_second,
            sweep_interval=settings.sweep_interval,
            ours=self._store.known_uuids,
            creations_pending=lambda: self._queue.pending(Urgency.CREATE),
            changed=self._changed,
            waiting=self._waiting,
        )
        self._reconciler = Reconciler(
            cluster=settings.cluster_name,
            store=self._store,
            queue=self._queue,
            targets=self._targets,
            kubernetes=kubernetes,
            events=Events(kubernetes),
            surroundings=self._surroundings,
        )
        self._listed = asyncio.Event()
        self._relisted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        address = settings.probe_address
        self._probes = Probes(address, lambda: self.ready) if address else None

    async def start(self) -> None:
        """Begin to work.

        Raises:
            OSError: the address of the probes is taken, or not ours.
        """
        if self._probes is not None:
            await self._probes.start()
        self._tasks.append(asyncio.create_task(self._audits(), name="audit"))
        workers = sum(LIMITS.values())
        self._tasks += [asyncio.create_task(self._work(), name=f"worker {n}") for n in range(workers)]

    async def stop(self) -> None:
        """Stop working; what is under way is cut off and found again at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._targets.close()
        await self._kubernetes.close()
        if self._probes is not None:
            await self._probes.stop()

    @property
    def ready(self) -> bool:
        """Whether the first full list is in."""
        return self._listed.is_set()

    # What the handlers call

    def mapping_seen(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """A watch event of an EventSourceMapping; None: it comes from a list."""
        resource = parse(body)
        if kind == "DELETED":
            if self._store.forget(resource.key, resource.uid):
                self._reconciler.forget(resource.key)
            return
        old = self._store.put(resource)
        if kind is None and old is not None:
            self._relisted.set()
        if old is resource or _only_our_status(old, resource):
            return
        edited = (
            old is None
            or old.uid != resource.uid
            or old.generation != resource.generation
            or old.deleting != resource.deleting
        )
        if edited:
            self._queue.forgive(resource.key)
        self._queue.add(resource.key, _urgency(resource, old), at_once=edited)

    def provider_config_seen(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """A watch event of a ProviderConfig."""
        if kind == "DELETED":
            changed = self._surroundings.forget_config(body["metadata"]["name"])
        else:
            changed = self._surroundings.put_config(body)
        if changed and self.ready:
            self._requeue_all()

    def namespace_seen(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """A watch event of a namespace."""
        if kind == "DELETED":
            self._surroundings.forget_namespace(body["metadata"]["name"])
        elif self._surroundings.put_namespace(body) and self.ready:
            self._requeue_all()

    # What the tasks do

    async def _work(self) -> None:
        await self._listed.wait()
        while True:
            key = await self._queue.take()
            try:
                await self._reconciler.reconcile(key)
            finally:
                self._queue.done(key)

    async def _audits(self) -> None:
        """Compare the store with the cluster: at the start, after each new list of the watch, now and then.

        kopf says nothing of the end of a list, nor of objects that are gone from a new one.
        """
        while True:
            try:
                complete = await self._audit()
            except Exception as error:
                logger.warning("Listing the resources failed, it is tried again: %s", error)
                complete = False
            if complete and not self._listed.is_set():
                logger.info("All %d resources are known; work begins", len(self._store))
                self._listed.set()
                self._tasks.append(asyncio.create_task(self._warm_up(), name="warm-up"))
            self._relisted.clear()
            try:
                async with asyncio.timeout(AUDIT if self._listed.is_set() else 0.2):
                    await self._relisted.wait()
                    await asyncio.sleep(1)  # a list brings many events; one audit does for them
            except TimeoutError:
                continue

    async def _warm_up(self) -> None:
        """Connect where most mappings live, so that the first one need not wait for it."""
        resolved = self._surroundings.default()
        if isinstance(resolved, Resolved):
            try:
                await self._targets.get(resolved.target)
            except (ClientError, BotoCoreError) as error:
                logger.error("%s", understand(error).message)

    async def _audit(self) -> bool:
        """Forget what is gone from the cluster. Returns whether all that is there is known."""
        if not self._listed.is_set():
            for body in await self._kubernetes.list_namespaces():
                self._surroundings.put_namespace(body)
            for body in await self._kubernetes.list_plural(PROVIDER_CONFIGS):
                self._surroundings.put_config(body)
        known = {key: resource.uid for key in self._store.all_keys() if (resource := self._store.get(key))}
        listed = await self._kubernetes.list_metadata(self._namespaces)
        for key, uid in known.items():
            if listed.get(key) != uid and self._store.forget(key, uid):
                logger.info("A resource is gone without a word from the watch; it is forgotten: %s", key)
                self._reconciler.forget(key)
        return all(key in known for key in listed)

    def _requeue_all(self) -> None:
        for key in self._store.all_keys():
            self._queue.add(key, Urgency.RESYNC)

    def _changed(self, uuids: Collection[str]) -> None:
        """AWS has other things to say of some mappings."""
        for key in self._store.keys_of(uuids):
            self._queue.add(key, Urgency.TRANSITION, at_once=False)

    def _waiting(self) -> None:
        """The first sweep of a target is in, or has failed: work on those who wait for it."""
        for key in self._store.all_keys():
            resource = self._store.get(key)
            if resource is not None:
                self._queue.add(key, _urgency(resource, resource), at_once=False)


def _urgency(resource: Resource, old: Resource | None) -> Urgency:
    if resource.uuid:
        return Urgency.RESYNC if old is None and not resource.deleting else Urgency.EDIT
    return Urgency.EDIT if resource.deleting else Urgency.CREATE


def _only_our_status(old: Resource | None, new: Resource) -> bool:
    """Whether nothing changed that a plan depends on, but the status that we wrote ourselves."""
    return (
        old is not None
        and old.uid == new.uid
        and old.generation == new.generation
        and old.deleting == new.deleting
        and old.finalizers == new.finalizers
        and old.intent == new.intent
        and old.status.get("uuid") == new.status.get("uuid")
        and old.status.get("applied") == new.status.get("applied")
        and old.status.get("conditions") == new.status.get("conditions")
    )
