"""The tag sweep of one account and region: finds mappings of resources whose tags somebody else has changed.

Lambda's answers carry no tags, and ListTags is one call for each mapping. The resource groups tagging API lists the
tags of a hundred mappings at a time, on a quota of its own, but it lags and leaves out mappings without tags. So if it
differs from the known tags, ListTags reads the tags of the mapping. If the operator may not use it, ListTags reads the
tags of all mappings slowly.

A tag sweep also counts orphans: mappings with this cluster's owner tags and without a resource.
"""

import asyncio
import logging
import random
from collections.abc import Mapping

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.client import MappingsClient
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.clock import monotonic
from esm_operator.planning.ownership import CLUSTER
from esm_operator.ratelimit.rate_limiter import RequestPriority

logger = logging.getLogger(__name__)

#: The part of the request rate that ListTags may take where the tagging API can't be used.
_SHARE = 0.05
#: Seconds between checks whether the first sweep is complete, before the first tag sweep.
_SOON = 1.0
#: The least seconds until a tag sweep that failed is tried again.
_AGAIN = 60.0


class TagSweep:
    """Compares the tags in AWS with the known ones, once in so many seconds.

    It leaves out tags that were written within that interval, because the tagging API may not show them yet.
    """

    def __init__(self, shared: SharedTarget, *, cluster: str, interval: float) -> None:
        self._shared = shared
        self._inventory = shared.inventory
        self._resources = shared.resources
        self._cluster = cluster
        self._interval = interval
        self._count_orphans = shared.resources.new_orphan_counter()
        self._refused = False
        self._read_once: set[str] = set()

    @property
    def _client(self) -> MappingsClient:
        return self._shared.tagging_client

    async def run(self) -> None:
        """Sweep until cancelled, for the first time when the mappings are known."""
        pause = _SOON
        while True:
            await asyncio.sleep(pause)
            if not self._inventory.swept or not self._client.owner_tags:
                continue
            pause = self._interval * random.uniform(0.9, 1.1)
            client = self._client
            try:
                await (self._one_by_one() if self._refused else self._in_bulk())
            except Exception as error:
                failure = errors.understand_any(error)
                pause = max(_AGAIN, pause)
                if failure.reason == "AccessDenied" and not self._refused:
                    self._refused, pause = True, _SOON
                    logger.info(
                        "Tags are looked at one mapping at a time, for the tagging API is refused: %s", failure.message
                    )
                else:
                    logger.warning("Looking at the tags failed: %s", failure.message)
                    if not failure.throttled:
                        self._shared.switch_client(client)

    async def _in_bulk(self) -> None:
        began = monotonic()
        found: dict[str, dict[str, str]] = {}
        async for page in self._client.api.tagged({CLUSTER: self._cluster}):
            found |= page
        for uuid, known in self._known_tags(began).items():
            if found.get(uuid) != known:
                await self._read(uuid, known)
            elif known != self._resources.recorded_tags([uuid]).get(uuid):
                self._resources.mappings_changed([uuid])
        await self._count(found)

    async def _one_by_one(self) -> None:
        for uuid, known in self._known_tags(monotonic()).items():
            await self._read(uuid, known)
            await asyncio.sleep(self._client.rate_limiter.interval(_SHARE))
        for uuid in self._unread():
            await self._read(uuid, {})
            self._read_once.add(uuid)
            await asyncio.sleep(self._client.rate_limiter.interval(_SHARE))
        await self._count({uuid: tags for uuid in self._inventory.uuids() if (tags := self._inventory.tags(uuid))})

    def _unread(self) -> list[str]:
        """Mappings that belong to no resource and whose tags have not been listed: each costs a call, once."""
        uuids = self._inventory.uuids()
        self._read_once.intersection_update(uuids)
        ours = self._resources.recorded_tags(uuids)
        return [uuid for uuid in uuids if uuid not in ours and uuid not in self._read_once]

    async def _count(self, tagged: Mapping[str, Mapping[str, str]]) -> None:
        """Count orphans among the mappings that exist and are not being deleted."""
        present = {
            uuid: tags
            for uuid, tags in tagged.items()
            if tags.get(CLUSTER) == self._cluster
            and (entry := self._inventory.get(uuid)) is not None
            and entry.state != "Deleting"
        }
        self._shared.orphans = await self._count_orphans(present)

    def _known_tags(self, now: float) -> dict[str, Mapping[str, str]]:
        """The known tags of mappings of resources, without those that were written lately."""
        known: dict[str, Mapping[str, str]] = {}
        for uuid, recorded in self._resources.recorded_tags(self._inventory.uuids()).items():
            entry = self._inventory.get(uuid)
            if entry is not None and now - entry.tags_written > self._interval:
                known[uuid] = entry.tags if entry.tags is not None else recorded
        return known

    async def _read(self, uuid: str, known: Mapping[str, str]) -> None:
        """Read the tags of one mapping from Lambda itself."""
        if self._inventory.get(uuid) is None:
            return
        try:
            await self._client.list_tags(uuid, RequestPriority.TAG_SWEEP)
        except ClientError as error:
            if errors.is_gone(error):
                return
            raise
        entry = self._inventory.get(uuid)
        if entry is not None and entry.tags != known:
            self._resources.mappings_changed([uuid])
