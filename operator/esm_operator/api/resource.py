"""One EventSourceMapping of the cluster, as the operator keeps it: what decides is at hand, the rest is packed."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from esm_operator.api.annotations import (
    INTENT,
    ORPHAN,
    PAUSED,
    RECONCILE_AT,
    UNKNOWN_ANNOTATIONS,
    unknown_annotations,
)
from esm_operator.api.frozen_json import AT_HAND, FrozenJSON
from esm_operator.api.metric_labels import MetricLabels, facets_of
from esm_operator.api.recorded_status import Condition, MappingStatus, parse_conditions
from esm_operator.api.spec import MappingSpec, RequestedTarget

GROUP = "lambda.esm-operator.io"
VERSION = "v1"
PLURAL = "eventsourcemappings"
KIND = "EventSourceMapping"
FINALIZER = f"{GROUP}/mapping"

#: Values of ``paused`` that let the work go on; any other holds it back, for whoever brakes may mistype.
_NO = ("", "false", "no", "off", "0")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Key(NamedTuple):
    """The name of a resource in the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class EventSubject(NamedTuple):
    """What an Event says of the resource that it is about."""

    key: Key
    uid: str
    resource_version: str


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
    waiting_since: str = ""
    """RFC 3339 time since which no Create has been sent for it: the operator waits for the outcome of an earlier one. A
    Create needs a new intent without this time."""

    def render(self) -> str:
        """As the annotation keeps it."""
        members = {name: getattr(self, name) for name in self.__slots__}
        if not self.waiting_since:
            del members["waiting_since"]
        return json.dumps(members, sort_keys=True, separators=(",", ":"))


@lru_cache(AT_HAND)
def parse_intent(text: str) -> Intent | None:
    """The intent that an annotation holds; None where there is none or it was spoilt by hand."""
    try:
        raw = json.loads(text)
        members = (*raw["servers"], *raw["fields"], *raw["tags"], *raw["immutable"].values())
        if not all(isinstance(one, str) for one in members):
            return None
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
            waiting_since=str(raw.get("waiting_since") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
    noted: str
    """The annotation that holds the intent."""
    paused: bool
    """Whether a person asked for nothing to be written to AWS."""
    orphan: bool
    """Whether a person asked for the resource to go without its mapping."""
    requested: str
    """When a person asked for it to be looked at, in their own words."""
    unknown_annotations: tuple[str, ...]
    """Annotations with the operator's prefix that have no effect, with the prefix."""
    uuid: str
    """The UUID that the status notes; empty where there is none or it was spoilt by hand."""
    told: bool
    """Whether the status is of the spec as it is now."""
    answered: str
    """The last ``requested`` that a status has answered."""
    conditions: Mapping[str, str]
    """The status of each condition, by its type."""
    asked: RequestedTarget
    """What the spec says of where the mapping lives."""
    metric_labels: MetricLabels
    """What it is counted by."""
    may_adopt: bool
    """Whether the spec allows it to adopt a mapping that exists already."""
    packed_spec: FrozenJSON
    packed_status: FrozenJSON
    removed: bool = False
    """Whether the API server has removed the object although it carried our finalizer. It counts as being deleted, and
    nothing can be written to it."""

    @property
    def spec(self) -> MappingSpec:
        """The spec."""
        return _spec(self.packed_spec)

    @property
    def status(self) -> MappingStatus:
        """The status; an empty one if none was written yet."""
        return _status(self.packed_status)

    @property
    def recorded_tags(self) -> Mapping[str, str] | None:
        """The tags of the mapping as the status records them, without parsing the rest of it; None: not known."""
        return self.packed_status.get("tagsAll")

    @property
    def about(self) -> EventSubject:
        """For what is remembered of it longer than this version lives."""
        return EventSubject(self.key, self.uid, self.resource_version)

    @property
    def intent(self) -> Intent | None:
        """None: there is none, or a manifest was copied with that of another resource."""
        intent = parse_intent(self.noted)
        return intent if intent is not None and intent.owner == str(self.key) else None

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in self.finalizers

    @property
    def removed_despite_finalizer(self) -> bool:
        """For the last state in a DELETED event: whether the object was removed although it carried our finalizer.

        kube-apiserver removes an object immediately if it had no finalizer when the DELETE read it, even if a PATCH
        has added one since. The DELETED event then shows the finalizer and no deletionTimestamp (seen with
        kube-apiserver 1.37). After an ordinary release it shows both; a finalizer that a person took off is not shown.
        """
        return self.has_finalizer and not self.deleting

    @property
    def stalled(self) -> bool:
        """Whether the status says of this very spec that a person has to do something."""
        return self.told and self.conditions.get("Stalled") == "True"

    @property
    def look_requested(self) -> bool:
        """Whether a person asked for it to be looked at, and no status has answered that yet."""
        return bool(self.requested) and self.requested != self.answered


def parse(body: Mapping[str, Any]) -> Resource:
    """A resource from the object that the API server answers."""
    meta: Mapping[str, Any] = body["metadata"]
    annotations: Mapping[str, str] = meta.get("annotations") or {}
    finalizers: Iterable[str] = meta.get("finalizers") or ()
    raw_spec: Mapping[str, Any] = body.get("spec") or {}
    status: Mapping[str, Any] = body.get("status") or {}
    spec = MappingSpec.parse(raw_spec)
    uuid = str(status.get("uuid") or "")
    key = Key(sys.intern(str(meta.get("namespace", ""))), str(meta["name"]))
    conditions = parse_conditions(status)
    deleting = bool(meta.get("deletionTimestamp"))
    paused = str(annotations.get(PAUSED) or "").lower() not in _NO
    return Resource(
        key=key,
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        created=str(meta.get("creationTimestamp", "")),
        deleting=deleting,
        finalizers=tuple(map(sys.intern, finalizers)),
        noted=str(annotations.get(INTENT) or ""),
        paused=paused,
        orphan=str(annotations.get(ORPHAN) or "").lower() == "true",
        requested=str(annotations.get(RECONCILE_AT) or ""),
        unknown_annotations=unknown_annotations(annotations),
        uuid=uuid if _UUID.fullmatch(uuid) else "",
        told=status.get("observedGeneration") == int(meta.get("generation", 0)),
        answered=str(status.get("lastHandledReconcileAt") or ""),
        conditions=_statuses(tuple([(one.type, one.status) for one in conditions])),
        asked=spec.requested_target,
        metric_labels=facets_of(
            spec.source, str(status.get("state") or ""), conditions, deleting=deleting, paused=paused
        ),
        may_adopt=spec.adoption.allowed,
        packed_spec=FrozenJSON(raw_spec),
        packed_status=FrozenJSON(status),
    )


@lru_cache(AT_HAND)
def _spec(packed: FrozenJSON) -> MappingSpec:
    return MappingSpec.parse(packed.unpacked)


@lru_cache(AT_HAND)
def _status(packed: FrozenJSON) -> MappingStatus:
    return MappingStatus.parse(packed.unpacked)


@lru_cache(AT_HAND)
def _statuses(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """The same object for the same conditions: there are few combinations."""
    return dict(pairs)


def is_same_work(old: Resource, new: Resource) -> bool:
    """Whether nothing differs that a plan depends on; labels and who wrote what do not matter."""
    return (
        old.uid == new.uid
        and old.generation == new.generation
        and old.deleting == new.deleting
        and old.finalizers == new.finalizers
        and old.noted == new.noted
        and (old.paused, old.orphan, old.requested) == (new.paused, new.orphan, new.requested)
        and old.unknown_annotations == new.unknown_annotations
        and (old.packed_status == new.packed_status or _is_same_status(old.status, new.status))
    )


def _is_same_status(old: MappingStatus, new: MappingStatus) -> bool:
    """Whether no part differs that a plan depends on.

    The report about unknown annotations is not such a part. Two operators of different versions do not know the same
    annotations, and each would answer the report of the other at once.
    """
    return (old.uuid, old.applied, old.creating, _plan_conditions(old)) == (
        new.uuid,
        new.applied,
        new.creating,
        _plan_conditions(new),
    )


def _plan_conditions(status: MappingStatus) -> list[Condition]:
    return [one for one in status.conditions if one.type != UNKNOWN_ANNOTATIONS]
