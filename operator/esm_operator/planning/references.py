"""Resolves the references of a resource: the values of other objects become part of its effective spec.

| the object | the status records a value | result |
|---|---|---|
| has a value | any | the value |
| is not known yet | yes | the recorded value. So a restart waits for nothing, and writes nothing |
| is not known yet | no | no value yet. The status does not change |
| gone, being deleted, not ready, or not allowed | yes | the recorded value. The condition ReferencesResolved is False |
| gone, being deleted, not ready, or not allowed | no | no value. Nothing is created until there is one |

The value of a deleted object is kept, because otherwise a mistake in another place would stop the mapping. A changed
value counts as an edit of the spec, so the plan updates or replaces the mapping.

Other clients that may write the status can forge a recorded value. They gain nothing, because they could write the same
value into the spec, and the allow-lists and rules apply to the effective spec.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from esm_operator.api.annotations import ALLOW_REFERENCES_FROM
from esm_operator.api.frozen_json import FrozenJSON
from esm_operator.api.limits import MAX_WATCHES, WATCHES_PER_NAMESPACE
from esm_operator.api.metric_labels import with_source
from esm_operator.api.reference_kinds import kind_of
from esm_operator.api.references import (
    Cause,
    Missing,
    Reference,
    ReferenceProblem,
    recorded_value,
    references_with_values,
    resolved,
    with_values,
)
from esm_operator.api.resource import Resource, requested_target
from esm_operator.api.spec import MappingSpec
from esm_operator.planning.finding import Finding


class Lookup(Protocol):
    """The objects of the cluster, as far as they are known."""

    def find(self, reference: Reference, namespace: str) -> str | Missing:
        """The value of a reference of a resource in a namespace, or why there is none."""
        ...


def resolve(resource: Resource, lookup: Lookup) -> Resource:
    """The resource with its effective spec. The argument may have been resolved before. Without references, it is
    returned unchanged."""
    if not resource.has_references:
        return resource
    values: dict[str, str] = {}
    lacking: list[ReferenceProblem] = []
    keeping: list[ReferenceProblem] = []
    for reference, _ in resource.all_references:
        namespace = resource.key.namespace
        found = lookup.find(reference, namespace) if reference.is_readable else Missing(Cause.NEVER_READ)
        if isinstance(found, str):
            values[reference.path] = found
            continue
        kept = recorded_value(reference, resource.recorded_references)
        if kept:
            values[reference.path] = kept
        (keeping if kept else lacking).append(ReferenceProblem(reference, found, kept))
    # A deletion needs no value: the UUID of the mapping is in the status, its identity in the intent.
    unresolved, outdated = None if resource.deleting else _first(lacking), _first(keeping)
    former = {one.path: value for one, value in resource.all_references if value}
    parts: Mapping[str, Any] = {}
    if not values or values != former or resource.removed:  # the target of a removed one was parsed before
        parts = _parts_with_values(resource, values)
    elif (unresolved, outdated) == (resource.unresolved, resource.outdated):
        return resource
    return replace(resource, unresolved=unresolved, outdated=outdated, **parts)


def finding(problem: ReferenceProblem, namespace: str) -> Finding:
    """The reason why a reference of a resource in a namespace has no value.

    If the object does not allow the reference, the finding is the same as for an object that does not exist. For a
    namespace that the operator does not manage, the finding does not depend on any object.
    """
    reference, (cause, detail), kept = problem
    row = kind_of(reference.api_version, reference.kind)
    values: dict[str, object] = {
        "object": reference,
        "field": reference.path,
        "kind": reference.kind,
        "api_version": reference.api_version,
        "value_field": reference.place,
        "replaced": reference.value_path,
        "namespace": namespace,
        "annotation": ALLOW_REFERENCES_FROM,
        "grant": row.project if row is not None else "",
        "detail": detail,
        "last_value": kept,
        "watches": WATCHES_PER_NAMESPACE,
        "max_watches": MAX_WATCHES,
    }
    return replace(_FINDINGS[cause], values=values)


_FINDINGS: Mapping[Cause, Finding] = {
    Cause.LOADING: Finding("ReferenceNotReady", "Loading"),
    Cause.OBJECT_NOT_FOUND: Finding("ReferenceNotFound"),
    Cause.UNAVAILABLE: Finding("ReferenceNotReady", "Unavailable"),
    Cause.KIND_NOT_FOUND: Finding("ReferenceNotFound", "Kind"),
    Cause.FORBIDDEN: Finding("ReferenceForbidden", "Access"),
    Cause.UNMANAGED_NAMESPACE: Finding("ReferenceForbidden", "Namespace"),
    Cause.TOO_MANY_KINDS: Finding("ReferenceForbidden", "Limit"),
    Cause.NEVER_READ: Finding("InvalidSpec", "ReferenceKind"),
    Cause.NO_CONSENT: Finding("ReferenceForbidden"),
    Cause.NOT_READY: Finding("ReferenceNotReady"),
    Cause.DELETING: Finding("ReferenceNotReady", "Deleting"),
    Cause.WRONG_TYPE: Finding("InvalidSpec", "Reference"),
    Cause.OUTPUTS: Finding("InvalidSpec", "ReferenceOutputs"),
}


def _first(problems: list[ReferenceProblem]) -> ReferenceProblem | None:
    """The problem to report. Temporary problems are first: until they end, the other problems may not be final."""
    passing = (one for one in problems if one.passes)
    return next(passing, problems[0] if problems else None)


def _parts_with_values(resource: Resource, values: Mapping[str, str]) -> Mapping[str, Any]:
    """The parts of a resource that differ with other values in its effective spec."""
    effective = with_values(resource.packed_spec.unpacked, values)
    packed, spec, references = FrozenJSON(effective), MappingSpec.parse(effective), references_with_values(effective)
    recorded = resource.packed_status.get("observedGeneration") == resource.generation
    return {
        "all_references": references,
        "packed_spec": packed if packed != resource.packed_spec else resource.packed_spec,
        "requested_target": requested_target(spec, resource.intent if resource.deleting else None),
        "metric_labels": with_source(resource.metric_labels, spec.source),
        "status_is_current": recorded and resolved(references) == resource.recorded_references,
    }
