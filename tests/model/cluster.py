"""The simulated API server: it answers requests, and produces the watch events that follow.

It has the behaviour that the operator relies on: resourceVersions and the 409 for a stale one, generations, finalizers
and deletion, the status as a subresource, and merge patches. The operator uses its own client code. Only the transport
is replaced (``calls.Transport``).
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from esm_operator.api.resource import FINALIZER, GROUP, PLURAL, VERSION, Key
from tests.model.objects import Answer, Objects, answer

MAPPINGS = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
#: The namespaces of the resources.
NAMESPACES = ("a", "b")
_NAMESPACED = f"/apis/{GROUP}/{VERSION}/namespaces/"


class WatchEvent(NamedTuple):
    """An event of the watch. ``kind`` None: it is an item of a list."""

    kind: str | None
    body: dict[str, Any]

    @property
    def key(self) -> Key:
        return key_of(self.body)

    @property
    def uid(self) -> str:
        return str(self.body["metadata"]["uid"])

    @property
    def shows_unheld(self) -> bool:
        """Whether only this event shows that an object was removed although it had the operator's finalizer."""
        return self.kind == "DELETED" and FINALIZER in _finalizers(self.body) and not is_deleting(self.body)


class Deletion(NamedTuple):
    """A DELETE in progress, with the state that it has read."""

    key: Key
    uid: str
    had_finalizers: bool


class Cluster:
    """The objects by path, and the watch events of the EventSourceMappings.

    Objects are never changed in place, because the watch shows their earlier states.
    """

    def __init__(self) -> None:
        self._version = 100
        self._uids = 0
        self.others: dict[str, dict[str, Any]] = {
            f"/api/v1/namespaces/{name}": {"metadata": {"name": name, "resourceVersion": "1"}} for name in NAMESPACES
        }
        self.forbidden = ""
        """The plural of a kind that the operator has no right to."""
        self.mappings: dict[Key, dict[str, Any]] = {}
        self.watch: list[WatchEvent] = []
        """What a watch that is open has not brought yet."""
        self.unseen_removals: set[Key] = set()
        """Resources that were removed although they carried the finalizer, while no watch showed it, or whose operator
        died before it had deleted their mapping, or that were being deleted already. They look like those whose
        finalizer a person has taken off: the operator only counts their mappings, as orphans."""
        self.releases: list[dict[str, Any]] = []
        """Resources that were removed because the operator took its finalizer off."""
        self.objects = Objects(self._next_version)
        """The objects that resources reference."""

    # Requests and the watch of the operator

    def request(self, method: str, path: str, body: Any) -> Answer:
        """Carry out one request."""
        if path.startswith(_NAMESPACED) and f"/{PLURAL}/" in path:
            namespace, _, rest = path.removeprefix(_NAMESPACED).partition(f"/{PLURAL}/")
            name, _, sub = rest.partition("/")
            return self._mapping(method, Key(namespace, name), sub, body)
        if method == "GET" and path.endswith(f"/{PLURAL}"):
            return answer(200, {"items": list(self.mappings.values()), "metadata": {}})
        if path.endswith("/events"):
            return answer(201, {})
        return self._other(method, path, body)

    def relist(self) -> None:
        """Cut the watch, and start it again with a list. It does not report objects that were removed meanwhile."""
        self.cut_watch()
        self.watch = [WatchEvent(None, body) for body in self.mappings.values()]

    def cut_watch(self) -> None:
        """Drop all watch events that have not been delivered."""
        self.unseen_removals |= {event.key for event in self.watch if event.shows_unheld}
        self.watch = []

    def _mapping(self, method: str, key: Key, sub: str, body: Any) -> Answer:
        old = self.mappings.get(key)
        if old is None:
            return answer(404, {"message": "not found"})
        if method == "GET":
            return answer(200, old)
        if method != "PATCH":
            raise AssertionError(f"The simulated API server does not know {method} of a mapping")
        version = (body.get("metadata") or {}).get("resourceVersion")
        if version not in (None, old["metadata"]["resourceVersion"]):
            return answer(409, {"message": "the object has been modified"})
        new = _merge(old, {name: part for name, part in body.items() if (name == "status") == (sub == "status")})
        added = set(_finalizers(new)) - set(_finalizers(old))
        if added and "deletionTimestamp" in old["metadata"]:
            return answer(422, {"message": "no new finalizers can be added if the object is being deleted"})
        new["metadata"] = {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}
        if (
            FINALIZER in _finalizers(old)
            and FINALIZER not in _finalizers(new)
            and "deletionTimestamp" in old["metadata"]
        ):
            self.releases.append(old)
        return answer(200, self._put(key, old, new))

    def _other(self, method: str, path: str, body: Any) -> Answer:
        """A request for another object, such as a Lease or a ProviderConfig. It has no status subresource."""
        path = path.removesuffix("/status")
        if self.forbidden and self.forbidden in path.split("/"):
            return answer(403, {"message": f'is forbidden: cannot {method.lower()} resource "{self.forbidden}"'})
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.others:
                return answer(409, {"message": "already exists"})
            return answer(201, self._cache(path, body))
        old = self.others.get(path)
        if method == "GET" and old is None and path.rpartition("/")[2] in ("namespaces", "providerconfigs"):
            return answer(200, {"items": [one for name, one in self.others.items() if name.rpartition("/")[0] == path]})
        if method == "GET" and path == "/api/v1/configmaps":  # with the label of outputs
            maps = [one for name, one in self.others.items() if name.split("/")[-2] == "configmaps"]
            return answer(200, {"items": [one for one in maps if "labels" in one["metadata"]]})
        if old is None:
            return answer(404, {"message": "not found"})
        if method == "GET":
            return answer(200, old)
        version = (body.get("metadata") or body.get("preconditions") or {}).get("resourceVersion")
        if version not in (None, old["metadata"]["resourceVersion"]):
            return answer(409, {"message": "the object has been modified"})
        if method == "DELETE":
            return answer(200, self.others.pop(path))
        return answer(200, self._cache(path, body if method == "PUT" else _merge(old, body)))

    def _cache(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        uid = body["metadata"].get("uid") or f"uid of {path}"
        stored = _merge(body, {"metadata": {"uid": uid, "resourceVersion": self._next_version()}})
        self.others[path] = stored
        return stored

    # Changes by users

    def create(self, key: Key, spec: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
        """Create a resource. ``metadata`` may have annotations and finalizers from a backup."""
        self._uids += 1
        body: dict[str, Any] = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "EventSourceMapping",
            "metadata": {
                **(metadata or {}),
                "namespace": key.namespace,
                "name": key.name,
                "uid": f"uid-{self._uids}",
                "generation": 1,
                "creationTimestamp": f"2026-01-01T00:{self._uids // 60:02d}:{self._uids % 60:02d}Z",
                "resourceVersion": self._next_version(),
            },
            "spec": dict(spec),
            "status": {"observedGeneration": -1},
        }
        self.mappings[key] = body
        self._tell("ADDED", body)

    def edit(self, key: Key, patch: Mapping[str, Any]) -> None:
        """Merge a patch into a resource, as ``kubectl patch`` does."""
        old = self.mappings[key]
        self._put(key, old, _merge(old, patch))

    def delete(self, key: Key) -> None:
        """Delete a resource. It remains while it has finalizers."""
        self.finish_deletion(self.begin_deletion(key))

    def begin_deletion(self, key: Key) -> Deletion:
        """Start a DELETE, which reads the resource. It takes effect with :meth:`finish_deletion`."""
        body = self.mappings[key]
        return Deletion(key, body["metadata"]["uid"], bool(_finalizers(body)))

    def finish_deletion(self, deletion: Deletion) -> None:
        """Let a DELETE take effect. It removes an object that had no finalizer when the DELETE read it.

        kube-apiserver 1.37 does this: of 461 objects that got a finalizer during a DELETE, it removed 293.
        """
        key, old = deletion.key, self.mappings.get(deletion.key)
        if old is None or old["metadata"]["uid"] != deletion.uid:
            return
        if not deletion.had_finalizers or not _finalizers(old):
            if is_deleting(old) and FINALIZER in _finalizers(old):
                self.unseen_removals.add(key)
            self._remove(key)
        elif "deletionTimestamp" not in old["metadata"]:
            going = {"deletionTimestamp": "2026-01-01T01:00:00Z", "generation": _generation(old) + 1}
            self._put(key, old, _merge(old, {"metadata": going}))

    def lose(self, key: Key) -> None:
        """Remove a resource with its cluster. No watch event reports it."""
        del self.mappings[key]

    def _put(self, key: Key, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        if new == old:
            return old
        generation = _generation(old) + 1 if new.get("spec") != old.get("spec") else _generation(new)
        new = _merge(new, {"metadata": {"generation": generation, "resourceVersion": self._next_version()}})
        if is_deleting(new) and not _finalizers(new):
            self._remove(key)  # the watch shows the last state that was stored, with the finalizer
        else:
            self.mappings[key] = new
            self._tell("MODIFIED", new)
        return new

    def _remove(self, key: Key) -> None:
        body = self.mappings.pop(key)
        self._tell("DELETED", _merge(body, {"metadata": {"resourceVersion": self._next_version()}}))

    def _tell(self, kind: str, body: dict[str, Any]) -> None:
        self.watch.append(WatchEvent(kind, body))

    def _next_version(self) -> str:
        self._version += 1
        return str(self._version)


def key_of(body: Mapping[str, Any]) -> Key:
    """The name of an object."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


def is_deleting(body: Mapping[str, Any]) -> bool:
    """Whether its deletion was requested."""
    return "deletionTimestamp" in body["metadata"]


def decoded(data: Any) -> Any:
    """The body of a request, decoded."""
    return json.loads(json.dumps(data)) if data is not None else {}


def _finalizers(body: Mapping[str, Any]) -> list[str]:
    return body["metadata"].get("finalizers") or []


def _generation(body: Mapping[str, Any]) -> int:
    return int(body["metadata"]["generation"])


def _merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), value)
    return result
