"""The tag sweep of one account and region: finds mappings of resources whose tags somebody else has changed.

No answer of Lambda carries tags, and ListTags is one call for each mapping. The resource groups tagging API
lists them a hundred at a time, on a quota of its own, but it lags and leaves out what has no tags. So it only
nominates: where it differs from what is known, ListTags reads the tags of the mapping. Where the operator may not use
it, ListTags reads the tags of all mappings slowly.

A tag sweep also counts orphans: mappings with this cluster's owner tags and without a resource.
"""

import asyncio
import logging
import random
from collections.abc import Mapping

from botocore.exceptions import ClientError

from esm_operator.aws import errors
from esm_operator.aws.client import MappingsClient, MappingsListener
from esm_operator.aws.listener import OrphanCounter, ResourceLookup
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.clock import monotonic
from esm_operator.planning.ownership import CLUSTER
from esm_operator.ratelimit.rate_limiter import RequestPriority

logger = logging.getLogger(__name__)

#: The part of the request rate that ListTags may take where the tagging API can't be used.
_SHARE = 0.05
#: Seconds between looks whether the mappings are known, before the first tag sweep.
_SOON = 1.0
#: The least seconds until a tag sweep that failed is tried again.
_AGAIN = 60.0


class TagSweep:
    """Compares the tags in AWS with those that are known."""

    def __init__(
        self,
        shared: SharedTarget,
        lookup: ResourceLookup,
        listener: MappingsListener,
        *,
        cluster: str,
        interval: float,
    ) -> None:
        """
        Args:
            shared: the account and region.
            lookup: what is known of resources.
            listener: informed of mappings whose tags are not those that their resources record.
            cluster: the operator's ``cluster_name``.
            interval: seconds between sweeps. What was written within that time is left out: the tagging API may
                not know it yet.
        """
        self._shared = shared
        self._lookup = lookup
        self._listener = listener
        self._cluster = cluster
        self._interval = interval
        self._orphan_counter: OrphanCounter = lookup.new_orphan_counter()
        self._refused = False
        self._looked_at: set[str] = set()
        self.orphans: int | None = None
        """Mappings of this cluster without a resource; None: not counted yet."""

    @property
    def _client(self) -> MappingsClient:
        return self._shared.tagging_client

    async def run(self) -> None:
        """Sweep until cancelled, for the first time when the mappings are known."""
        pause = _SOON
        while True:
            await asyncio.sleep(pause)
            if not self._client.inventory.swept or not self._client.owner_tags:
                continue
            pause = self._interval * random.uniform(0.9, 1.1)
            client = self._client
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
                        self._shared.switch_client(client)

    async def _in_bulk(self) -> None:
        began = monotonic()
        found: dict[str, dict[str, str]] = {}
        async for page in self._client.api.tagged({CLUSTER: self._cluster}):
            found |= page
        for uuid, known in self._known_tags(began).items():
            if found.get(uuid) != known:
                await self._read(uuid, known)
            elif known != self._lookup.recorded_tags([uuid]).get(uuid):
                self._listener.mappings_changed([uuid])
        await self._count(found)

    async def _one_by_one(self) -> None:
        for uuid, known in self._known_tags(monotonic()).items():
            await self._read(uuid, known)
            await asyncio.sleep(self._client.rate_limiter.interval(_SHARE))
        for uuid in self._unread():
            await self._read(uuid, {})
            self._looked_at.add(uuid)
            await asyncio.sleep(self._client.rate_limiter.interval(_SHARE))
        inventory = self._client.inventory
        await self._count({uuid: tags for uuid in inventory.uuids() if (tags := inventory.tags(uuid))})

    def _unread(self) -> list[str]:
        """Mappings that belong to no resource and whose tags have not been listed: each costs a call, once."""
        uuids = self._client.inventory.uuids()
        self._looked_at.intersection_update(uuids)
        ours = self._lookup.recorded_tags(uuids)
        return [uuid for uuid in uuids if uuid not in ours and uuid not in self._looked_at]

    async def _count(self, tagged: Mapping[str, Mapping[str, str]]) -> None:
        """Count orphans among the mappings that exist and are not being deleted."""
        inventory = self._client.inventory
        present = {
            uuid: tags
            for uuid, tags in tagged.items()
            if tags.get(CLUSTER) == self._cluster
            and (entry := inventory.get(uuid)) is not None
            and entry.state != "Deleting"
        }
        self.orphans = await self._orphan_counter.count(present)

    def _known_tags(self, now: float) -> dict[str, Mapping[str, str]]:
        """The tags of our mappings as far as we know, but for those that were written lately."""
        inventory = self._client.inventory
        known: dict[str, Mapping[str, str]] = {}
        for uuid, noted in self._lookup.recorded_tags(inventory.uuids()).items():
            entry = inventory.get(uuid)
            if entry is not None and now - entry.tags_written > self._interval:
                known[uuid] = entry.tags if entry.tags is not None else noted
        return known

    async def _read(self, uuid: str, known: Mapping[str, str]) -> None:
        """Read the tags of one mapping from Lambda itself."""
        inventory = self._client.inventory
        if inventory.get(uuid) is None:
            return
        try:
            await self._client.list_tags(uuid, RequestPriority.TAG_SWEEP)
        except ClientError as error:
            if errors.is_gone(error):
                return
            raise
        entry = inventory.get(uuid)
        if entry is not None and entry.tags != known:
            self._listener.mappings_changed([uuid])
