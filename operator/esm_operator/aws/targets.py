"""The targets in use: their clients, and the tasks that read the mappings of each account and region.

Several targets may share an account and region (:mod:`~.shared_target`). All of it lives as long as one term, because
the inventory is stale after it. The connections outlive it (:mod:`~.connections`).
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from esm_operator import tasks
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connection import Connection
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.observer import Observer
from esm_operator.aws.resources import Resources
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.aws.tag_sweep import TagSweep
from esm_operator.clock import monotonic
from esm_operator.fence import Fence
from esm_operator.metrics import counters
from esm_operator.metrics.gauges import TargetMetrics
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.settings import Settings

#: Requests a second to the tagging API: a third of what AWS grants GetResources (AWS General Reference, quotas of the
#: Resource Groups Tagging API).
TAGGING_RATE = 5.0


@dataclass(frozen=True, slots=True)
class ConnectedTarget:
    client: MappingsClient
    observer: Observer

    @property
    def inventory(self) -> Inventory:
        return self.client.inventory


@dataclass(frozen=True, slots=True)
class _Watched:
    shared: SharedTarget
    observer: Observer
    tag_sweep: TagSweep
    tasks: tuple[asyncio.Task[None], ...]


class Targets:
    """The targets of one term. For one event loop."""

    def __init__(self, connections: Connections, fence: Fence, settings: Settings, resources: Resources) -> None:
        self._connections = connections
        self._fence = fence
        self._settings = settings
        self._resources = resources
        self._rate_limiters: dict[tuple[str, str], RateLimiter] = {}
        """By account and region."""
        self._watched: dict[tuple[str, str, str], _Watched] = {}
        """By account, region and endpoint."""
        self._connected: dict[Target, tuple[_Watched, ConnectedTarget]] = {}

    async def get(self, target: Target) -> ConnectedTarget:
        """The connected target.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        return self.use(target, await self._connections.connect(target))

    def use(self, target: Target, connection: Connection) -> ConnectedTarget:
        """Begin to sweep a target, unless it is in use already."""
        if target not in self._connected:
            self._connected[target] = self._join(target, connection)
        return self._connected[target][1]

    def keep(self, wanted: Collection[Target]) -> None:
        """Stop sweeping all targets but these."""
        for target in [target for target in self._connected if target not in wanted]:
            watched, _ = self._connected.pop(target)
            if len(watched.shared.clients) > 1:
                del watched.shared.clients[target]
            else:
                for task in watched.tasks:
                    task.cancel()
                self._watched = {name: one for name, one in self._watched.items() if one is not watched}

    @property
    def without_tags(self) -> bool:
        """Whether a target in use has no owner tags."""
        return any(not target.owner_tags for target in self._connected)

    def retry(self) -> None:
        """Retry failed requests immediately, because a person has changed something."""
        self._connections.retry()
        for watched in self._watched.values():
            watched.observer.retry()

    def states(self) -> list[TargetMetrics]:
        """The state of each account and region, for metrics; of several endpoints, that with the oldest sweep."""
        now = monotonic()
        found: dict[tuple[str, str], _Watched] = {}
        for (account, region, _), watched in self._watched.items():
            known = found.setdefault((account, region), watched)
            if watched.shared.sweep_age(now) > known.shared.sweep_age(now):
                found[account, region] = watched
        return [
            TargetMetrics(
                account,
                region,
                watched.shared.sweep_age(now),
                self._settings.sweep_interval,
                len(watched.shared.inventory),
                watched.shared.rate_limiter.state(),
                watched.tag_sweep.orphans,
            )
            for (account, region), watched in found.items()
        ]

    def failures(self) -> list[str]:
        """Why accounts and regions can't be swept now, as sentences."""
        observers = ((region, watched.observer) for (_, region, _), watched in self._watched.items())
        return [f"{region}: {one.failure.message}" for region, one in observers if one.failure is not None]

    async def close(self) -> None:
        """Stop sweeping."""
        await tasks.cancel([task for watched in self._watched.values() for task in watched.tasks])

    def _join(self, target: Target, connection: Connection) -> tuple[_Watched, ConnectedTarget]:
        name = (connection.account, target.region, target.access.endpoint_url)
        known = self._watched.get(name)
        shared = known.shared if known is not None else self._new_shared(connection)
        counters.place_in_use(connection.account, target.region)
        client = shared.clients[target] = MappingsClient(
            connection,
            shared.rate_limiter,
            shared.tagging_rate_limiter,
            shared.inventory,
            self._fence,
            self._resources,
            owner_tags=target.owner_tags,
        )
        if known is None:
            known = self._watched[name] = self._watch(target.region, shared)
        elif shared.inventory.swept:
            self._resources.first_sweep_ended(target)
        return known, ConnectedTarget(client, known.observer)

    def _new_shared(self, connection: Connection) -> SharedTarget:
        rate_limiter = self._rate_limiters.setdefault(
            (connection.account, connection.region), RateLimiter(self._settings.requests_per_second)
        )
        return SharedTarget(self._resources, Inventory(), rate_limiter, RateLimiter(TAGGING_RATE), monotonic())

    def _watch(self, region: str, shared: SharedTarget) -> _Watched:
        settings = self._settings
        observer = Observer(shared, interval=settings.sweep_interval)
        tag_sweep = TagSweep(shared, cluster=settings.cluster_name, interval=settings.tag_sweep_interval)
        started = (
            tasks.start(observer.run(), f"observer of {region}"),
            tasks.start(tag_sweep.run(), f"tag sweep of {region}"),
        )
        return _Watched(shared, observer, tag_sweep, started)
