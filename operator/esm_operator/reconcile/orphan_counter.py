"""Counts orphans while the operator runs, so that no leak is silent: see ``rule.py`` for what an orphan is.

The tag sweep calls it with the mappings that carry this cluster's owner tags. It sends nothing to AWS. Where a mapping
has no resource in the store, it lists the names of all resources from the API server: another operator of the cluster
may work on that resource, or the watch may be late. A mapping counts when two sweeps in a row find it.
"""

import logging
from collections.abc import Mapping
from itertools import islice

from aiohttp import ClientError as HTTPException

from esm_operator.api.resource import Key
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.kubernetes import ApiError, KubernetesClient
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.ownership import owner_of
from esm_operator.ratelimit.report_filter import ReportFilter

logger = logging.getLogger(__name__)

#: Orphans that one log line names.
_MOST_NAMED = 10


class OrphanCounter:
    """Counts the orphans of one account and region. For one event loop."""

    def __init__(self, cluster: str, namespaces: list[str], cache: ResourceCache, kubernetes: KubernetesClient) -> None:
        """
        Args:
            cluster: the operator's ``cluster_name``.
            namespaces: the namespaces that the operator works in; empty: all.
            cache: the resources that the operator works on.
            kubernetes: the API server.
        """
        self._cluster = cluster
        self._namespaces = namespaces
        self._cache = cache
        self._kubernetes = kubernetes
        self._last: int | None = None
        self._seen: set[str] = set()
        self._reports = ReportFilter()
        """By UUID."""

    async def count(self, tagged: Mapping[str, Mapping[str, str]]) -> int | None:
        """The number of orphans; while the API server can't be asked, that of the last count (None: there is none).

        Args:
            tagged: the tags of the mappings that exist and carry this cluster's tag, by UUID.
        """
        try:
            self._last = await self._count(tagged)
        except (ApiError, HTTPException, TimeoutError) as error:
            logger.warning(
                "Counting orphans failed; the next tag sweep retries: %s", str(error) or type(error).__name__
            )
        return self._last

    async def _count(self, tagged: Mapping[str, Mapping[str, str]]) -> int:
        living = LivingResources.of(self._cache.all(), self._namespaces)
        found = {uuid for uuid, tags in tagged.items() if why_orphan(uuid, tags, self._cluster, living, tagged)}
        unknown = {uuid: key for uuid in found if (key := _owner(tagged[uuid])) not in living.resources}
        if unknown:
            there = await self._kubernetes.list_metadata(self._namespaces)
            found -= {uuid for uuid, key in unknown.items() if key in there}
        orphans, self._seen = found & self._seen, found
        self._report({uuid: tagged[uuid] for uuid in orphans if self._reports.admit(uuid)})
        self._reports.keep(orphans)
        return len(orphans)

    def _report(self, orphans: Mapping[str, Mapping[str, str]]) -> None:
        if orphans:
            named = ", ".join(f"{uuid} of {owner_of(tags)}" for uuid, tags in islice(orphans.items(), _MOST_NAMED))
            more = f" and {len(orphans) - _MOST_NAMED} more" if len(orphans) > _MOST_NAMED else ""
            logger.warning(
                "Mappings carry the owner tags of this cluster but have no resource: %s%s. To list them, run: "
                "esm-operator orphans",
                named,
                more,
            )


def _owner(tags: Mapping[str, str]) -> Key | None:
    owner = owner_of(tags)
    return Key(owner.namespace, owner.name) if owner is not None else None
