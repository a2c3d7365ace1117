"""The loop for one resource: plan, execute and plan again until nothing is left to do but wait, then write the status.

``planning/plan.py`` makes the plan, ``executor.py`` executes its actions, ``outcome_reporter.py`` ends a reconcile. The
controller calls :meth:`Reconciler.reconcile` and requeues the resource by the result.
"""

import contextlib
import logging
from dataclasses import dataclass, field, replace

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.annotations import INTENT, ORPHAN
from esm_operator.api.resource import Intent, Key, Resource
from esm_operator.aws.targets import Targets
from esm_operator.clock import monotonic, seconds_since
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient, is_write_of
from esm_operator.cluster.resource_cache import ResourceCache, StaleError
from esm_operator.cluster.transport import ApiError, ConflictError, GoneError, describe_failure, is_slow, requested
from esm_operator.cluster.usage_finalizer import UsageFinalizer
from esm_operator.fence import NotLeadingError
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.planning import actions, plan
from esm_operator.planning.desired import MappingRecord, desired_of, scope_of
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import Desired, Observation
from esm_operator.planning.left_to_others import left_values
from esm_operator.planning.ownership import Ownership, ownership
from esm_operator.planning.references import finding
from esm_operator.planning.target import PROVIDER_CONFIG_LABEL, Unresolved
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.change_log import AccountAndRegion, Cause, Change, log_change
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.controller import Controller
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.observe import observe
from esm_operator.reconcile.outcome_reporter import OutcomeReporter
from esm_operator.reconcile.resource_state import ResourceStates
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.rendering import message
from esm_operator.status.subject import Subject

logger = logging.getLogger(__name__)

#: More steps than any resource needs in one reconcile. A plan that never ends is a bug.
_MOST_STEPS = 48
#: The longest delay after a request that the API server refused, in seconds. It is shorter if the API server is slow or
#: overloaded, because the client limits its requests itself then.
_LONGEST_API_DELAY, _LONGEST_SLOW_DELAY = 30.0, 10.0
#: Seconds until the next reconcile of a resource whose namespace is not known yet, unless an event comes before.
_NAMESPACE_SEEN = 5.0
#: What can change the target of a mapping, for messages.
_CONFIG = f"the ProviderConfig, of the namespace's label {PROVIDER_CONFIG_LABEL}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles one resource at each call. For one event loop."""

    cluster: str
    """The operator's ``cluster_name``."""
    takeover_clusters: frozenset[str]
    """The operator's ``takeover_from_clusters``."""
    states: ResourceStates
    cache: ResourceCache
    targets: Targets
    kubernetes: KubernetesClient
    """Its writes are fenced."""
    config_cache: ConfigCache
    usage_finalizer: UsageFinalizer
    recorder: EventRecorder
    controller: Controller
    """It reconciles other resources that an action affects."""
    status_writer: StatusWriter
    executor: Executor
    outcome_reporter: OutcomeReporter
    api_failures: FailureLog = field(
        default_factory=lambda: FailureLog(logger, "The API server answers the requests for all resources again")
    )
    bugs: FailureLog = field(
        default_factory=lambda: FailureLog(logger, "The operator reconciles all resources without a bug again")
    )
    """Exceptions that nobody expected. An answer of AWS or a spec can cause them again and again."""

    async def reconcile(self, key: Key) -> Result:
        """Reconcile one resource once.

        Raises nothing. Errors are written to the status or the log, and the result has the delay of the next attempt.
        """
        resource = self.cache.get(key)
        if resource is None:
            self._log_success(key)
            self.states.forget(key)
            return Result(None, deleted=True)
        began = monotonic()
        result = await self._reconcile_or_retry(resource)
        if result.outcome is not None:
            counters.reconciled(result.outcome, monotonic() - began)
        return result

    async def _reconcile_or_retry(self, resource: Resource) -> Result:
        state = self.states.of(resource.key)
        try:
            if state.unanswered_write == resource.resource_version:
                await self.executor.read(resource.key)
                state.unanswered_write = ""
                resource = self.cache.get(resource.key) or resource
            result = await self._reconcile(resource)
            self._log_success(resource.key)
            return self._finish_released(resource) if result.released else result
        except GoneError:
            self._log_success(resource.key)
            return self._finish_released(resource)
        except StaleError:
            return Result(ReconcileOutcome.STALE, 0.0, QueuePriority.EDIT)
        except ConflictError:
            return await self._read_again(resource)
        except NotLeadingError:
            return Result(None, 1.0, QueuePriority.EDIT)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ClientError | TimeoutError) and is_write_of(error, resource.key):
                known = self.cache.get(resource.key)
                state.unanswered_write = known.resource_version if known is not None and not known.removed else ""
            delay = state.back_off(1.0, _LONGEST_SLOW_DELAY if is_slow(error) else _LONGEST_API_DELAY)
            self._log_api_failure(resource, error, delay)
            return Result(ReconcileOutcome.KUBERNETES_ERROR, delay, QueuePriority.EDIT)
        except Exception as error:
            delay = state.back_off(1.0, 300.0)
            text = f"The operator failed on this resource. It retries in {delay:.0f} s."
            self.bugs.failed_unexpectedly(text, error, subject=resource.key, extra=marks(resource))
            result = Result(ReconcileOutcome.OPERATOR_ERROR, delay)
            await self._report_unexpected(resource.key, error)
            return result

    def _finish_released(self, resource: Resource) -> Result:
        """Forget a resource that the operator is done with, unless its mapping must still be deleted."""
        known = self.cache.get(resource.key)
        if known is not None and known.removed and not resource.removed:
            return Result(ReconcileOutcome.RELEASED, 0.0, QueuePriority.EDIT)  # its mapping is still to be deleted
        if known is not None and known.uid == resource.uid and known.removed_despite_finalizer:
            return Result(None)  # the last state of the object in the watch decides whether to delete its mapping
        self.cache.forget(resource.key, resource.uid)
        self.states.forget(resource.key)
        requeue_after = 0.0 if self.cache.get(resource.key) is not None else None  # a successor of the same name
        return Result(ReconcileOutcome.RELEASED, requeue_after, QueuePriority.EDIT, deleted=True)

    async def _read_again(self, resource: Resource) -> Result:
        """Read the object from the API server and reconcile it again, because the watch may be late or cut."""
        failure: Exception | None = None
        try:
            await self.executor.read(resource.key)
        except GoneError:
            return replace(self._finish_released(resource), outcome=ReconcileOutcome.STALE)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            failure = error
        delay = self.states.of(resource.key).back_off(0.1, _LONGEST_SLOW_DELAY)
        if failure is not None:
            self._log_api_failure(resource, failure, delay)
        return Result(ReconcileOutcome.STALE, delay, QueuePriority.EDIT)

    def _log_success(self, key: Key) -> None:
        self.api_failures.succeeded(key)
        self.bugs.succeeded(key)

    def _log_api_failure(self, resource: Resource, error: Exception, delay: float) -> None:
        method = requested(error).partition(" ")[0]
        text = f"{describe_failure(error)}. The operator retries {resource.key} in {delay:.1f} s."
        cause = (method, type(error), getattr(error, "status", 0))
        self.api_failures.failed(text, subject=resource.key, cause=cause, extra=marks(resource) | {"request": method})

    async def _report_unexpected(self, key: Key, error: Exception) -> None:
        """Write the failure of the operator itself to the status, if this write succeeds."""
        resource = self.cache.get(key)
        if resource is None:
            return
        with contextlib.suppress(Exception):
            finding = Finding("OperatorError", values={"error": f"{type(error).__name__}: {error}"})
            await self.status_writer.write(resource, messages.outcome_of(finding, Subject.of(resource)))

    async def _reconcile(self, resource: Resource) -> Result:
        if resource.removed and not await self.executor.is_removed(resource):
            return Result(None, released=True)
        result = await self._reconcile_in_target(resource)
        if resource.removed and result.outcome is ReconcileOutcome.STALLED:
            return self.outcome_reporter.abandon(resource)
        return result

    def _report_ignored_intent(self, resource: Resource) -> None:
        """Log once that an annotation with an intent is ignored, because somebody else has written it."""
        state, found = self.states.of(resource.key), hash(resource.intent_annotation)
        if resource.intent_ignored and state.ignored_intent != found:
            state.ignored_intent = found
            text = "The annotation %s is ignored, because the operator has not written it. The operator replaces it."
            logger.warning(text, INTENT, extra=marks(resource))

    async def _reconcile_in_target(self, resource: Resource) -> Result:
        """Resolve the target of a resource and connect to it, then reconcile the resource there."""
        self._report_ignored_intent(resource)
        if resource.deleting and resource.orphan and resource.has_finalizer:
            result = await self.executor.remove_finalizer(resource)
            text = message("Orphaned", subject=Subject.of(resource), left=resource.uuid)
            self.recorder.warning(resource, "Orphaned", text)
            if resource.uuid and (intent := resource.intent) is not None:
                place = AccountAndRegion(intent.account, intent.region)
                change = Change(Cause.RELEASE, f"the annotation {ORPHAN} keeps the mapping")
                log_change(resource, change, "Release", resource.uuid, place)
            return result
        waiting = await self._wait_for_references(resource)
        if waiting is not None:
            return waiting
        target = self.config_cache.resolve(resource)
        if isinstance(target, Unresolved):
            if target.passes:
                return Result(ReconcileOutcome.WAITING, _NAMESPACE_SEEN)
            await self.usage_finalizer.keep_refusing(resource)
            return await self.outcome_reporter.report_stalled(resource, target)
        moved = _region_changed(resource, target.target.region)
        if moved is not None:
            return await self.outcome_reporter.report_stalled(resource, moved)
        try:
            connected = await self.targets.connect(target.target)
        except (ClientError, BotoCoreError) as error:
            return await self.outcome_reporter.report_failure(resource, error, target.target.region)
        moved = _account_changed(resource, connected.client.account)
        if moved is not None:
            return await self.outcome_reporter.report_stalled(resource, moved)
        scope = scope_of(resource, target, connected.client.account)
        refused = scope.refusal(resource.spec.values) if not resource.deleting else None
        if refused is not None:
            await self.usage_finalizer.keep_refusing(resource)
            return await self.outcome_reporter.report_stalled(resource, refused, region=target.target.region)
        refused = await self.usage_finalizer.hold(resource)
        if refused is not None:
            return await self.outcome_reporter.report_stalled(resource, refused, region=target.target.region)
        wait = self.states.failure_backoff.wait(resource.key, connected.client.rate_limiter)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        record = MappingRecord.of(resource)
        state = self.states.of(resource.key)
        state.place = connected.place
        context = ReconcileContext(
            self.states, self.cache, self.config_cache, resource, state, record, target, connected, monotonic()
        )
        if not target.target.owner_tags:
            context.creating = ownership_records.recorded(resource)
        context.desired = self._desired(context)
        if not connected.inventory.swept:
            context.state.awaits_sweep = target.target  # the sweep may show more, whatever the outcome
        self._inherit_pending_create(resource)
        try:
            return await self._plan_and_execute(context)
        except (ClientError, BotoCoreError) as error:
            if not connected.client.owner_tags:
                context.creating = ownership_records.outstanding(context)
            return await self.outcome_reporter.report_failure(context.resource, error, target.target.region, context)

    async def _wait_for_references(self, resource: Resource) -> Result | None:
        """The result if references have no values. When they get values, the reference cache causes a reconcile.

        While the objects are loading, even a resource whose last values are known waits, because its objects may have
        changed before the operator was restarted. A deletion does not wait.
        """
        state = self.states.of(resource.key)
        state.awaits_references = resource.awaits_objects and not resource.deleting
        if state.awaits_references:
            return Result(ReconcileOutcome.WAITING)
        if resource.unresolved is None:
            return None
        why = finding(resource.unresolved, resource.key.namespace)
        return await self.outcome_reporter.report_stalled(resource, why)

    async def _plan_and_execute(self, context: ReconcileContext) -> Result:
        """Plan and execute until nothing is left to do but wait. Raises the refusals of AWS."""
        key, client = context.resource.key, context.connected.client
        if context.resource.reconcile_requested:
            await self._read_mapping(context)
            context.read_requested = True
        for _ in range(_MOST_STEPS):
            context.resource = self.cache.require_unchanged(context.resource)
            context.desired = self._desired(context)
            unsettled = await context.state.pending_creates.settle(client)
            if ownership_records.may_have_made(context) and not unsettled:
                await context.state.pending_creates.search(client)
            observation = observe(context, unsettled=unsettled)
            self._note_ignored(context, observation)
            if observation.gone and self._inherit_recreation(context.resource):
                continue
            action = plan.plan(context.desired, observation)
            logger.debug("Planned %s", type(action).__name__, extra=marks(context.resource))
            if isinstance(action, actions.NoOp) and context.state.field_refusals.repeat():
                continue
            if isinstance(action, actions.Rest):
                settled = await self.outcome_reporter.report_rest(context, observation, action)
                if settled is not None:
                    return settled
                action = actions.ListTags(context.record.uuid)
            refused = self._refuses_create(context, action)
            if refused is not None:
                region = context.target.target.region
                return await self.outcome_reporter.report_stalled(context.resource, refused, region=region)
            result = await self.executor.execute(context, action)
            if isinstance(action, actions.Adopt | actions.RemoveOwnerTags):
                self._reconcile_other_owners(context, action.uuid)
            if result is not None:
                return result
        raise RuntimeError(f"The plan of {key} did not come to rest")

    def _note_ignored(self, context: ReconcileContext, observation: Observation) -> None:
        """Record the values in AWS of ignored fields and tags, for a mapping that replaces this one."""
        desired, found, record = context.desired, observation.mapping, context.record
        if not desired.ignored or desired.observe_only or desired.deleting or found is None or not record.owns:
            return
        if found.uuid != record.uuid or ownership(desired.owner, found.tags) not in (Ownership.OURS, Ownership.UNKNOWN):
            return
        left = left_values(desired, found, record.applied.ignored)
        if left != record.applied.ignored:
            context.record = replace(record, applied=replace(record.applied, ignored=left))
            context.desired = self._desired(context)

    def _refuses_create(self, context: ReconcileContext, action: actions.Action) -> Unresolved | None:
        """Why an action may not begin to create a mapping. A replacement whose Delete this process has sent may end."""
        match action:
            case actions.Create() if not context.record.uuid or context.state.deleted != context.record.uuid:
                return self.usage_finalizer.refuses_create(context.resource)
            case actions.Replace(successor=""):  # a Create follows the Delete
                return self.usage_finalizer.refuses_create(context.resource)
            case _:
                return None

    def _desired(self, context: ReconcileContext) -> Desired:
        account, resource = context.connected.client.account, context.resource
        predecessor = self.cache.predecessor(resource, self.cluster)
        return desired_of(
            resource,
            context.record,
            context.target,
            account,
            self.cluster,
            takeover_clusters=self.takeover_clusters,
            consenting=self.cache.consenting_to(resource.key),
            heir=self.cache.heir_of(resource, self.cluster) if resource.deleting else None,
            predecessor_uuid=predecessor.uuid if predecessor is not None else "",
        )

    async def _read_mapping(self, context: ReconcileContext) -> None:
        """Read the mapping from AWS, because a person requested it."""
        client, desired = context.connected.client, self._desired(context)
        uuid = desired.known_uuid if desired.observe_only else desired.uuid
        function = (desired.intended or desired.identity).function
        if uuid:
            await client.refresh(uuid)
        elif function and not desired.problems and (desired.intended is not None or desired.observe_only):
            await client.refresh_by_function(function)
            uuid = context.state.blocked_by
        if client.inventory.get(uuid) is not None:
            await client.refresh_tags(uuid)

    def _reconcile_other_owners(self, context: ReconcileContext, uuid: str) -> None:
        """Reconcile the other resources that record a mapping, or wait for it."""
        place, recording = context.connected.place, self.cache.keys_of([uuid])
        others = {*self.states.in_place(place, recording), *self.states.unblock(place, [uuid])} - {context.resource.key}
        self.controller.enqueue(others, QueuePriority.EDIT)

    def _inherit_pending_create(self, resource: Resource) -> None:
        """Take over the pending create of an earlier process, which wrote the intent."""
        intent, state = resource.intent, self.states.of(resource.key)
        if intent is None or state.intent_known:
            return
        state.intent_known = True
        recorded = resource.uuid and resource.status.applied.immutable == intent.immutable
        if recorded and not ownership_records.recorded(resource):
            state.made_by_other_until = self.states.settles(state)
        else:
            self._inherit_create(resource.key, intent)

    def _inherit_create(self, key: Key, intent: Intent) -> None:
        """Record that another process may have sent a Create for the intent, now or at its ``waiting_since``."""
        state = self.states.of(key)
        state.pending_creates.inherited(
            intent.function,
            self.states.settles(state),
            alive=not state.predates_term,
            waited=seconds_since(intent.waiting_since),
        )

    def _inherit_recreation(self, resource: Resource) -> bool:
        """Whether an earlier process may have sent a Create to replace its mapping that is gone. Records the Create."""
        state = self.states.of(resource.key)
        if state.made_by_other_until is None:
            return False
        state.made_by_other_until = None
        if resource.intent is not None:
            self._inherit_create(resource.key, resource.intent)
        return True


def _region_changed(resource: Resource, region: str) -> Finding | None:
    """The finding if the target has another region than the mapping. It is checked before any call to AWS."""
    intent = resource.intent
    if intent is None or intent.region == region:
        return None
    cause = f"spec.eventSourceARN, of {_CONFIG}"
    return _target_changed(resource, intent, cause, f"region {region}")


def _account_changed(resource: Resource, account: str) -> Finding | None:
    """The finding if the target has another account than the mapping."""
    intent = resource.intent
    if intent is None or intent.account == account:
        return None
    return _target_changed(resource, intent, _CONFIG, f"account {account}")


def _target_changed(resource: Resource, intent: Intent, cause: str, now: str) -> Finding:
    former = resource.made_through
    values = {"account": intent.account, "region": intent.region, "cause": cause, "now": now, "config": former}
    return Finding("TargetChanged", "Through" if former else "", values)
