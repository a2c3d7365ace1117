"""The targets in use: their clients, and the tasks that read the mappings of each account and region.

Several targets may share an account and region (:mod:`~.account_region`). All of it lives as long as one term, except
for the connections (:mod:`~.connections`) and the :class:`Knowledge`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from esm_operator import tasks
from esm_operator.aws.account_region import AccountRegion
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.connection import Connection
from esm_operator.aws.connections import Connections
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.inventory_listener import InventoryListener
from esm_operator.aws.mappings_api import MappingsApi
from esm_operator.aws.sweeper import Sweeper
from esm_operator.aws.tag_sweep import TagSweep
from esm_operator.aws.transitions import Transitions
from esm_operator.clock import monotonic
from esm_operator.fence import Fence
from esm_operator.metrics import counters
from esm_operator.metrics.gauges import TargetMetrics
from esm_operator.planning.target import Place, Target
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.settings import Settings
from esm_operator.status.rendering import message_of_failure
from esm_operator.status.subject import Subject

#: Requests a second to the tagging API: a third of what AWS grants GetResources (AWS General Reference, quotas of the
#: Resource Groups Tagging API).
TAGGING_RATE = 5.0


@dataclass(frozen=True, slots=True)
class ConnectedTarget:
    client: MappingsClient
    account_region: AccountRegion

    @property
    def inventory(self) -> Inventory:
        return self.client.inventory

    @property
    def place(self) -> Place:
        return self.account_region.place


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The inventories and rate limiters, for a term and for the next one if no other process leads in between."""

    inventories: dict[Place, Inventory] = field(default_factory=dict[Place, Inventory])
    rate_limiters: dict[Place, RateLimiter] = field(default_factory=dict[Place, RateLimiter])

    def resume(self, changing: Iterable[tuple[Place | None, str]]) -> None:
        """Begin the next term.

        The places and UUIDs are those of mappings that will be changed, so their owners are read again.
        """
        for inventory in self.inventories.values():
            inventory.resume()
        for place, uuid in changing:
            self.forget_tags_before(place, uuid)

    def forget_tags_before(self, place: Place | None, uuid: str) -> None:
        """Read the owner of a mapping again before it is changed, if the owner was read in an earlier term.

        Without a place, the mapping may be in any.
        """
        for one, inventory in self.inventories.items():
            if place in (None, one):
                inventory.forget_tags_before(uuid)


class Targets:
    """The targets of one term. For one event loop."""

    def __init__(
        self,
        connections: Connections,
        fence: Fence,
        settings: Settings,
        resources: InventoryListener,
        knowledge: Knowledge,
    ) -> None:
        self._connections = connections
        self._fence = fence
        self._settings = settings
        self._resources = resources
        self._knowledge = knowledge
        self._account_regions: dict[Place, AccountRegion] = {}
        self._connected: dict[Target, ConnectedTarget] = {}

    async def connect(self, target: Target) -> ConnectedTarget:
        """The connected target. Raises what :meth:`.Connections.connect` raises."""
        return self.attach(target, await self._connections.connect(target))

    def attach(self, target: Target, connection: Connection) -> ConnectedTarget:
        """Begin to sweep a target, unless it is in use already."""
        if target in self._connected:
            return self._connected[target]
        place = _place(target, connection)
        account_region = self._account_regions.get(place)
        if account_region is None:
            account_region = self._account_regions[place] = self._start(place)
        elif account_region.inventory.swept:
            self._resources.first_sweep_ended(target)
        counters.place_in_use(connection.account, target.region)
        api = MappingsApi(connection, account_region.rate_limiter, account_region.tagging_rate_limiter, self._fence)
        client = MappingsClient(
            api, account_region.inventory, account_region.mappings_changed, owner_tags=target.owner_tags
        )
        account_region.clients[target] = client
        connected = self._connected[target] = ConnectedTarget(client, account_region)
        return connected

    def keep(self, wanted: Collection[Target]) -> None:
        """Stop sweeping all targets but these, and release what only the others need."""
        for target in [target for target in self._connected if target not in wanted]:
            account_region = self._connected.pop(target).account_region
            if len(account_region.clients) > 1:
                del account_region.clients[target]
            else:
                for task in account_region.tasks:
                    task.cancel()
                del self._account_regions[account_region.place]
                self._release(account_region.place)
        established = {target: one for target in wanted if (one := self._connections.established(target)) is not None}
        if established.keys() == set(wanted):  # so it is known which inventories of an earlier term are not in use
            in_use = {_place(target, connection) for target, connection in established.items()}
            for place in self._knowledge.inventories.keys() - in_use:
                self._release(place)

    @property
    def without_tags(self) -> bool:
        """Whether a target in use has no owner tags."""
        return any(not target.owner_tags for target in self._connected)

    def retry(self, target: Target) -> None:
        """Retry failed requests of a target immediately, because a person has changed a resource of the target."""
        self._connections.retry(target)
        if target in self._connected:
            self._connected[target].account_region.retry()

    def states(self) -> list[TargetMetrics]:
        """The state of each account and region, for metrics; of several endpoints, that with the oldest sweep."""
        now = monotonic()
        oldest: dict[tuple[str, str], AccountRegion] = {}
        for (account, region, _), account_region in self._account_regions.items():
            known = oldest.setdefault((account, region), account_region)
            oldest[account, region] = max(known, account_region, key=lambda one: one.sweep_age(now))
        return [
            TargetMetrics(
                account,
                region,
                account_region.sweep_age(now),
                self._settings.sweep_interval,
                len(account_region.inventory),
                account_region.rate_limiter.state(),
                account_region.orphans,
                account_region.tags_one_by_one,
            )
            for (account, region), account_region in oldest.items()
        ]

    def failures(self) -> list[str]:
        """Why accounts and regions can't be swept now, as sentences."""
        places = self._account_regions.values()
        return [message_of_failure(one.failure, one.subject) for one in places if one.failure is not None]

    async def close(self) -> None:
        """Stop sweeping."""
        await tasks.cancel([task for account_region in self._account_regions.values() for task in account_region.tasks])

    def _release(self, place: Place) -> None:
        """Forget what is known of a place, because no resource uses it."""
        self._knowledge.inventories.pop(place, None)
        self._knowledge.rate_limiters.pop(place, None)
        account, region, _ = place
        counters.place_unused(account, region, [one[:2] for one in self._knowledge.inventories])

    def _start(self, place: Place) -> AccountRegion:
        """Start to read the mappings of one more place."""
        settings, region = self._settings, place.region
        knowledge = self._knowledge
        rate_limiter = knowledge.rate_limiters.setdefault(place, RateLimiter(settings.requests_per_second))
        account_region = AccountRegion(
            self._resources,
            knowledge.inventories.setdefault(place, Inventory(settings.max_mappings)),
            rate_limiter,
            RateLimiter(TAGGING_RATE),
            monotonic(),
            Subject(region=region, account=place.account),
            place,
        )
        tag_sweep = TagSweep(account_region, cluster=settings.cluster_name, interval=settings.tag_sweep_interval)
        account_region.tasks = [
            tasks.start(Sweeper(account_region, settings.sweep_interval).run(), f"sweeper of {region}"),
            tasks.start(Transitions(account_region).run(), f"transitions of {region}"),
            tasks.start(tag_sweep.run(), f"tag sweep of {region}"),
        ]
        return account_region


def _place(target: Target, connection: Connection) -> Place:
    return Place(connection.account, target.region, target.access.endpoint_url)
