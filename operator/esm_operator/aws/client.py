"""The AWS client of one target: each call takes from the budget and is noted in the inventory.

boto3's own retries are off: all retrying is the work queue's, so that every request is counted and paid
for. boto3 blocks, so calls run in a small thread pool.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws import errors
from esm_operator.aws.assume import assumed
from esm_operator.aws.budget import Budget, Priority
from esm_operator.aws.inventory import Inventory
from esm_operator.target import Target

logger = logging.getLogger(__name__)

#: Seconds until a request to AWS is given up.
TIMEOUT = 5.0


def _config(pool: int) -> Config:
    return Config(
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=pool,
        parameter_validation=False,
        user_agent_extra="esm-operator",
    )


class InvalidEndpointError(BotoCoreError):
    """An endpoint URL, a setting's or the environment's, that is none; botocore raises just ValueError."""

    fmt = "{reason}"


class Connections:
    """Makes boto3 clients and runs their calls in threads."""

    def __init__(self, threads: int = 8) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="aws")

    def client(self, service: Literal["lambda", "sts"], target: Target) -> Any:
        """A boto3 client for a target. Blocks for some 100 ms: call it in the pool.

        Raises:
            botocore.exceptions.BotoCoreError: no region, a bad endpoint.
        """
        session = boto3.Session(region_name=target.region)
        if target.access.role_arn:
            session = assumed(target)
        make: Any = session.client
        try:
            return make(service, endpoint_url=target.access.endpoint_url or None, config=_config(self._threads))
        except ValueError as error:
            raise InvalidEndpointError(reason=str(error)) from error

    async def run(self, function: Any, *args: Any, **parameters: Any) -> Any:
        """Run a blocking call in the pool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **parameters))

    def close(self) -> None:
        """Let the threads go, without waiting for requests under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class MappingsClient:
    """Event source mappings of one target."""

    def __init__(
        self, client: Any, connections: Connections, budget: Budget, inventory: Inventory, account: str
    ) -> None:
        self._client = client
        self._connections = connections
        self.budget = budget
        self.inventory = inventory
        self.account = account

    async def create(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """CreateEventSourceMapping. Raises what boto3 raises, as all calls here."""
        answer = await self._call("create_event_source_mapping", Priority.CREATE, parameters)
        self.inventory.record(answer, time.monotonic(), tags=parameters.get("Tags") or {})
        return answer

    async def update(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateEventSourceMapping."""
        answer = await self._call("update_event_source_mapping", Priority.EDIT, parameters)
        self.inventory.record(answer, time.monotonic())
        return answer

    async def delete(self, uuid: str) -> None:
        """DeleteEventSourceMapping; a mapping that is gone already is as good."""
        try:
            answer = await self._call("delete_event_source_mapping", Priority.EDIT, {"UUID": uuid})
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)
        else:
            self.inventory.record(answer, time.monotonic())

    async def get(self, uuid: str, priority: Priority = Priority.EDIT) -> bool:
        """GetEventSourceMapping. Returns whether it differs from what was known, or is gone."""
        at = time.monotonic()
        try:
            answer = await self._call("get_event_source_mapping", priority, {"UUID": uuid})
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)
            return True
        return self.inventory.record(answer, at)

    async def sweep(self) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of ListEventSourceMappings: 100 mappings each, whatever is asked for."""
        async for page in self._pages(Priority.SWEEP, {"MaxItems": 100}):
            yield page

    async def find(self, function: str) -> None:
        """ListEventSourceMappings of one function (a name, perhaps qualified), noted in the inventory."""
        at = time.monotonic()
        async for page in self._pages(Priority.CREATE, {"FunctionName": function}):
            for mapping in page:
                self.inventory.record(mapping, at)

    async def _pages(self, priority: Priority, wanted: Mapping[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        marker: dict[str, str] = {}
        while True:
            page = await self._call("list_event_source_mappings", priority, {**wanted, **marker})
            yield page.get("EventSourceMappings") or []
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    async def list_tags(self, uuid: str) -> None:
        """ListTags of one mapping, noted in the inventory."""
        answer = await self._call("list_tags", Priority.EDIT, {"Resource": self._arn(uuid)})
        self.inventory.record_tags(uuid, answer.get("Tags") or {})

    async def tag(self, uuid: str, add: Mapping[str, str], remove: frozenset[str]) -> None:
        """TagResource and UntagResource, as far as there is something to do; adding comes first."""
        if add:
            await self._call("tag_resource", Priority.EDIT, {"Resource": self._arn(uuid), "Tags": dict(add)})
        if remove:
            parameters = {"Resource": self._arn(uuid), "TagKeys": sorted(remove)}
            await self._call("untag_resource", Priority.EDIT, parameters)
        entry = self.inventory.get(uuid)
        if entry is not None and entry.tags is not None:
            kept = {key: value for key, value in entry.tags.items() if key not in remove}
            self.inventory.record_tags(uuid, {**kept, **add})

    def _arn(self, uuid: str) -> str:
        entry = self.inventory.get(uuid)
        return str(entry.raw.get("EventSourceMappingArn", "")) if entry is not None else ""

    async def _call(self, operation: str, priority: Priority, parameters: Mapping[str, Any]) -> dict[str, Any]:
        await self.budget.take(priority)
        started = time.monotonic()
        try:
            answer = await self._connections.run(getattr(self._client, operation), **parameters)
        except ClientError as error:
            failure = errors.understand(error)
            if failure.throttled:
                self.budget.throttled(failure.retry_after)
            raise
        finally:
            logger.debug("AWS %s took %.0f ms", operation, 1000 * (time.monotonic() - started))
        answer.pop("ResponseMetadata", None)
        return answer
