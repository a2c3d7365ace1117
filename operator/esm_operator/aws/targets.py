"""The targets in use, and the places that they lead to.

A *place* is an account and region behind one endpoint. Several targets may lead to one, with other credentials:
they share what is known of its mappings, who looks at them, and one budget, for AWS counts them together too.
All of it lives as long as one stretch of leading, for what is known of AWS is stale after it; the connections
outlive it. Called by the reconciler.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from esm_operator import tasks
from esm_operator.aws.client import Connection, Connections, MappingsClient
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.observer import Observer
from esm_operator.aws.tag_sweep import CountOrphans, TagSweep
from esm_operator.fence import Fence
from esm_operator.metrics import counters
from esm_operator.metrics.gauges import TargetMetrics
from esm_operator.planning.target import Target
from esm_operator.ratelimit.rate_limiter import RateLimiter

#: Requests a second to the tagging API: a third of what AWS grants GetResources (AWS General Reference, quotas of the
#: Resource Groups Tagging API).
TAGGING_RATE = 5.0


@dataclass(slots=True)
class _SharedTarget:
    """One account and region, and whom it is seen through."""

    inventory: Inventory
    rate_limiter: RateLimiter
    tagging_rate_limiter: RateLimiter
    since: float
    """Monotonic time from which it is in use, in seconds."""
    clients: dict[Target, MappingsClient] = field(default_factory=dict[Target, MappingsClient])
    turn: int = 0
    observer: Observer | None = None
    tag_sweep: TagSweep | None = None
    tasks: tuple[asyncio.Task[None], ...] = ()

    def client(self) -> MappingsClient:
        """The client to look through."""
        return list(self.clients.values())[self.turn % len(self.clients)]

    def tagging_client(self) -> MappingsClient:
        """The client to look at tags through: of a target that has owner tags, if there is one."""
        clients = [client for client in self.clients.values() if client.owner_tags]
        return clients[self.turn % len(clients)] if clients else self.client()

    def failed(self, client: MappingsClient) -> None:
        """Look through another client, if there is one: what failed may be the credentials' fault."""
        if client in (self.client(), self.tagging_client()):
            self.turn += 1

    def sweep_age(self, now: float) -> float:
        """Seconds since the last whole sweep began.

        Args:
            now: monotonic time, in seconds.
        """
        return now - (self.inventory.swept_from if self.inventory.swept else self.since)

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()


@dataclass(frozen=True, slots=True)
class ConnectedTarget:
    """A target that is connected."""

    client: MappingsClient
    observer: Observer

    @property
    def inventory(self) -> Inventory:
        return self.client.inventory


class Targets:
    """Connects targets when they are first needed."""

    def __init__(
        self,
        connections: Connections,
        fence: Fence,
        *,
        cluster: str,
        requests_per_second: float,
        sweep_interval: float,
        tag_sweep_interval: float,
        ours: Callable[[Collection[str]], list[str]],
        noted_tags: Callable[[Collection[str]], Mapping[str, Mapping[str, str]]],
        changes_pending: Callable[[Target], int],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[Target], None],
        sight: Callable[[Target], None],
        orphan_counter: Callable[[], CountOrphans],
    ) -> None:
        self._cluster = cluster
        self._requests_per_second = requests_per_second
        self._sweep_interval = sweep_interval
        self._tag_sweep_interval = tag_sweep_interval
        self._ours = ours
        self._noted_tags = noted_tags
        self._changes_pending = changes_pending
        self._changed = changed
        self._waiting = waiting
        self._sight = sight
        self._orphan_counter = orphan_counter
        self._connections = connections
        self._fence = fence
        self._budgets: dict[tuple[str, str], RateLimiter] = {}
        self._places: dict[tuple[str, str, str], _SharedTarget] = {}
        """By account, region and endpoint."""
        self._connected: dict[Target, tuple[_SharedTarget, ConnectedTarget]] = {}

    async def get(self, target: Target) -> ConnectedTarget:
        """The connected target.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        connection = await self._connections.connect(target)
        if target not in self._connected:
            self._connected[target] = self._join(target, connection)
        return self._connected[target][1]

    def keep(self, wanted: Collection[Target]) -> None:
        """Stop observing what no resource leads to any more, such as by a role that a ProviderConfig named before."""
        for target in [target for target in self._connected if target not in wanted]:
            place, _ = self._connected.pop(target)
            if len(place.clients) > 1:
                del place.clients[target]
            else:
                place.stop()
                self._places = {name: one for name, one in self._places.items() if one is not place}

    @property
    def without_tags(self) -> bool:
        """Whether a target in use has no owner tags."""
        return any(not target.owner_tags for target in self._connected)

    def retry(self) -> None:
        """A person has changed something: what AWS refused may be allowed now, so it is asked again at once."""
        self._connections.retry()
        for place in self._places.values():
            if place.observer is not None:
                place.observer.retry()

    def states(self) -> list[TargetMetrics]:
        """How each account and region is seen; of one behind several endpoints, through the worst."""
        now = time.monotonic()
        found: dict[tuple[str, str], _SharedTarget] = {}
        for (account, region, _), place in self._places.items():
            known = found.setdefault((account, region), place)
            if place.sweep_age(now) > known.sweep_age(now):
                found[account, region] = place
        return [
            TargetMetrics(
                account,
                region,
                place.sweep_age(now),
                self._sweep_interval,
                len(place.inventory),
                place.rate_limiter.state(),
                place.tag_sweep.orphans if place.tag_sweep is not None else None,
            )
            for (account, region), place in found.items()
        ]

    def failures(self) -> list[str]:
        """Why accounts and regions can't be seen now, as sentences."""
        observers = ((region, place.observer) for (_, region, _), place in self._places.items())
        return [f"{region}: {one.failure.message}" for region, one in observers if one is not None and one.failure]

    async def close(self) -> None:
        """Stop observing."""
        await tasks.cancel([task for place in self._places.values() for task in place.tasks])

    def _join(self, target: Target, connection: Connection) -> tuple[_SharedTarget, ConnectedTarget]:
        rate_limiter = self._budgets.setdefault(
            (connection.account, target.region), RateLimiter(self._requests_per_second)
        )
        name = (connection.account, target.region, target.access.endpoint_url)
        place = self._places.setdefault(
            name, _SharedTarget(Inventory(), rate_limiter, RateLimiter(TAGGING_RATE), time.monotonic())
        )
        counters.place_in_use(connection.account, target.region)
        client = MappingsClient(
            connection,
            self._connections,
            rate_limiter,
            place.tagging_rate_limiter,
            place.inventory,
            self._fence,
            self._changed,
            owner_tags=target.owner_tags,
        )
        place.clients[target] = client
        if place.observer is None:
            place.observer = self._observe(target.region, place)
        elif place.inventory.swept:
            self._waiting(target)
        return place, ConnectedTarget(client, place.observer)

    def _observe(self, region: str, place: _SharedTarget) -> Observer:
        observer = Observer(
            place.client,
            interval=self._sweep_interval,
            ours=self._ours,
            changes_pending=lambda: sum(self._changes_pending(target) for target in place.clients),
            changed=self._changed,
            waiting=lambda: [self._waiting(target) for target in place.clients],
            failed=place.failed,
            sight=lambda: [self._sight(target) for target in place.clients],
        )
        tag_sweep = place.tag_sweep = TagSweep(
            place.tagging_client,
            cluster=self._cluster,
            interval=self._tag_sweep_interval,
            noted=self._noted_tags,
            changed=self._changed,
            failed=place.failed,
            count_orphans=self._orphan_counter(),
        )
        place.tasks = (
            tasks.start(observer.run(), f"observer of {region}"),
            tasks.start(tag_sweep.run(), f"tag sweep of {region}"),
        )
        return observer
