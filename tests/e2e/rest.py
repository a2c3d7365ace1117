"""The API server with its connections kept, for tests with many requests at once: a kubectl each would cost more than
the operator itself."""

import json
from pathlib import Path
from typing import Any

import urllib3

from tests.controlplane.kubeconfig import Access

TIMEOUT = 30.0


class ExistsError(Exception):
    """There is a resource of this name."""


class ApiServer:
    """The resources of one namespace, as the user of a kubeconfig that the control plane wrote. For any thread."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        access = Access.read(kubeconfig)
        self.namespace = namespace
        self._http = urllib3.PoolManager(
            maxsize=8,
            timeout=TIMEOUT,
            ssl_context=access.tls(),
            headers=access.headers,
        )
        self._resources = f"{access.server}/apis/lambda.esm-operator.io/v1/namespaces/{namespace}/eventsourcemappings"

    def get(self, name: str) -> dict[str, Any] | None:
        """A resource, or None where there is none."""
        return self._request("GET", f"{self._resources}/{name}")

    def all(self) -> list[dict[str, Any]]:
        """All resources."""
        return (self._request("GET", self._resources) or {})["items"]

    def create(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Make a resource. Raises ExistsError."""
        body = {
            "apiVersion": "lambda.esm-operator.io/v1",
            "kind": "EventSourceMapping",
            "metadata": {"name": name},
            "spec": spec,
        }
        made = self._request("POST", self._resources, body)
        assert made is not None
        return made

    def edit(self, name: str, spec: dict[str, Any]) -> bool:
        """Give a resource another spec, whole. Returns whether there is that resource."""
        patch = [{"op": "replace", "path": "/spec", "value": spec}]
        url, kind = f"{self._resources}/{name}", "application/json-patch+json"
        return self._request("PATCH", url, patch, kind) is not None

    def delete(self, name: str) -> bool:
        """Ask for a resource to be deleted. Returns whether there is that resource."""
        return self._request("DELETE", f"{self._resources}/{name}") is not None

    def clear(self) -> None:
        """Take all resources away, though no operator runs: else one that works in all namespaces would see them."""
        self._request("DELETE", self._resources)
        patch, kind = {"metadata": {"finalizers": None}}, "application/merge-patch+json"
        for one in self.all():
            self._request("PATCH", f"{self._resources}/{one['metadata']['name']}", patch, kind)

    def _request(self, method: str, url: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer; None for 404."""
        headers = {**self._http.headers, "Content-Type": kind}
        text = json.dumps(body) if body is not None else None
        answer = self._http.request(method, url, body=text, headers=headers)
        if answer.status == 404:
            return None
        if answer.status == 409:
            raise ExistsError(f"{method} {url}: {answer.data.decode()}")
        if answer.status >= 300:
            raise RuntimeError(f"{method} {url}: {answer.status} {answer.data.decode()}")
        return json.loads(answer.data)
