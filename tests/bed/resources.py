"""Helpers that apply, edit, read, await and delete the EventSourceMappings of one namespace over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

from tests.controlplane.client import KubernetesClient, path
from tests.waiting import LIMIT, eventually

Resource = dict[str, Any]


def condition_of(resource: Mapping[str, Any] | None, kind: str) -> dict[str, Any]:
    """A condition that was written of the spec as it is now; empty: there is none."""
    status = (resource or {}).get("status") or {}
    if resource is None or status.get("observedGeneration") != resource["metadata"]["generation"]:
        return {}
    return next((one for one in status.get("conditions") or () if one["type"] == kind), {})


def is_ready(resource: Mapping[str, Any] | None) -> bool:
    """Whether a resource is Ready for its current spec."""
    return condition_of(resource, "Ready").get("status") == "True"


class Resources:
    """The resources of a namespace, and the ProviderConfigs of the cluster. Thread-safe."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        """
        Args:
            client: a client with the rights of an administrator.
            namespace: a namespace that exists.
        """
        self.client = client
        self.namespace = namespace

    # Changes

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply manifests as ``kubectl apply`` does. Raises ApiError."""
        for one in objects:
            self.client.apply(one, self.namespace)

    def create(self, name: str, spec: Mapping[str, Any]) -> Resource:
        """Create a resource. Raises ExistsError."""
        return self.client.create(
            {
                "apiVersion": "lambda.esm-operator.io/v1",
                "kind": "EventSourceMapping",
                "metadata": {"name": name},
                "spec": spec,
            },
            self.namespace,
        )

    def edit(self, name: str, spec: Mapping[str, Any]) -> bool:
        """Replace the whole spec of a resource. Returns whether the resource exists."""
        return self.client.replace(self.resource_path(name), "/spec", spec) is not None

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Merge fields into the spec of a resource. None removes a field. Raises ApiError."""
        self._merge(name, {"spec": spec})

    def annotate(self, name: str, **annotations: str | None) -> None:
        """Set annotations with the operator's prefix. None removes one. Underscores in names become dashes."""
        self.mark(name, {f"lambda.esm-operator.io/{key.replace('_', '-')}": text for key, text in annotations.items()})

    def mark(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations by their full names. None removes one."""
        self._merge(name, {"metadata": {"annotations": annotations}})

    def label(self, name: str, **labels: str | None) -> None:
        """Set labels of a resource. None removes one."""
        self._merge(name, {"metadata": {"labels": labels}})

    def label_namespace(self, **labels: str | None) -> None:
        """Set labels of the namespace. None removes one."""
        self.client.merge(path("Namespace", self.namespace), {"metadata": {"labels": labels}})

    def write_status(self, name: str, status: Mapping[str, Any] | None) -> None:
        """Merge fields into the status, which only the operator should do. None removes the whole status."""
        self._merge(f"{name}/status", {"status": status})

    def remove_finalizers(self, name: str) -> None:
        """Remove all finalizers of a resource by hand."""
        self._merge(name, {"metadata": {"finalizers": None}})

    def delete(self, name: str) -> bool:
        """Request the deletion of a resource, and do not wait. Returns whether the resource exists."""
        return self.client.delete(self.resource_path(name))

    def delete_all(self) -> None:
        """Request the deletion of all resources, and do not wait."""
        self.client.delete(self.resource_path())

    def clear(self) -> None:
        """Remove all resources without an operator. Operators of later tests would see them otherwise."""
        self.delete_all()
        for one in self.all():
            self.client.merge(self.resource_path(one["metadata"]["name"]), {"metadata": {"finalizers": None}})

    # Reading

    def resource_path(self, name: str = "") -> str:
        """The path of a resource in the API. Empty: of all resources."""
        return path("EventSourceMapping", name, self.namespace)

    def get(self, name: str) -> Resource | None:
        """A resource. None: it does not exist."""
        return self.client.get(self.resource_path(name))

    def all(self) -> list[Resource]:
        """All resources."""
        return self.client.items(self.resource_path())

    def status(self, name: str) -> dict[str, Any]:
        """The status of a resource. Empty: it has no status."""
        return (self.get(name) or {}).get("status") or {}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition that was written of the spec as it is now; empty: there is none."""
        return condition_of(self.get(name), kind)

    def versions(self) -> dict[str, str]:
        """The resourceVersion of each resource."""
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in self.all()}

    def list_events(self) -> list[Resource]:
        """All Events of the namespace."""
        return self.client.items(path("Event", namespace=self.namespace))

    def events(self, name: str) -> dict[str, str]:
        """The messages of a resource's Events, by reason."""
        return {one["reason"]: one["message"] for one in self.list_events() if one["involvedObject"]["name"] == name}

    # Waiting

    def event(self, name: str, reason: str) -> str:
        """Wait for an Event of a resource, which follows the status. Returns its message."""
        return eventually(lambda: self.events(name).get(reason), what=f"the Event {reason} of {name}")

    def wait_ready(self, name: str, *, limit: float = LIMIT) -> Resource:
        """Wait for Ready=True. Returns the resource."""

        def ready() -> Resource | None:
            found = self.get(name)
            return found if is_ready(found) else None

        return eventually(ready, lambda: f"{name} is ready: {self._shown(name)}", limit=limit)

    def wait_condition(self, name: str, kind: str, status: str, reason: str, *, limit: float = LIMIT) -> dict[str, Any]:
        """Wait for a condition with a reason. Returns the condition."""

        def holds() -> dict[str, Any] | None:
            found = self.condition(name, kind)
            return found if (found.get("status"), found.get("reason")) == (status, reason) else None

        return eventually(holds, lambda: f"{name} gets {kind}={status} ({reason}): {self._shown(name)}", limit=limit)

    def wait_gone(self, name: str, *, limit: float = LIMIT) -> None:
        """Wait until a resource no longer exists in the cluster."""
        eventually(lambda: self.get(name) is None, lambda: f"{name} is gone: {self._shown(name)}", limit=limit)

    # ProviderConfigs

    def config(self, name: str) -> Resource | None:
        """A ProviderConfig. None: it does not exist."""
        return self.client.get(path("ProviderConfig", name))

    def delete_config(self, name: str) -> None:
        """Request the deletion of a ProviderConfig, and do not wait."""
        self.client.delete(path("ProviderConfig", name))

    def clear_configs(self) -> None:
        """Remove all ProviderConfigs without an operator."""
        for one in self.client.items(path("ProviderConfig")):
            where = path("ProviderConfig", one["metadata"]["name"])
            self.client.delete(where)
            self.client.merge(where, {"metadata": {"finalizers": None}})

    def _merge(self, name: str, patch: Mapping[str, Any]) -> None:
        if self.client.merge(self.resource_path(name), patch) is None:
            raise AssertionError(f"There is no {name} to change.")

    def _shown(self, name: str) -> str:
        return json.dumps(self.get(name), indent=1)
