"""Orphans: mappings at AWS that carry this cluster's owner tags, and that no resource stands for.

They are left behind when a finalizer is removed by hand, or a resource is let go. ``esm-operator orphans`` lists
them and says how to delete each or to take it up; it only reads. The cluster and AWS are not seen at one instant,
so what looks like an orphan is looked at once more, in both, before it is told.
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
    """A mapping of this cluster that no resource stands for."""

    uuid: str
    account: str
    region: str
    state: str
    function: str
    source: str
    owner: str
    """``cluster/namespace/name``, as far as its tags say."""
    why: str
    endpoint_url: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, and why not everything could be looked at."""

    orphans: list[Orphan]
    looked_at: int
    """How many mappings were listed, whosever they are."""
    regions: list[str]
    """The regions that could be looked in."""
    failures: list[str]


@dataclass(slots=True)
class OrphanSearch:
    """One search through all targets that are known."""

    kubernetes: KubernetesClient
    cluster: str
    operator: ProviderConfigSettings
    """What the settings say, for resources without any ProviderConfig."""
    namespaces: list[str]
    regions: list[str]
    """Regions to look in, beside those that the cluster tells."""
    requests_per_second: float
    thorough: bool
    console: Console

    async def find(self) -> SearchResult:
        """Look everywhere.

        Raises:
            kube.ApiError, kube.GoneError, aiohttp.ClientError, TimeoutError: the cluster can't be asked.
        """
        living = await self._living()
        configs = [provider_config(body) for body in await self.kubernetes.list_plural(PROVIDER_CONFIGS)]
        asked = [resource.asked for resource in living.resources.values()]
        orphans: list[Orphan] = []
        looked_at = 0
        regions: set[str] = set()
        failures: list[str] = []
        targets = known_targets(asked, configs, self.operator, self.regions)
        if not targets:
            failures.append("No AWS region is known. Set --region, or name some by --regions.")
        tagged = [target for target in targets if target.owner_tags]
        for region in sorted({one.region for one in targets} - {one.region for one in tagged}):
            text = f"{region}: mappings carry no owner tags there (ownership ResourceOnly), so orphans cannot be found."
            self.console.say(text) if tagged else failures.append(text)
        connected = connections("orphans")
        try:
            for ways in (await self._connect(tagged, connected, failures)).values():
                try:
                    candidates, listed = await self._candidates_by_any(ways, living)
                    orphans += await self._confirmed(candidates)
                except ReadError as error:
                    failures.append(str(error))
                    continue
                looked_at += listed
                regions.add(candidates.account.target.region)
        finally:
            connected.close()
        orphans.sort(key=lambda one: (one.account, one.region, one.owner, one.uuid))
        return SearchResult(orphans, looked_at, sorted(regions), failures)

    async def _living(self) -> LivingResources:
        resources = [parse(body) async for body in self.kubernetes.list_resources(self.namespaces)]
        return LivingResources.of(resources, self.namespaces)

    async def _connect(
        self, targets: list[Target], connected: Connections, failures: list[str]
    ) -> dict[tuple[str, ...], list[Account]]:
        """The accounts and regions that the targets lead to; several may lead to one."""
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

    async def _candidates_by_any(self, ways: list[Account], living: LivingResources) -> tuple["_Candidates", int]:
        """Look by the first way whose credentials suffice."""
        for account in ways[:-1]:
            try:
                return await self._candidates(account, living)
            except ReadError:
                continue
        return await self._candidates(ways[-1], living)

    async def _candidates(self, account: Account, living: LivingResources) -> tuple["_Candidates", int]:
        """The mappings of one account and region that look as if they were orphans, and how many were listed."""
        mappings: dict[str, Mapping[str, Any]] = {}
        async for mapping in account.mappings():
            mappings[str(mapping["UUID"])] = mapping
            self.console.report_progress(f"{account.place}: {len(mappings)} mappings listed")
        nominated = None if self.thorough else await self._nominated(account)
        if nominated is None:
            unknown = [mapping for uuid, mapping in mappings.items() if uuid not in living.uuids]
            nominated = await account.list_tags(unknown, self.console)
        candidates = {
            uuid: mappings[uuid]
            for uuid, tags in nominated.items()
            if uuid in mappings and why_orphan(uuid, tags, self.cluster, living, mappings)
        }
        return _Candidates(account, candidates, frozenset(mappings)), len(mappings)

    async def _nominated(self, account: Account) -> dict[str, Mapping[str, str]] | None:
        """What the tagging API says of mappings of this cluster; None: it may not be asked."""
        try:
            return await account.tagged({CLUSTER: self.cluster})
        except ReadError as error:
            if not error.denied:
                raise
            self.console.say(f"{error} The tags of each mapping are listed instead.")
            return None

    async def _confirmed(self, candidates: "_Candidates") -> list[Orphan]:
        """Those that are still orphans now that their tags and the resources are looked at once more."""
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
    account: Account
    mappings: Mapping[str, Mapping[str, Any]]
    there: Collection[str]
    """The UUIDs of all mappings that were listed."""


def _orphan(mapping: Mapping[str, Any], tags: Mapping[str, str], why: str, account: Account) -> Orphan:
    what = identity.of_mapping(mapping)
    arn = parse_arn(str(mapping["EventSourceMappingArn"]))
    owner = owner_of(tags)
    return Orphan(
        uuid=str(mapping["UUID"]),
        account=arn.account if arn is not None else "",
        region=account.target.region,
        state=str(mapping.get("State", "")),
        function=what.function,
        source=" ".join([*what.source.split("|"), *sorted(what.servers)]),
        owner=str(owner) if owner is not None else tags[CLUSTER],
        why=why,
        endpoint_url=account.target.access.endpoint_url,
    )
