"""The desired store: the resources as the cluster says they are, fed by the watch and by our own writes.

Fed out of order: our own write's answer may come before the watch event of an older version, so only
newer versions are taken. Written by the handlers, read by the reconciler.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

GROUP = "lambda.esm-operator.io"
VERSION = "v1"
PLURAL = "eventsourcemappings"
KIND = "EventSourceMapping"
FINALIZER = f"{GROUP}/mapping"
INTENT = f"{GROUP}/intent"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Key(NamedTuple):
    """The name of a resource in the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the operator was about to make, noted on the resource before it does.

    After a crash between AWS's answer and the note of its UUID, the mapping is found again by it,
    whatever the spec says by then.
    """

    owner: str
    """``namespace/name`` of the resource: a copy of its manifest carries the annotation along."""
    account: str
    region: str
    function: str
    source: str
    servers: tuple[str, ...]
    fields: tuple[str, ...]
    tags: tuple[str, ...]
    immutable: Mapping[str, str]

    def render(self) -> str:
        """As the annotation keeps it."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True, separators=(",", ":"))


def parse_intent(text: str | None) -> Intent | None:
    """The intent that an annotation holds; None where there is none or it was spoilt by hand."""
    try:
        raw = json.loads(text or "")
        return Intent(
            owner=str(raw["owner"]),
            account=str(raw["account"]),
            region=str(raw["region"]),
            function=str(raw["function"]),
            source=str(raw["source"]),
            servers=tuple(raw["servers"]),
            fields=tuple(raw["fields"]),
            tags=tuple(raw["tags"]),
            immutable=dict(raw["immutable"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Resource:
    """One EventSourceMapping of the cluster."""

    key: Key
    uid: str
    resource_version: str
    generation: int
    created: str
    deleting: bool
    finalizers: tuple[str, ...]
    intent: Intent | None
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    status: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in self.finalizers

    @property
    def uuid(self) -> str:
        """The UUID that the status notes; empty where there is none or it was spoilt by hand."""
        text = str(self.status.get("uuid") or "")
        return text if _UUID.fullmatch(text) else ""


def parse(body: Mapping[str, Any]) -> Resource:
    """A resource from the object that the API server answers."""
    meta = body["metadata"]
    return Resource(
        key=Key(str(meta.get("namespace", "")), str(meta["name"])),
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        created=str(meta.get("creationTimestamp", "")),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=tuple(meta.get("finalizers") or ()),
        intent=parse_intent((meta.get("annotations") or {}).get(INTENT)),
        spec=body.get("spec") or {},
        status=body.get("status") or {},
    )


class Store:
    """The resources by key."""

    def __init__(self) -> None:
        self._resources: dict[Key, Resource] = {}
        self._key_of: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self._resources)

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def all_keys(self) -> list[Key]:
        """The names of all resources."""
        return list(self._resources)

    def put(self, resource: Resource) -> Resource | None:
        """Take a resource unless a newer version is known.

        Returns:
            what was known before; the resource itself if it is not newer.
        """
        old = self._resources.get(resource.key)
        if old is not None and old.uid == resource.uid and _newer(old, resource):
            return resource
        self._resources[resource.key] = resource
        if old is not None and old.uuid != resource.uuid and self._key_of.get(old.uuid) == resource.key:
            del self._key_of[old.uuid]
        if resource.uuid:
            self._key_of[resource.uuid] = resource.key
        return old

    def forget(self, key: Key, uid: str = "") -> bool:
        """A resource is gone (of the given uid only, if one is given)."""
        old = self._resources.get(key)
        if old is None or (uid and old.uid != uid):
            return False
        del self._resources[key]
        if self._key_of.get(old.uuid) == key:
            del self._key_of[old.uuid]
        return True

    def known_uuids(self, uuids: Iterable[str]) -> list[str]:
        """Those of the UUIDs whose mappings belong to resources."""
        return [uuid for uuid in uuids if uuid in self._key_of]

    def keys_of(self, uuids: Iterable[str]) -> list[Key]:
        """The resources whose mappings have these UUIDs."""
        return [self._key_of[uuid] for uuid in uuids if uuid in self._key_of]


def _newer(old: Resource, new: Resource) -> bool:
    """Whether what is known is as new or newer; versions count up (Kubernetes API concepts, since 1.35)."""
    try:
        return int(old.resource_version) >= int(new.resource_version)
    except ValueError:
        return False
