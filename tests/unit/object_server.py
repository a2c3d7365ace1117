"""An API server over HTTP that lists and watches objects of some kinds, for tests of reflectors and discovery."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web
from kubernetes.aio import client

from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.http_server import served

Object = dict[str, Any]
#: A value that the server sends as nested lists. Python could not write them.
DEEP = "a value of many levels"
_LEVELS = 9_000


class ObjectServer:
    """Objects by path and name. Each change gets the next version."""

    def __init__(self, page_size: int = 2) -> None:
        self.page_size = page_size
        """The most items in a page, whatever a client asks for."""
        self.version = 100
        self.oldest = 0
        """The oldest version from which a watch or a list can continue."""
        self.objects: dict[str, dict[str, Object]] = {}
        """By path of the kind, and by name of the object. A kind without an entry is not served."""
        self.resources: dict[str, list[Object]] = {}
        """The APIResources by group and version."""
        self.events: list[tuple[int, str, str, Object]] = []
        """Version, path, type and object."""
        self.refusals: dict[str, tuple[int, str]] = {}
        """The status and the message of answers: to all requests of a path, or to those of one sort, as in `asked`."""
        self.lost: set[str] = set()
        """The paths whose requests get no answer, because the connection is cut."""
        self.asked: list[str] = []
        """Each request: the path and what it is."""
        self.watchers = 0
        """The number of watches that are open."""
        self._news = asyncio.Event()
        self._cuts: dict[str, asyncio.Event] = {}
        """By path: set when the watches of the path end."""

    def put(self, path: str, name: str, body: Mapping[str, Any] | None = None, namespace: str = "") -> Object:
        """Create or replace an object."""
        self.version += 1
        exists = name in self.objects.setdefault(path, {})
        given = dict(body or {})
        meta = {"name": name, "resourceVersion": str(self.version), **given.pop("metadata", {})}
        if namespace:
            meta["namespace"] = namespace
        stored = self.objects[path][name] = {**given, "metadata": meta}
        self.tell(path, "MODIFIED" if exists else "ADDED", stored)
        return stored

    def delete(self, path: str, name: str) -> None:
        """Delete an object."""
        self.version += 1
        gone = self.objects[path].pop(name)
        meta = {**gone["metadata"], "resourceVersion": str(self.version)}
        self.tell(path, "DELETED", {**gone, "metadata": meta})

    def tell(self, path: str, kind: str, body: Object) -> None:
        """Send an event to the watches of a path."""
        self.events.append((self.version, path, kind, body))
        self._news.set()
        self._news = asyncio.Event()

    def expire(self) -> None:
        """Forget the history, so that nothing can continue from an earlier version."""
        self.version += 1
        self.oldest = self.version
        self.events = []

    def cut(self, path: str = "") -> None:
        """End the watches of a path. Without a path: all."""
        for one in [path] if path else [*self._cuts]:
            self._cuts.pop(one).set()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[KubernetesClient]:
        """The operator's client."""
        async with served(self._answer) as url:
            kubernetes = KubernetesClient(client.ApiClient(client.Configuration(host=url)), RateLimiter(10_000))
            yield kubernetes
            await kubernetes.close()
            self.cut()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, request.query
        what = next((name for name in ("watch", "fieldSelector", "continue") if name in query), "list")
        self.asked.append(f"{path} {what}")
        if path in self.lost and request.transport is not None:
            request.transport.close()
        refusal = self.refusals.get(path) or self.refusals.get(f"{path} {what}")
        if refusal is not None:
            return _status(*refusal)
        if path == "/apis":
            versions = [name for name in self.resources if "/" in name]
            return web.json_response({"groups": [{"versions": [{"groupVersion": name}]} for name in versions]})
        group_version = path.removeprefix("/apis/").removeprefix("/api/")
        if group_version in self.resources:
            return web.json_response({"resources": self.resources[group_version]})
        if path not in self.objects:
            return web.Response(status=404, text="404 page not found\n")
        if "watch" in query:
            return await self._watch(request, path, int(query["resourceVersion"]))
        return self._list(path, query)

    def _list(self, path: str, query: Mapping[str, str]) -> web.Response:
        items = [self.objects[path][name] for name in sorted(self.objects[path])]
        selector = query.get("fieldSelector", "")
        if selector:
            items = [one for one in items if f"metadata.name={one['metadata']['name']}" == selector]
            return _json({"items": items, "metadata": {"resourceVersion": str(self.version)}})
        version, start = self.version, 0
        if "continue" in query:
            version, start = map(int, query["continue"].split("-"))
        if version < self.oldest:
            return _status(410, "The provided continue parameter is too old")
        end = start + min(self.page_size, int(query["limit"]))
        meta = {"resourceVersion": str(version)} | ({"continue": f"{version}-{end}"} if end < len(items) else {})
        return _json({"items": items[start:end], "metadata": meta})

    async def _watch(self, request: web.Request, path: str, version: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if version < self.oldest:
            expired = {"kind": "Status", "code": 410, "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
            return response
        self.watchers += 1
        cut = self._cuts.setdefault(path, asyncio.Event())
        try:
            with suppress(ConnectionError):
                while not cut.is_set() and request.transport is not None:
                    news = self._news
                    for number, where, kind, body in [one for one in self.events if one[0] > version]:
                        version = number
                        if where == path:
                            await response.write(_text({"type": kind, "object": body}).encode() + b"\n")
                    waits = [asyncio.create_task(news.wait()), asyncio.create_task(cut.wait())]
                    await asyncio.wait(waits, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)  # or a lost client
                    for one in waits:
                        one.cancel()
        finally:
            self.watchers -= 1
        return response


def _text(body: Object) -> str:
    return json.dumps(body).replace(f'"{DEEP}"', "[" * _LEVELS + "]" * _LEVELS)


def _json(body: Object) -> web.Response:
    return web.Response(text=_text(body), content_type="application/json")


def _status(status: int, text: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": status, "message": text}, status=status)
