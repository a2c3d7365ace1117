"""The tag sweep of one account and region. It finds mappings of resources whose tags another client has changed.

Lambda returns no tags with a mapping, and ListTags reads only one mapping. The resource groups tagging API lists the
tags of a hundred mappings in one call and has its own quota. But its list is late, and lacks mappings without tags. If
the list differs from the known tags of a mapping, ListTags reads the tags of this mapping.

If the operator may not use the tagging API, it sends ListTags slowly: in each tag sweep for the mappings of resources,
and once for every other mapping.

A tag sweep also counts orphans: mappings with this cluster's owner tags and without a resource.
"""

import asyncio
import logging
import random
from collections.abc import Mapping

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.account_region import AccountRegion
from esm_operator.aws.client import MappingsClient
from esm_operator.clock import monotonic
from esm_operator.planning.ownership import CLUSTER
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.status.rendering import answer_and_remedy

logger = logging.getLogger(__name__)

#: The share of the request rate that ListTags may use if the operator may not use the tagging API.
_SHARE = 0.05
#: Seconds between checks whether the first sweep is complete, and until ListTags replaces a refused tagging API.
_SOON = 1.0
#: The least number of seconds until a failed tag sweep is retried.
_AGAIN = 60.0
_READER = "tag sweep"


class TagSweep:
    """Compares the tags in AWS with the known tags at an interval, in seconds.

    It skips mappings whose tags were written within the last interval, because the tagging API may not show them yet.
    """

    def __init__(self, account_region: AccountRegion, *, cluster: str, interval: float) -> None:
        self._account_region = account_region
        self._inventory = account_region.inventory
        self._resources = account_region.resources
        self._cluster = cluster
        self._interval = interval
        self._count_orphans = account_region.resources.new_orphan_counter()
        self._refused = False
        self._read_once: set[str] = set()

    @property
    def _client(self) -> MappingsClient:
        return self._account_region.tagging_client

    async def run(self) -> None:
        """Sweep until cancelled. The first tag sweep begins when the mappings are known."""
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
                    place = self._account_region.subject.values()["place"]
                    text = "The operator reads the tags of one mapping at a time in %s, without the tagging API. %s"
                    logger.info(text, place, answer_and_remedy(failure))
                else:
                    self._account_region.log_and_switch_client(client, error, reader=_READER)
            else:
                self._account_region.read_again(_READER)

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
        """The mappings without a resource whose tags were not read yet. Each costs one call."""
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
        self._account_region.orphans = await self._count_orphans(present)

    def _known_tags(self, now: float) -> dict[str, Mapping[str, str]]:
        """The known tags of the mappings of resources, except tags that were written within the last interval."""
        known: dict[str, Mapping[str, str]] = {}
        for uuid, recorded in self._resources.recorded_tags(self._inventory.uuids()).items():
            entry = self._inventory.get(uuid)
            if entry is not None and now - entry.tags_written > self._interval:
                known[uuid] = entry.tags if entry.tags is not None else recorded
        return known

    async def _read(self, uuid: str, known: Mapping[str, str]) -> None:
        """Read the tags of one mapping with ListTags."""
        if self._inventory.get(uuid) is None:
            return
        try:
            await self._client.refresh_tags(uuid, RequestPriority.TAG_SWEEP)
        except ClientError as error:
            if errors.is_gone(error):
                return
            raise
        entry = self._inventory.get(uuid)
        if entry is not None and entry.tags != known:
            self._resources.mappings_changed([uuid])
