"""The status writer: writes the status of a resource if it differs, and records the Events of the change.

A status that differs only in a last processing result without a problem, in observed fields, or in the values that
``ignoreChanges`` leaves to others, is written later, when
:attr:`.ResourceStates.result_changes` releases the resource. A write for another reason shows the newest values, and
whether the operator notices changed tags late.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from esm_operator.api.annotations import explain
from esm_operator.api.reasons import ProcessingReason
from esm_operator.api.recorded_status import MappingReport, MappingStatus, OutputsRecord, differs_harmlessly
from esm_operator.api.resource import Resource
from esm_operator.aws.inventory import InventoryEntry
from esm_operator.clock import monotonic, timestamp
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.resource_cache import ResourceCache
from esm_operator.logs import marks
from esm_operator.planning.desired import MappingRecord, recorded_applied
from esm_operator.planning.finding import Finding
from esm_operator.planning.references import finding
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.outputs import Outputs
from esm_operator.reconcile.ownership_records import known_tags, may_show
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.status import conditions
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import sentence_of
from esm_operator.status.messages import without_outputs
from esm_operator.status.reason_table import PERMISSIONS
from esm_operator.status.rendering import message

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """Writes statuses and records Events."""

    states: ResourceStates
    cache: ResourceCache
    kubernetes: KubernetesClient
    recorder: EventRecorder
    outputs: Outputs

    async def write(self, resource: Resource, outcome: Outcome, context: ReconcileContext | None = None) -> Resource:
        """Write the status of a resource if it differs from the stored one.

        A resource whose object was removed has no status: the Event and the log report the outcome, and only the cache
        keeps the UUID. Without a context, the target is not connected. The ConfigMap with the outputs is written before
        the status. Returns the resource after the write. Raises :class:`~.kubernetes.ConflictError` if the resource
        has changed meanwhile.
        """
        if resource.removed:
            self._warn(resource, outcome)
            record = context.record if context is not None else MappingRecord.of(resource)
            kept = replace(resource, uuid=record.uuid)
            self.cache.keep_removed(kept)
            return kept
        entry = context.connected.inventory.get(context.record.uuid) if context is not None else None
        hidden = context is not None and entry is not None and not may_show(context, entry)
        lost = False
        if context is not None and entry is not None and hidden:
            lost = known_tags(context, entry) is not None  # else the status keeps what it shows
            entry = None
        report = _report_of(entry, resource) if entry is not None else None
        render = self._renderer(resource, outcome, context, tags=entry.tags if entry is not None else None, lost=lost)
        shown = outcome
        if not resource.deleting and (resource.config_map or resource.status.outputs != OutputsRecord()):
            checked = context is not None and context.read_requested
            published = await self.outputs.publish(resource, render(mapping=report), checked=checked)
            resource = published.resource
            if published.problem is not None and outcome.verdict is Verdict.READY:
                shown = without_outputs(outcome, published.problem)
            render = partial(render, outcome=shown, outputs=published.record)
        rendered = render(mapping=report)
        if _is_written(resource, rendered):
            if context is not None:
                context.state.shows_result = False
            return resource
        if context is not None and report is not None and self._shows_changes_later(resource, context, report, render):
            return resource
        if context is not None and context.target.target.owner_tags:
            rendered = render(mapping=report, tags_late=context.connected.account_region.tags_one_by_one)
        self._warn(resource, shown)
        written = self.cache.record(await self.kubernetes.set_status(resource, rendered))
        if context is not None:
            context.state.shows_result = False
        self._record_processing(resource, rendered, outcome)
        self._record_drift(resource, rendered, outcome)
        self._record_unknown_annotations(resource)
        self._record_references(resource, rendered)
        return written

    def is_shown(self, resource: Resource, outcome: Outcome, context: ReconcileContext) -> bool:
        """Whether the status already shows an outcome and all of the mapping, so that it would reveal nothing new.

        While the mappings cannot be read, the condition Synced shows nothing of them.
        """
        entry = context.connected.inventory.get(context.record.uuid)
        if resource.removed or entry is None:
            return True
        report = _report_of(entry, resource)
        if context.connected.account_region.stale is not None and outcome.synced is None:
            return report.without_unrecorded(resource.status.report) == resource.status.report
        render = self._renderer(resource, outcome, context)
        written = _is_written(resource, render(mapping=report))
        return written or self._shows_changes_later(resource, context, report, render)

    def _renderer(
        self,
        resource: Resource,
        outcome: Outcome,
        context: ReconcileContext | None,
        *,
        tags: Mapping[str, str] | None = None,
        lost: bool = False,
    ) -> Callable[..., MappingStatus]:
        """The function that renders the status, except for the report of the mapping.

        ``lost`` is whether the resource may not show the mapping that its status shows.
        """
        status = resource.status
        record = context.record if context is not None else MappingRecord.of(resource)
        read_requested = context is not None and context.read_requested
        return partial(
            conditions.render,
            status,
            generation=resource.generation,
            outcome=outcome,
            tags=tags,
            applied=record.applied,
            uuid=record.uuid,
            gone=lost or (context is not None and context.connected.inventory.is_gone(record.uuid)),
            requested=resource.reconcile_at if read_requested else status.last_handled_reconcile_at,
            now=timestamp(),
            source=resource.spec.source_name,
            provider_config=context.target.config if context is not None else status.provider_config,
            creating=context.creating if context is not None else status.creating,
            unknown_annotations=resource.unknown_annotations,
            references=resource.references,
            shows_references=resource.has_references and not resource.deleting,
            reference_problem=_reference_problem(resource),
            lacking_for=self._lacking_for(resource, outcome),
        )

    def _shows_changes_later(
        self,
        resource: Resource,
        context: ReconcileContext,
        report: MappingReport,
        render: Callable[..., MappingStatus],
    ) -> bool:
        """Whether only observed fields, or a processing result without a problem, differ. Those are written later.

        The record of ignored values is also written later, or before the mapping is deleted for a replacement.
        """
        if context.state.shows_result:
            return False
        recorded = resource.status
        applied = replace(context.record.applied, ignored=recorded.applied.ignored)
        if not _is_written(resource, render(mapping=_without_slow_changes(report, recorded.report), applied=applied)):
            return False
        self.states.result_changes.add(resource.key)
        return True

    def _lacking_for(self, resource: Resource, outcome: Outcome) -> float:
        """Seconds since AWS first refused the resource because of a missing permission; 0: it does not."""
        state = self.states.of(resource.key)
        if outcome.reason not in PERMISSIONS:
            state.lacks_permission_since = None
            return 0.0
        if state.lacks_permission_since is None:
            state.lacks_permission_since = monotonic() - conditions.lacking_for(resource.status, timestamp())
        return monotonic() - state.lacks_permission_since

    def _warn(self, resource: Resource, outcome: Outcome) -> None:
        """Record an Event and a line in the log when a problem begins."""
        before = resource.status.condition("Ready")
        if not outcome.event or (before.reason, before.message) == (outcome.reason, outcome.message):
            return
        logger.warning("%s", outcome.message, extra=marks(resource) | {"reason": outcome.reason})
        self.recorder.warning(resource, outcome.event, outcome.message)

    def _record_processing(self, resource: Resource, rendered: MappingStatus, outcome: Outcome) -> None:
        before, now = resource.status.condition("Processing"), rendered.condition("Processing")
        if (now.status, now.reason) == (before.status, before.reason):
            return
        if now.status == "False":
            self.recorder.warning(resource, cast(ProcessingReason, now.reason), now.message)
        elif before.status == "False":
            result = f'Lambda reports "{sentence_of(now.message)}"' if now.message else "Lambda reports no problem."
            text = message("ProcessingRecovered", subject=outcome.subject, result=result)
            self.recorder.normal(resource, "ProcessingRecovered", text)

    def _record_drift(self, resource: Resource, rendered: MappingStatus, outcome: Outcome) -> None:
        """Record an Event when an observed mapping begins to differ from the spec, or when the difference changes."""
        before, now = resource.status.condition("Synced"), rendered.condition("Synced")
        changed = (now.status, now.message) != (before.status, before.message)
        if outcome.reason == "Observed" and now.status == "False" and changed:
            self.recorder.warning(resource, "DriftObserved", now.message)

    def _record_unknown_annotations(self, resource: Resource) -> None:
        """Report new unknown annotations once, in one Event. The status records them, so no process does it again."""
        found = sorted({*resource.unknown_annotations} - {*resource.status.unknown_annotations})
        if found:
            text = " ".join(map(explain, found))
            logger.warning("%s", text, extra=marks(resource) | {"reason": "UnknownAnnotation"})
            self.recorder.warning(resource, "UnknownAnnotation", text)

    def _record_references(self, resource: Resource, rendered: MappingStatus) -> None:
        """Record an Event for each reference whose value differs from the one that the status has shown."""
        before = resource.status.references
        for one in rendered.references:
            old = next((old for old in before if old.reference.same_value_as(one.reference)), None)
            if old is not None and old.value != one.value:
                text = message(
                    "ReferenceChanged", field=one.reference.path, object=one.reference, old=old.value, new=one.value
                )
                self.recorder.normal(resource, "ReferenceChanged", text)


def _reference_problem(resource: Resource) -> Finding | None:
    """The problem that the condition ReferencesResolved shows; None: there is none, or only a temporary one."""
    problem = resource.reference_problem
    return finding(problem, resource.key.namespace) if problem is not None and not problem.passes else None


def _is_written(resource: Resource, rendered: MappingStatus) -> bool:
    """Whether the stored status is the rendered one.

    The short name of the source alone is no reason for a write. The same holds for a ProviderConfig and for observed
    fields that the status does not record, and for ``enabled`` in ``applied.fields`` if :func:`.recorded_applied`
    ignores it there. An earlier version may have written the status, or an older CRD may not have these fields.
    """
    stored = resource.status
    config = rendered.provider_config if stored.provider_config else ""
    applied = stored.applied if rendered.applied == recorded_applied(stored) else rendered.applied
    report = rendered.report.without_unrecorded(stored.report)
    same = replace(rendered, source=stored.source, provider_config=config, applied=applied, report=report)
    return resource.packed_status == same.render()


def _report_of(entry: InventoryEntry, resource: Resource) -> MappingReport:
    """The report of a mapping in the status, with its observed fields."""
    return replace(entry.report(), observed=entry.observed_fields(resource.spec))


def _without_slow_changes(report: MappingReport, recorded: MappingReport) -> MappingReport:
    """The report without the changes that the status may show later."""
    before, after = recorded.last_processing_result, report.last_processing_result
    result = before if differs_harmlessly(before, after) else after
    return replace(report, last_processing_result=result, observed=recorded.observed)
