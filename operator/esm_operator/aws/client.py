"""The AWS client of one target. It records the answers of AWS in the inventory.

The requests themselves are in :mod:`~.mappings_api`, which the commands use without an inventory.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws import errors
from esm_operator.aws.inventory import Inventory
from esm_operator.aws.mappings_api import PAGE, MappingsApi, Write
from esm_operator.clock import monotonic
from esm_operator.ratelimit.waiters import RequestPriority, current_party


class _TagRead:
    """The latest ListTags request for a mapping. It exists while callers wait for it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.began = -math.inf
        """Monotonic time of its beginning, in seconds."""
        self.failure: Exception | None = None


class MappingsClient:
    """Event source mappings of one target. Raises what :class:`MappingsApi` raises.

    It calls ``changed`` with the UUIDs of mappings that have changed. Without ``owner_tags`` it sends no tags and no
    requests about tags.
    """

    def __init__(
        self,
        api: MappingsApi,
        inventory: Inventory,
        changed: Callable[[Collection[str]], None] = lambda _: None,
        *,
        owner_tags: bool = True,
    ) -> None:
        self.api = api
        self.account = api.account
        self.rate_limiter = api.rate_limiter
        self.inventory = inventory
        self.owner_tags = owner_tags
        self._changed = changed
        self._tag_reads: WeakValueDictionary[tuple[str, RequestPriority, Hashable], _TagRead] = WeakValueDictionary()
        """By UUID, priority and namespace, so that nobody waits for a request with a later turn than its own."""

    async def create(self, parameters: Mapping[str, Any], write: Write | None = None) -> dict[str, Any]:
        """CreateEventSourceMapping."""
        asked = {name: value for name, value in parameters.items() if name != "Tags" or self.owner_tags}
        answer = await self.api.call("create_event_source_mapping", asked, RequestPriority.CREATE, write)
        self.inventory.record(answer, monotonic(), tags=asked.get("Tags") or {})
        return answer

    async def update(self, parameters: Mapping[str, Any], write: Write | None = None) -> dict[str, Any]:
        """UpdateEventSourceMapping."""
        answer = await self.api.call("update_event_source_mapping", parameters, RequestPriority.EDIT, write)
        self.inventory.record(answer, monotonic())
        return answer

    async def delete(self, uuid: str, write: Write | None = None) -> None:
        """DeleteEventSourceMapping. A mapping that does not exist any more counts as deleted."""
        asked = {"UUID": uuid}
        try:
            answer = await self.api.call("delete_event_source_mapping", asked, RequestPriority.EDIT, write)
            self.inventory.record(answer, monotonic())
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)

    async def refresh(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> bool:
        """GetEventSourceMapping. Returns whether the mapping differs from the inventory, or does not exist any more."""
        at = monotonic()
        try:
            differs = self.inventory.record(await self.api.get(uuid, priority), at)
        except ClientError as error:
            if not errors.is_gone(error):
                raise
            self.inventory.record_gone(uuid)
            differs = True
        if differs:
            self._changed([uuid])
        return differs

    @property
    def pages(self) -> int:
        """The number of pages of a list of all known mappings, if AWS fills each page."""
        return max(1, math.ceil(len(self.inventory) / PAGE))

    async def refresh_by_function(self, function: str) -> None:
        """Record all mappings of a function (its name, perhaps qualified) in the inventory. Raises TooLongListError."""
        marker, at, limit = "", monotonic(), self.inventory.new_list_limit()
        while True:
            try:
                page = await self.api.page(marker, function, priority=RequestPriority.CREATE)
            except ClientError as error:
                if errors.code_of(error) == "ResourceNotFoundException":
                    return  # the function does not exist, so only sweeps can show its mappings
                raise
            self._changed([str(one["UUID"]) for one in page.mappings if self.inventory.record(one, at, listed=True)])
            if not page.next:
                return
            limit.count(page.mappings)
            marker = page.next

    async def refresh_tags(self, uuid: str, priority: RequestPriority = RequestPriority.EDIT) -> None:
        """Record the tags of one mapping in the inventory. No request if mappings have no tags.

        Resources of a namespace that wait for the same tags share a request that begins after they have asked.
        """
        if not self.owner_tags:
            return
        asked = monotonic()
        read = self._tag_reads.setdefault((uuid, priority, current_party()), _TagRead())
        async with read.lock:
            if read.began > asked:
                if read.failure is not None:
                    raise errors.bare(read.failure)
                return
            began = monotonic()
            try:
                self.inventory.record_tags(uuid, await self.api.list_tags(self._arn(uuid), priority))
            except (ClientError, BotoCoreError) as error:
                read.began, read.failure = began, errors.bare(error)
                raise
            read.began, read.failure = began, None

    async def tag(self, uuid: str, add: Mapping[str, str], remove: frozenset[str], write: Write | None = None) -> None:
        """TagResource for new tags, then UntagResource for removed ones. No request if mappings have no tags."""
        if not self.owner_tags:
            return
        resource = {"Resource": self._arn(uuid)}
        try:
            if add:
                asked = {**resource, "Tags": dict(add)}
                await self.api.call("tag_resource", asked, RequestPriority.EDIT, write)
            if remove:
                asked = {**resource, "TagKeys": sorted(remove)}
                await self.api.call("untag_resource", asked, RequestPriority.EDIT, write)
        except (ClientError, BotoCoreError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) or errors.is_doubtful(error):
                self.inventory.forget_tags(uuid)
            raise
        entry = self.inventory.get(uuid)
        if entry is not None and entry.tags is not None:
            kept = {key: value for key, value in entry.tags.items() if key not in remove}
            self.inventory.record_tags(uuid, {**kept, **add}, written=monotonic())

    def _arn(self, uuid: str) -> str:
        entry = self.inventory.get(uuid)
        return str(entry.raw.get("EventSourceMappingArn", "")) if entry is not None else ""
