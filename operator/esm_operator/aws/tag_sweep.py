"""The tag sweep of one target: sees when somebody changes the tags of our mappings, in bulk.

No answer of Lambda carries tags, and ListTags is one call for each mapping. The resource groups tagging API
lists them a hundred at a time, on a quota of its own, but it lags and leaves out what has no tags. So it only
nominates: what it tells otherwise than we know is asked of Lambda itself. Where the operator may not use it,
ListTags goes through all mappings slowly. One task for each target.

A tag sweep also counts orphans: mappings with this cluster's owner tags and without a resource.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.client import MappingsClient
from esm_operator.planning.ownership import CLUSTER
from esm_operator.ratelimit.rate_limiter import RequestPriority

logger = logging.getLogger(__name__)

#: The part of the request rate that ListTags may take where the tagging API can't be used.
_SHARE = 0.05
#: Seconds between looks whether the mappings are known, before the first tag sweep.
_SOON = 1.0
#: The least seconds until a tag sweep that failed is tried again.
_AGAIN = 60.0


#: Counts the mappings without a resource, given the tags of mappings by UUID; None: they can't be counted.
CountOrphans: TypeAlias = Callable[[Mapping[str, Mapping[str, str]]], Awaitable[int | None]]


class TagSweep:
    """Compares the tags at AWS with those that are known."""

    def __init__(
        self,
        client: Callable[[], MappingsClient],
        *,
        cluster: str,
        interval: float,
        noted: Callable[[Collection[str]], Mapping[str, Mapping[str, str]]],
        changed: Callable[[Collection[str]], None],
        failed: Callable[[MappingsClient], None],
        count_orphans: CountOrphans,
    ) -> None:
        """
        Args:
            client: through whom to look.
            cluster: the operator's ``cluster_name``.
            interval: seconds between sweeps. What was written within that time is left out: the tagging API may
                not know it yet.
            noted: of some UUIDs, those that belong to resources, with the tags that their statuses tell.
            changed: told of UUIDs whose tags are others than noted.
            failed: told through whom a request failed for another reason than that the tagging API is not to be used.
            count_orphans: given the tags of the mappings that carry this cluster's tag, by UUID; answers how many of
                them have no resource; None: it could not be found out.
        """
        self._client = client
        self._cluster = cluster
        self._interval = interval
        self._noted = noted
        self._changed = changed
        self._tell_failed = failed
        self._count_orphans = count_orphans
        self._refused = False
        self._looked_at: set[str] = set()
        self.orphans: int | None = None
        """Mappings of this cluster without a resource; None: not counted yet."""

    async def run(self) -> None:
        """Sweep until cancelled, for the first time when the mappings are known."""
        pause = _SOON
        while True:
            await asyncio.sleep(pause)
            if not self._client().inventory.swept or not self._client().owner_tags:
                continue
            pause = self._interval * random.uniform(0.9, 1.1)
            client = self._client()
            try:
                await (self._one_by_one() if self._refused else self._in_bulk())
            except Exception as error:
                failure = errors.understand_any(error)
                pause = max(_AGAIN, pause)
                if failure.reason == "AccessDenied":
                    self._refused, pause = True, _SOON
                    logger.info(
                        "Tags are looked at one mapping at a time, for the tagging API is refused: %s", failure.message
                    )
                else:
                    logger.warning("Looking at the tags failed: %s", failure.message)
                    if not failure.throttled:
                        self._tell_failed(client)

    async def _in_bulk(self) -> None:
        began = time.monotonic()
        told: dict[str, dict[str, str]] = {}
        async for page in self._client().tagged(CLUSTER, self._cluster):
            told |= {_uuid(one): _tags(one) for one in page}
        for uuid, known in self._known(began).items():
            if told.get(uuid) != known:
                await self._ask(uuid, known)
            elif known != self._noted([uuid]).get(uuid):
                self._changed([uuid])
        await self._count(told)

    async def _one_by_one(self) -> None:
        for uuid, known in self._known(time.monotonic()).items():
            await self._ask(uuid, known)
            await asyncio.sleep(self._client().rate_limiter.pause(_SHARE))
        for uuid in self._unlooked():
            await self._ask(uuid, {})
            self._looked_at.add(uuid)
            await asyncio.sleep(self._client().rate_limiter.pause(_SHARE))
        inventory = self._client().inventory
        await self._count({uuid: tags for uuid in inventory.uuids() if (tags := inventory.tags(uuid))})

    def _unlooked(self) -> list[str]:
        """Mappings that belong to no resource and whose tags have not been listed: each costs a call, once."""
        uuids = self._client().inventory.uuids()
        self._looked_at.intersection_update(uuids)
        ours = self._noted(uuids)
        return [uuid for uuid in uuids if uuid not in ours and uuid not in self._looked_at]

    async def _count(self, told: Mapping[str, Mapping[str, str]]) -> None:
        """Count orphans among the mappings that exist and are not being deleted."""
        inventory = self._client().inventory
        there = {
            uuid: tags
            for uuid, tags in told.items()
            if tags.get(CLUSTER) == self._cluster
            and (entry := inventory.get(uuid)) is not None
            and entry.state != "Deleting"
        }
        self.orphans = await self._count_orphans(there)

    def _known(self, now: float) -> dict[str, Mapping[str, str]]:
        """The tags of our mappings as far as we know, but for those that were written lately."""
        inventory = self._client().inventory
        known: dict[str, Mapping[str, str]] = {}
        for uuid, noted in self._noted(inventory.uuids()).items():
            entry = inventory.get(uuid)
            if entry is not None and now - entry.tags_written > self._interval:
                known[uuid] = entry.tags if entry.tags is not None else noted
        return known

    async def _ask(self, uuid: str, known: Mapping[str, str]) -> None:
        """What Lambda itself says of one mapping's tags."""
        inventory = self._client().inventory
        if inventory.get(uuid) is None:
            return
        try:
            await self._client().list_tags(uuid, RequestPriority.TAG_SWEEP)
        except ClientError as error:
            if errors.is_gone(error):
                return
            raise
        entry = inventory.get(uuid)
        if entry is not None and entry.tags != known:
            self._changed([uuid])


def _uuid(resource: Mapping[str, Any]) -> str:
    return str(resource["ResourceARN"]).rpartition(":")[2]


def _tags(resource: Mapping[str, Any]) -> dict[str, str]:
    return {str(tag["Key"]): str(tag["Value"]) for tag in resource.get("Tags") or ()}
