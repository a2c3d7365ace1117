"""What is written to Kubernetes and read from it outside of the watch.

A thin layer on the kubernetes package's asynchronous client. Patches carry the resourceVersion they
were made from, so a write on top of something unseen is refused (409) and made again from what is there.
Writes are fenced, but for those of the lease itself: before a connection is made, and again when it is ready.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from kubernetes.aio import client

from esm_operator.adapters.kubernetes_client import ApiRequest, configuration, host_of, new_client
from esm_operator.api.annotations import INTENT
from esm_operator.api.frozen_json import is_object, parsed
from esm_operator.api.recorded_status import Condition, MappingStatus
from esm_operator.api.resource import (
    FINALIZER,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    EventSubject,
    Intent,
    Key,
    Resource,
)
from esm_operator.clock import monotonic
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS, ProviderConfigObject
from esm_operator.fence import SHUT, Fence
from esm_operator.metrics import counters
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.rate_limiter import RateLimiter, RequestPriority

#: Seconds until a read from the API server is given up.
READ_TIMEOUT = 10.0
#: Seconds until a write is given up: shorter, for it must be over before the lease is.
WRITE_TIMEOUT = 5.0
#: Seconds until a request for the lease is given up: one that hangs holds the next one up.
LEASE_TIMEOUT = 3.0
#: Attempts at a list that the API server is too busy for, and the shortest and longest pause between two, in seconds.
_ATTEMPTS, _SHORTEST_PAUSE, _LONGEST_PAUSE = 5, 0.5, 4.0
_CHUNK = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class GoneError(Exception):
    """The resource is not there any more."""


class ConflictError(Exception):
    """The resource was changed meanwhile; its new version comes with the watch."""


class ApiError(Exception):
    """The API server refused a request; the text says which and why."""

    status: int = 0
    """The HTTP status; 0: there is none."""


class ForbiddenError(ApiError):
    """The operator may not do this."""


class BusyError(ApiError):
    """The API server takes no more requests just now, or has only just started."""


_REFUSALS: Mapping[int, type[ApiError]] = {403: ForbiddenError, 429: BusyError}


class KubernetesClient:
    """The API server, as the operator uses it."""

    def __init__(
        self,
        api: client.ApiClient,
        rate_limiter: RateLimiter,
        fence: Fence = SHUT,
        manager: str = "",
        *,
        lease_api: client.ApiClient | None = None,
    ) -> None:
        """
        Args:
            api: the client.
            rate_limiter: the requests a second that may be sent; those for the lease don't wait for it.
            fence: what each write is asked of before it begins; it raises NotLeadingError.
            manager: by which name the API server notes who wrote a field; empty: by that of the client.
            lease_api: a client for the lease, whose requests wait for no connection of others; None: the same.
        """
        self._api = api
        self._lease_api = lease_api or api
        self._rate_limiter = rate_limiter
        self._fence = fence
        self._manager = manager

    @classmethod
    async def connect(cls, requests_per_second: float) -> "KubernetesClient":
        """Connect as :func:`configuration` says.

        Args:
            requests_per_second: how many may be sent, beside those for the lease.
        """
        found = await configuration()
        return cls(new_client(found), RateLimiter(requests_per_second), lease_api=new_client(found))

    def fenced(self, fence: Fence, manager: str) -> "KubernetesClient":
        """The same API server, for one stretch of leading.

        Args:
            fence: of the lease.
            manager: by which name the API server notes who wrote a field.
        """
        return KubernetesClient(self._api, self._rate_limiter, fence, manager, lease_api=self._lease_api)

    async def close(self) -> None:
        await self._api.close()
        await self._lease_api.close()

    @property
    def host(self) -> str:
        """URL of the API server."""
        return host_of(self._api)

    async def try_watch(self, path: str) -> None:
        """See whether a kind may be listed and watched.

        Args:
            path: of its list.

        Raises:
            ApiError: it may not, or is not served.
            aiohttp.ClientError, OSError: the API server can't be reached.
        """
        page = await self._request("GET", path, query=[("limit", "1")], accept=_METADATA)
        meta: Mapping[str, Any] = page.get("metadata") or {}
        version = meta.get("resourceVersion")
        if version is None:
            raise ApiError(f"GET {path}: the answer is no list, so something between is not the API server")
        query = [("watch", "true"), ("resourceVersion", str(version))]
        await self._request("GET", path, query=query, streams=True)

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

    async def set_status(self, resource: Resource, status: MappingStatus) -> dict[str, Any]:
        """Write the whole status."""
        body = {
            "metadata": {"resourceVersion": resource.resource_version},
            "status": _replacement(resource.packed_status, status.render()),
        }
        return await self._write("PATCH", _path(resource.key) + "/status", body)

    async def read(self, key: Key) -> dict[str, Any]:
        """Read one resource. Raises GoneError."""
        return await self._request("GET", _path(key))

    async def list_metadata(self, namespaces: Sequence[str] = (), selector: str = "") -> dict[Key, str]:
        """The resources of some namespaces (default: all) with their uids, in chunks.

        Args:
            namespaces: their names.
            selector: a label selector; empty: all.
        """
        found: dict[Key, str] = {}
        async for item in self._list(namespaces, _METADATA, selector):
            meta = item["metadata"]
            found[Key(meta.get("namespace", ""), meta["name"])] = meta["uid"]
        return found

    async def list_resources(self, namespaces: Sequence[str] = ()) -> AsyncIterator[dict[str, Any]]:
        """The resources of some namespaces (default: all) in full, in chunks."""
        async for item in self._list(namespaces, "application/json"):
            yield item

    async def _list(self, namespaces: Sequence[str], accept: str, selector: str = "") -> AsyncIterator[dict[str, Any]]:
        paths = [f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}" for namespace in namespaces]
        for path in paths or [f"/apis/{GROUP}/{VERSION}/{PLURAL}"]:
            rest: str | None = ""
            while rest is not None:
                query = [("limit", str(_CHUNK)), *([("continue", rest)] if rest else [])]
                query += [("labelSelector", selector)] if selector else []
                page = await self._page(path, query, accept)
                for item in page.get("items") or ():
                    yield item
                rest = page.get("metadata", {}).get("continue") or None

    async def _page(
        self, path: str, query: list[tuple[str, str]] | None = None, accept: str = "application/json"
    ) -> dict[str, Any]:
        for failures in range(_ATTEMPTS - 1):
            try:
                return await self._request("GET", path, query=query, accept=accept)
            except BusyError:
                await asyncio.sleep(backoff.exponential(failures, _SHORTEST_PAUSE, _LONGEST_PAUSE))
        return await self._request("GET", path, query=query, accept=accept)

    async def list_plural(self, plural: str) -> list[dict[str, Any]]:
        """All objects of another, small kind of ours."""
        page = await self._page(f"/apis/{GROUP}/{VERSION}/{plural}")
        return list(page.get("items") or ())

    async def list_namespaces(self) -> list[dict[str, Any]]:
        """All namespaces."""
        page = await self._page("/api/v1/namespaces")
        return list(page.get("items") or ())

    async def event(
        self, about: EventSubject, kind: str, reason: str, message: str, *, first: str, last: str, count: int
    ) -> str:
        """Post an Event about a resource.

        Args:
            about: what it is about.
            kind: ``Normal`` or ``Warning``.
            reason: one word.
            message: a sentence.
            first: when it happened first, as RFC 3339 text.
            last: when it happened last.
            count: how often it happened.

        Returns:
            the name of the Event.
        """
        namespace, name = about.key
        involved = {
            "kind": KIND,
            "namespace": namespace,
            "name": name,
            "uid": about.uid,
            "resourceVersion": about.resource_version,
        }
        told = {"type": kind, "reason": reason, "message": message}
        return await self._event(
            namespace, involved, {**told, "firstTimestamp": first, "lastTimestamp": last, "count": count}
        )

    async def count_event(self, namespace: str, name: str, count: int, last: str) -> None:
        """Say that what an Event tells of happened again. Raises GoneError: the API server has forgotten it.

        Args:
            namespace: where it is.
            name: its name.
            count: how often it happened by now.
            last: when it happened last, as RFC 3339 text.
        """
        body = {"count": count, "lastTimestamp": last}
        await self._write("PATCH", f"{_events(namespace)}/{name}", body, priority=RequestPriority.SWEEP)

    async def config_warning(self, config: ProviderConfigObject, reason: str, message: str, now: str) -> None:
        """Post a Warning about a ProviderConfig, where Events about objects without a namespace are."""
        about = {
            "kind": "ProviderConfig",
            "name": config.name,
            "uid": config.uid,
            "resourceVersion": config.resource_version,
        }
        told = {"type": "Warning", "reason": reason, "message": message}
        await self._event("default", about, {**told, "firstTimestamp": now, "lastTimestamp": now, "count": 1})

    async def _event(self, namespace: str, about: Mapping[str, str], told: Mapping[str, Any]) -> str:
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about['name'][:200]}.", "namespace": namespace},
            "involvedObject": {"apiVersion": f"{GROUP}/{VERSION}", **about},
            "source": {"component": "esm-operator"},
            "reportingComponent": "esm-operator",
            **told,
            "message": str(told["message"])[:1024],
        }
        answer = await self._write("POST", _events(namespace), body, "application/json", RequestPriority.SWEEP)
        meta: Mapping[str, Any] = answer.get("metadata") or {}
        return str(meta.get("name") or "")

    async def set_config_finalizers(self, config: ProviderConfigObject, finalizers: Sequence[str]) -> dict[str, Any]:
        """Write the finalizers of a ProviderConfig. Raises GoneError, ConflictError."""
        body = {"metadata": {"resourceVersion": config.resource_version, "finalizers": list(finalizers)}}
        return await self._write("PATCH", _config_path(config), body)

    async def set_config_status(self, config: ProviderConfigObject, conditions: Sequence[Condition]) -> dict[str, Any]:
        """Write the whole status of a ProviderConfig. Raises GoneError, ConflictError."""
        body = {
            "metadata": {"resourceVersion": config.resource_version},
            "status": {
                "observedGeneration": config.generation,
                "conditions": [condition.render() for condition in conditions],
            },
        }
        return await self._write("PATCH", _config_path(config) + "/status", body)

    async def read_lease(self, namespace: str, name: str) -> dict[str, Any]:
        """Read a Lease. Raises GoneError."""
        return await self._request("GET", f"{_leases(namespace)}/{name}", limit=LEASE_TIMEOUT, priority=None)

    async def write_lease(self, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a Lease, or replace the version that the body was made from.

        Raises:
            GoneError: there is no such namespace, or no such Lease any more.
            ConflictError: it exists already, or is another version by now.
        """
        path, metadata = _leases(namespace), body["metadata"]
        if "resourceVersion" not in metadata:
            return await self._request("POST", path, body=body, limit=LEASE_TIMEOUT, priority=None)
        return await self._request("PUT", f"{path}/{metadata['name']}", body=body, limit=LEASE_TIMEOUT, priority=None)

    async def _patch(self, resource: Resource, metadata: Mapping[str, Any]) -> dict[str, Any]:
        body = {"metadata": {"resourceVersion": resource.resource_version, **metadata}}
        return await self._write("PATCH", _path(resource.key), body)

    async def _write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        content_type: str = "application/merge-patch+json",
        priority: RequestPriority = RequestPriority.EDIT,
    ) -> dict[str, Any]:
        return await self._request(
            method,
            path,
            query=[("fieldManager", self._manager)] if self._manager else None,
            body=body,
            content_type=content_type,
            limit=WRITE_TIMEOUT,
            fence=self._fence,
            priority=priority,
        )

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        limit: float = READ_TIMEOUT,
        fence: Fence | None = None,
        priority: RequestPriority | None = RequestPriority.EDIT,
        streams: bool = False,
    ) -> dict[str, Any]:
        api = self._lease_api if priority is None else self._api
        if priority is not None:
            await self._rate_limiter.take(priority)
        request = await ApiRequest.prepare(
            api, method, path, query=query or (), body=body, content_type=content_type, accept=accept
        )
        ends = monotonic() + limit

        def check() -> None:
            if fence is not None:
                fence.check(max(0.0, ends - monotonic()))

        check()  # so that no connection is made in vain
        began, code = monotonic(), "none"
        try:
            response = await request.send(limit, check)
            code = str(response.status)
            if streams and response.status < 400:  # that it begins is all that is asked
                response.close()
                return {}
            answer = _decoded(await response.read())
        finally:
            counters.KUBERNETES_REQUESTS.labels(method, code).inc()
            counters.KUBERNETES_REQUEST_SECONDS.labels(method).observe(monotonic() - began)
        if response.status < 400 and answer is not None:
            return answer
        # What is between may answer with a 404 of its own: only the API server's word counts.
        if answer is not None and response.status == 404:
            raise GoneError
        if answer is not None and response.status == 409:
            raise ConflictError
        said = str((answer or {}).get("message") or response.reason)
        error = _REFUSALS.get(response.status, ApiError)(f"{method} {path}: {response.status} {said}")
        error.status = response.status
        raise error


def _decoded(data: bytes) -> dict[str, Any] | None:
    """The object that was answered; None: it is none, as the plain text of a proxy or of a busy API server."""
    try:
        answer = parsed(data or b"{}")
    except ValueError:
        return None
    return answer if is_object(answer) else None


def _path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


def _config_path(config: ProviderConfigObject) -> str:
    return f"/apis/{GROUP}/{VERSION}/{PROVIDER_CONFIGS}/{config.name}"


def _events(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def _replacement(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch that turns one document into another: what is not in the new one is set to null."""
    patch: dict[str, Any] = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if name not in new:
            patch[name] = None
        elif is_object(before) and is_object(after):
            patch[name] = _replacement(before, after)
        elif before != after:
            patch[name] = after
    return patch
