"""The objects that resources reference, as the simulated API server serves them: discovery, lists and watches.

The operator reads them with its own reference watches. An open watch brings nothing until the test delivers it, so it
is late, and out of order with the watch of the resources. The test can end a watch, and let its version expire, after
which the operator lists the objects again. A kind can be served later, or not any more.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from aiohttp import ClientPayloadError

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM
from tests.model.aws import STREAM

#: The namespace of the referenced objects.
NAMESPACE = "a"


class Answer(NamedTuple):
    """An answer of the API server. Later changes of the object do not change its body."""

    status: int
    body: str


class ObjectKind(NamedTuple):
    """A kind of referenced objects."""

    group_version: str
    kind: str
    plural: str

    @property
    def api_path(self) -> str:
        return f"/apis/{self.group_version}" if "/" in self.group_version else f"/api/{self.group_version}"

    @property
    def path(self) -> str:
        """The path of all objects."""
        return f"{self.api_path}/{self.plural}"

    def served_at(self, path: str) -> bool:
        """Whether objects of the kind are listed at a path: those of all namespaces, or of one."""
        return path == self.path or path == f"{self.api_path}/namespaces/{NAMESPACE}/{self.plural}"


CONFIG_MAP = ObjectKind("v1", "ConfigMap", "configmaps")
#: A stream of ACK.
ACK_STREAM = ObjectKind("kinesis.services.k8s.aws/v1alpha1", "Stream", "streams")
_KINDS = (CONFIG_MAP, ACK_STREAM)
#: The names of the objects of the model test.
NAMES, ORDERS = "names", "orders"


def reference_to(kind: ObjectKind, name: str, key: str = "") -> dict[str, str]:
    """A reference in a spec. The object is in the namespace of all objects."""
    to = {"apiVersion": kind.group_version, "kind": kind.kind, "name": name, "namespace": NAMESPACE}
    return {**to, "key": key} if key else to


#: The references of the model test.
FUNCTION_REF, TOPIC_REF = reference_to(CONFIG_MAP, NAMES, "function"), reference_to(CONFIG_MAP, NAMES, "topic")
SOURCE_REF = reference_to(ACK_STREAM, ORDERS)
#: The field of the spec for which a reference stands.
STANDS_FOR: Mapping[str, str] = {
    "functionRef": "functionName",
    "eventSourceRef": "eventSourceARN",
    "topicRef": "topics",
}


class _Event(NamedTuple):
    version: int
    path: str
    body: Mapping[str, Any]
    """As a line of the watch has it."""


class Objects:
    """The referenced objects, and the open watches."""

    def __init__(self, next_version: Callable[[], str]) -> None:
        """``next_version`` counts the resourceVersions of the cluster."""
        self._next_version = next_version
        self.served = {kind.path for kind in _KINDS}
        """The paths of the kinds that the API server serves."""
        self.forbidden: set[str] = set()
        """The paths of the kinds that the operator may not list and watch."""
        self.watches: list[ObjectWatch] = []
        self._bodies: dict[tuple[ObjectKind, str], dict[str, Any]] = {}
        self._events: list[_Event] = []
        self._expired = 0
        """The newest version from which no watch can begin any more."""
        self._had: dict[tuple[str, str], set[str]] = {}
        """By kind and name: the values that the object has had."""
        self.put(CONFIG_MAP, NAMES, data={"function": "orders", "topic": "orders"})
        self.put(ACK_STREAM, ORDERS, **with_arn(STREAM))

    # Changes by users

    def put(self, kind: ObjectKind, name: str, *, allow: str = "*", deleting: bool = False, **parts: Any) -> None:
        """Create or replace an object.

        Args:
            kind: of the object.
            name: of the object.
            allow: the namespaces that may reference it.
            deleting: whether its deletion was requested.
            parts: such as ``data`` and ``status``.
        """
        if kind.path not in self.served:
            return
        deletion = {"deletionTimestamp": "2026-01-01T01:00:00Z"} if deleting else {}
        meta = {"namespace": NAMESPACE, "name": name, "annotations": {ALLOW_REFERENCES_FROM: allow}, **deletion}
        exists = (kind, name) in self._bodies
        self._tell("MODIFIED" if exists else "ADDED", kind, {"metadata": meta, **parts})

    def change(self, kind: ObjectKind, name: str, **change: Any) -> bool:
        """Replace parts of an object, as :meth:`put` has them, and keep the others. Returns whether it exists."""
        body = self._bodies.get((kind, name))
        if body is None:
            return False
        meta = body["metadata"]
        allow, deleting = str(meta["annotations"][ALLOW_REFERENCES_FROM]), "deletionTimestamp" in meta
        kept = {part: body[part] for part in ("data", "status") if part in body}
        parts: dict[str, Any] = {"allow": allow, "deleting": deleting, **kept, **change}
        self.put(kind, name, **parts)
        return True

    def delete(self, kind: ObjectKind, name: str) -> None:
        """Delete an object, if it exists."""
        if (kind, name) in self._bodies:
            self._tell("DELETED", kind, self._bodies[kind, name])

    def serve(self, kind: ObjectKind) -> None:
        """Serve a kind again."""
        self.served.add(kind.path)

    def remove_kind(self, kind: ObjectKind) -> None:
        """Serve a kind no more, as after the deletion of its CRD. Its objects are deleted and its watches end."""
        for _, name in [one for one in self._bodies if one[0] == kind]:
            self.delete(kind, name)
        self.served.discard(kind.path)
        for one in self.watches:
            if one.path == kind.path:
                one.end()

    # What the resources need

    def value_of(self, reference: Mapping[str, Any], namespace: str) -> str:
        """The present value of a reference of a resource in a namespace; empty: there is none that may be used."""
        kind = next(one for one in _KINDS if one.kind == reference["kind"])
        body = self._bodies.get((kind, reference["name"]))
        if body is None or "deletionTimestamp" in body["metadata"] or reference["namespace"] != NAMESPACE:
            return ""
        allowed = body["metadata"]["annotations"][ALLOW_REFERENCES_FROM]
        if namespace != NAMESPACE and allowed != "*" and namespace not in allowed.split(","):
            return ""
        if kind == CONFIG_MAP:
            return str(body["data"].get(reference["key"]) or "")
        return _arn_in(body)

    def has_had(self, reference: Mapping[str, Any], value: str) -> bool:
        """Whether the object of a reference has ever had a value."""
        return value in self._had.get((reference["kind"], reference["name"]), ())

    # Requests and watches of the operator

    def answers(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Whether a request is one of discovery, or for a list of referenced objects. Outputs are listed by a label."""
        if method != "GET" or "labelSelector" in query:
            return False
        return path == "/apis" or any(path == kind.api_path or kind.served_at(path) for kind in _KINDS)

    def request(self, path: str, query: Mapping[str, str]) -> Answer:
        """Carry out a request."""
        served = [kind for kind in _KINDS if kind.path in self.served]
        if path == "/apis":
            groups = [{"versions": [{"groupVersion": kind.group_version}]} for kind in served if kind != CONFIG_MAP]
            return answer(200, {"groups": groups})
        of_path = [kind for kind in served if kind.api_path == path]
        if of_path:
            verbs = ["get", "list", "watch"]
            resources = [{"name": k.plural, "kind": k.kind, "namespaced": True, "verbs": verbs} for k in of_path]
            return answer(200, {"resources": resources})
        kind = next((kind for kind in served if kind.served_at(path)), None)
        if kind is None:
            return answer(404, {"message": "the server could not find the requested resource"})
        if kind.path in self.forbidden:
            return answer(403, {"message": f"is forbidden: cannot list resource {kind.plural}"})
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        items = [body for (of, its), body in self._bodies.items() if of == kind and name in ("", its)]
        return answer(200, {"items": items, "metadata": {"resourceVersion": self._next_version()}})

    def watch(
        self, path: str, query: Mapping[str, str], future: Callable[[], asyncio.Future[None]]
    ) -> "Answer | ObjectWatch":
        """Begin a watch."""
        version = int(query["resourceVersion"])
        listed = self.request(path, {})
        if listed.status != 200:
            return listed
        if version < self._expired:
            return answer(410, {"message": "too old resource version"})
        return ObjectWatch(self, path, version, future)

    def waiting(self, watch: "ObjectWatch") -> list[Mapping[str, Any]]:
        """The events that a watch has not brought yet."""
        return [event.body for event in self._events if event.path == watch.path and event.version > watch.version]

    @property
    def undelivered(self) -> bool:
        """Whether an open watch has not brought all events."""
        return any(self.waiting(one) for one in self.watches)

    def deliver(self, count: int) -> Iterator[str]:
        """Let each watch bring its next events. Returns lines for the history."""
        for one in list(self.watches):
            for event in self.waiting(one)[:count]:
                yield f"watch: {event['type']} {one.path} {event['object']['metadata']['resourceVersion']}"
                one.bring(event)

    def cut(self, *, expired: bool, failed: bool) -> None:
        """End all watches.

        Args:
            expired: whether no watch can begin from their versions any more.
            failed: whether they end with an error.
        """
        if expired:
            self._expired = int(self._next_version())
        for one in self.watches:
            one.end(ClientPayloadError("The connection was cut.") if failed else None)

    def _tell(self, kind: str, of: ObjectKind, body: Mapping[str, Any]) -> None:
        version = self._next_version()
        meta = {**body["metadata"], "resourceVersion": version}
        new = {"apiVersion": of.group_version, "kind": of.kind, **body, "metadata": meta}
        name = meta["name"]
        if kind == "DELETED":
            del self._bodies[of, name]
        else:
            self._bodies[of, name] = new
            self._had.setdefault((of.kind, name), set()).update(_values(new))
        self._events.append(_Event(int(version), of.path, {"type": kind, "object": new}))


class ObjectWatch:
    """An open watch of a kind. It is the answer of aiohttp too, as far as the operator uses it."""

    def __init__(self, objects: Objects, path: str, version: int, future: Callable[[], asyncio.Future[None]]) -> None:
        self.path = path
        self.version = version
        """The version of the last event that it has brought."""
        self.status = 200
        self.reason = ""
        self.headers: Mapping[str, str] = {}
        self._objects = objects
        self._future = future
        self._lines: list[bytes] = []
        self._more: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None
        objects.watches.append(self)

    def bring(self, event: Mapping[str, Any]) -> None:
        """Let the operator have an event."""
        self.version = int(event["object"]["metadata"]["resourceVersion"])
        self._lines.append(json.dumps(event).encode() + b"\n")
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """End, after the events that it has brought."""
        self._ended, self._error = True, error
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    @property
    def response(self) -> Self:
        """The wrapped answer of aiohttp."""
        return self

    @property
    def content(self) -> Self:
        """The stream with the lines."""
        return self

    async def iter_any(self) -> AsyncGenerator[bytes]:
        while True:
            while self._lines:
                yield self._lines.pop(0)
            if self._error is not None:
                raise self._error
            if self._ended:
                return
            self._more = self._future()
            await self._more

    def close(self) -> None:
        """The operator does not read it any more."""
        if self in self._objects.watches:
            self._objects.watches.remove(self)


def effective(spec: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A spec with the values of its references, by the names of the references. One without a value has no field."""
    filled = dict(spec)
    for reference, field in STANDS_FOR.items():
        if reference in spec:
            filled.pop(field, None)
            if values.get(reference):
                filled[field] = [values[reference]] if field == "topics" else values[reference]
    return filled


def references_in(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The references of a spec, by name."""
    return {name: spec[name] for name in STANDS_FOR if spec.get(name)}


def answer(status: int, body: Mapping[str, Any]) -> Answer:
    """An answer with a body."""
    return Answer(status, json.dumps(body))


def with_arn(arn: str | None) -> dict[str, Any]:
    """The status of a stream of ACK. None: it is not ready yet."""
    return {"status": {"ackResourceMetadata": {"arn": arn}} if arn else {}}


def _arn_in(body: Mapping[str, Any]) -> str:
    return str(body["status"].get("ackResourceMetadata", {}).get("arn") or "")


def _values(body: Mapping[str, Any]) -> set[str]:
    return {*body.get("data", {}).values(), *([_arn_in(body)] if "status" in body else [])} - {""}
