"""The EventSourceMappings of one namespace, over HTTP: applied, edited, looked at, waited for and cleared away."""

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
    """Whether a resource is Ready, of its spec as it is now."""
    return condition_of(resource, "Ready").get("status") == "True"


class Resources:
    """The resources of a namespace, and the ProviderConfigs of the cluster. For any thread."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        """
        Args:
            client: the administrator's.
            namespace: an existing one.
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
        """Give a resource another spec, whole. Returns whether there is that resource."""
        return self.client.replace(self._path(name), "/spec", spec) is not None

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Merge into a resource's spec; None removes a field. Raises ApiError."""
        self._merge(name, {"spec": spec})

    def annotate(self, name: str, **annotations: str | None) -> None:
        """Set annotations of ``lambda.esm-operator.io``; None removes one. Underscores stand for dashes."""
        self.mark(name, {f"lambda.esm-operator.io/{key.replace('_', '-')}": text for key, text in annotations.items()})

    def mark(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations by their whole names; None removes one."""
        self._merge(name, {"metadata": {"annotations": annotations}})

    def label(self, name: str, **labels: str | None) -> None:
        """Set labels; None removes one."""
        self._merge(name, {"metadata": {"labels": labels}})

    def label_namespace(self, **labels: str | None) -> None:
        """Set labels of the namespace; None removes one."""
        self.client.merge(path("Namespace", self.namespace), {"metadata": {"labels": labels}})

    def write_status(self, name: str, status: Mapping[str, Any] | None) -> None:
        """Merge into the status, as only the operator should; None: wipe it."""
        self._merge(f"{name}/status", {"status": status})

    def remove_finalizers(self, name: str) -> None:
        """Take off all finalizers, as somebody does who is in a hurry."""
        self._merge(name, {"metadata": {"finalizers": None}})

    def delete(self, name: str) -> bool:
        """Ask for a resource to be deleted, without waiting. Returns whether there is that resource."""
        return self.client.delete(self._path(name))

    def delete_all(self) -> None:
        """Ask for all resources to be deleted, without waiting."""
        self.client.delete(self._path())

    def clear(self) -> None:
        """Remove all resources, though no operator runs: one that works in all namespaces would see them."""
        self.delete_all()
        for one in self.all():
            self.client.merge(self._path(one["metadata"]["name"]), {"metadata": {"finalizers": None}})

    # What there is

    def get(self, name: str) -> Resource | None:
        """A resource; None: there is none."""
        return self.client.get(self._path(name))

    def all(self) -> list[Resource]:
        """All resources."""
        return self.client.items(self._path())

    def status(self, name: str) -> dict[str, Any]:
        """The status of a resource; empty: there is none."""
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
        """Wait for an Event of a resource, which comes after the status. Returns its message."""
        return eventually(lambda: self.events(name).get(reason), what=f"the Event {reason} of {name}")

    def wait_ready(self, name: str, *, limit: float = LIMIT) -> Resource:
        """Wait for Ready=True. Returns the resource as it is then."""

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
        """Wait until a resource is gone from the cluster."""
        eventually(lambda: self.get(name) is None, lambda: f"{name} is gone: {self._shown(name)}", limit=limit)

    # ProviderConfigs

    def config(self, name: str) -> Resource | None:
        """A ProviderConfig; None: there is none."""
        return self.client.get(path("ProviderConfig", name))

    def delete_config(self, name: str) -> None:
        """Ask for a ProviderConfig to be deleted, without waiting."""
        self.client.delete(path("ProviderConfig", name))

    def clear_configs(self) -> None:
        """Remove all ProviderConfigs, though no operator runs."""
        for one in self.client.items(path("ProviderConfig")):
            where = path("ProviderConfig", one["metadata"]["name"])
            self.client.delete(where)
            self.client.merge(where, {"metadata": {"finalizers": None}})

    def _path(self, name: str = "") -> str:
        return path("EventSourceMapping", name, self.namespace)

    def _merge(self, name: str, patch: Mapping[str, Any]) -> None:
        if self.client.merge(self._path(name), patch) is None:
            raise AssertionError(f"There is no {name} to change.")

    def _shown(self, name: str) -> str:
        return json.dumps(self.get(name), indent=1)
