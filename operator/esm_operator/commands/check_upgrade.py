"""The command ``esm-operator check-upgrade``: lists what the upgrade to a version with stricter defaults affects.

The command reads EventSourceMappings and ProviderConfigs, and sends nothing to AWS. Each change of the operator is one
row of a table. The row finds the affected objects, and has the remedy.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from esm_operator import logs, terminal
from esm_operator.adapters.botocore_regions import known_regions
from esm_operator.api.annotations import ALLOW_TAKEOVER_BY, allowed_takers
from esm_operator.api.resource import Key, Resource, parse
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.transport import ForbiddenError
from esm_operator.commands.cluster_access import connected
from esm_operator.commands.counted import counted
from esm_operator.commands.orphan_search import cluster_names
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.target import ProviderConfigSettings, provider_config, used_config
from esm_operator.settings import FlagsOnly, Items, each, is_namespace, known_region


@dataclass(frozen=True, slots=True)
class Affected:
    """An object that the upgrade affects."""

    object: str
    """``namespace/name`` of an EventSourceMapping, or the name of a ProviderConfig."""
    detail: str
    """What the change concerns, such as the region or the other owner."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster, as far as the changes depend on it."""

    resources: Mapping[Key, Resource]
    consents: Mapping[Key, frozenset[tuple[str, str]]]
    """By resource: those whose take-over it allows."""
    configs: Mapping[str, ProviderConfigSettings]
    empty_selectors: Sequence[str]
    """The ProviderConfigs whose namespaceSelector has no requirements."""
    labels: Mapping[str, Mapping[str, str]]
    """The labels of namespaces, as far as they are known."""
    regions: frozenset[str]
    """The regions that the operator will know."""

    @classmethod
    def of(
        cls,
        mappings: Sequence[Mapping[str, Any]],
        configs: Sequence[Mapping[str, Any]],
        namespaces: Sequence[Mapping[str, Any]] = (),
        more_regions: Collection[str] = (),
    ) -> "Snapshot":
        """From the objects of the API server."""
        resources = {resource.key: resource for resource in map(parse, mappings)}
        settings = {config.name: config for config in map(provider_config, configs)}
        return cls(
            resources,
            dict(map(_consent, mappings)),
            settings,
            sorted(str(body["metadata"]["name"]) for body in configs if _has_empty_selector(body.get("spec") or {})),
            {str(body["metadata"]["name"]): body["metadata"].get("labels") or {} for body in namespaces},
            known_regions() | frozenset(more_regions),
        )

    def config_of(self, resource: Resource) -> str:
        """The name of the ProviderConfig that a resource uses; empty: none."""
        return used_config(resource.requested_target, self.labels.get(resource.key.namespace), self.configs)

    def owners(self, uuid: str) -> list[Resource]:
        """The resources whose statuses record a mapping, and that manage it."""
        return [one for one in self.resources.values() if one.uuid == uuid and not one.spec.observe_only]


def _consent(body: Mapping[str, Any]) -> tuple[Key, frozenset[tuple[str, str]]]:
    meta = body["metadata"]
    annotations: Mapping[str, Any] = meta.get("annotations") or {}
    allowed = allowed_takers(str(annotations.get(ALLOW_TAKEOVER_BY) or ""))
    return Key(meta.get("namespace", ""), meta["name"]), allowed if allowed is not None else frozenset()


def _has_empty_selector(spec: Mapping[str, Any]) -> bool:
    selector = spec.get("namespaceSelector")
    return selector is not None and not (selector.get("matchLabels") or selector.get("matchExpressions"))


def without_config(cluster: Snapshot) -> Iterator[Affected]:
    """The resources to which no ProviderConfig applies."""
    for resource in cluster.resources.values():
        if not cluster.config_of(resource):
            yield Affected(str(resource.key), resource.uuid or "no mapping yet")


def empty_selectors(cluster: Snapshot) -> Iterator[Affected]:
    """The ProviderConfigs with an empty selector, and how many resources use each."""
    used = [cluster.config_of(resource) for resource in cluster.resources.values()]
    for name in cluster.empty_selectors:
        yield Affected(name, f"used by {counted(used.count(name), 'resource')}")


def takeovers(cluster: Snapshot) -> Iterator[Affected]:
    """The resources that have yet to take over a mapping from another namespace or cluster, without its consent."""
    own_clusters = cluster_names(cluster.resources.values())
    for resource in cluster.resources.values():
        wanted = resource.takes_over_from
        owner = owner_of(resource.recorded_tags or {})
        has_taken = owner is not None and (owner.namespace, owner.name) == resource.key
        if wanted is None or has_taken:
            continue
        # Without a mapping in the cluster its name is not known. A resource does not take over from itself.
        others = cluster.resources.keys() - {resource.key}
        former = Key(wanted.namespace, wanted.name)
        here = wanted.cluster in ("", *own_clusters) or (not own_clusters and former in others)
        consents = resource.key in cluster.consents.get(former, frozenset())
        if here and (former.namespace == resource.key.namespace or consents):
            continue
        where = "in this cluster" if here else f"in the cluster {wanted.cluster}"
        yield Affected(str(resource.key), f"takes over from {former} {where}")


def observers(cluster: Snapshot) -> Iterator[Affected]:
    """The resources that observe a mapping of another namespace without consent.

    Without a UUID in the spec, the status shows the mapping and the owner in its tags.
    """
    for resource in cluster.resources.values():
        named = resource.spec.adoption.uuid
        uuid = named or resource.uuid
        if not (resource.spec.observe_only and uuid):
            continue
        owners = cluster.owners(uuid)
        tagged = owner_of(resource.recorded_tags or {})
        if not (named or owners) and (tagged is None or tagged.namespace == resource.key.namespace):
            continue
        shared = any(
            one.key.namespace == resource.key.namespace or resource.key in cluster.consents.get(one.key, frozenset())
            for one in owners
        )
        if not shared:
            whose = ", ".join(str(one.key) for one in owners) or "no resource of this cluster"
            yield Affected(str(resource.key), f"{uuid}, managed by {whose}")


def unknown_regions(cluster: Snapshot) -> Iterator[Affected]:
    """The resources in regions that AWS does not have, as far as this version knows."""
    for resource in cluster.resources.values():
        config = cluster.configs.get(cluster.config_of(resource))
        region = resource.requested_target.region or (config.region if config is not None else "")
        if region and region not in cluster.regions:
            yield Affected(str(resource.key), region)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the operator that needs an action of the affected users."""

    name: str
    """For programs."""
    title: str
    remedy: str
    find: Callable[[Snapshot], Iterator[Affected]]


CHANGES: tuple[Change, ...] = (
    Change(
        "ProviderConfigRequired",
        "Resources to which no ProviderConfig applies. The new version neither changes nor deletes their mappings.",
        "Create a ProviderConfig with the name default that leads to the same account and region. To keep the old "
        "behaviour, set --operator-credentials=WithoutProviderConfig (operatorCredentials in the values of the chart).",
        without_config,
    ),
    Change(
        "EmptyNamespaceSelector",
        "ProviderConfigs whose namespaceSelector has no requirements. The new version admits no namespace to them.",
        "To admit all namespaces, remove spec.namespaceSelector. Otherwise set matchLabels or matchExpressions. Check "
        "the spelling in your manifest, because the API server drops fields that it does not know.",
        empty_selectors,
    ),
    Change(
        "TakeoverNeedsConsent",
        "Resources that take over a mapping of another namespace or cluster. The new version needs consent.",
        f"Within a cluster, set the annotation {ALLOW_TAKEOVER_BY}: NAMESPACE/NAME of the resource in the list, on the "
        "other resource. For another cluster, name it in --takeover-from-clusters of the operator.",
        takeovers,
    ),
    Change(
        "ObserveNeedsAccess",
        "Resources that observe a mapping, and may not have access to it in the new version.",
        "If a resource of another namespace manages the mapping, set the annotation "
        f"{ALLOW_TAKEOVER_BY}: NAMESPACE/NAME of the resource in the list, on that resource. A mapping without an "
        "owner needs no consent.",
        observers,
    ),
    Change(
        "RegionUnknown",
        "Resources in regions that are unknown. The new version sends no requests to them.",
        "Correct the region, or name it in --more-regions of the operator if it is new.",
        unknown_regions,
    ),
)


class CheckUpgrade(FlagsOnly):
    """List the resources and ProviderConfigs that an upgrade to this version affects.

    The command reads the cluster of your kubeconfig, and sends no requests to AWS. Run it with the new version before
    the upgrade. Required permissions: list eventsourcemappings and providerconfigs. With the permission to list
    namespaces, the command also knows the ProviderConfigs that labels of namespaces name.

    Exit status: 0 if the checks found nothing, 3 if they found something, 1 if the cluster could not be read.
    """

    namespaces: Annotated[Items, each(is_namespace)] = Field(default_factory=list[str])
    """Namespaces to check. Default: all namespaces."""

    more_regions: Annotated[Items, each(known_region)] = Field(default_factory=list[str])
    """AWS regions that this version does not know yet, as in `esm-operator run`."""

    output: Literal["table", "json"] = "table"
    """Format of the list."""

    def cli_cmd(self) -> None:
        logs.configure("text", "error")
        found = check(asyncio.run(self._read()))
        if self.output == "json":
            rows = [{"change": c.name, "object": a.object, "detail": a.detail} for c, some in found for a in some]
            terminal.put(json.dumps(rows, indent=2))
        elif found:
            terminal.put("\n\n".join(section(change, affected) for change, affected in found))
        else:
            terminal.put("The checks found no affected resource or ProviderConfig.")
        sys.exit(3 if found else 0)

    async def _read(self) -> Snapshot:
        async with connected("the right cluster") as kubernetes:
            mappings = [body async for body in kubernetes.list_resources(self.namespaces)]
            configs = await kubernetes.list_plural(PROVIDER_CONFIGS)
            return Snapshot.of(mappings, configs, await _namespaces(kubernetes), self.more_regions)


async def _namespaces(kubernetes: KubernetesClient) -> list[dict[str, Any]]:
    """All namespaces. Empty: the user may not list them."""
    try:
        return await kubernetes.list_namespaces()
    except ForbiddenError:
        terminal.say("You may not list namespaces. A label of a namespace that names a ProviderConfig does not count.")
        return []


def check(cluster: Snapshot) -> list[tuple[Change, list[Affected]]]:
    """The changes that affect objects, with these objects."""
    found = [(change, sorted(change.find(cluster), key=lambda one: one.object)) for change in CHANGES]
    return [(change, affected) for change, affected in found if affected]


def section(change: Change, affected: Sequence[Affected]) -> str:
    """A change, the affected objects as columns of text, and the remedy."""
    width = max(len(one.object) for one in affected)
    rows = [f"  {one.object.ljust(width)}  {one.detail}".rstrip() for one in affected]
    return "\n".join([f"{change.name} ({len(affected)}): {change.title}", *rows, change.remedy])
