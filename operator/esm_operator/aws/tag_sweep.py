"""The tag sweep of one account and region. It finds mappings of resources whose tags another client has changed.

Lambda returns no tags with a mapping, and ListTags reads only one mapping. The resource groups tagging API lists the
tags of a hundred mappings in one call and has its own quota. But its list is late, and lacks mappings without tags. If
the list differs from the known tags of a mapping, ListTags reads the tags of this mapping.

If the operator cannot use the tagging API, it sends ListTags slowly: in each tag sweep for the mappings of resources,
and once for every other mapping. IAM may not allow the tagging API, the endpoint may lack it, or a private VPC may have
no way to it. The operator tries it again each hour.

A tag sweep also counts orphans: mappings with this cluster's owner tags and without a resource.
"""

import asyncio
import logging
import math
import random
from collections.abc import Collection, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.aws import errors
from esm_operator.aws.account_region import AccountRegion
from esm_operator.aws.answer_limits import memory_of_tags
from esm_operator.aws.client import MappingsClient
from esm_operator.clock import monotonic
from esm_operator.planning.ownership import CLUSTER
from esm_operator.ratelimit.waiters import RequestPriority
from esm_operator.status.rendering import answer_and_remedy

logger = logging.getLogger(__name__)

#: The share of the request rate that ListTags may use if the operator cannot use the tagging API.
_SHARE = 0.05
#: Seconds between checks whether the first sweep is complete.
_SOON = 1.0
#: The least number of seconds until a failed tag sweep is retried, and the most if the tagging API does not answer.
_AGAIN = 60.0
#: Failures of the tagging API in a row after which ListTags replaces it, if the failures could pass by themselves.
_PASSING = 3
#: Seconds until the operator tries the tagging API again after ListTags has replaced it.
_REPLACED_FOR = 3600.0
_READER = "tag sweep"


class TagSweep:
    """Compares the tags in AWS with the known tags at an interval, in seconds.

    It skips mappings whose tags were written within the last interval, because the tagging API may not show them yet.
    """

    def __init__(self, account_region: AccountRegion, *, cluster: str, interval: float) -> None:
        self._account_region = account_region
        self._inventory = account_region.inventory
        self._cluster = cluster
        self._interval = interval
        self._count_orphans = account_region.resources.new_orphan_counter()
        self._failures = 0
        """Failures of the tagging API in a row that could pass by themselves."""
        self._replaced_until = -math.inf
        """Monotonic time until which ListTags replaces the tagging API, in seconds."""
        self._read_once: set[str] = set()
        self._read_in_pass: set[str] = set()
        """Mappings of resources read by ListTags since all were. After a failure, the next pass reads the others."""

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
                await self._sweep()
            except Exception as error:
                pause = min(_AGAIN, pause) if self._failures else max(_AGAIN, pause)
                self._account_region.log_and_switch_client(client, error, reader=_READER)
            else:
                self._account_region.read_again(_READER)

    async def _sweep(self) -> None:
        began = monotonic()
        try:
            found = await self._tagged() if began >= self._replaced_until else None
            if found is not None:
                await self._in_bulk(found, began)
                return
        finally:
            self._inventory.reserve(0)
        await self._one_by_one()

    async def _tagged(self) -> dict[str, dict[str, str]] | None:
        """The tags by UUID, from the tagging API. None: ListTags replaces it. Raises failures that may soon be over."""
        found: dict[str, dict[str, str]] = {}
        memory = 0
        try:
            async for page in self._client.api.tagged({CLUSTER: self._cluster}, self._inventory.new_list_limit()):
                known = {uuid: tags for uuid, tags in page.items() if self._inventory.get(uuid) is not None}
                memory += sum(map(memory_of_tags, known.values()))
                self._inventory.reserve(memory)
                found |= known
        except (BotoCoreError, ClientError) as error:
            if self._account_region.failure is None:  # otherwise AWS as a whole fails
                self._failures += errors.may_be_missing(error)
            if not errors.is_missing(error) and self._failures < _PASSING:
                raise
            self._replace_tagging_api(error)
            return None
        if self._account_region.tags_one_by_one:
            logger.info("The operator uses the tagging API in %s again", self._account_region.subject.values()["place"])
        self._failures, self._account_region.tags_one_by_one = 0, False
        return found

    def _replace_tagging_api(self, error: BotoCoreError | ClientError) -> None:
        self._replaced_until = monotonic() + _REPLACED_FOR
        self._account_region.forget_failures(_READER)
        if not self._account_region.tags_one_by_one:
            self._account_region.tags_one_by_one = True
            place = self._account_region.subject.values()["place"]
            text = "The operator reads the tags of one mapping at a time in %s, without the tagging API. %s"
            logger.info(text, place, answer_and_remedy(errors.understand(error)))

    async def _in_bulk(self, found: Mapping[str, Mapping[str, str]], began: float) -> None:
        for uuid, known in self._known_tags(began).items():
            if found.get(uuid) != known:
                await self._read(uuid, known)
                continue
            self._inventory.confirm_tags(uuid, known)
            if known != self._recorded_tags([uuid]).get(uuid):
                self._account_region.mappings_changed([uuid])
        await self._count(found)

    async def _one_by_one(self) -> None:
        for uuid, known in self._known_tags(monotonic()).items():
            if uuid not in self._read_in_pass:
                await self._read_slowly(uuid, known, self._read_in_pass)
        for uuid in self._unread():
            await self._read_slowly(uuid, {}, self._read_once)
        self._read_in_pass.clear()
        await self._count({uuid: tags for uuid in self._inventory.uuids() if (tags := self._inventory.tags(uuid))})

    async def _read_slowly(self, uuid: str, known: Mapping[str, str], done: set[str]) -> None:
        """Read the tags of one mapping and record it as done. Then wait, because of the share of the request rate."""
        await self._read(uuid, known)
        done.add(uuid)
        await asyncio.sleep(self._client.rate_limiter.interval(_SHARE))

    def _unread(self) -> list[str]:
        """The mappings without a resource whose tags were not read yet. Each costs one call."""
        uuids = self._inventory.uuids()
        self._read_once.intersection_update(uuids)
        ours = self._recorded_tags(uuids)
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

    def _recorded_tags(self, uuids: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        return self._account_region.resources.recorded_tags(self._account_region.place, uuids)

    def _known_tags(self, now: float) -> dict[str, Mapping[str, str]]:
        """The known tags of the mappings of resources, except tags that were written within the last interval."""
        known: dict[str, Mapping[str, str]] = {}
        for uuid, recorded in self._recorded_tags(self._inventory.uuids()).items():
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
            self._account_region.mappings_changed([uuid])
