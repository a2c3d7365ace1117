"""Ends a reconcile: writes the status, and decides when the resource is reconciled again.

The reconciler calls the outcome reporter when the plan leaves nothing to do but wait, when AWS refuses a request, and
when the operator cannot call AWS for the resource.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.annotations import ORPHAN
from esm_operator.api.recorded_status import Applied
from esm_operator.api.resource import Resource, is_edit
from esm_operator.aws import errors
from esm_operator.aws.transitions import fastest
from esm_operator.clock import monotonic
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.resource_cache import ResourceCache, StaleError
from esm_operator.logs import marks
from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.desired import MappingRecord
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import Observation
from esm_operator.planning.left_to_others import still_ignored
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.controller import Controller
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import field_outcomes, messages
from esm_operator.status.conditions import PERMISSION_PATIENCE, Outcome
from esm_operator.status.failure import Disposition
from esm_operator.status.field_outcomes import RefusedFields
from esm_operator.status.rendering import message
from esm_operator.status.subject import Subject

logger = logging.getLogger(__name__)

#: Seconds until the next reconcile if no event would report the awaited change. Examples are a new mapping that the
#: resource only observes, and a startingPositionTimestamp that was in the future. The reconcile costs no call to AWS.
_POLL = 30.0
#: If AWS finishes a creation within so many reads, the status is written only then.
_CREATION_READS = 3.0
#: The outcome of a reconcile by its last action. All other actions: Stalled.
_OUTCOMES: Mapping[type[actions.Rest], ReconcileOutcome] = {
    actions.Wait: ReconcileOutcome.WAITING,
    actions.NoOp: ReconcileOutcome.SYNCED,
}


@dataclass(frozen=True, slots=True)
class OutcomeReporter:
    """Writes the status at the end of a reconcile, and returns the result. For one event loop."""

    states: ResourceStates
    cache: ResourceCache
    recorder: EventRecorder
    status_writer: StatusWriter
    executor: Executor
    controller: Controller

    async def report_rest(
        self, context: ReconcileContext, observation: Observation, action: actions.Rest
    ) -> Result | None:
        """Write the status of a resource for which there is nothing to do but wait.

        Returns None if the status would show more of the mapping than before, and this term has not read its owner.
        """
        key, account_region, desired = context.resource.key, context.connected.account_region, context.desired
        self.states.deletion_limiter.forget(key)
        if (
            action == plan.SWEEPING
            and account_region.failure is None
            and (context.record.uuid or context.resource.status_is_current)
        ):
            return Result(ReconcileOutcome.WAITING)  # keep the status; the resource is enqueued when the sweep ends
        refused = self._refused(context, observation, action)
        before, context.record = context.record, _record_at_rest(context, observation, action, refused)
        entry = context.connected.inventory.get(context.record.uuid)
        unproven = entry is not None and ownership_records.is_unproven(context, entry)
        unproven = unproven and action != plan.SWEEPING and isinstance(action, actions.NoOp | actions.Wait)
        may_show = entry is not None and (unproven or ownership_records.may_show(context, entry))
        observed = entry.observed() if entry is not None and may_show else None
        kept, subject = context.record.applied.kept, context.subject
        outcome = messages.outcome(desired, action, observed, kept, subject)
        refused = tuple(one for one in refused if not one.kept)
        if refused:
            outcome = field_outcomes.refused_outcome(refused, field_outcomes.kept_message(kept, subject), subject)
        if account_region.stale is not None and outcome.synced:
            outcome = messages.unseen(outcome, account_region.stale)
        if action == plan.SWEEPING and account_region.failure is not None:
            outcome = messages.outcome_of_failure(account_region.failure, subject)
            if context.record.uuid:  # all resources with a mapping would have the same Event
                outcome = replace(outcome, event="")
        if unproven and not self.status_writer.is_shown(context.resource, outcome, context):
            context.record = before
            if context.proof_requested:  # AWS does not answer the tags, because it is deleting the mapping
                return Result(ReconcileOutcome.WAITING, _POLL)
            context.proof_requested = True
            return None
        waits_for = isinstance(action, actions.Conflict | actions.Wait)
        self.states.block(key, action.uuid if waits_for else "")
        if action == plan.UNSETTLED:
            await self.executor.record_waiting(context)
        wait = _wait_for_creation(context, outcome)
        if wait and not refused:
            account_region.wake()
            return Result(ReconcileOutcome.WAITING, wait, QueuePriority.TRANSITION)
        if not desired.owner_tags:
            context.creating = ownership_records.outstanding(context)
        await self.status_writer.write(context.resource, outcome, context)
        if refused:
            result = Result(ReconcileOutcome.AWS_ERROR, self._retry_refused(context, refused), QueuePriority.EDIT)
        else:
            if isinstance(action, actions.NoOp):
                context.state.field_refusals.clear()
            result = self._result_at_rest(context, action)
            if isinstance(action, actions.Wait):
                account_region.wake()
        if context.state.outputs_failures:
            delay = context.state.outputs_delay
            delay = delay if result.requeue_after is None else min(delay, result.requeue_after)
            outcome_now = ReconcileOutcome.STALLED if isinstance(action, actions.NoOp) else result.outcome
            result = replace(result, outcome=outcome_now, requeue_after=delay)
        if context.connected.inventory.get(context.record.uuid) is not entry:
            # AWS has changed the mapping before the cache recorded to which resource it belongs.
            return replace(result, requeue_after=0.0, priority=QueuePriority.TRANSITION)
        return result

    async def report_stalled(self, resource: Resource, finding: Finding, *, region: str = "") -> Result:
        """Write the status of a resource for which the operator cannot call AWS. The region may be unknown."""
        outcome = messages.outcome_of(finding, Subject.of(resource, region=region))
        if resource.deleting:
            outcome = replace(outcome, message=f"{outcome.message} {_how_to_orphan(resource)}")
        await self.status_writer.write(resource, outcome)
        return Result(ReconcileOutcome.STALLED)

    async def report_failure(
        self,
        resource: Resource,
        error: ClientError | BotoCoreError,
        region: str,
        context: ReconcileContext | None = None,
    ) -> Result:
        """Write the refusal of AWS to the status. Without a context, the operator could not connect to the target.

        Raises StaleError if a person has edited the resource meanwhile, because AWS has not refused the edited one.
        """
        known = self.cache.get(resource.key)
        if known is None or is_edit(resource, known):
            raise StaleError
        failure = errors.understand(error)
        subject = context.subject if context is not None else Subject.of(resource, region=region)
        outcome = messages.outcome_of_failure(failure, subject)
        if resource.deleting:
            outcome = replace(outcome, message=f"{outcome.message} {_how_to_orphan(resource)}")
        if context is not None:
            context.read_requested = False  # a read that a person requested is repeated
        replaced = context.replaced if context is not None else ""
        if context is not None and replaced:
            case = "" if context.connected.inventory.get(replaced) is not None else "Deleted"
            text = message("ReplacementFailed", case, subject=subject, uuid=replaced, message=outcome.message)
            outcome = replace(outcome, message=text, event="ReplacementFailed")
        first, longest = failure.disposition.value
        delay = max(failure.retry_after, self.states.of(resource.key).back_off(first, longest))
        self.states.failure_backoff.failed(resource.key)
        logger.debug("%s", outcome.message, extra=marks(resource) | {"reason": failure.reason})
        await self.status_writer.write(resource, outcome, context)
        lasts = failure.disposition is not Disposition.SOON
        if resource.removed and lasts and self.cache.has_successor(resource.key):
            return self.abandon(resource)  # else a new resource of the name would wait for ever
        uuid = context.record.uuid if context is not None else resource.uuid
        delay = self._not_after_patience(resource, delay)
        return Result(ReconcileOutcome.AWS_ERROR, delay, QueuePriority.EDIT if uuid else QueuePriority.CREATE)

    def abandon(self, resource: Resource) -> Result:
        """Release a removed resource whose mapping cannot be deleted. The tag sweep counts the mapping as an orphan."""
        text = message("MappingNotDeleted", "Removed", subject=Subject.of(resource))
        self.recorder.warning(resource, "MappingNotDeleted", text)
        logger.error("%s", text, extra=marks(resource))
        return Result(ReconcileOutcome.RELEASED, released=True)

    def _refused(
        self, context: ReconcileContext, observation: Observation, action: actions.Rest
    ) -> tuple[RefusedFields, ...]:
        """The fields that AWS refused to change, once nothing else is left to send."""
        failures = context.state.field_refusals.of(context.resource.packed_spec)
        if not failures or not isinstance(action, actions.NoOp) or observation.mapping is None:
            return ()
        return field_outcomes.refused_fields(context.desired, observation.mapping, failures)

    def _retry_refused(self, context: ReconcileContext, refused: Sequence[RefusedFields]) -> float:
        """Seconds until the next attempt for refused fields, with back-off."""
        state = context.state
        delay = state.field_refusals.left()
        if delay is None:
            delay = state.back_off(*field_outcomes.first_disposition(refused).value)
            state.field_refusals.retry_after(delay)
            self.states.failure_backoff.failed(context.resource.key)
        return self._not_after_patience(context.resource, delay)

    def _not_after_patience(self, resource: Resource, delay: float) -> float:
        """The delay until the next attempt, which decides whether a missing permission makes the resource Stalled."""
        since = self.states.of(resource.key).lacks_permission_since
        left = since + PERMISSION_PATIENCE - monotonic() if since is not None else 0.0
        return min(delay, left + 1.0) if left > 0 else delay

    def _result_at_rest(self, context: ReconcileContext, action: actions.Rest) -> Result:
        """The result, with the delay of the next reconcile. Most changes cause an event and need no requeue."""
        key, state = context.resource.key, context.state
        outcome = _OUTCOMES.get(type(action), ReconcileOutcome.STALLED)
        if isinstance(action, actions.Wait) and action.reason == "TagsNotVisible":
            return Result(outcome, state.back_off(1.0, 8.0), QueuePriority.EDIT)
        state.record_claim(outranked=isinstance(action, actions.Conflict) and action.case == "Claimed")
        if state.outranked_since is not None:
            return Result(outcome, state.claim_left)
        if isinstance(action, actions.Conflict) and not action.uuid:  # no mapping whose change would be noticed
            return Result(outcome, _POLL)
        if isinstance(action, actions.Conflict):  # it costs a call each time, so many of them take turns
            self.states.failure_backoff.failed(key)
            return Result(outcome, state.back_off(60.0, 1800.0))
        if action not in (plan.SWEEPING, plan.UNSETTLED):
            state.failures.clear()
            rate_limiter = context.connected.client.rate_limiter
            self.controller.enqueue(self.states.failure_backoff.succeeded(key, rate_limiter), QueuePriority.RESYNC)
        match action:
            case actions.Wait("NotFound" | "HandingOver") | actions.Stall("NothingToAdopt"):
                return Result(outcome, _POLL)
            case actions.Stall() if context.desired.problems:
                return Result(outcome, _POLL)
            case plan.UNSETTLED:
                return Result(outcome, state.pending_creates.left(), QueuePriority.EDIT)
            case _ if state.pending_creates.unsettled:  # AWS may make a second mapping, and no event would show it
                return Result(outcome, state.pending_creates.left())
            case _:
                return Result(outcome)


def _wait_for_creation(context: ReconcileContext, outcome: Outcome) -> float:
    """Seconds to wait for AWS to finish a creation, so that one write of the status has the UUID and Ready; 0: none.

    A restarted process finds the mapping by its owner tags and the intent. Without owner tags, it needs the UUID.
    """
    state, uuid = context.state, context.record.uuid
    if outcome.reason != "Creating" or state.created != uuid or state.pending_creates.unsettled:
        return 0.0
    if not context.desired.owner_tags or context.resource.uuid or context.resource.removed:
        return 0.0
    period = fastest(context.connected.account_region)
    return max(0.0, state.created_at + _CREATION_READS * period - monotonic())


def _record_at_rest(
    context: ReconcileContext, observation: Observation, action: actions.Rest, refused: Sequence[RefusedFields]
) -> MappingRecord:
    """The record of a mapping that needs no change."""
    record, desired, mapping = context.record, context.desired, observation.mapping
    if desired.observe_only and not desired.deleting:
        watched = plan.shown_mapping(desired, observation)
        if watched is None:
            if isinstance(action, actions.Conflict):
                return replace(record, uuid="")
            if mapping is not None and mapping.tags is None:
                return record  # another problem came first, so its owner was not read
            return replace(record, uuid="") if observation.swept or observation.gone else record
        if watched.uuid != record.uuid and not desired.owner_tags:
            return MappingRecord(watched.uuid, Applied())  # nothing applied: it owns nothing
        kept = field_outcomes.still_kept(differences.left_over(desired, watched), record.applied.kept)
        return replace(record, uuid=watched.uuid, applied=replace(record.applied, kept=kept))
    if not isinstance(action, actions.NoOp) or desired.deleting or mapping is None:
        return record
    sentences = {path: one.failure.sentence for one in refused if one.kept for path in one.paths}
    kept = field_outcomes.kept_fields(desired, mapping, record.applied.kept, sentences, context.resource.generation)
    reset = differences.to_reset(desired, mapping)
    applied = Applied(
        fields=frozenset(desired.values)
        | (record.applied.fields & desired.ignored.fields)
        | kept.keys()
        | reset.keys(),
        tags=differences.recorded_tags(desired),
        immutable=differences.recorded_immutable(desired),
        kept=kept,
        ignored=still_ignored(desired.ignored, record.applied.ignored),
    )
    return replace(record, applied=applied)


def _how_to_orphan(resource: Resource) -> str:
    namespace, name = resource.key
    return (
        "To delete the resource and keep its mapping, run: "
        f"kubectl annotate esm {name} --namespace {namespace} {ORPHAN}=true"
    )
