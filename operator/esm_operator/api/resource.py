"""One EventSourceMapping of the cluster, as the cache keeps it: the parts that decide, and the rest as FrozenJSON."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from esm_operator.api.annotations import (
    ALLOW_TAKEOVER_BY,
    INTENT,
    ORPHAN,
    PAUSED,
    RECONCILE_AT,
    UNKNOWN_ANNOTATIONS,
    allowed_takers,
    unknown_annotations,
)
from esm_operator.api.frozen_json import AT_HAND, FrozenJSON, at_hand
from esm_operator.api.limits import REGION_PATTERN, UUID_PATTERN
from esm_operator.api.metric_labels import MetricLabels, metric_labels
from esm_operator.api.recorded_status import MappingStatus, OutputsRecord, parse_conditions, recorded_references
from esm_operator.api.reference_kinds import SOURCE
from esm_operator.api.references import (
    ReferenceProblem,
    ResolvedReference,
    recorded_value,
    references_with_values,
    resolved,
    with_values,
)
from esm_operator.api.sources import Arn, parse_arn
from esm_operator.api.spec import FormerOwner, MappingSpec, RequestedTarget

GROUP = "lambda.esm-operator.io"
VERSION = "v1"
PLURAL = "eventsourcemappings"
KIND = "EventSourceMapping"
FINALIZER = f"{GROUP}/mapping"

#: Values of the annotation ``paused`` that do not pause. Any other does, because it may be a typing error for true.
_NO = ("", "false", "no", "off", "0")
_UUID = re.compile(UUID_PATTERN)
#: The longest value of the annotation ``reconcile-at`` that counts, in characters. The status repeats the value.
LONGEST_RECONCILE_AT = 256
#: The longest intent that counts, in characters. The operator writes at most 110,000, for 50 tags with keys of 128
#: characters that JSON escapes.
LONGEST_INTENT = 128 * 1024
#: The most items of a list in an intent. The operator writes fewer, whatever the spec.
_MOST_ITEMS = 200


class Key(NamedTuple):
    """The name of a resource in the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class EventSubject(NamedTuple):
    """The resource that an Event is about."""

    key: Key
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Intent:
    """The mapping that the operator is about to create, written to the resource before the Create.

    After a crash before the UUID is written, the operator finds the mapping by it, even if the spec has changed.
    """

    owner: str
    """``namespace/name`` of the resource. A copy of its manifest has the same annotation."""
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
        names = [name for name in self.__slots__ if name != "waiting_since" or self.waiting_since]
        members = {name: getattr(self, name) for name in names}
        return json.dumps(members, sort_keys=True, separators=(",", ":"))


_PATH = r"[A-Za-z0-9_.\[\]]{1,200}"
#: The patterns of the texts in an intent, and of the items of its lists. Each user who may edit the resource may write
#: the annotation. The patterns accept everything that the operator writes for a spec that the API server accepts. The
#: name of a queue, for example, can have any characters. The function is sent to AWS, and messages contain the region
#: and the account.
_INTENT_PATTERNS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "owner": r"[-a-z0-9]{1,63}/[-a-z0-9.]{1,253}",
        "account": r"[0-9]{12}",
        "region": rf"(?=.{{1,64}}$)(?:{REGION_PATTERN})",
        "function": r"[a-zA-Z0-9_.-]{1,256}(:[a-zA-Z0-9$_.-]{1,128})?",
        "source": r"(?s:.{0,12000})",
        "servers": r"(?s:.{0,300})",
        "fields": _PATH,
        "tags": r"(?s:.{0,128})",
        "immutable": _PATH,
        "waiting_since": r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2}))?",
    }.items()
}
#: JSON can need 12 characters for one character.
_IMMUTABLE_VALUE = re.compile(r"(?s:.{0,150000})")


@at_hand
def parse_intent(text: str) -> Intent | None:
    """The intent that an annotation holds; None if there is none, or if the operator cannot have written it."""
    try:
        raw = json.loads(text)
        texts: dict[str, Any] = {name: raw[name] for name in ("owner", "account", "region", "function", "source")}
        texts["waiting_since"] = raw.get("waiting_since") or ""
        lists: dict[str, Any] = {name: tuple(raw[name]) for name in ("servers", "fields", "tags")}
        immutable = dict(raw["immutable"])
        members = [*((name, (value,)) for name, value in texts.items()), *lists.items(), ("immutable", immutable)]
        patterns = [(_INTENT_PATTERNS[name], values) for name, values in members]
        patterns.append((_IMMUTABLE_VALUE, immutable.values()))
        if not all(len(values) <= _MOST_ITEMS and all(map(one.fullmatch, values)) for one, values in patterns):
            return None
        return Intent(**texts, **lists, immutable=immutable)
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
    intent_annotation: str
    """The annotation that holds the intent. Of one that the operator cannot have written, only a digest is kept."""
    paused: bool
    orphan: bool
    """Whether to keep the mapping when the resource is deleted."""
    reconcile_at: str
    """The annotation ``reconcile-at``."""
    unknown_annotations: tuple[str, ...]
    """Annotations with the operator's prefix that have no effect, with the prefix."""
    consents_to: frozenset[Key]
    """The resources that may take over or observe its mapping. Empty if the annotation is invalid."""
    uuid: str
    """The UUID in the status; empty if there is none or it is damaged."""
    status_is_current: bool
    """Whether the status is of the present generation, and of the present values of references."""
    handled_reconcile_at: str
    """The last ``reconcile_at`` that a status has answered."""
    conditions: Mapping[str, str]
    """The status of each condition, by its type."""
    requested_target: RequestedTarget
    metric_labels: MetricLabels
    may_adopt: bool
    """Whether the spec allows it to adopt a mapping that exists already."""
    takes_over_from: FormerOwner | None
    """The resource that ``spec.adoption.takeOverFrom`` names; None: not set."""
    packed_spec: FrozenJSON
    """The effective spec, in which the values of references are filled in. See ``planning/references.py``."""
    packed_status: FrozenJSON
    config_map: str = ""
    """The name of the ConfigMap that the spec wants for its outputs; empty: none."""
    recorded_config_map: str = ""
    """The name of the ConfigMap that the status records; empty: none."""
    made_through: str = ""
    """The ProviderConfig through which its mapping was reached last, as the status records it; empty: not known."""
    removed: bool = False
    """Whether the API server has removed the object although it had our finalizer. It counts as being deleted, and
    nothing can be written to it."""
    all_references: tuple[ResolvedReference, ...] = ()
    """The references of the spec with the values in the effective spec. Empty value: the reference has none."""
    recorded_references: tuple[ResolvedReference, ...] = ()
    """The references of the status, with their values. Empty if the spec has no references."""
    unresolved: ReferenceProblem | None = None
    """The first reference that has no value, so that the operator can do nothing in AWS; None: all references have a
    value."""
    outdated: ReferenceProblem | None = None
    """The first reference that has no value now, and keeps its last value; None: there is none."""

    @property
    def references(self) -> tuple[ResolvedReference, ...]:
        """The references that have a value, with the values."""
        return resolved(self.all_references)

    @property
    def has_references(self) -> bool:
        """Whether the spec refers to other objects."""
        return bool(self.all_references)

    @property
    def reference_problem(self) -> ReferenceProblem | None:
        """The problem of its references that comes first; None: all have their present values."""
        return self.unresolved or self.outdated

    @property
    def awaits_objects(self) -> bool:
        """Whether an object that it references is still being read, so that its present value is not known."""
        return self.reference_problem is not None and self.reference_problem.passes

    @property
    def spec(self) -> MappingSpec:
        return _spec(self.packed_spec)

    @property
    def status(self) -> MappingStatus:
        return _status(self.packed_status)

    @property
    def recorded_tags(self) -> Mapping[str, str] | None:
        """The tags of the mapping as the status records them, without parsing the rest of it; None: not known."""
        return self.packed_status.get("tagsAll")

    @property
    def recorded_arn(self) -> Arn | None:
        """The ARN of the mapping as the status records it, without parsing the rest of it. None: no ARN."""
        return parse_arn(str(self.packed_status.get("arn") or ""))

    @property
    def event_subject(self) -> EventSubject:
        """For Events that are recorded after this version was replaced."""
        return EventSubject(self.key, self.uid, self.resource_version)

    @property
    def intent(self) -> Intent | None:
        """None: there is none, or it is that of another resource whose manifest was copied."""
        return _intent_of(self.key, self.intent_annotation)

    @property
    def intent_ignored(self) -> bool:
        """Whether it has an annotation with an intent that the operator cannot have written."""
        return bool(self.intent_annotation) and parse_intent(self.intent_annotation) is None

    @property
    def has_finalizer(self) -> bool:
        return FINALIZER in self.finalizers

    @property
    def removed_despite_finalizer(self) -> bool:
        """For the last state in a DELETED event: whether the object was removed although it had our finalizer.

        kube-apiserver removes an object immediately if it had no finalizer when the DELETE read it, even if a PATCH
        has added one since. The DELETED event then shows the finalizer and no deletionTimestamp (seen with
        kube-apiserver 1.37). After an ordinary release it shows both, and after a manual one no finalizer.
        """
        return self.has_finalizer and not self.deleting

    @property
    def stalled(self) -> bool:
        """Whether the present generation is Stalled."""
        return self.status_is_current and self.conditions.get("Stalled") == "True"

    @property
    def reconcile_requested(self) -> bool:
        """Whether ``reconcile-at`` has a value that no status has answered yet."""
        return bool(self.reconcile_at) and self.reconcile_at != self.handled_reconcile_at


def parse(body: Mapping[str, Any]) -> Resource:
    """A resource from the object that the API server answers."""
    meta: Mapping[str, Any] = body["metadata"]
    annotations: Mapping[str, str] = meta.get("annotations") or {}
    finalizers: Iterable[str] = meta.get("finalizers") or ()
    raw_spec: Mapping[str, Any] = body.get("spec") or {}
    status: Mapping[str, Any] = body.get("status") or {}
    references = references_with_values(raw_spec)
    recorded: tuple[ResolvedReference, ...] = ()
    if references:  # until the objects are known, the values in the status apply
        recorded = recorded_references(status)
        values = {one.path: value for one, _ in references if (value := recorded_value(one, recorded))}
        if values:
            raw_spec = with_values(raw_spec, values)
            references = references_with_values(raw_spec)
        recorded = references if recorded == references else recorded  # one object for both
    spec = MappingSpec.parse(raw_spec)
    uuid = str(status.get("uuid") or "")
    key = Key(sys.intern(str(meta.get("namespace", ""))), str(meta["name"]))
    conditions = parse_conditions(status)
    deleting = bool(meta.get("deletionTimestamp"))
    is_current = status.get("observedGeneration") == int(meta.get("generation", 0))
    intent = _kept_intent(str(annotations.get(INTENT) or ""))
    paused = str(annotations.get(PAUSED) or "").lower() not in _NO
    return Resource(
        key=key,
        uid=str(meta["uid"]),
        resource_version=str(meta["resourceVersion"]),
        generation=int(meta.get("generation", 0)),
        created=str(meta.get("creationTimestamp", "")),
        deleting=deleting,
        finalizers=tuple(map(sys.intern, finalizers)),
        intent_annotation=intent,
        paused=paused,
        orphan=str(annotations.get(ORPHAN) or "").lower() == "true",
        reconcile_at=str(annotations.get(RECONCILE_AT) or "")[:LONGEST_RECONCILE_AT],
        unknown_annotations=unknown_annotations(annotations),
        consents_to=frozenset(Key(*one) for one in allowed_takers(str(annotations.get(ALLOW_TAKEOVER_BY) or "")) or ()),
        uuid=uuid if _UUID.fullmatch(uuid) else "",
        status_is_current=is_current and resolved(references) == recorded,
        handled_reconcile_at=str(status.get("lastHandledReconcileAt") or "")[:LONGEST_RECONCILE_AT],
        conditions=_statuses(tuple([(one.type, one.status) for one in conditions])),
        requested_target=requested_target(spec, _intent_of(key, intent) if deleting and intent else None),
        metric_labels=metric_labels(
            spec.source, str(status.get("state") or ""), conditions, deleting=deleting, paused=paused
        ),
        may_adopt=spec.adoption.allowed and not spec.observe_only,
        takes_over_from=FormerOwner.parse(spec.adoption.take_over_from),
        packed_spec=FrozenJSON(raw_spec),
        packed_status=FrozenJSON(status),
        config_map=spec.config_map,
        recorded_config_map=OutputsRecord.parse(status.get("outputs") or {}).config_map_name,
        made_through=sys.intern(str(status.get("providerConfig") or "")),
        all_references=references,
        recorded_references=recorded,
    )


def requested_target(spec: MappingSpec, deletion: Intent | None) -> RequestedTarget:
    """The target that an effective spec names.

    Args:
        spec: the effective spec.
        deletion: the intent of a resource that is being deleted. Without the ARN of its source, it shows the region.
    """
    named = spec.requested_target
    if named.region or deletion is None or not spec.raw.get(SOURCE):
        return named
    return named._replace(region=deletion.region)


def _intent_of(key: Key, annotation: str) -> Intent | None:
    intent = parse_intent(annotation)
    return intent if intent is not None and intent.owner == str(key) else None


def _kept_intent(text: str) -> str:
    """The part of the annotation that is kept: all of it, or a digest, which shows that the annotation changes."""
    if text.isascii() and len(text) <= LONGEST_INTENT:  # ``Intent.render`` escapes all other characters
        return text
    return f"sha256:{sha256(text.encode(errors='replace')).hexdigest()}"


@at_hand
def _spec(packed: FrozenJSON) -> MappingSpec:
    return MappingSpec.parse(packed.unpacked)


@at_hand
def _status(packed: FrozenJSON) -> MappingStatus:
    return MappingStatus.parse(packed.unpacked)


@lru_cache(AT_HAND)
def _statuses(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """The same object for the same conditions: there are few combinations."""
    return dict(pairs)


def is_edit(old: Resource | None, new: Resource) -> bool:
    """Whether a person has changed the resource, a reference has another value, or the resource is a new one."""
    return old is None or _edited_parts(old) != _edited_parts(new)


def _edited_parts(one: Resource) -> tuple[object, ...]:
    annotations = (one.paused, one.orphan, one.reconcile_at, one.unknown_annotations)
    return (one.uid, one.generation, one.deleting, *annotations, *_values_of_references(one))


def _values_of_references(one: Resource) -> tuple[object, ...]:
    """The parts of a resource with references that can change without a new generation."""
    return (one.packed_spec, one.unresolved) if one.has_references else ()


def is_same_work(old: Resource, new: Resource) -> bool:
    """Whether nothing that a plan depends on differs. Labels and managed fields may differ."""
    return _plan_inputs(old) == _plan_inputs(new) and (
        old.packed_status == new.packed_status or _plan_status(old.status) == _plan_status(new.status)
    )


def _plan_inputs(one: Resource) -> tuple[object, ...]:
    annotations = (one.intent_annotation, one.paused, one.orphan, one.reconcile_at, one.unknown_annotations)
    references = _values_of_references(one)
    return (one.uid, one.generation, one.deleting, one.finalizers, one.consents_to, annotations, references)


def _plan_status(status: MappingStatus) -> tuple[object, ...]:
    """The parts that a plan depends on.

    The report about unknown annotations is not such a part. Two operators of different versions do not know the same
    annotations, and each would immediately replace the report of the other.
    """
    conditions = [one for one in status.conditions if one.type != UNKNOWN_ANNOTATIONS]
    return (status.uuid, status.applied, status.creating, conditions)
