"""Telling: the status of a resource, written only where it differs, and the Events that follow from it.

The one place that writes a status; called by the reconciler with what came of its work.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from esm_operator.api.annotations import explain
from esm_operator.api.reasons import ProcessingReason
from esm_operator.api.recorded_status import MappingStatus
from esm_operator.api.resource import Resource, parse
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.clock import timestamp
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.logs import marks
from esm_operator.planning.desire import MappingRecord
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.status import conditions
from esm_operator.status.conditions import Outcome

logger = logging.getLogger(__name__)


class StatusWriter:
    """Writes statuses."""

    def __init__(self, cache: ResourceCache, kubernetes: KubernetesClient, recorder: EventRecorder) -> None:
        self._cache = cache
        self._kubernetes = kubernetes
        self._recorder = recorder

    async def write_outcome(
        self,
        resource: Resource,
        outcome: Outcome,
        record: MappingRecord,
        connected: ConnectedTarget | None,
        *,
        looked: bool = False,
        creating: str | None = None,
    ) -> Resource:
        """Write the status if it differs from what stands.

        Args:
            resource: the resource that was worked on.
            outcome: what came of it.
            record: what is to be remembered of its mapping.
            connected: the target whose inventory knows the mapping; None: it can't be seen.
            looked: whether AWS was asked for the mapping as it is now.
            creating: what records that a Create may be outstanding; None: what stands is kept.

        A resource whose object was removed has no status: the Event and the log report the outcome, and only the store
        keeps the UUID.

        Returns:
            the resource as it stands now.

        Raises:
            esm_operator.cluster.kubernetes.ConflictError: it was changed meanwhile.
        """
        if resource.removed:
            self._warn(resource, outcome)
            kept = replace(resource, uuid=record.uuid)
            self._cache.keep_removed(kept)
            return kept
        entry = connected.inventory.get(record.uuid) if connected is not None and record.uuid else None
        gone = connected is not None and bool(record.uuid) and connected.inventory.is_gone(record.uuid)
        rendered = conditions.render(
            resource.status,
            generation=resource.generation,
            outcome=outcome,
            mapping=entry.report() if entry is not None else None,
            tags=entry.tags if entry is not None else None,
            applied=record.applied,
            uuid=record.uuid,
            gone=gone,
            requested=resource.requested if looked else resource.status.last_handled_reconcile_at,
            now=timestamp(),
            creating=resource.status.creating if creating is None else creating,
            unknown_annotations=resource.unknown_annotations,
        )
        if resource.packed_status == rendered.render():
            return resource
        self._warn(resource, outcome)
        written = self.record(await self._kubernetes.set_status(resource, rendered))
        self._record_processing(resource, rendered)
        self._record_drift(resource, rendered, outcome)
        self._record_unknown_annotations(resource)
        return written

    async def write(self, context: ReconcileContext, outcome: Outcome) -> Resource:
        """Write the status of a resource that is being worked on, if it differs from what stands."""
        return await self.write_outcome(
            context.resource,
            outcome,
            context.record,
            context.connected,
            looked=context.looked,
            creating=context.creating,
        )

    def record(self, body: Mapping[str, Any]) -> Resource:
        """Remember what the API server answered to a write of ours."""
        resource = parse(body)
        self._cache.renew(resource)
        return resource

    def _warn(self, resource: Resource, outcome: Outcome) -> None:
        """An Event and a line in the log when a problem begins; while it stands the status tells it."""
        before = resource.status.condition("Ready")
        if not outcome.event or (before.reason, before.message) == (outcome.reason, outcome.message):
            return
        logger.warning("%s", outcome.message, extra=marks(resource) | {"reason": outcome.reason})
        self._recorder.warning(resource, outcome.event, outcome.message)

    def _record_processing(self, resource: Resource, rendered: MappingStatus) -> None:
        """An Event when processing turned bad, or good again."""
        before, now = resource.status.condition("Processing"), rendered.condition("Processing")
        if (now.status, now.reason) == (before.status, before.reason):
            return
        if now.status == "False":
            self._recorder.warning(resource, cast(ProcessingReason, now.reason), now.message)
        elif before.status == "False":
            says = now.message or "AWS tells of no problem any more."
            self._recorder.normal(resource, "ProcessingRecovered", f"Processing works again: {says}")

    def _record_drift(self, resource: Resource, rendered: MappingStatus, outcome: Outcome) -> None:
        """An Event when a mapping that is only watched began to differ from the spec, or differs otherwise."""
        before, now = resource.status.condition("Synced"), rendered.condition("Synced")
        same = (now.status, now.message) == (before.status, before.message)
        if outcome.reason == "Observed" and now.status == "False" and not same:
            self._recorder.warning(resource, "DriftObserved", now.message)

    def _record_unknown_annotations(self, resource: Resource) -> None:
        """An Event and a line in the log for each unknown annotation that the status did not report before.

        The status is what remembers them, so another process does not report them again.
        """
        for name in sorted({*resource.unknown_annotations} - {*resource.status.unknown_annotations}):
            logger.warning("%s", explain(name), extra=marks(resource) | {"reason": "UnknownAnnotation"})
            self._recorder.warning(resource, "UnknownAnnotation", explain(name))
