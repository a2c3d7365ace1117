"""The targets in use: one client, inventory and observer for each, one budget for each account and region.

They live as long as one stretch of leading, for what is known of AWS is stale after it; the connections that
they use outlive them. Called by the reconciler.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from esm_operator.aws.budget import Budget
from esm_operator.aws.client import Connection, Connections, MappingsClient
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.observer import Observer
from esm_operator.aws.tag_sweep import TagSweep
from esm_operator.cluster.target import Target
from esm_operator.leading.fence import Fence


@dataclass(frozen=True, slots=True)
class Connected:
    """A target that is connected."""

    client: MappingsClient
    observer: Observer
    tasks: tuple[asyncio.Task[None], ...]

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
        creations_pending: Callable[[], int],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._requests_per_second = requests_per_second
        self._sweep_interval = sweep_interval
        self._tag_sweep_interval = tag_sweep_interval
        self._ours = ours
        self._noted_tags = noted_tags
        self._creations_pending = creations_pending
        self._changed = changed
        self._waiting = waiting
        self._connections = connections
        self._fence = fence
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._inventories: dict[tuple[str, str, str], Inventory] = {}
        """By account, region and endpoint: several targets may lead to the same mappings, with other credentials."""
        self._connected: dict[Target, Connected] = {}

    async def get(self, target: Target) -> Connected:
        """The connected target.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        connection = await self._connections.connect(target)
        connected = self._connected.get(target)
        if connected is None:
            connected = self._connected[target] = self._observe(target, connection)
        return connected

    def keep(self, wanted: Collection[Target]) -> None:
        """Stop observing what no resource leads to any more, such as by a role that a ProviderConfig named before."""
        for target in [target for target in self._connected if target not in wanted]:
            for task in self._connected.pop(target).tasks:
                task.cancel()

    def retry(self) -> None:
        """A person has changed something: what AWS refused may be allowed now, so it is asked again at once."""
        self._connections.retry()
        for connected in self._connected.values():
            connected.observer.retry()

    async def close(self) -> None:
        """Stop observing."""
        tasks = [task for connected in self._connected.values() for task in connected.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _observe(self, target: Target, connection: Connection) -> Connected:
        budget = self._budgets.setdefault((connection.account, target.region), Budget(self._requests_per_second))
        place = (connection.account, target.region, target.access.endpoint_url)
        inventory = self._inventories.setdefault(place, Inventory())
        client = MappingsClient(connection, self._connections, budget, inventory, self._fence, self._changed)
        observer = Observer(
            client,
            interval=self._sweep_interval,
            ours=self._ours,
            creations_pending=self._creations_pending,
            changed=self._changed,
            waiting=self._waiting,
        )
        tag_sweep = TagSweep(
            client,
            cluster=self._cluster,
            interval=self._tag_sweep_interval,
            noted=self._noted_tags,
            changed=self._changed,
        )
        tasks = (
            asyncio.create_task(observer.run(), name=f"observer of {target.region}"),
            asyncio.create_task(tag_sweep.run(), name=f"tag sweep of {target.region}"),
        )
        return Connected(client, observer, tasks)
