"""What is written to Kubernetes and read from it outside of the watch.

A thin layer on the kubernetes package's asynchronous client. Patches carry the resourceVersion they
were made from, so a write on top of something unseen is refused (409) and made again from what is there.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kubernetes.aio import client, config

from esm_operator.store import FINALIZER, GROUP, INTENT, KIND, PLURAL, VERSION, Intent, Key, Resource

#: Seconds until a request to the API server is given up.
TIMEOUT = 10.0
_CHUNK = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class GoneError(Exception):
    """The resource is not there any more."""


class ConflictError(Exception):
    """The resource was changed meanwhile; its new version comes with the watch."""


class ApiError(Exception):
    """The API server refused a request; the text says which and why."""


async def configuration() -> client.Configuration:
    """How to reach the API server: with the pod's ServiceAccount, or with the kubeconfig.

    Raises:
        kubernetes.aio.config.ConfigException: neither is there.
    """
    found = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=found)
    return found


class Kubernetes:
    """The API server, as the operator uses it."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    @classmethod
    async def connect(cls) -> "Kubernetes":
        """Connect as :func:`configuration` says."""
        return cls(client.ApiClient(await configuration()))

    async def close(self) -> None:
        await self._api.close()

    async def prepare(self, resource: Resource, intent: Intent) -> dict[str, Any]:
        """Set the finalizer and the intent."""
        finalizers = list(resource.finalizers)
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        return await self._patch(resource, {"finalizers": finalizers, "annotations": {INTENT: intent.render()}})

    async def release(self, resource: Resource) -> None:
        """Remove the finalizer and the intent, so that the resource can go."""
        finalizers = [name for name in resource.finalizers if name != FINALIZER]
        await self._patch(resource, {"finalizers": finalizers, "annotations": {INTENT: None}})

    async def set_status(self, resource: Resource, status: Mapping[str, Any]) -> dict[str, Any]:
        """Write the whole status."""
        body = {
            "metadata": {"resourceVersion": resource.resource_version},
            "status": _replacement(resource.status, status),
        }
        return await self._write("PATCH", _path(resource.key) + "/status", body)

    async def read(self, key: Key) -> dict[str, Any]:
        """Read one resource. Raises GoneError."""
        return await self._request("GET", _path(key))

    async def list_metadata(self, namespaces: Sequence[str] = ()) -> dict[Key, str]:
        """The resources of some namespaces (default: all) with their uids, in chunks."""
        paths = [f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}" for namespace in namespaces]
        found: dict[Key, str] = {}
        for path in paths or [f"/apis/{GROUP}/{VERSION}/{PLURAL}"]:
            rest: str | None = ""
            while rest is not None:
                query = [("limit", str(_CHUNK)), *([("continue", rest)] if rest else [])]
                page = await self._request("GET", path, query=query, accept=_METADATA)
                for item in page.get("items") or ():
                    meta = item["metadata"]
                    found[Key(meta.get("namespace", ""), meta["name"])] = meta["uid"]
                rest = page.get("metadata", {}).get("continue") or None
        return found

    async def list_plural(self, plural: str) -> list[dict[str, Any]]:
        """All objects of another, small kind of ours."""
        page = await self._request("GET", f"/apis/{GROUP}/{VERSION}/{plural}")
        return list(page.get("items") or ())

    async def list_namespaces(self) -> list[dict[str, Any]]:
        """All namespaces."""
        page = await self._request("GET", "/api/v1/namespaces")
        return list(page.get("items") or ())

    async def event(self, resource: Resource, kind: str, reason: str, message: str, now: str) -> None:
        """Post an Event about a resource."""
        namespace, name = resource.key
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name[:200]}.", "namespace": namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": KIND,
                "namespace": namespace,
                "name": name,
                "uid": resource.uid,
                "resourceVersion": resource.resource_version,
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "esm-operator"},
            "reportingComponent": "esm-operator",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._request("POST", f"/api/v1/namespaces/{namespace}/events", body=body)

    async def _patch(self, resource: Resource, metadata: Mapping[str, Any]) -> dict[str, Any]:
        body = {"metadata": {"resourceVersion": resource.resource_version, **metadata}}
        return await self._write("PATCH", _path(resource.key), body)

    async def _write(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request(method, path, body=body, content_type="application/merge-patch+json")

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        request = await self._api.param_serialize(
            method,
            path,
            query_params=query or [],
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self._api.call_api(*request, _request_timeout=TIMEOUT)
        data = await response.read() or b"{}"
        if response.status == 404:
            raise GoneError
        if response.status == 409:
            raise ConflictError
        answer = json.loads(data)
        if response.status >= 400:
            raise ApiError(f"{method} {path}: {response.status} {answer.get('message', response.reason)}")
        return dict(answer)


def _path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


def _replacement(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch that turns one document into another: what is not in the new one is set to null."""
    patch: dict[str, Any] = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if name not in new:
            patch[name] = None
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            patch[name] = _replacement(before, after)
        elif before != after:
            patch[name] = after
    return patch
