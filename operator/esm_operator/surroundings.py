"""The surroundings of the resources: ProviderConfigs and the labels of namespaces.

Written by the handlers, asked by the reconciler where a resource's mapping lives.
"""

from collections.abc import Mapping
from typing import Any

from esm_operator.store import Resource
from esm_operator.target import ProviderConfig, Resolved, Unresolved, provider_config, resolve

PROVIDER_CONFIGS = "providerconfigs"


class Surroundings:
    """What a resource's target depends on, beside the resource."""

    def __init__(self, operator: ProviderConfig) -> None:
        """
        Args:
            operator: what the operator's own settings say, for resources without any ProviderConfig.
        """
        self._operator = operator
        self._configs: dict[str, ProviderConfig] = {}
        self._labels: dict[str, Mapping[str, str]] = {}

    def resolve(self, resource: Resource) -> Resolved | Unresolved:
        """Where the resource's mapping lives."""
        namespace = resource.key.namespace
        return resolve(
            resource.spec,
            namespace=namespace,
            namespace_labels=self._labels.get(namespace, {}),
            configs=self._configs,
            operator=self._operator,
        )

    def default(self) -> Resolved | Unresolved:
        """Where a mapping lives that says nothing of it."""
        return resolve({}, namespace="", namespace_labels={}, configs=self._configs, operator=self._operator)

    def put_config(self, body: Mapping[str, Any]) -> bool:
        """A ProviderConfig as the cluster has it. Returns whether it differs from what was known."""
        config = provider_config(body)
        changed = self._configs.get(config.name) != config
        self._configs[config.name] = config
        return changed

    def forget_config(self, name: str) -> bool:
        """A ProviderConfig is gone. Returns whether it was known."""
        return self._configs.pop(name, None) is not None

    def put_namespace(self, body: Mapping[str, Any]) -> bool:
        """A namespace as the cluster has it. Returns whether its labels differ and matter to anybody."""
        name, labels = body["metadata"]["name"], body["metadata"].get("labels") or {}
        changed = self._labels.get(name) != labels
        self._labels[name] = labels
        return changed and any(config.namespace_selector for config in self._configs.values())

    def forget_namespace(self, name: str) -> None:
        """A namespace is gone."""
        self._labels.pop(name, None)
