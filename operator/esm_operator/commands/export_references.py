"""References in manifests of ``esm-operator export``, instead of values that objects of the cluster have.

The objects are those of the kinds in ``api/reference_kinds.py`` except ConfigMaps. A ConfigMap can contain any text, so
an equal text proves nothing. The command reads the values of objects as the operator does, so each reference resolves
to the value that it replaces.

| objects with the value | manifest |
|---|---|
| one in the namespace of the manifest | a reference |
| none there, and one other that allows references from the namespace | a reference, and a comment |
| several that the manifest may refer to | the value, and a comment that names them |
| only objects that do not allow references | the value, and a comment that names them |
| none, or only objects that are being deleted | the value |

The name of a Kafka topic is unique only in its cluster. So the KafkaTopic must belong to the Kafka cluster to which the
same manifest refers for its servers.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from esm_operator.api import values
from esm_operator.api.annotations import ALLOW_REFERENCES_FROM, allowed_referrers
from esm_operator.api.object_fields import WrongTypeError, keys_in, value_in
from esm_operator.api.reference_kinds import (
    DESTINATION,
    FUNCTION,
    KINDS,
    SERVERS,
    TOPIC,
    URI,
    ReferenceKind,
    kind_of,
)
from esm_operator.api.references import (
    Reference,
    replaceable_values,
    with_references,
)
from esm_operator.api.sources import parse_arn
from esm_operator.api.values import Canonical
from esm_operator.commands.counted import counted
from esm_operator.commands.export_manifest import Manifest

#: The kinds that an export refers to: all but ConfigMaps, which are in the core group.
REFERABLE_KINDS: tuple[ReferenceKind, ...] = tuple(row for row in KINDS if row.group)
#: The most objects that a comment names.
_MOST_NAMED = 3
_STRIMZI = "strimzi"
#: The label of a KafkaTopic with the name of its Kafka cluster, which is in the same namespace.
_CLUSTER_LABEL = "strimzi.io/cluster"
_TOPIC_PREFIX = "kafka://"
#: The services in the ARNs of kinds whose API group begins with another name.
_SERVICES: Mapping[str, str] = {"documentdb": "rds", "docdb": "rds"}
_EC2_ID = re.compile(r"((subnet|security_group):)?(subnet|sg)-.+", re.DOTALL)
#: The canonical form of values, as the plan compares them, by field. Values of other fields are compared unchanged.
_CANONICAL: Mapping[str, Callable[[str], Canonical]] = {
    FUNCTION: values.function,
    SERVERS: lambda text: values.names(text.split(",")),
    URI: lambda text: values.access_configurations([{"URI": text}]),
}


class _Value(NamedTuple):
    """A value of a manifest that an object may have."""

    field: str
    """The field of the reference, without the index of an item."""
    canonical: Canonical
    kafka: str = ""
    """NAMESPACE/NAME of the Kafka cluster of a topic; empty: the value is not a topic."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The objects with a value, for manifests of one namespace. Each group has at most one object more than a comment
    names."""

    own: dict[Reference, None] = field(default_factory=dict[Reference, None])
    """Objects in the namespace."""
    allowing: dict[Reference, None] = field(default_factory=dict[Reference, None])
    """Other objects, which allow references from the namespace."""
    refusing: dict[Reference, None] = field(default_factory=dict[Reference, None])
    """Other objects, which do not allow them."""

    def add(self, found: Reference, namespace: str, allowed: frozenset[str]) -> None:
        if found.namespace == namespace:
            group = self.own
        else:
            group = self.refusing if allowed.isdisjoint((namespace, "*")) else self.allowing
        if len(group) <= _MOST_NAMED:
            group[found] = None


class ObjectIndex:
    """The objects that have the values of manifests. It keeps no other objects, and only a few for each value."""

    def __init__(self) -> None:
        self._wanted: dict[_Value, dict[str, _Candidates]] = {}
        """By value, and by the namespace of manifests."""
        self._namespaces: dict[ReferenceKind, set[str]] = {}

    def want(self, value: _Value, text: str, namespace: str) -> None:
        """Register a value of a manifest in a namespace."""
        self._wanted.setdefault(value, {}).setdefault(namespace, _Candidates())
        for row in REFERABLE_KINDS:
            if value.field in row.fields and _may_have(row, text):
                self._namespaces.setdefault(row, set()).add(namespace)

    @property
    def needed(self) -> Mapping[ReferenceKind, Iterable[str]]:
        """The kinds whose objects may have one of the values, each with the namespaces of the manifests."""
        return self._namespaces

    def add(self, row: ReferenceKind, api_version: str, body: Mapping[str, Any]) -> None:
        """Take an object of a kind."""
        meta: Mapping[str, Any] = body.get("metadata") or {}
        if meta.get("deletionTimestamp"):
            return
        annotations: Mapping[str, Any] = meta.get("annotations") or {}
        allowed = allowed_referrers(str(annotations.get(ALLOW_REFERENCES_FROM) or ""))
        name, namespace = str(meta.get("name") or ""), str(meta.get("namespace") or "")
        for key in keys_in(row, body):
            for taker in row.fields:
                found = Reference(taker, api_version, row.kind, name, namespace, key=key)
                try:
                    text = value_in(found, body)
                except WrongTypeError:
                    continue
                if text is None or not _may_have(row, text):
                    continue
                kafka = _kafka_of(meta) if _is_topic(taker, text) else ""
                for user, candidates in self._wanted.get(_value(taker, text, kafka), {}).items():
                    candidates.add(found, user, allowed)

    def candidates(self, value: _Value, namespace: str) -> _Candidates:
        """The objects with a value that was registered for a namespace."""
        return self._wanted[value][namespace]


class ObjectSource(Protocol):
    """The objects of the cluster."""

    async def fill(self, index: ObjectIndex) -> None:
        """Add all objects of the kinds that an index needs."""
        ...


async def with_found_references(manifests: Sequence[Manifest], source: ObjectSource) -> list[Manifest]:
    """The manifests, with references instead of values that objects have. Other values are unchanged."""
    drafts = [_Draft(one) for one in manifests]
    for topics in (False, True):  # the Kafka cluster of a topic must be known
        index = ObjectIndex()
        for draft in drafts:
            for value, text in draft.wanted(topics=topics).values():
                index.want(value, text, draft.manifest.namespace)
        await source.fill(index)
        for draft in drafts:
            draft.choose(index, topics=topics)
    return [draft.finished() for draft in drafts]


def references_summary(manifests: Sequence[Manifest]) -> list[str]:
    """Sentences about the references in manifests, and about the permissions that the operator needs for them."""
    rows = [kind_of(one.api_version, one.kind) for made in manifests for one in made.references]
    settings = sorted({f"references.{row.project}.enabled" for row in rows if row is not None})
    texts = ["The manifests have no references."]
    if rows:
        needs = f"The operator needs permission to read the objects. Set {' and '.join(settings)} of its chart."
        texts = [f"The manifests have {counted(len(rows), 'reference')}. {needs}"]
    remarked = sum(bool(one.about_references) for one in manifests)
    if remarked:
        texts.append(f"Comments in {counted(remarked, 'manifest')} are about references.")
    return texts


@dataclass(slots=True)
class _Draft:
    """A manifest whose values are being replaced."""

    manifest: Manifest
    references: dict[str, Reference] = field(default_factory=dict[str, Reference])
    """By their paths."""
    remarks: list[str] = field(default_factory=list[str])

    def wanted(self, *, topics: bool) -> dict[str, tuple[_Value, str]]:
        """The values that references can replace, canonical and as text, by the path of the reference.

        Args:
            topics: whether these are the values that are topics of Kafka, or the others.
        """
        kafka = self.references.get(SERVERS)
        if not self.manifest.namespace or (topics and kafka is None):
            return {}
        cluster = f"{kafka.namespace or self.manifest.namespace}/{kafka.name}" if topics and kafka is not None else ""
        found = dict[str, tuple[_Value, str]]()
        for path, written in replaceable_values(self.manifest.body["spec"]):
            taker = Reference(path, "", "", "").field
            text = self.manifest.function_arn if taker == FUNCTION else written
            if _is_topic(taker, text) == topics:
                found[path] = _value(taker, text, cluster), text
        return found

    def choose(self, index: ObjectIndex, *, topics: bool) -> None:
        """Choose the references for values whose objects are known."""
        namespace = self.manifest.namespace
        for path, (value, _) in self.wanted(topics=topics).items():
            candidates = index.candidates(value, namespace)
            usable, refusing = candidates.own or candidates.allowing, candidates.refusing
            replaced = Reference(path, "", "", "").value_path
            if len(usable) == 1:
                (chosen,) = usable
                if chosen.namespace == namespace:
                    chosen = chosen._replace(namespace="")
                else:
                    self.remarks.append(
                        f"{path}: {_named(usable)} is not in the namespace {namespace}. Users who may edit this "
                        "object can change the mapping."
                    )
                self.references[path] = chosen._replace(path=path)
            elif usable:
                self.remarks.append(
                    f"{replaced}: not replaced by a reference, because several objects have this value: "
                    f"{_named(usable)}."
                )
            elif refusing:
                self.remarks.append(
                    f"{replaced}: not replaced by a reference, because the namespace {namespace} may not refer to "
                    f"{_named(refusing)}. The annotation {ALLOW_REFERENCES_FROM}: {namespace} on the object allows it."
                )

    def finished(self) -> Manifest:
        """The manifest with the chosen references."""
        if not self.manifest.namespace:
            remark = "There are no references, because the manifest has no namespace. Set --namespace."
            return replace(self.manifest, about_references=(remark,))
        if not self.references:
            return replace(self.manifest, about_references=tuple(self.remarks))
        spec = with_references(self.manifest.body["spec"], self.references)
        return replace(
            self.manifest,
            body={**self.manifest.body, "spec": spec},
            references=tuple(self.references.values()),
            about_references=tuple(self.remarks),
        )


def _value(taker: str, text: str, kafka: str) -> _Value:
    canonical = _CANONICAL.get(taker)
    return _Value(taker, canonical(text) if canonical is not None else text, kafka)


def _may_have(row: ReferenceKind, text: str) -> bool:
    """Whether an object of a kind may have a value, for example a Queue the ARN of a queue.

    The rules about a reference to a kind are those for its source, so another value would be refused.
    """
    arn, service = parse_arn(text), row.group.partition(".")[0]
    if arn is None:
        return row.project == _STRIMZI or (service == "ec2" and _EC2_ID.fullmatch(text) is not None)
    if row.project == _STRIMZI or arn.service != _SERVICES.get(service, service):
        return False
    function = values.function_ref(text) if service == "lambda" else None
    return function is None or (row.kind == "Function") == (not function.qualifier)


def _is_topic(taker: str, text: str) -> bool:
    return taker == TOPIC or (taker == DESTINATION and text.startswith(_TOPIC_PREFIX))


def _kafka_of(meta: Mapping[str, Any]) -> str:
    """NAMESPACE/NAME of the Kafka cluster of a KafkaTopic."""
    labels: Mapping[str, Any] = meta.get("labels") or {}
    return f"{meta.get('namespace', '')}/{labels.get(_CLUSTER_LABEL, '')}"


def _named(objects: Iterable[Reference]) -> str:
    """The objects, for a comment."""
    texts = [_described(one) for one in objects]
    return ", ".join(texts[:_MOST_NAMED]) + (" and others" if len(texts) > _MOST_NAMED else "")


def _described(one: Reference) -> str:
    name = f"{one.namespace}/{one.name}" if one.namespace else one.name
    key = f", key {one.key}" if one.key else ""
    return f"the {one.kind} {name} ({one.api_version}{key})"
