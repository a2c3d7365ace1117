"""The client of the API server: the writes of the operator to Kubernetes, and its reads other than kopf's watches.

Patches carry the resourceVersion that they were made from. The API server refuses a patch of an older version (409),
and the caller makes it again from the newer one. Writes are fenced, except those of the lease itself: before a
connection is made, and again when it is ready.
"""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from kubernetes.aio import client

from esm_operator.adapters.kubernetes_client import configuration, new_client
from esm_operator.api.annotations import INTENT
from esm_operator.api.foreign_text import EVENT, shown
from esm_operator.api.frozen_json import is_object
from esm_operator.api.recorded_status import Condition, MappingStatus
from esm_operator.api.resource import FINALIZER, GROUP, PLURAL, VERSION, Intent, Key, Resource
from esm_operator.cluster.config_cache import PROVIDER_CONFIGS, ProviderConfigObject
from esm_operator.cluster.transport import JSON, ApiError, RequestKind, TooLargeError, Transport, requested
from esm_operator.fence import SHUT, Fence
from esm_operator.ratelimit.rate_limiter import RateLimiter
from esm_operator.ratelimit.waiters import RequestPriority

#: The path of the operator's own kinds.
API_PATH = f"/apis/{GROUP}/{VERSION}"
_CHUNK = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Page(NamedTuple):
    """A page of a list."""

    items: Sequence[dict[str, Any]]
    resource_version: str
    """The version of the whole list, from which a watch can continue."""


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
        watch_api: client.ApiClient | None = None,
    ) -> None:
        """
        Args:
            api: the client for all requests but those for the lease and watches.
            rate_limiter: limits all requests but those for the lease.
            fence: checked before each write. It raises NotLeadingError.
            manager: the field manager of writes; empty: the API server takes the name of the client.
            lease_api: the client for the lease, with connections of its own; None: ``api``.
            watch_api: the client for watches, with connections of its own; None: ``api``.
        """
        self._transport = Transport(api, lease_api or api, rate_limiter, fence, watch_api=watch_api)
        self._manager = manager

    @classmethod
    async def connect(cls, requests_per_second: float) -> "KubernetesClient":
        """Connect as :func:`configuration` finds, with a limit for all requests but those for the lease."""
        found = await configuration()
        return cls(
            new_client(found),
            RateLimiter(requests_per_second),
            lease_api=new_client(found),
            watch_api=new_client(found, for_watches=True),
        )

    def fenced(self, fence: Fence, manager: str) -> "KubernetesClient":
        """The client for one term: with the fence of its lease, and a field manager. It shares all limits."""
        fenced = copy.copy(self)
        fenced._transport, fenced._manager = self._transport.fenced(fence), manager
        return fenced

    async def close(self) -> None:
        await self._transport.close()

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return self._transport.host

    @property
    def requests_limit(self) -> int:
        """How many requests may be in flight now, without those for the lease."""
        return self._transport.requests_limit

    @property
    def latency(self) -> float:
        """Seconds that a request takes, as a mean of the last ones; 0: there was none."""
        return self._transport.latency

    async def try_watch(self, path: str) -> None:
        """List and watch a kind by its path. Raises ApiError, or aiohttp.ClientError and OSError without an answer."""
        page = await self._transport.request("GET", path, query={"limit": "1"}, accept=_METADATA)
        meta: Mapping[str, Any] = page.get("metadata") or {}
        version = meta.get("resourceVersion")
        if version is None:
            raise ApiError(f"GET {path} was not answered with a list, so the answer is not one of the API server")
        await self._transport.request(
            "GET", path, query={"watch": "true", "resourceVersion": str(version)}, kind=RequestKind.WATCH
        )

    async def review_token(self, token: str, priority: RequestPriority) -> dict[str, Any] | None:
        """The user of a bearer token, as Kubernetes names it; None: the token is not valid."""
        answer = await self._review("authentication.k8s.io", "TokenReview", {"token": token}, priority)
        user = answer.get("user")
        return user if answer.get("authenticated") is True and is_object(user) else None

    async def may_get(self, path: str, user: Mapping[str, Any], priority: RequestPriority) -> bool:
        """Whether a user of :meth:`review_token` may get a path that is not one of a resource."""
        attributes = {"path": path, "verb": "get"}
        spec = {"nonResourceAttributes": attributes, "user": user.get("username", "")}
        spec |= {name: user[name] for name in ("groups", "uid", "extra") if name in user}
        answer = await self._review("authorization.k8s.io", "SubjectAccessReview", spec, priority)
        return answer.get("allowed") is True

    async def _review(
        self, group: str, kind: str, spec: Mapping[str, Any], priority: RequestPriority
    ) -> Mapping[str, Any]:
        """The status of a review. It changes nothing in the cluster, so it needs no lease."""
        body = {"apiVersion": f"{group}/v1", "kind": kind, "spec": dict(spec)}
        path = f"/apis/{group}/v1/{kind.lower()}s"
        answer = await self._transport.request("POST", path, body=body, priority=priority)
        return answer.get("status") or {}

    async def add_finalizer(self, resource: Resource, intent: Intent) -> dict[str, Any]:
        """Set the finalizer and the intent."""
        finalizers = list(resource.finalizers)
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        return await self._patch(resource, {"finalizers": finalizers, "annotations": {INTENT: intent.render()}})

    async def remove_finalizer(self, resource: Resource) -> None:
        """Remove the finalizer and the intent, so that the resource can be deleted."""
        finalizers = [name for name in resource.finalizers if name != FINALIZER]
        await self._patch(resource, {"finalizers": finalizers, "annotations": {INTENT: None}})

    async def set_status(self, resource: Resource, status: MappingStatus) -> dict[str, Any]:
        """Write the whole status."""
        body = {
            "metadata": {"resourceVersion": resource.resource_version},
            "status": _merge_patch(resource.packed_status, status.render()),
        }
        return await self._write("PATCH", _path(resource.key) + "/status", body)

    async def read(self, key: Key) -> dict[str, Any]:
        """Read one resource. Raises GoneError."""
        return await self._transport.request("GET", _path(key))

    async def list_metadata(self, namespaces: Sequence[str] = (), selector: str = "") -> dict[Key, str]:
        """The uids of the resources in some namespaces (default: all) that a label selector selects (default: all)."""
        found: dict[Key, str] = {}
        async for item in self._list(namespaces, _METADATA, selector):
            meta = item["metadata"]
            found[Key(meta.get("namespace", ""), meta["name"])] = meta["uid"]
        return found

    def list_resources(self, namespaces: Sequence[str] = (), selector: str = "") -> AsyncIterator[dict[str, Any]]:
        """The resources in some namespaces (default: all) that a label selector selects, requested in chunks."""
        return self._list(namespaces, JSON, selector)

    async def list_plural(self, plural: str) -> list[dict[str, Any]]:
        """All objects of another kind of the operator, of which there are few."""
        return [item async for item in self._list_path(f"{API_PATH}/{plural}")]

    async def list_namespaces(self) -> list[dict[str, Any]]:
        """All namespaces."""
        return [item async for item in self._list_path("/api/v1/namespaces")]

    async def api_group_versions(self) -> list[str]:
        """The groups and versions that the API server serves, such as ``apps/v1``, without the core group.

        In each group, the preferred version of the API server is first.
        """
        groups: Sequence[Mapping[str, Any]] = (await self._transport.request("GET", "/apis")).get("groups") or ()
        found = list[str]()
        for group in groups:
            preferred: Mapping[str, Any] = group.get("preferredVersion") or {}
            versions = [str(version.get("groupVersion")) for version in group.get("versions") or ()]
            first = [name for name in versions if name == preferred.get("groupVersion")]
            found += dict.fromkeys([*first, *versions])
        return found

    async def api_resources(self, group_version: str) -> Sequence[Mapping[str, Any]]:
        """The APIResources of a group and version, such as ``apps/v1``, or ``v1`` for the core group."""
        path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        return (await self._transport.request("GET", path)).get("resources") or ()

    async def list_object(self, path: str, name: str) -> Page:
        """A list at a path with only the object of this name. Empty if it does not exist. Needs permission to list."""
        query = {"fieldSelector": f"metadata.name={name}"}
        answer = await self._transport.request("GET", path, query=query, priority=RequestPriority.CREATE)
        return _page(answer)

    async def list_pages(self, path: str) -> AsyncGenerator[Page]:
        """The list at a path, in pages. All pages show the same version of the list."""
        async for page in self._pages(path, JSON, {}, RequestPriority.SWEEP):
            yield _page(page)

    def watch(
        self, path: str, resource_version: str, seconds: float, begun: Callable[[], object]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The events at a path since a version, with bookmarks, for at most ``seconds``. See `Transport.watch`."""
        query = {"resourceVersion": resource_version, "allowWatchBookmarks": "true"}
        return self._transport.watch(path, query, seconds, begun)

    async def post_event(
        self, about: Mapping[str, str], kind: str, reason: str, message: str, *, first: str, last: str, count: int
    ) -> str:
        """Post an Event of the kind ``Normal`` or ``Warning``, with times in RFC 3339. Returns its name.

        ``about`` has kind, name, uid and resourceVersion of an object of the operator, and its namespace if it has one.
        """
        namespace = about.get("namespace", "default")  # Kubernetes keeps Events about cluster-scoped objects there
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about['name'][:200]}.", "namespace": namespace},
            "involvedObject": {"apiVersion": f"{GROUP}/{VERSION}", **about},
            "source": {"component": "esm-operator"},
            "reportingComponent": "esm-operator",
            "type": kind,
            "reason": reason,
            "message": shown(message, EVENT),
            "firstTimestamp": first,
            "lastTimestamp": last,
            "count": count,
        }
        answer = await self._write("POST", _events(namespace), body, RequestPriority.SWEEP)
        meta: Mapping[str, Any] = answer.get("metadata") or {}
        return str(meta.get("name") or "")

    async def count_event(self, namespace: str, name: str, count: int, last: str) -> None:
        """Set how often an Event has happened, and when last (RFC 3339). Raises GoneError."""
        body = {"count": count, "lastTimestamp": last}
        await self._write("PATCH", _object(_events(namespace), name), body, RequestPriority.SWEEP)

    async def set_config_finalizers(self, config: ProviderConfigObject, finalizers: Sequence[str]) -> dict[str, Any]:
        """Write the finalizers of a ProviderConfig. Raises GoneError, ConflictError."""
        body = {"metadata": {"resourceVersion": config.resource_version, "finalizers": list(finalizers)}}
        return await self._write("PATCH", _object(f"{API_PATH}/{PROVIDER_CONFIGS}", config.name), body)

    async def set_config_status(self, config: ProviderConfigObject, conditions: Sequence[Condition]) -> dict[str, Any]:
        """Write the whole status of a ProviderConfig. Raises GoneError, ConflictError."""
        rendered = [condition.render() for condition in conditions]
        body = {
            "metadata": {"resourceVersion": config.resource_version},
            "status": {"observedGeneration": config.generation, "conditions": rendered},
        }
        return await self._write("PATCH", f"{_object(f'{API_PATH}/{PROVIDER_CONFIGS}', config.name)}/status", body)

    async def read_config_map(self, namespace: str, name: str) -> dict[str, Any]:
        """Read a ConfigMap. Raises GoneError."""
        return await self._transport.request("GET", _object(_config_maps(namespace), name))

    async def create_config_map(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Create a ConfigMap. Raises ConflictError if the name is taken, GoneError if the namespace does not exist."""
        await self._write("POST", _config_maps(namespace), body)

    async def patch_config_map(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Change a ConfigMap by a merge patch. Raises ConflictError, GoneError."""
        await self._write("PATCH", _object(_config_maps(namespace), name), patch)

    async def delete_config_map(self, meta: Mapping[str, Any]) -> None:
        """Delete a ConfigMap unless it has changed since its metadata was read. Raises ConflictError, GoneError."""
        unchanged = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        path = _object(_config_maps(meta["namespace"]), meta["name"])
        await self._write("DELETE", path, {"preconditions": unchanged})

    async def list_config_maps(self, namespaces: Sequence[str], selector: str) -> AsyncIterator[dict[str, Any]]:
        """The ConfigMaps in some namespaces (none: all) that a label selector selects."""
        for path in map(_config_maps, namespaces) if namespaces else ["/api/v1/configmaps"]:
            async for item in self._list_path(path, JSON, {"labelSelector": selector}):
                yield item

    async def read_lease(self, namespace: str, name: str, duration: float) -> dict[str, Any]:
        """Read a Lease of a duration in seconds. Raises GoneError."""
        path = _object(_leases(namespace), name)
        return await self._transport.request("GET", path, kind=RequestKind.LEASE, lease_duration=duration)

    async def write_lease(self, namespace: str, body: Mapping[str, Any], duration: float) -> dict[str, Any]:
        """Create a Lease, or replace the version that the body was made from.

        Raises:
            GoneError: the namespace does not exist, or the Lease does not exist any more.
            ConflictError: the Lease exists already, or in another version.
        """
        path, metadata, method = _leases(namespace), body["metadata"], "POST"
        if "resourceVersion" in metadata:
            path, method = _object(path, metadata["name"]), "PUT"
        return await self._transport.request(method, path, body=body, kind=RequestKind.LEASE, lease_duration=duration)

    async def _list(self, namespaces: Sequence[str], accept: str, selector: str = "") -> AsyncIterator[dict[str, Any]]:
        selected = {"labelSelector": selector} if selector else {}
        for path in mapping_paths(namespaces):
            async for item in self._list_path(path, accept, selected):
                yield item

    async def _list_path(
        self, path: str, accept: str = JSON, selected: Mapping[str, str] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        async for page in self._pages(path, accept, selected or {}, RequestPriority.EDIT):
            for item in page.get("items") or ():
                yield item

    async def _pages(
        self, path: str, accept: str, selected: Mapping[str, str], priority: RequestPriority
    ) -> AsyncGenerator[dict[str, Any]]:
        """The pages of a list. One that is too large is requested again with half as many items."""
        position: dict[str, str] | None = {}
        limit = _CHUNK
        while position is not None:
            query = {"limit": str(limit), **position, **selected}
            try:
                page = await self._transport.request(
                    "GET", path, query=query, accept=accept, kind=RequestKind.LIST, priority=priority
                )
            except TooLargeError:
                if limit == 1:
                    raise
                limit //= 2
                continue
            yield page
            rest = page.get("metadata", {}).get("continue")
            position = {"continue": rest} if rest else None

    async def _patch(self, resource: Resource, metadata: Mapping[str, Any]) -> dict[str, Any]:
        body = {"metadata": {"resourceVersion": resource.resource_version, **metadata}}
        return await self._write("PATCH", _path(resource.key), body)

    async def _write(
        self, method: str, path: str, body: Mapping[str, Any], priority: RequestPriority = RequestPriority.EDIT
    ) -> dict[str, Any]:
        query = {"fieldManager": self._manager} if self._manager else None
        return await self._transport.request(
            method, path, query=query, body=body, kind=RequestKind.WRITE, priority=priority
        )


def mapping_paths(namespaces: Sequence[str]) -> list[str]:
    """The paths at which the EventSourceMappings of some namespaces are listed. No namespaces: those of all."""
    return [_namespaced(API_PATH, namespace, PLURAL) for namespace in namespaces] or [f"{API_PATH}/{PLURAL}"]


def is_write_of(error: Exception, key: Key) -> bool:
    """Whether an exception is about a write of a resource or of its status."""
    method, _, path = requested(error).partition(" ")
    return method != "GET" and path.removesuffix("/status") == _path(key)


def _page(answer: Mapping[str, Any]) -> Page:
    meta: Mapping[str, Any] = answer.get("metadata") or {}
    return Page(answer.get("items") or (), str(meta.get("resourceVersion") or ""))


def _path(key: Key) -> str:
    return _object(_namespaced(API_PATH, key.namespace, PLURAL), key.name)


def _events(namespace: str) -> str:
    return _namespaced("/api/v1", namespace, "events")


def _config_maps(namespace: str) -> str:
    return _namespaced("/api/v1", namespace, "configmaps")


def _leases(namespace: str) -> str:
    return _namespaced("/apis/coordination.k8s.io/v1", namespace, "leases")


def _namespaced(api: str, namespace: str, plural: str) -> str:
    return f"{_object(f'{api}/namespaces', namespace)}/{plural}"


def _object(collection: str, name: str) -> str:
    """The path of an object. A name from a status or an answer cannot lead to another place. Raises ValueError."""
    if name in (".", ".."):
        raise ValueError(f"{name!r} is not the name of an object")
    return f"{collection}/{quote(name, safe=':')}"


def _merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch that turns one document into another. Members that the new one lacks are set to null."""
    patch: dict[str, Any] = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if name not in new:
            patch[name] = None
        elif is_object(before) and is_object(after):
            patch[name] = _merge_patch(before, after)
        elif before != after:
            patch[name] = after
    return patch
