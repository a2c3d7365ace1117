"""The surroundings of the resources: ProviderConfigs and the labels of namespaces.

Written by the handlers, asked by the reconciler where a resource's mapping lives.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from esm_operator.api.recorded_status import Condition, parse_conditions
from esm_operator.api.resource import Resource
from esm_operator.api.spec import RequestedTarget
from esm_operator.planning.target import (
    ProviderConfigSettings,
    Resolved,
    Target,
    Unresolved,
    provider_config,
    resolve,
    used_config,
)

PROVIDER_CONFIGS = "providerconfigs"


@dataclass(frozen=True, slots=True)
class ProviderConfigObject:
    """A ProviderConfig as an object of the cluster: what decides whether it may go."""

    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    conditions: tuple[Condition, ...]


def config_object(body: Mapping[str, Any]) -> ProviderConfigObject:
    """The object that the API server answers."""
    meta = body["metadata"]
    return ProviderConfigObject(
        name=str(meta["name"]),
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=tuple(meta.get("finalizers") or ()),
        conditions=parse_conditions(body.get("status") or {}),
    )


class ConfigCache:
    """What a resource's target depends on, beside the resource."""

    def __init__(self, operator: ProviderConfigSettings, *, labels_known: bool = True) -> None:
        """
        Args:
            operator: what the operator's own settings say, for resources without any ProviderConfig.
            labels_known: whether the labels of namespaces are put here.
        """
        self._operator = operator
        self._labels_known = labels_known
        self._configs: dict[str, ProviderConfigSettings] = {}
        self._objects: dict[str, ProviderConfigObject] = {}
        self._labels: dict[str, Mapping[str, str]] = {}

    def resolve(self, resource: Resource) -> Resolved | Unresolved:
        """Where the resource's mapping lives."""
        return self._resolve(resource, self._configs)

    def default(self) -> Resolved | Unresolved:
        """Where a mapping lives that says nothing of it."""
        return resolve(
            RequestedTarget(), namespace="", namespace_labels={}, configs=self._configs, operator=self._operator
        )

    def targets(self, resources: Iterable[Resource]) -> set[Target]:
        """Where the mappings of resources live; while there are none, where the first will, as far as that is known.

        Nothing else is looked at: what the operator's own credentials lead to may be no business of it.
        """
        found = {one.target for one in map(self.resolve, resources) if isinstance(one, Resolved)}
        default = self.default()
        if found or not isinstance(default, Resolved) or (self._configs and not default.config):
            return found
        return {default.target}

    def config_of(self, resource: Resource) -> str:
        """The name of the ProviderConfig that the resource's mapping is reached by; empty: of none."""
        return used_config(resource.asked, self._configs)

    def depends_on(self, resource: Resource, name: str) -> bool:
        """Whether without a ProviderConfig the resource's mapping would be reached otherwise, or not at all."""
        if self.config_of(resource) != name:
            return False
        if resource.asked.config:
            return True
        others = {other: config for other, config in self._configs.items() if other != name}
        now, then = self._resolve(resource, self._configs), self._resolve(resource, others)
        return not (isinstance(now, Resolved) and isinstance(then, Resolved) and now.target == then.target)

    def config(self, name: str) -> ProviderConfigObject | None:
        """A ProviderConfig as an object of the cluster, if there is one."""
        return self._objects.get(name)

    def configs(self) -> list[ProviderConfigObject]:
        """All ProviderConfigs as objects of the cluster."""
        return list(self._objects.values())

    def put_config(self, body: Mapping[str, Any]) -> bool:
        """A ProviderConfig as the cluster has it, unless a newer version is known.

        Returns:
            whether it leads elsewhere than what was known, or is another.
        """
        seen = config_object(body)
        known = self._objects.get(seen.name)
        if known is not None and known.uid == seen.uid and _version(known) > _version(seen):
            return False
        self._objects[seen.name] = seen
        config = provider_config(body)
        changed = known is None or known.uid != seen.uid or self._configs.get(config.name) != config
        self._configs[config.name] = config
        return changed

    def put_all_configs(self, bodies: Iterable[Mapping[str, Any]], known: Iterable[ProviderConfigObject]) -> list[str]:
        """A list of all ProviderConfigs, for the watch says nothing of what went while it was cut.

        Args:
            bodies: the list.
            known: what ``configs`` answered before the list was asked for; those of them that it lacks are gone.

        Returns:
            the names of those that lead elsewhere than what was known, or are others.
        """
        listed = {str(body["metadata"]["name"]): body for body in bodies}
        gone = [config.name for config in known if config.name not in listed and self.forget_config(config.name)]
        return gone + [name for name, body in listed.items() if self.put_config(body)]

    def forget_config(self, name: str) -> bool:
        """A ProviderConfig is gone. Returns whether it was known."""
        self._objects.pop(name, None)
        return self._configs.pop(name, None) is not None

    def put_namespace(self, body: Mapping[str, Any]) -> bool:
        """A namespace as the cluster has it. Returns whether its labels differ and matter to anybody."""
        meta: Mapping[str, Any] = body["metadata"]
        name: str = meta["name"]
        labels: Mapping[str, str] = meta.get("labels") or {}
        changed = self._labels.get(name) != labels
        self._labels[name] = labels
        return changed and any(config.namespace_selector for config in self._configs.values())

    def forget_namespace(self, name: str) -> None:
        """A namespace is gone."""
        self._labels.pop(name, None)

    def _resolve(self, resource: Resource, configs: Mapping[str, ProviderConfigSettings]) -> Resolved | Unresolved:
        namespace = resource.key.namespace
        return resolve(
            resource.asked,
            namespace=namespace,
            namespace_labels=self._labels.get(namespace) if self._labels_known else None,
            labels_come=self._labels_known,
            configs=configs,
            operator=self._operator,
        )


def _version(config: ProviderConfigObject) -> int:
    """Versions count up (Kubernetes API concepts, since 1.35); 0: this one is not a number."""
    return int(config.resource_version) if config.resource_version.isdecimal() else 0
