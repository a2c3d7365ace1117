"""The desired store: the resources as the cluster says they are, fed by the watch and by our own writes.

Fed out of order: our own write's answer may come before the watch event of an older version, so only
newer versions are taken. Written by the handlers, read by the reconciler.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from esm_operator.api import identity

GROUP = "lambda.esm-operator.io"
VERSION = "v1"
PLURAL = "eventsourcemappings"
KIND = "EventSourceMapping"
FINALIZER = f"{GROUP}/mapping"
INTENT = f"{GROUP}/intent"
#: Annotations by which people steer the operator.
PAUSED = f"{GROUP}/paused"
LET_GO = f"{GROUP}/let-go"
RECONCILE_AT = f"{GROUP}/reconcile-at"

#: Values of ``paused`` that let the work go on; any other holds it back, for whoever brakes may mistype.
_NO = ("", "false", "no", "off", "0")
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
    """None: there is none, or a manifest was copied with that of another resource."""
    paused: bool = False
    """Whether a person asked for nothing to be written to AWS."""
    let_go: bool = False
    """Whether a person asked for the resource to go without its mapping."""
    requested: str = ""
    """When a person asked for it to be looked at, in their own words."""
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    status: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in self.finalizers

    @property
    def stalled(self) -> bool:
        """Whether the status says of this very spec that a person has to do something."""
        conditions = self.status.get("conditions") or ()
        told = self.status.get("observedGeneration") == self.generation
        return told and any(one.get("type") == "Stalled" and one.get("status") == "True" for one in conditions)

    @property
    def look_requested(self) -> bool:
        """Whether a person asked for it to be looked at, and no status has answered that yet."""
        return bool(self.requested) and self.requested != self.status.get("lastHandledReconcileAt")

    @property
    def uuid(self) -> str:
        """The UUID that the status notes; empty where there is none or it was spoilt by hand."""
        text = str(self.status.get("uuid") or "")
        return text if _UUID.fullmatch(text) else ""


def parse(body: Mapping[str, Any]) -> Resource:
    """A resource from the object that the API server answers."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    key = Key(str(meta.get("namespace", "")), str(meta["name"]))
    intent = parse_intent(annotations.get(INTENT))
    return Resource(
        key=key,
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        created=str(meta.get("creationTimestamp", "")),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=tuple(meta.get("finalizers") or ()),
        intent=intent if intent is not None and intent.owner == str(key) else None,
        paused=str(annotations.get(PAUSED) or "").lower() not in _NO,
        let_go=str(annotations.get(LET_GO) or "").lower() == "true",
        requested=str(annotations.get(RECONCILE_AT) or ""),
        spec=body.get("spec") or {},
        status=body.get("status") or {},
    )


def is_same_work(old: Resource, new: Resource) -> bool:
    """Whether nothing differs that a plan depends on; labels and who wrote what do not matter."""
    return (
        old.uid == new.uid
        and old.generation == new.generation
        and old.deleting == new.deleting
        and old.finalizers == new.finalizers
        and old.intent == new.intent
        and (old.paused, old.let_go, old.requested) == (new.paused, new.let_go, new.requested)
        and all(old.status.get(part) == new.status.get(part) for part in ("uuid", "applied", "conditions"))
    )


class StaleError(Exception):
    """What is being carried out was planned for a resource that is another by now, or gone."""


class Store:
    """The resources by key."""

    def __init__(self) -> None:
        self._resources: dict[Key, Resource] = {}
        self._keys_of: dict[str, set[Key]] = {}
        """By UUID: the resources whose statuses note it. Beside the one that owns a mapping others may watch it."""
        self._claims: dict[tuple[str, str], set[Key]] = {}
        """By identity: the resources that may adopt."""

    def __len__(self) -> int:
        return len(self._resources)

    def get(self, key: Key) -> Resource | None:
        return self._resources.get(key)

    def current(self, resource: Resource) -> Resource:
        """A resource that is being worked on, in its newest version.

        Raises:
            StaleError: the work is to be begun anew, for it differs.
        """
        known = self._resources.get(resource.key)
        if known is None or not is_same_work(resource, known):
            raise StaleError
        return known

    def all_keys(self) -> list[Key]:
        """The names of all resources."""
        return list(self._resources)

    def put(self, resource: Resource) -> Resource | None:
        """Take a resource unless a newer version is known.

        Returns:
            what was known before; the resource itself if it is not newer.
        """
        old = self._resources.get(resource.key)
        if old is not None and _newer(old, resource):
            return resource
        self._resources[resource.key] = resource
        if old is not None:
            self._unnote(old)
            self._unclaim(old)
        if _may_adopt(resource):
            self._claims.setdefault(identity.of_spec(resource.spec).key, set()).add(resource.key)
        if resource.uuid:
            self._keys_of.setdefault(resource.uuid, set()).add(resource.key)
        return old

    def forget(self, key: Key, uid: str = "") -> bool:
        """A resource is gone (of the given uid only, if one is given)."""
        old = self._resources.get(key)
        if old is None or (uid and old.uid != uid):
            return False
        del self._resources[key]
        self._unnote(old)
        self._unclaim(old)
        return True

    def older_claimant(self, resource: Resource) -> str:
        """Another resource that may adopt the same mapping and comes first, as ``namespace/name``; or empty.

        Older ones come first, among equals the lower uid. One that has a mapping, is going, or can't be worked
        on does not count.
        """
        if not _may_adopt(resource):
            return ""
        wanted = identity.of_spec(resource.spec)
        others = (self._resources[key] for key in self._claims.get(wanted.key, ()) if key != resource.key)
        rivals = [
            other
            for other in others
            if (other.created, other.uid) < (resource.created, resource.uid)
            and not (other.uuid or other.deleting or other.paused or other.stalled)
            and identity.of_spec(other.spec).same_as(wanted)
        ]
        return str(min(rivals, key=lambda other: (other.created, other.uid)).key) if rivals else ""

    def _unnote(self, resource: Resource) -> None:
        keys = self._keys_of.get(resource.uuid, set())
        keys.discard(resource.key)
        if not keys:
            self._keys_of.pop(resource.uuid, None)

    def _unclaim(self, resource: Resource) -> None:
        if _may_adopt(resource):
            claim = identity.of_spec(resource.spec).key
            keys = self._claims.get(claim, set())
            keys.discard(resource.key)
            if not keys:
                self._claims.pop(claim, None)

    def known_uuids(self, uuids: Iterable[str]) -> list[str]:
        """Those of the UUIDs whose mappings belong to resources."""
        return [uuid for uuid in uuids if uuid in self._keys_of]

    def noted_tags(self, uuids: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Of the UUIDs, those whose mappings belong to resources, with the tags that their statuses tell."""
        return {
            uuid: self._resources[min(self._keys_of[uuid])].status.get("tagsAll") or {}
            for uuid in uuids
            if uuid in self._keys_of
        }

    def keys_of(self, uuids: Iterable[str]) -> list[Key]:
        """The resources whose mappings have these UUIDs."""
        return [key for uuid in uuids for key in sorted(self._keys_of.get(uuid, ()))]


def _may_adopt(resource: Resource) -> bool:
    return (resource.spec.get("adoption") or {}).get("policy", "Never") != "Never"


def _newer(old: Resource, new: Resource) -> bool:
    """Whether what is known is as new or newer; versions count up (Kubernetes API concepts, since 1.35).

    A late word of an earlier incarnation is older, even where the versions were counted anew by a restore.
    """
    if old.uid != new.uid and old.created != new.created:
        return old.created > new.created
    try:
        return int(old.resource_version) >= int(new.resource_version)
    except ValueError:
        return False
