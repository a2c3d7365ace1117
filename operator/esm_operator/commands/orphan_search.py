"""The search of ``esm-operator orphans``: mappings with this cluster's owner tags that belong to no resource.

Orphans remain when a finalizer is removed by hand, or a resource is released. The cluster and AWS are not read at one
instant, so the search reads both again before it reports an orphan.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from esm_operator.api import identity
from esm_operator.api.resource import parse
from esm_operator.api.sources import parse_arn
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.commands.account import Account, Console, ReadError, connections
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.ownership import CLUSTER, owner_of
from esm_operator.planning.target import ProviderConfigSettings, known_targets, provider_config
from esm_operator.settings import CommonSettings, Items


@dataclass(frozen=True, slots=True)
class Orphan:
    """A mapping of this cluster that belongs to no resource."""

    uuid: str
    account: str
    region: str
    state: str
    function: str
    source: str
    owner: str
    """``cluster/namespace/name``, or ``cluster`` if its owner tags are incomplete."""
    why: str
    endpoint_url: str = ""


@dataclass(slots=True)
class SearchResult:
    """The orphans, and why a part of AWS could not be searched."""

    orphans: list[Orphan] = field(default_factory=list[Orphan])
    examined: int = 0
    """The number of mappings that were listed, of any owner."""
    regions: set[str] = field(default_factory=set[str])
    """The regions that were searched."""
    failures: list[str] = field(default_factory=list[str])


class SearchFlags(CommonSettings):
    """Where and how to search: the flags of the command."""

    thorough: bool = False
    """List the tags of each mapping, rather than ask the tagging API, which may leave out mappings that were
    made or tagged in the last minutes. Takes a request for each mapping that no resource knows."""

    regions: Items = Field(default_factory=list[str])
    """Regions to look in too, separated by commas or repeated; needed where none of the resources left, nor any
    ProviderConfig, names the region."""

    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Requests a second to AWS Lambda, for each account and region, beside those of the operator that runs."""


@dataclass(frozen=True, slots=True)
class OrphanSearch:
    """One search through all known targets."""

    kubernetes: KubernetesClient
    flags: SearchFlags
    console: Console

    async def find(self) -> SearchResult:
        """Search all targets. Raises ApiError, GoneError, aiohttp.ClientError or TimeoutError of the cluster."""
        flags, living, result = self.flags, await self._living(), SearchResult()
        region, endpoint_url = flags.default_region(), flags.endpoint_url
        operator = ProviderConfigSettings(
            "(operator)", region=region, endpoint_url=endpoint_url, owner_tags=flags.owner_tags
        )
        configs = [provider_config(body) for body in await self.kubernetes.list_plural(PROVIDER_CONFIGS)]
        asked = [resource.requested_target for resource in living.resources.values()]
        targets = known_targets(asked, configs, operator, flags.regions)
        if not targets:
            result.failures.append("No AWS region is known. Set --region, or name some by --regions.")
        tagged = [target for target in targets if target.owner_tags]
        for region in sorted({one.region for one in targets} - {one.region for one in tagged}):
            text = f"{region}: mappings carry no owner tags there (ownership ResourceOnly), so orphans cannot be found."
            self.console.say(text) if tagged else result.failures.append(text)
        connected = connections("orphans")
        searched: dict[tuple[str, ...], str] = {}  # by account, region and endpoint, the failure, or ""
        try:
            for target in tagged:
                try:
                    account = await Account.connect(target, connected, flags.requests_per_second, self.console)
                except ReadError as error:
                    result.failures.append(str(error))
                    continue
                place = (account.number, target.region, target.access.endpoint_url)
                if searched.get(place) == "":
                    continue  # other credentials have sufficed
                try:
                    await self._search(account, living, result)
                    searched[place] = ""
                except ReadError as error:
                    searched[place] = str(error)
        finally:
            connected.close()
        result.failures += filter(None, searched.values())
        result.orphans.sort(key=lambda one: (one.account, one.region, one.owner, one.uuid))
        return result

    async def _living(self) -> LivingResources:
        resources = [parse(body) async for body in self.kubernetes.list_resources(self.flags.namespaces)]
        return LivingResources.of(resources, self.flags.namespaces)

    async def _search(self, account: Account, living: LivingResources, result: SearchResult) -> None:
        """Add the orphans of one account and region to the result."""
        mappings = {str(mapping["UUID"]): mapping async for mapping in account.mappings()}
        unknown = [one for uuid, one in mappings.items() if uuid not in living.uuids]
        if self.flags.thorough:
            tags = await account.list_tags(unknown)
        else:
            tags = await account.tags_in_bulk(unknown, {CLUSTER: self.flags.cluster_name})
        candidates = [mappings[uuid] for uuid in self._why_orphans(tags, living, mappings)]
        if candidates:
            living = await self._living()
            tags = await account.list_tags(candidates)
            for uuid, why in self._why_orphans(tags, living, mappings).items():
                result.orphans.append(_orphan(mappings[uuid], tags[uuid], why, account))
        result.examined += len(mappings)
        result.regions.add(account.target.region)

    def _why_orphans(
        self, tags: Mapping[str, Mapping[str, str]], living: LivingResources, there: Collection[str]
    ) -> dict[str, str]:
        """The orphans among the mappings that exist, and why each of them is one, by UUID."""
        cluster = self.flags.cluster_name
        found = {uuid: why_orphan(uuid, tags[uuid], cluster, living, there) for uuid in tags if uuid in there}
        return {uuid: why for uuid, why in found.items() if why}


def _orphan(mapping: Mapping[str, Any], tags: Mapping[str, str], why: str, account: Account) -> Orphan:
    what, arn = identity.of_mapping(mapping), parse_arn(str(mapping["EventSourceMappingArn"]))
    return Orphan(
        uuid=str(mapping["UUID"]),
        account=arn.account if arn is not None else "",
        region=account.target.region,
        state=str(mapping.get("State", "")),
        function=what.function,
        source=" ".join([*what.source.split("|"), *sorted(what.servers)]),
        owner=str(owner_of(tags) or tags[CLUSTER]),
        why=why,
        endpoint_url=account.target.access.endpoint_url,
    )
