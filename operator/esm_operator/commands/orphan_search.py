"""The search of ``esm-operator orphans`` for mappings that have this cluster's owner tags and no resource.

Orphans remain when somebody removes a finalizer by hand, or when a resource is released. The cluster and AWS are not
read at the same instant. So the search reads both again before it reports an orphan.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.api import identity
from esm_operator.api.resource import Resource, parse
from esm_operator.api.sources import parse_arn
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.commands.account import Account, Console, ReadError, connections
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.ownership import CLUSTER, owner_of
from esm_operator.planning.target import ProviderConfigSettings, known_targets, provider_config
from esm_operator.settings import CommonSettings, Items, is_cluster_name


@dataclass(frozen=True, slots=True)
class Orphan:
    """A mapping of this cluster that has no resource."""

    uuid: str
    account: str
    region: str
    state: str
    function: str
    source: str
    owner: str
    """``cluster/namespace/name``, or ``cluster`` if the owner tags are incomplete."""
    why: str
    endpoint_url: str = ""


@dataclass(slots=True)
class SearchResult:
    """The orphans, and the reasons why a part of AWS could not be searched."""

    cluster: str = ""
    """The name of the cluster; empty if it is unknown."""
    orphans: list[Orphan] = field(default_factory=list[Orphan])
    examined: int = 0
    """The number of mappings that were listed, of all owners."""
    regions: set[str] = field(default_factory=set[str])
    """The regions that were searched."""
    other_clusters: Counter[str] = field(default_factory=Counter[str])
    """The number of mappings with the owner tags of other clusters, by the name of the cluster."""
    own: int = 0
    """The number of mappings with the owner tags of this cluster that no resource uses."""
    failures: list[str] = field(default_factory=list[str])


class SearchFlags(CommonSettings):
    """The flags of the command about the search."""

    cluster_name: Annotated[str, AfterValidator(is_cluster_name)] = Field(default="", max_length=256)
    """Name of this cluster in the owner tags, as in `esm-operator run`. Default: the name in the owner tags that the
    resources of the cluster have in their status."""

    thorough: bool = False
    """Read the tags of each mapping with a request of its own. By default, the tags come from the Resource Groups
    Tagging API, which can miss mappings that were created or tagged in the last minutes."""

    regions: Items = Field(default_factory=list[str])
    """More regions to search. Name a region if no ProviderConfig and no remaining resource is in it."""

    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    """Maximum number of requests per second to AWS Lambda, for each account and region. A running operator sends its
    own requests in addition."""


@dataclass(frozen=True, slots=True)
class OrphanSearch:
    """One search in all known accounts and regions."""

    kubernetes: KubernetesClient
    flags: SearchFlags
    console: Console

    async def find(self) -> SearchResult:
        """Search all targets. Raises ApiError, GoneError, aiohttp.ClientError or TimeoutError of the cluster."""
        flags, living = self.flags, await self._living()
        names = {flags.cluster_name} if flags.cluster_name else cluster_names(living.resources.values())
        result = SearchResult(cluster=names.pop() if len(names) == 1 else "")
        region, endpoint_url = flags.default_region(), flags.endpoint_url
        operator = ProviderConfigSettings(
            "(operator)", region=region, endpoint_url=endpoint_url, owner_tags=flags.owner_tags
        )
        configs = [provider_config(body) for body in await self.kubernetes.list_plural(PROVIDER_CONFIGS)]
        asked = [resource.requested_target for resource in living.resources.values()]
        all_targets = known_targets(asked, configs, operator, flags.regions)
        regions = known_regions() | {*flags.more_regions, *flags.regions}
        targets = [target for target in all_targets if target.region in regions]
        for region in sorted({target.region for target in all_targets} - regions):
            self.console.say(
                f"{region}: not searched, because AWS has no such region that this version knows. If it is new, set "
                f"--more-regions={region}."
            )
        if not targets:
            result.failures.append("No AWS region is known. Set --region or --regions.")
        tagged = [target for target in targets if target.owner_tags]
        for region in sorted({one.region for one in targets} - {one.region for one in tagged}):
            text = f"{region}: mappings have no owner tags there (ownership ResourceOnly), so orphans cannot be found."
            self.console.say(text) if tagged else result.failures.append(text)
        connected = connections("orphans", result.cluster)
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
        if not result.cluster:
            result.failures.append(_unknown_name(names, result))
        result.orphans.sort(key=lambda one: (one.account, one.region, one.owner, one.uuid))
        return result

    async def _living(self) -> LivingResources:
        bodies = self.kubernetes.list_resources(self.flags.namespaces)
        resources = [parse(body) async for body in bodies]
        return LivingResources.of(resources, self.flags.namespaces)

    async def _search(self, account: Account, living: LivingResources, result: SearchResult) -> None:
        """Add the orphans of one account and region to the result."""
        mappings = {str(mapping["UUID"]): mapping async for mapping in account.mappings()}
        unknown = [one for uuid, one in mappings.items() if uuid not in living.uuids]
        if self.flags.thorough:
            tags = await account.list_tags(unknown)
        else:
            tags = await account.tags_in_bulk(unknown, {CLUSTER: ""})
        named = Counter(tags[str(one["UUID"])].get(CLUSTER, "") for one in unknown if str(one["UUID"]) in tags)
        result.own += named.pop(result.cluster, 0) if result.cluster else 0
        result.other_clusters.update({name: number for name, number in named.items() if name})
        candidates = [mappings[uuid] for uuid in _why_orphans(tags, living, mappings, result.cluster)]
        if candidates:
            living = await self._living()
            tags = await account.list_tags(candidates)
            for uuid, why in _why_orphans(tags, living, mappings, result.cluster).items():
                result.orphans.append(_orphan(mappings[uuid], tags[uuid], why, account))
        result.examined += len(mappings)
        result.regions.add(account.target.region)


def cluster_names(resources: Iterable[Resource]) -> set[str]:
    """The names in the owner tags of the mappings that belong to these resources. Usually it is one name."""
    names: set[str] = set()
    for resource in resources:
        owner = owner_of(resource.recorded_tags or {})
        if owner is not None and (owner.namespace, owner.name) == resource.key:
            names.add(owner.cluster)
    return names


def names_and_numbers(clusters: Mapping[str, int]) -> str:
    """``blue (12), green (1)``."""
    return ", ".join(f"{name} ({number:,})" for name, number in sorted(clusters.items()))


def _unknown_name(names: Collection[str], result: SearchResult) -> str:
    """Why the name of the cluster is unknown, and what to do."""
    why = (
        f"the resources of this cluster have several names in their status: {', '.join(sorted(names))}"
        if names
        else "no resource of this cluster has owner tags in its status"
    )
    found = f" Names of clusters in the tags of mappings: {names_and_numbers(result.other_clusters)}."
    return (
        f"The name of this cluster is unknown, because {why}. Set --cluster-name to the value of "
        f"`esm-operator run --cluster-name`.{found if result.other_clusters else ''}"
    )


def _why_orphans(
    tags: Mapping[str, Mapping[str, str]], living: LivingResources, there: Collection[str], cluster: str
) -> dict[str, str]:
    """The orphans among the mappings that exist, and why each of them is one, by UUID."""
    if not cluster:
        return {}
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
