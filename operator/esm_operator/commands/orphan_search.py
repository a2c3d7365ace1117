"""The search of ``esm-operator orphans``: mappings with this cluster's owner tags that belong to no resource.

Orphans remain when a finalizer is removed by hand, or a resource is released. The cluster and AWS are not read at one
instant, so the search reads both again before it reports an orphan.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.api import identity
from esm_operator.api.resource import parse
from esm_operator.api.sources import parse_arn
from esm_operator.aws.connections import Connections
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.commands.account import Account, ReadError, connections
from esm_operator.commands.console import Console
from esm_operator.planning.orphans import LivingResources, why_orphan
from esm_operator.planning.ownership import CLUSTER, owner_of
from esm_operator.planning.target import ProviderConfigSettings, Target, known_targets, provider_config


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

    orphans: list[Orphan]
    looked_at: int
    """The number of mappings that were listed, of any owner."""
    regions: list[str]
    """The regions that were searched."""
    failures: list[str]


@dataclass(slots=True)
class OrphanSearch:
    """One search through all known targets."""

    kubernetes: KubernetesClient
    cluster: str
    operator: ProviderConfigSettings
    """The settings, for resources without a ProviderConfig."""
    namespaces: list[str]
    regions: list[str]
    """Regions to search in addition to those that the cluster names."""
    requests_per_second: float
    thorough: bool
    console: Console

    async def find(self) -> SearchResult:
        """Search all targets. Raises ApiError, GoneError, aiohttp.ClientError or TimeoutError of the cluster."""
        living = await self._living()
        configs = [provider_config(body) for body in await self.kubernetes.list_plural(PROVIDER_CONFIGS)]
        asked = [resource.asked for resource in living.resources.values()]
        targets = known_targets(asked, configs, self.operator, self.regions)
        result = SearchResult([], 0, [], [])
        if not targets:
            result.failures.append("No AWS region is known. Set --region, or name some by --regions.")
        tagged = [target for target in targets if target.owner_tags]
        for region in sorted({one.region for one in targets} - {one.region for one in tagged}):
            text = f"{region}: mappings carry no owner tags there (ownership ResourceOnly), so orphans cannot be found."
            self.console.say(text) if tagged else result.failures.append(text)
        connected = connections("orphans")
        try:
            for ways in (await self._connect(tagged, connected, result.failures)).values():
                try:
                    candidates = await self._candidates_by_any(ways, living)
                    result.orphans += await self._confirmed(candidates)
                except ReadError as error:
                    result.failures.append(str(error))
                    continue
                result.looked_at += len(candidates.there)
                result.regions = sorted({*result.regions, candidates.account.target.region})
        finally:
            connected.close()
        result.orphans.sort(key=lambda one: (one.account, one.region, one.owner, one.uuid))
        return result

    async def _living(self) -> LivingResources:
        resources = [parse(body) async for body in self.kubernetes.list_resources(self.namespaces)]
        return LivingResources.of(resources, self.namespaces)

    async def _connect(
        self, targets: list[Target], connected: Connections, failures: list[str]
    ) -> dict[tuple[str, ...], list[Account]]:
        """By account, region and endpoint, the targets that lead there."""
        reached: dict[tuple[str, ...], list[Account]] = {}
        for target in targets:
            try:
                account = await Account.connect(target, connected, self.requests_per_second)
            except ReadError as error:
                failures.append(str(error))
                continue
            place = (account.number, target.region, target.access.endpoint_url)
            reached.setdefault(place, []).append(account)
        return reached

    async def _candidates_by_any(self, ways: list[Account], living: LivingResources) -> "_Candidates":
        """Search with the first target whose credentials suffice."""
        for account in ways[:-1]:
            try:
                return await self._candidates(account, living)
            except ReadError:
                continue
        return await self._candidates(ways[-1], living)

    async def _candidates(self, account: Account, living: LivingResources) -> "_Candidates":
        mappings: dict[str, Mapping[str, Any]] = {}
        async for mapping in account.mappings():
            mappings[str(mapping["UUID"])] = mapping
            self.console.report_progress(f"{account.place}: {len(mappings)} mappings listed")
        tags = await self._tags(account, [one for uuid, one in mappings.items() if uuid not in living.uuids])
        candidates = {
            uuid: mappings[uuid]
            for uuid, its_tags in tags.items()
            if uuid in mappings and why_orphan(uuid, its_tags, self.cluster, living, mappings)
        }
        return _Candidates(account, candidates, frozenset(mappings))

    async def _tags(self, account: Account, unknown: list[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
        """The tags of this cluster's mappings, or of the mappings that no resource knows."""
        if not self.thorough:
            try:
                return await account.tagged({CLUSTER: self.cluster})
            except ReadError as error:
                if not error.denied:
                    raise
                self.console.say(f"{error} The tags of each mapping are listed instead.")
        return await account.list_tags(unknown, self.console)

    async def _confirmed(self, candidates: "_Candidates") -> list[Orphan]:
        """The candidates that are still orphans after their tags and the resources were read again."""
        if not candidates.mappings:
            return []
        account = candidates.account
        living = await self._living()
        tags = await account.list_tags(candidates.mappings.values(), self.console)
        return [
            _orphan(candidates.mappings[uuid], tags[uuid], why, account)
            for uuid in tags
            if (why := why_orphan(uuid, tags[uuid], self.cluster, living, candidates.there))
        ]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Mappings of one account and region that are orphans at first sight."""

    account: Account
    mappings: Mapping[str, Mapping[str, Any]]
    there: Collection[str]
    """The UUIDs of all mappings that were listed."""


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
