"""The operator put together: what always runs, and the term that works while it leads.

A standby knows all resources, by the watch and by audits, and is connected to AWS, so that it can begin where the
leader ended. It writes nothing and reads no mapping from AWS. kopf's handlers start, stop and feed the operator.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from esm_operator import descriptors, tasks
from esm_operator.adapters.kopf_watch_health import WatchHealth
from esm_operator.api.foreign_text import cut
from esm_operator.api.resource import Key, Resource, is_same_work
from esm_operator.aws.connection import Connector
from esm_operator.aws.connections import Connections
from esm_operator.clock import monotonic
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS, ConfigCache
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.lease import DEAF, Lease
from esm_operator.cluster.managed_namespaces import ManagedNamespaces, NamespaceChange
from esm_operator.cluster.operator_names import manager_name
from esm_operator.cluster.other_operators import OtherOperators
from esm_operator.cluster.reference_watches import ReferenceWatches
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.cluster.transport import describe_failure
from esm_operator.metrics import counters, gauges
from esm_operator.metrics.probes import MetricsServer, ProbeServer, Readiness
from esm_operator.planning.target import ProviderConfigSettings
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.target_limiter import TargetLimiter
from esm_operator.settings import Settings
from esm_operator.term import Term, TermMemory, Tuning

logger = logging.getLogger(__name__)

#: Seconds between comparisons of the cache with the cluster, in addition to those after a new list of the watch.
AUDIT = 600.0
#: Seconds between updates of the targets in use, and while some are not connected.
TARGETS, TARGETS_INCOMPLETE = 60.0, 10.0
#: Seconds between checks for resources that the watch has yet to deliver, and after which they are listed again.
_SOON, _PATIENCE = 0.2, 3.0
#: The longest pause between two audits while none is complete, in seconds.
_LONGEST_PAUSE = 10.0
#: Namespaces that are listed one by one when they begin to match the selector. If there are more, all are listed.
_LISTED_SINGLY = 10
#: Seconds for which resources are resolved again before other tasks get as much time.
_RESOLVED_TOGETHER = 0.005
#: Seconds until a resource is resolved again after a bug.
_AFTER_A_BUG = 30.0
#: Seconds after which the unknown regions of a ProviderConfig are logged again, if it changes.
_QUIET = 600.0
#: Unknown regions that a line of the log names, and the most characters of each.
_NAMED, _REGION = 5, 100
#: When the lease is to be handed over: seconds for which reconciles may continue, then to give the lease back.
FINISH, RELEASE = 0.8, 0.6


class Operator:
    """One running operator. Made and used within one event loop."""

    def __init__(
        self,
        settings: Settings,
        kubernetes: KubernetesClient,
        watches: WatchHealth,
        probes: ProbeServer,
        metrics: MetricsServer,
        *,
        connections: Connections | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._settings = settings
        self._tuning = tuning or Tuning()
        self._kubernetes = kubernetes
        self._cache = ResourceCache(settings.namespaces)
        self._reference_watches = ReferenceWatches(kubernetes, self._cache.references)
        self._namespaces = ManagedNamespaces(settings.namespace_selector)
        self._others = OtherOperators(manager_name(settings.lease_namespace, settings.lease_name))
        self._config_cache = ConfigCache(
            ProviderConfigSettings(
                name="(operator)",
                region=settings.region,
                endpoint_url=settings.endpoint_url,
                default_tags=settings.default_tags,
                owner_tags=settings.owner_tags,
            ),
            own_credentials=settings.operator_credentials == "WithoutProviderConfig",
            labels_known=settings.watch_namespace_labels,
            more_regions=settings.more_regions,
            limiter=TargetLimiter(settings.targets_per_namespace, settings.max_targets),
        )
        self._connections = connections or Connections(Connector(cluster=settings.cluster_name))
        self._lease = Lease(
            kubernetes,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            identity=settings.identity,
            duration=settings.lease_duration,
            renewal=self._tuning.lease_renewal,
            find_problem=descriptors.problem,
        )
        self._region_reports = ReportFilter(_QUIET)
        """By the name of the ProviderConfig."""
        self._term: Term | None = None
        self._memory = TermMemory(settings)
        self._cache_synced = asyncio.Event()
        self._audit_requested = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lease_tasks: list[asyncio.Task[None]] = []
        self._leading_tasks: list[asyncio.Task[None]] = []
        self._handing_over = asyncio.Lock()
        self._watches = watches
        self._probes = probes
        self._metrics = metrics

    async def start(self) -> None:
        """Begin to follow the cluster, to take part in the election, and to work while the lease is held."""
        gauges.show_process(
            lambda: gauges.ProcessState(
                self.leading,
                self.other_operators,
                self._kubernetes.requests_limit,
                self._cache.references.count_objects(),
            )
        )
        self._probes.readiness = self._readiness
        self._tasks = [
            tasks.start(self._audits(), "audit"),
            tasks.start(self._keep_targets_connected(), "targets"),
            tasks.start(self._watch_references(), "reference watches"),
            tasks.start(self._follow_references(), "references"),
        ]
        self._lease_tasks = [tasks.start(self._run_lease(), "lease")]
        self._leading_tasks = [tasks.start(self._lead(), "term")]

    async def hand_over(self) -> None:
        """Stop working and give the lease back, in at most 2 s. :meth:`stop` does all that can wait."""
        async with self._handing_over:
            await tasks.cancel(self._leading_tasks)  # no other term begins
            if self._term is not None:
                await self._term.drain(FINISH)
                await self._term.stop()
                self._term = None
            await tasks.cancel(self._lease_tasks)
            await self._lease.release(RELEASE)

    async def stop(self) -> None:
        """Stop everything."""
        await self.hand_over()
        await tasks.cancel(self._tasks)
        self._connections.close()
        await self._kubernetes.close()
        await self._probes.stop()
        await self._metrics.stop()

    def _readiness(self) -> Readiness:
        """Whether this process could lead. If so, also whether it leads, and the numbers of what needs a person."""
        if not self._cache_synced.is_set():
            return Readiness(False, f"The first list of all resources is not in yet; {len(self._cache)} are known.")
        unanswered = self._watches.describe_unanswered(DEAF)
        if unanswered:
            return Readiness(False, "The API server does not answer a watch. The log has the details.", unanswered)
        if self._lease.unusable_because():
            return Readiness(False, "The operator cannot use its Lease. The log has the details.")
        failures = {*self._connections.failures(), *(self._term.failures() if self._term is not None else ())}
        found = [
            ("Requests to AWS fail", len(failures)),
            ("Other operators change or changed the same resources", len(self._others.sentences())),
        ]
        lines = [f"{what} ({number}). The log has the details." for what, number in found if number]
        return Readiness(True, "\n".join(["leading" if self.leading else "standing by", *lines]))

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease and reconciles."""
        return self._term is not None and self._lease.covers(0)

    @property
    def other_operators(self) -> int:
        """How many other operators have written to the same resources within the last hour."""
        return self._others.count

    # What the handlers call

    def handle_resource(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """Handle a watch event of an EventSourceMapping; None: it comes from a list."""
        if self._is_passed_over(kind, body["metadata"]):
            return
        if kind == "DELETED":
            self._handle_deleted(self._cache.parse(body))
            return
        resource, old = self._cache.put_object(body)
        self._check_other_operators(resource, body, known=old is not None and old.uid == resource.uid)
        if kind is None and old is not None:
            self._audit_requested.set()
        changed = old is None or not (old is resource or is_same_work(old, resource))
        if changed and self._term is not None:
            self._term.reconcile_changed(resource, old)

    def _is_passed_over(self, kind: str | None, meta: Mapping[str, Any]) -> bool:
        """Whether a resource is in a namespace that is not managed. The deletion of a known resource counts anyway."""
        namespace = str(meta.get("namespace", ""))
        if self._namespaces.manages(namespace):
            return False
        if kind == "DELETED" and self._cache.get(Key(namespace, meta["name"])) is not None:
            return False
        self._namespaces.pass_over(namespace)
        return True

    def _check_other_operators(self, resource: Resource, body: Mapping[str, Any], *, known: bool) -> None:
        message = self._others.record(body, known=known)
        if message:
            logger.error("%s", message)
            if self._term is not None:
                self._term.record_other_operator(resource, message)

    def _handle_deleted(self, resource: Resource) -> None:
        if resource.removed_despite_finalizer and not self._cache.has_later_version(resource):
            old = self._cache.keep_removed(resource)
            kept = self._cache.get(resource.key)
            if self._term is not None and kept is not None:
                self._term.reconcile_changed(kept, old)
            return
        if self._cache.delete(resource) and self._term is not None:
            self._term.forget(resource.key)
        known = self._cache.get(resource.key)
        if known is not None and known.uid == resource.uid:
            self._audit_requested.set()  # it may have been recreated: lists and watch events can overtake each other

    def handle_provider_config(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """Handle a watch event of a ProviderConfig."""
        name = body["metadata"]["name"]
        changed = self._config_cache.forget_config(name) if kind == "DELETED" else self._config_cache.put_config(body)
        if changed:
            self._reconcile_users(name)

    def handle_namespace(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """Handle a watch event of a namespace."""
        if kind == "DELETED":
            self._config_cache.forget_namespace(body["metadata"]["name"])
            self._namespaces.forget(body["metadata"]["name"])  # the events of its resources follow
        else:
            self._put_namespace(body)

    def _put_namespace(self, body: Mapping[str, Any]) -> None:
        """Take the labels of a namespace. They decide about the targets of its resources, and who manages them."""
        name = body["metadata"]["name"]
        relabelled = self._config_cache.put_namespace(body)
        change = self._namespaces.put(body)
        if change is NamespaceChange.LEFT:
            self._let_go(name)
        elif change is NamespaceChange.JOINED:
            self._audit_requested.set()
        if relabelled:
            self._reconcile_again(key for key in self._cache.all_keys() if key.namespace == name)

    def _let_go(self, namespace: str) -> None:
        """Forget the resources of a namespace. Their mappings stay as they are, and nothing is written to them."""
        keys = [key for key in self._cache.all_keys() if key.namespace == namespace]
        for key in keys:
            while self._cache.forget(key):  # a new object may have waited for the name
                pass
            if self._term is not None:
                self._term.forget(key)
        text = "The namespace %s does not match --namespace-selector any more. Resources that are not managed now: %d"
        logger.info(text, namespace, len(keys))

    # What the tasks do

    async def _run_lease(self) -> None:
        """Take part in the election once the work could begin, because another process may be ready earlier."""
        await self._cache_synced.wait()
        await self._lease.run()

    async def _lead(self) -> None:
        """Run a term each time that the lease is held."""
        interruptions = 0
        while True:
            fence = await self._lease.wait_acquired()
            if interruptions == self._lease.interruptions:
                self._memory.resume(self._cache)
            else:
                self._memory, interruptions = TermMemory(self._settings), self._lease.interruptions
            term = self._term = Term(
                self._settings,
                cache=self._cache,
                config_cache=self._config_cache,
                kubernetes=self._kubernetes,
                connections=self._connections,
                fence=fence,
                tuning=self._tuning,
                memory=self._memory,
            )
            logger.info("The operator holds the lease and begins to reconcile. Resources: %d", len(self._cache))
            self._keep_targets()
            term.start()
            counters.LEASE_ACQUIRED.inc()
            await self._lease.wait_lost(fence)
            counters.LEASE_LOST.inc()
            await term.stop()
            self._term = None
            self._memory.suspend(self._cache.all())

    async def _audits(self) -> None:
        """Compare the cache with the cluster. kopf reports neither the end of a list nor objects missing from it."""
        failures, listing = 0, FailureLog(logger, "The operator can list the resources again")
        while True:
            self._audit_requested.clear()
            try:
                complete = await self._audit()
            except Exception as error:
                text = f"The operator could not list the resources, and retries within {_LONGEST_PAUSE:.0f} s."
                listing.failed(f"{text} {describe_failure(error)}.", cause=(type(error), getattr(error, "status", 0)))
                complete = False
            else:
                listing.succeeded()
            failures = 0 if complete else failures + 1
            if complete and not self._cache_synced.is_set():
                logger.info("The operator has listed all resources (%d)", len(self._cache))
                for text in self._others.end_of_list():
                    logger.warning("%s", text)
                self._cache_synced.set()
            if not complete:
                await asyncio.sleep(backoff.exponential(failures, _SOON, _LONGEST_PAUSE))
                continue
            try:
                async with asyncio.timeout(AUDIT):
                    await self._audit_requested.wait()
                    await asyncio.sleep(1)  # a list brings many events; one audit does for them
            except TimeoutError:
                continue

    async def _audit(self) -> bool:
        """Forget objects that the cluster no longer has. Returns whether all that it has are known."""
        if self._settings.watch_namespace_labels and not self._cache_synced.is_set():
            for body in await self._kubernetes.list_namespaces():
                self._put_namespace(body)
        elif known := self._namespaces.known():
            bodies = await self._kubernetes.list_namespaces()
            for name in {*known} - {body["metadata"]["name"] for body in bodies}:
                self._namespaces.forget(name)  # the watch does not report those deleted while it was cut
        await self._list_joined()
        configs = self._config_cache.configs()
        for name in self._config_cache.put_all_configs(await self._kubernetes.list_plural(PROVIDER_CONFIGS), configs):
            self._reconcile_users(name)
        known = {resource.key: resource.uid for resource in self._cache.all()}
        found = await self._kubernetes.list_metadata(self._settings.namespaces, self._settings.selector)
        listed = {key: uid for key, uid in found.items() if self._namespaces.manages(key.namespace)}
        for key, uid in known.items():
            cached = self._cache.get(key)
            if cached is None or cached.removed:  # the mapping of a removed object must still be deleted
                continue
            if listed.get(key) != uid and self._cache.forget(key, uid):
                logger.info("The resource %s was deleted, and the watch has not reported it", key)
                if self._term is not None:
                    self._term.forget(key)
        if self._term is None and self._lease.another_leads:
            self._cache.forget_removed(AUDIT)  # the leader has deleted their mappings
            self._memory = TermMemory(self._settings)  # what is known from before is of no use
        return await self._wait_watched({key for key in listed if key not in known})

    async def _list_joined(self) -> None:
        """Take the resources of namespaces that match the selector now. The watch has reported them before."""
        names = sorted(self._namespaces.take_unlisted())
        if not names:
            return
        try:
            listed = self._kubernetes.list_resources(
                names if len(names) <= _LISTED_SINGLY else (), self._settings.selector
            )
            async for body in listed:
                self.handle_resource(None, body)
        except BaseException:
            self._namespaces.list_again(names)
            raise

    async def _wait_watched(self, awaited: set[Key]) -> bool:
        """Wait while the watch delivers resources. Returns whether it has delivered all that were not deleted again."""
        arrived = monotonic()
        while awaited:
            await asyncio.sleep(_SOON)
            rest = {key for key in awaited if self._cache.get(key) is None}
            if len(rest) < len(awaited):
                awaited, arrived = rest, monotonic()
            elif monotonic() - arrived > _PATIENCE:
                return False
        return True

    async def _watch_references(self) -> None:
        """Watch the referenced objects once all resources are known. So one list of a kind shows all objects of it.

        If a list began earlier, each object that a later resource references would be read alone.
        """
        await self._cache_synced.wait()
        await self._reference_watches.run()

    async def _follow_references(self) -> None:
        """Resolve resources again when the objects that they reference have changed, for at most half of the time."""
        bugs = FailureLog(logger, "The operator resolves the references of all resources without a bug again")
        busy = 0.0
        while True:
            key = await self._cache.references.take_changed()
            began = monotonic()
            try:
                self._resolve_again(key)
            except Exception as error:  # one resource must not end the process
                text = f"The operator failed on the references of {key}. It retries in {_AFTER_A_BUG:.0f} s."
                bugs.failed_unexpectedly(text, error, subject=key)
                self._cache.references.resolve_again(key, _AFTER_A_BUG)
            else:
                bugs.succeeded(key)
            busy += monotonic() - began
            if busy > _RESOLVED_TOGETHER:
                await asyncio.sleep(busy)
                busy = 0.0

    def _resolve_again(self, key: Key) -> None:
        old, new = self._cache.resolve_again(key), self._cache.get(key)
        if new is not None and self._term is not None:
            self._term.references_changed(new, old)

    async def _keep_targets_connected(self) -> None:
        """Connect to targets before they are needed, on a standby too, without a call to AWS Lambda."""
        await self._cache_synced.wait()
        while True:
            self._keep_targets()
            complete = self._connections.complete and not self._config_cache.has_refused
            await asyncio.sleep(TARGETS if complete else TARGETS_INCOMPLETE)

    def _keep_targets(self) -> None:
        """Keep the present targets of the resources, and no others."""
        targets = self._config_cache.targets(self._cache.all(), self._connections.connected)
        self._connections.keep(targets)
        if self._term is not None:
            self._term.keep_targets(targets)
        self._reconcile_again(self._config_cache.take_admitted())

    def _reconcile_users(self, name: str) -> None:
        """Reconcile the resources that use a ProviderConfig, or did, or will once it exists."""
        self._report_unknown_regions(name)
        users = [one.key for one in self._cache.all() if self._config_cache.would_use(one, name)]
        self._reconcile_again(users)

    def _report_unknown_regions(self, name: str) -> None:
        """Log the regions of a ProviderConfig that AWS does not have, once in a while and however often it changes."""
        self._region_reports.forget_old()  # not those that were deleted, because they can be created again
        regions = self._config_cache.unknown_regions(name)
        if not regions or not self._region_reports.admit(name):
            return
        named = ", ".join(cut(region, _REGION) for region in regions[:_NAMED])
        more = f" and {len(regions) - _NAMED} more" if len(regions) > _NAMED else ""
        logger.warning(
            'The ProviderConfig "%s" names regions that AWS does not have, as far as this version knows: %s%s. Correct '
            "the regions. If they are new, update the operator, or name them in --more-regions.",
            name,
            named,
            more,
        )

    def _reconcile_again(self, keys: Iterable[Key]) -> None:
        if self._term is not None:
            self._term.reconcile_again(keys)
