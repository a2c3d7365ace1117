"""Ends a reconcile: writes the status, and decides when the resource is reconciled again.

The reconciler calls it when the plan leaves nothing to do but wait, when AWS refuses a request, and when something
keeps the operator from calling AWS at all.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.annotations import ORPHAN
from esm_operator.api.recorded_status import Applied
from esm_operator.api.resource import Resource
from esm_operator.aws import errors
from esm_operator.aws.targets import ConnectedTarget
from esm_operator.cluster.cache import ResourceCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.logs import marks
from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.desire import MappingRecord
from esm_operator.planning.state import Desired, Observation
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.controller import Controller
from esm_operator.reconcile.create_marker import CreateMarkers
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.state import ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.kept_fields import kept_fields
from esm_operator.status.kept_fields import message as kept_message
from esm_operator.status.refused_fields import RefusedFields, first_disposition, refused_fields
from esm_operator.status.refused_fields import outcome as refused_outcome

logger = logging.getLogger(__name__)

#: Seconds after which a mapping that is only observed, or a point in time that was in the future, is looked at again.
#: Neither costs a call to AWS.
_LOOK_AGAIN = 30.0


class Concluder:
    """Writes statuses at the end of a reconcile, and returns its result. For one event loop."""

    def __init__(
        self,
        *,
        states: ResourceStates,
        cache: ResourceCache,
        recorder: EventRecorder,
        status_writer: StatusWriter,
        executor: Executor,
        creates: CreateMarkers,
        controller: Controller,
    ) -> None:
        """
        Args:
            states: what the process remembers of each resource.
            cache: the resources.
            recorder: records Events.
            status_writer: writes statuses.
            executor: notes on the resource that the operator only waits.
            creates: records Creates where mappings have no owner tags.
            controller: has the work queue, to which other resources are added whose wait may be over.
        """
        self._states = states
        self._cache = cache
        self._recorder = recorder
        self._status_writer = status_writer
        self._executor = executor
        self._creates = creates
        self._controller = controller

    async def rest(
        self, context: ReconcileContext, desired: Desired, observation: Observation, action: actions.Rest
    ) -> Result:
        """Write the status of a resource for which there is nothing to do but wait.

        Args:
            context: the reconcile.
            desired: the desired state.
            observation: what the plan was made on.
            action: why there is nothing to do.
        """
        key, observer = context.resource.key, context.connected.observer
        state = self._states.of(key)
        self._states.deletion_limiter.forget(key)
        if action == plan.SWEEPING and observer.failure is None and (context.record.uuid or context.resource.told):
            return Result(ReconcileOutcome.WAITING)  # the status has the last known state; the sweep will renew it
        refused = self._refused(context, desired, observation, action)
        context.record = _record_at_rest(context, desired, observation, action, refused)
        entry = context.connected.inventory.get(context.record.uuid)
        observed = entry.observed() if entry is not None else None
        outcome = messages.outcome(desired, action, observed, context.record.applied.kept)
        refused = tuple(one for one in refused if not one.kept)
        if refused:
            outcome = refused_outcome(refused, kept_message(context.record.applied.kept))
        if observer.stale is not None and outcome.synced:
            outcome = messages.unseen(outcome, observer.stale.reason, observer.stale.message)
        if action == plan.SWEEPING and observer.failure is not None:
            outcome = failed_outcome(observer.failure)
            if context.record.uuid:  # all that have one would have the same Event
                outcome = replace(outcome, event="")
        waits_for = isinstance(action, actions.Conflict | actions.Wait)
        self._states.blocked_by.put(key, action.uuid if waits_for else "")
        if action == plan.UNSETTLED:
            await self._executor.record_waiting(context)
        if not desired.owner_tags:
            self._creates.settle(context)
        await self._status_writer.write(context, outcome)
        if refused:
            result = Result(ReconcileOutcome.AWS_ERROR, self._retry_refused(context, refused), QueuePriority.EDIT)
        else:
            if isinstance(action, actions.NoOp):
                state.field_refusals.clear()
            result = self._when_again(context, desired, action)
        if isinstance(action, actions.Wait) and not refused:
            observer.wake()
        if context.connected.inventory.get(context.record.uuid) is not entry:
            # AWS moved on before the cache knew which resource the mapping belongs to.
            return result.requeued(QueuePriority.TRANSITION)
        return result

    async def stalled(self, resource: Resource, outcome: Outcome) -> Result:
        """Write the status of a resource for which AWS can't be called at all.

        Args:
            resource: the resource.
            outcome: why.
        """
        if resource.deleting:
            outcome = replace(outcome, message=f"{outcome.message} {_how_to_orphan(resource)}")
        await self._status_writer.write_outcome(resource, outcome, MappingRecord.of(resource), None)
        return Result(ReconcileOutcome.STALLED)

    async def failed(
        self,
        resource: Resource,
        record: MappingRecord,
        connected: ConnectedTarget | None,
        error: ClientError | BotoCoreError,
        *,
        replaced: str = "",
        creating: str | None = None,
    ) -> Result:
        """Write what AWS refused.

        Args:
            resource: the resource.
            record: what the operator remembers of its mapping.
            connected: the target; None: it can't be reached.
            error: the refusal.
            replaced: the UUID of the mapping whose replacement was to be created; empty: none was.
            creating: ``status.creating``; None keeps the present one.
        """
        failure = errors.understand(error)
        if resource.deleting:
            failure = replace(failure, message=f"{failure.message} {_how_to_orphan(resource)}")
        if replaced:
            exists = connected is not None and connected.inventory.get(replaced) is not None
            message = messages.replacement_failed(replaced, failure.message, stands=exists)
            failure = replace(failure, message=message)
        first, longest = failure.disposition.value
        delay = max(failure.retry_after, self._states.of(resource.key).back_off(first, longest))
        self._states.failure_backoff.failed(resource.key)
        logger.debug("AWS refused: %s", failure.message, extra=marks(resource) | {"reason": failure.reason})
        outcome = failed_outcome(failure)
        if replaced:
            outcome = replace(outcome, event="ReplacementFailed")
        await self._status_writer.write_outcome(resource, outcome, record, connected, creating=creating)
        lasts = failure.disposition is not Disposition.SOON
        if resource.removed and lasts and self._cache.has_successor(resource.key):
            return self.abandon(resource)  # else a new resource of the name would wait for ever
        priority = QueuePriority.EDIT if record.uuid else QueuePriority.CREATE
        return Result(ReconcileOutcome.AWS_ERROR, delay, priority)

    def abandon(self, resource: Resource) -> Result:
        """Give a removed resource up whose mapping can't be deleted. The tag sweep counts the mapping as an orphan."""
        self._recorder.warning(resource, "MappingNotDeleted", messages.left_by_removed())
        logger.error("%s", messages.left_by_removed(), extra=marks(resource))
        return Result(ReconcileOutcome.RELEASED)

    def _refused(
        self, context: ReconcileContext, desired: Desired, observation: Observation, action: actions.Rest
    ) -> tuple[RefusedFields, ...]:
        """The fields that AWS refused to change, once nothing else is left to send."""
        failures = self._states.of(context.resource.key).field_refusals.of(context.resource.generation)
        if not failures or not isinstance(action, actions.NoOp) or observation.mapping is None:
            return ()
        return refused_fields(desired, observation.mapping, failures)

    def _retry_refused(self, context: ReconcileContext, refused: Sequence[RefusedFields]) -> float:
        """Seconds until the next attempt for refused fields, with back-off."""
        key = context.resource.key
        state = self._states.of(key)
        delay = state.field_refusals.left()
        if delay is None:
            delay = state.back_off(*first_disposition(refused).value)
            state.field_refusals.retry_after(delay)
            self._states.failure_backoff.failed(key)
        return delay

    def _when_again(self, context: ReconcileContext, desired: Desired, action: actions.Rest) -> Result:
        """When to reconcile again a resource of whose changes nobody informs the operator."""
        key = context.resource.key
        state = self._states.of(key)
        result = Result(_RESULT_OF.get(type(action), ReconcileOutcome.STALLED))
        if isinstance(action, actions.Wait) and action.reason == "TagsNotVisible":
            return result.requeued(QueuePriority.EDIT, state.back_off(1.0, 8.0))
        if isinstance(action, actions.Conflict):  # it costs a call each time, so many of them take turns
            self._states.failure_backoff.failed(key)
            return result.requeued(QueuePriority.RESYNC, state.back_off(60.0, 1800.0))
        if action != plan.SWEEPING:
            rate_limiter = context.connected.client.rate_limiter
            self._controller.enqueue(self._states.failure_backoff.succeeded(key, rate_limiter), QueuePriority.RESYNC)
        state.failures = 0
        match action:
            case actions.Wait("NotFound") | actions.Stall("NothingToAdopt"):
                return result.requeued(QueuePriority.RESYNC, _LOOK_AGAIN)
            case actions.Stall() if desired.problem:
                return result.requeued(QueuePriority.RESYNC, _LOOK_AGAIN)
            case plan.UNSETTLED:
                return result.requeued(QueuePriority.EDIT, state.pending_creates.left())
            case _ if state.pending_creates.unsettled:  # AWS may make a second mapping, and no event would show it
                return result.requeued(QueuePriority.RESYNC, state.pending_creates.left())
            case _:
                return result


#: How a reconcile ended, by the action at which it rests; all others: Stalled.
_RESULT_OF: Mapping[type[actions.Rest], ReconcileOutcome] = {
    actions.Wait: ReconcileOutcome.WAITING,
    actions.NoOp: ReconcileOutcome.SYNCED,
}


def failed_outcome(failure: Failure) -> Outcome:
    """The outcome of a reconcile that AWS refused."""
    verdict = Verdict.STALLED if failure.disposition.stalls else Verdict.IN_PROGRESS
    event = "" if failure.throttled else failure.reason  # being throttled passes by itself
    return Outcome(verdict, failure.reason, failure.message, synced=False, event=event)


def _record_at_rest(
    context: ReconcileContext,
    desired: Desired,
    observation: Observation,
    action: actions.Rest,
    refused: Sequence[RefusedFields],
) -> MappingRecord:
    """What to remember of a mapping that needs no change."""
    record = context.record
    if desired.observe_only and not desired.deleting:
        watched = plan.observed_mapping(desired, observation)
        if watched is not None and watched.uuid != record.uuid and not desired.owner_tags:
            return MappingRecord(watched.uuid, Applied())  # nothing applied: it owns nothing
        if watched is not None:
            return replace(record, uuid=watched.uuid)
        return replace(record, uuid="") if observation.swept or observation.gone else record
    if not isinstance(action, actions.NoOp) or desired.deleting or observation.mapping is None:
        return record
    generation = context.resource.generation
    sentences = {path: one.failure.sentence for one in refused if one.kept for path in one.paths}
    kept = kept_fields(desired, observation.mapping, record.applied.kept, sentences, generation)
    reset = differences.to_reset(desired, observation.mapping)
    applied = Applied(
        fields=frozenset(desired.values) | (record.applied.fields & {"enabled"}) | kept.keys() | reset.keys(),
        tags=frozenset(desired.tags),
        immutable=differences.immutable_texts(desired.values),
        kept=kept,
    )
    return replace(record, applied=applied)


def _how_to_orphan(resource: Resource) -> str:
    namespace, name = resource.key
    return (
        "To let the resource go and leave what is at AWS: "
        f"kubectl annotate esm {name} --namespace {namespace} {ORPHAN}=true"
    )
