"""Orphans: mappings with this cluster's owner tags that belong to no existing resource."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from esm_operator.api.resource import Key, Resource
from esm_operator.planning.ownership import CLUSTER, owner_of


@dataclass(frozen=True, slots=True)
class LivingResources:
    """The resources of the cluster, as far as mappings depend on them."""

    resources: Mapping[Key, Resource]
    namespaces: Collection[str] = ()
    """The namespaces of the resources; empty: all."""
    uuids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, resources: Iterable[Resource], namespaces: Collection[str] = ()) -> "LivingResources":
        """From all resources of these namespaces (empty: of all)."""
        found = {resource.key: resource for resource in resources}
        return cls(found, namespaces, frozenset(resource.uuid for resource in found.values() if resource.uuid))


def why_orphan(
    uuid: str, tags: Mapping[str, str], cluster: str, living: LivingResources, there: Collection[str] | None = None
) -> str:
    """Why a mapping is an orphan; empty: it is no orphan. ``there``: all UUIDs of the account and region, if known."""
    if tags.get(CLUSTER) != cluster:
        return ""
    owner = owner_of(tags)
    if owner is None:
        return "" if living.namespaces or uuid in living.uuids else "its owner tags are incomplete"
    if living.namespaces and owner.namespace not in living.namespaces:
        return ""
    resource = living.resources.get(Key(owner.namespace, owner.name))
    if resource is None:
        return "there is no such resource"
    exists = there is None or resource.uuid in there  # else this one may replace the deleted one
    if resource.uuid and resource.uuid != uuid and exists and _is_settled(resource):
        return f"the resource uses another mapping, {resource.uuid}"
    return ""


def _is_settled(resource: Resource) -> bool:
    """Whether nothing is in progress, such as a replacement, that has two mappings for a while."""
    return resource.status_is_current and resource.conditions.get("Ready") == "True" and not resource.deleting
