"""A scripted API server on a real socket. It serves what kopf asks for: discovery, lists in chunks, and watches."""

import json
import queue
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

GROUP = "lambda.esm-operator.io"
MAPPINGS = f"/apis/{GROUP}/v1/eventsourcemappings"
CONFIGS = f"/apis/{GROUP}/v1/providerconfigs"


def named(name: str, version: str = "1", **metadata: Any) -> dict[str, Any]:
    """An EventSourceMapping."""
    about = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": version, **metadata}
    return {"apiVersion": f"{GROUP}/v1", "kind": "EventSourceMapping", "metadata": about}


def event(kind: str, body: Mapping[str, Any]) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


@dataclass
class Request:
    """A request that has come in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    connection: tuple[str, int]
    """The client's end of its connection."""

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query


@dataclass
class _Watch:
    """A watch that is open."""

    lines: "queue.Queue[bytes | None]" = field(default_factory=lambda: queue.Queue[bytes | None]())
    """The lines to send; None ends the watch."""


class ApiServer:
    """Answers until the ``with`` block ends. Its methods may be called by any thread."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """All requests, in the order in which they came in."""
        self.chunks: dict[str, list[list[Any]]] = {}
        """The chunks of lists, by path. A list without any is empty."""
        self.refusals: dict[str, list[int]] = {}
        """HTTP statuses by path: each answers one request of a list or watch in place of it."""
        self.unserved: set[str] = set()
        """Plural names of kinds that the cluster does not serve."""
        self._watches: dict[str, list[_Watch]] = {}
        self._changed = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is logged."""

            def do_GET(self) -> None:
                server._answer(self)

            do_PATCH = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for path in list(self._watches):
            self.cut(path)
        self._http.shutdown()
        self._http.server_close()

    def lists(self, path: str = MAPPINGS) -> list[Request]:
        """The requests for chunks of a list."""
        return [one for one in self.requests if one.path == path and not one.is_watch]

    def watches(self, path: str = MAPPINGS) -> list[Request]:
        """The requests for watches."""
        return [one for one in self.requests if one.path == path and one.is_watch]

    def is_watched(self, path: str = MAPPINGS) -> bool:
        """Whether a watch is open."""
        return bool(self._watches.get(path))

    def send(self, *lines: bytes, path: str = MAPPINGS) -> None:
        """Send lines to all open watches."""
        for watch in self._watches[path]:
            for line in lines:
                watch.lines.put(line)

    def cut(self, path: str = MAPPINGS) -> None:
        """End all open watches."""
        for watch in self._watches.pop(path, []):
            watch.lines.put(None)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = Request(
            handler.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.client_address,
        )
        self.requests.append(request)
        refusals = self.refusals.get(parts.path)
        if refusals:
            status = refusals.pop(0)
            _send(handler, {"kind": "Status", "apiVersion": "v1", "code": status, "message": "Refused."}, status)
        elif parts.path in _DISCOVERY:
            _send(handler, self._discovery(parts.path))
        elif request.method != "GET":
            _send(handler, {"metadata": {}})
        elif request.is_watch:
            self._stream(handler, parts.path)
        else:
            _send(handler, self._chunk(parts.path, int(request.query.get("continue", "0"))))

    def _discovery(self, path: str) -> Mapping[str, Any]:
        document = _DISCOVERY[path]
        if "resources" not in document:
            return document
        return {**document, "resources": [one for one in document["resources"] if one["name"] not in self.unserved]}

    def _chunk(self, path: str, number: int) -> Mapping[str, Any]:
        chunks = self.chunks.get(path) or [[]]
        rest = str(number + 1) if number + 1 < len(chunks) else ""
        metadata = {"resourceVersion": "100", "continue": rest}
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": chunks[number]}

    def _stream(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        watch = _Watch()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        self._watches.setdefault(path, []).append(watch)
        with suppress(OSError):
            while (line := watch.lines.get()) is not None:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True


def _send(handler: BaseHTTPRequestHandler, document: Mapping[str, Any], status: int = 200) -> None:
    body = json.dumps(document).encode()
    with suppress(OSError):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _resources(*kinds: tuple[str, str, bool]) -> dict[str, Any]:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    return {
        "resources": [
            {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": namespaced, "verbs": verbs}
            for plural, kind, namespaced in kinds
        ]
    }


def _groups(names: Iterable[str]) -> dict[str, Any]:
    version = {"version": "v1"}
    return {"groups": [{"name": name, "versions": [version], "preferredVersion": version} for name in names]}


_DISCOVERY: Mapping[str, Any] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": _resources(("namespaces", "Namespace", False), ("events", "Event", True)),
    "/apis": _groups([GROUP, "apiextensions.k8s.io"]),
    f"/apis/{GROUP}/v1": _resources(
        ("eventsourcemappings", "EventSourceMapping", True), ("providerconfigs", "ProviderConfig", False)
    ),
    "/apis/apiextensions.k8s.io/v1": _resources(("customresourcedefinitions", "CustomResourceDefinition", False)),
}
