"""The targets in use: one client, inventory and observer for each, one budget for each account and region.

Connecting asks STS for the account once (GetCallerIdentity, no permission needed), for the account is
part of the intent. Called by the reconciler.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws.budget import Budget
from esm_operator.aws.client import Connections, MappingsClient
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.observer import Observer
from esm_operator.target import Target

#: Seconds for which a target that could not be connected is not tried again: many resources may ask.
_REFUSED_FOR = 5.0


@dataclass(frozen=True, slots=True)
class Connected:
    """A target that is connected."""

    client: MappingsClient
    observer: Observer
    task: asyncio.Task[None]

    @property
    def inventory(self) -> Inventory:
        return self.client.inventory


class Targets:
    """Connects targets when they are first needed."""

    def __init__(
        self,
        *,
        requests_per_second: float,
        sweep_interval: float,
        ours: Callable[[Collection[str]], list[str]],
        creations_pending: Callable[[], int],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[], None],
    ) -> None:
        self._requests_per_second = requests_per_second
        self._sweep_interval = sweep_interval
        self._ours = ours
        self._creations_pending = creations_pending
        self._changed = changed
        self._waiting = waiting
        self._connections = Connections()
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._connected: dict[Target, Connected] = {}
        self._connecting: dict[Target, asyncio.Lock] = {}
        self._refused: dict[Target, tuple[float, Exception]] = {}

    async def get(self, target: Target) -> Connected:
        """The connected target.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: it can't be reached.
        """
        async with self._connecting.setdefault(target, asyncio.Lock()):
            connected = self._connected.get(target)
            if connected is not None:
                return connected
            at, error = self._refused.get(target, (0.0, None))
            if error is not None and time.monotonic() - at < _REFUSED_FOR:
                raise error
            try:
                connected = self._connected[target] = await self._connect(target)
            except (ClientError, BotoCoreError) as error:
                self._refused[target] = (time.monotonic(), error)
                raise
            self._refused.pop(target, None)
            return connected

    async def close(self) -> None:
        """Stop observing and let the threads go."""
        tasks = [connected.task for connected in self._connected.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._connections.close()

    async def _connect(self, target: Target) -> Connected:
        security = await self._connections.run(self._connections.client, "sts", target)
        account = str((await self._connections.run(security.get_caller_identity))["Account"])
        lambda_ = await self._connections.run(self._connections.client, "lambda", target)
        budget = self._budgets.setdefault((account, target.region), Budget(self._requests_per_second))
        client = MappingsClient(lambda_, self._connections, budget, Inventory(), account)
        observer = Observer(
            client,
            interval=self._sweep_interval,
            ours=self._ours,
            creations_pending=self._creations_pending,
            changed=self._changed,
            waiting=self._waiting,
        )
        task = asyncio.create_task(observer.run(), name=f"observer of {target.region}")
        return Connected(client, observer, task)
