"""Counts orphans while the operator runs, so that leaked mappings are reported. ``planning/orphans.py`` defines them.

The tag sweep calls the counter with the mappings that carry this cluster's owner tags. The counter sends nothing to
AWS. If a mapping has no resource in the cache, the counter lists the names of all resources from the API server.
Another operator of the cluster may manage that resource, or the watch may be late. A mapping counts as an orphan when
two tag sweeps in a row find it.
"""

import logging
from collections.abc import Mapping

from aiohttp import ClientError as HTTPException

from esm_operator.api.resource import Key
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.cluster.transport import ApiError, describe_failure
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.ownership import owner_of
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Orphans that one log line names.
_MOST_NAMED = 10


class OrphanCounter:
    """Counts the orphans of one account and region. For one event loop."""

    def __init__(self, cluster: str, namespaces: list[str], cache: ResourceCache, kubernetes: KubernetesClient) -> None:
        """The namespaces are those in which the operator manages resources; empty: all."""
        self._cluster = cluster
        self._namespaces = namespaces
        self._cache = cache
        self._kubernetes = kubernetes
        self._last: int | None = None
        self._seen: set[str] = set()
        self._reports = ReportFilter()
        """By UUID."""

    async def count(self, tagged: Mapping[str, Mapping[str, str]]) -> int | None:
        """The number of orphans. If the API server fails, the number of the last count; None: there was no count yet.

        Args:
            tagged: the tags of the mappings that exist and carry this cluster's tag, by UUID.
        """
        try:
            self._last = await self._count(tagged)
        except (ApiError, HTTPException, TimeoutError) as error:
            text = describe_failure(error)
            logger.warning("%s, so the operator could not count orphans. The next tag sweep retries.", text)
        return self._last

    async def _count(self, tagged: Mapping[str, Mapping[str, str]]) -> int:
        living = LivingResources.of(self._cache.all(), self._namespaces)
        found = {uuid for uuid, tags in tagged.items() if why_orphan(uuid, tags, self._cluster, living, tagged)}
        owners = {uuid: owner_of(tagged[uuid]) for uuid in found}
        keys = {uuid: Key(owner.namespace, owner.name) for uuid, owner in owners.items() if owner is not None}
        unknown = {uuid: key for uuid, key in keys.items() if key not in living.resources}
        if unknown:
            there = await self._kubernetes.list_metadata(self._namespaces)
            found -= {uuid for uuid, key in unknown.items() if key in there}
        orphans, self._seen = found & self._seen, found
        new = [f"{uuid} of {owners[uuid]}" for uuid in orphans if self._reports.admit(uuid)]
        if new:
            more = f" and {len(new) - _MOST_NAMED} more" if len(new) > _MOST_NAMED else ""
            logger.warning(
                "Mappings carry the owner tags of this cluster but have no resource: %s%s. To list them, run: "
                "esm-operator orphans",
                ", ".join(new[:_MOST_NAMED]),
                more,
            )
        self._reports.keep(orphans)
        return len(orphans)
