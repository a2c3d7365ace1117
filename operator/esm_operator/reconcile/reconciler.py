"""The loop: for one resource, plan, act, plan again, until nothing is left but to wait; then the status.

The plan is in ``planning/plan.py``, the actions are carried out by ``executor.py``, and ``conclude.py`` ends a
reconcile. The controller calls :meth:`Reconciler.reconcile` and requeues the resource by the result.
"""

import contextlib
import logging
from dataclasses import replace

from aiohttp import ClientError as HTTPException
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.resource import Intent, Key, Resource, parse
from esm_operator.aws.targets import ConnectedTarget, Targets
from esm_operator.clock import monotonic, seconds_since
from esm_operator.cluster.cache import ResourceCache, StaleError
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import ApiError, ConflictError, GoneError, KubernetesClient
from esm_operator.cluster.usage_finalizer import UsageFinalizer
from esm_operator.fence import NotLeadingError
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.planning import actions, plan
from esm_operator.planning.desire import MappingRecord, desired_of
from esm_operator.planning.target import Resolved, Unresolved
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.conclude import Concluder
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.controller import Controller
from esm_operator.reconcile.create_marker import CreateMarkers
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.observe import observe
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.state import ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.conditions import Outcome, Verdict

logger = logging.getLogger(__name__)

#: More steps than any resource needs in one reconcile; a plan that never comes to rest is a bug.
_MOST_STEPS = 48
#: Seconds after which a resource is reconciled whose namespace is not known yet, unless an event comes before.
_NAMESPACE_SEEN = 5.0


class Reconciler:
    """Brings one resource after the other to the state that its spec asks for. For one event loop."""

    def __init__(
        self,
        *,
        cluster: str,
        states: ResourceStates,
        cache: ResourceCache,
        targets: Targets,
        kubernetes: KubernetesClient,
        recorder: EventRecorder,
        config_cache: ConfigCache,
        usage_finalizer: UsageFinalizer,
        controller: Controller,
    ) -> None:
        """
        Args:
            cluster: the operator's ``cluster_name``.
            states: what the process remembers of each resource.
            cache: the resources.
            targets: connects the account and region of a resource.
            kubernetes: the API server; its writes are fenced.
            recorder: records Events.
            config_cache: ProviderConfigs and namespaces.
            usage_finalizer: keeps ProviderConfigs that are in use.
            controller: has the work queue, to which other resources are added.
        """
        self._cluster = cluster
        self._states = states
        self._cache = cache
        self._targets = targets
        self._kubernetes = kubernetes
        self._recorder = recorder
        self._config_cache = config_cache
        self._usage_finalizer = usage_finalizer
        self._controller = controller
        self._status_writer = StatusWriter(cache, kubernetes, recorder)
        self._creates = CreateMarkers(states, kubernetes, self._status_writer)
        self._executor = Executor(
            states=states,
            cache=cache,
            kubernetes=kubernetes,
            recorder=recorder,
            status_writer=self._status_writer,
            creates=self._creates,
        )
        self._concluder = Concluder(
            states=states,
            cache=cache,
            recorder=recorder,
            status_writer=self._status_writer,
            executor=self._executor,
            creates=self._creates,
            controller=controller,
        )

    async def reconcile(self, key: Key) -> Result:
        """Reconcile one resource once.

        Raises nothing: errors are written to the status or the log, and the result says when to try again.
        """
        resource = self._cache.get(key)
        if resource is None:
            self._states.forget(key)
            return Result(None, deleted=True)
        began = monotonic()
        result = await self._reconcile_or_retry(resource)
        if result.outcome is not None:
            counters.reconciled(result.outcome, monotonic() - began)
        return result

    async def _reconcile_or_retry(self, resource: Resource) -> Result:
        state = self._states.of(resource.key)
        try:
            result = await self._reconcile(resource)
            return self._forget_incarnation(resource) if result.outcome is ReconcileOutcome.RELEASED else result
        except GoneError:
            return self._forget_incarnation(resource)
        except StaleError:
            return Result(ReconcileOutcome.STALE, 0.0, QueuePriority.EDIT)
        except ConflictError:
            return await self._read_again(resource)
        except NotLeadingError:
            return Result(None, 1.0, QueuePriority.EDIT)
        except (ApiError, HTTPException, TimeoutError) as error:
            logger.warning("The API server did not take it, it is tried again: %s", str(error) or type(error).__name__)
            return Result(ReconcileOutcome.KUBERNETES_ERROR, state.back_off(1.0, 30.0), QueuePriority.EDIT)
        except Exception as error:
            logger.exception("Reconciling failed unexpectedly; it is tried again", extra=marks(resource))
            result = Result(ReconcileOutcome.OPERATOR_ERROR, state.back_off(1.0, 300.0))
            await self._report_unexpected(resource.key, error)
            return result

    def _forget_incarnation(self, resource: Resource) -> Result:
        """Forget a resource that no longer exists, unless its mapping is still to be deleted."""
        known = self._cache.get(resource.key)
        released = Result(ReconcileOutcome.RELEASED)
        if known is not None and known.removed and not resource.removed:
            return released.requeued(QueuePriority.EDIT)  # its mapping is still to be deleted
        if known is not None and known.uid == resource.uid and known.removed_despite_finalizer:
            return released  # the last state of the object in the watch decides whether to delete its mapping
        self._cache.forget(resource.key, resource.uid)
        self._states.forget(resource.key)
        deleted = replace(released, deleted=True)
        return deleted.requeued(QueuePriority.EDIT) if self._cache.get(resource.key) is not None else deleted

    async def _read_again(self, resource: Resource) -> Result:
        """Begin again from the object that the API server has, because its watch may be late, or cut off."""
        key = resource.key
        result = Result(ReconcileOutcome.STALE, self._states.of(key).back_off(0.1, 30.0), QueuePriority.EDIT)
        try:
            self._cache.renew(parse(await self._kubernetes.read(key)))
        except GoneError:
            return replace(self._forget_incarnation(resource), outcome=ReconcileOutcome.STALE)
        except (ApiError, HTTPException, TimeoutError) as error:
            logger.warning("Reading a resource failed, it is tried again: %s", str(error) or type(error).__name__)
        return result

    async def _report_unexpected(self, key: Key, error: Exception) -> None:
        """Write to the status that the operator itself failed, if that much still works."""
        resource = self._cache.get(key)
        if resource is None:
            return
        message = (
            f"The operator failed on this resource ({type(error).__name__}: {error}). It is tried again; look for "
            "unusual values in the spec, and report it with the operator's log."
        )
        with contextlib.suppress(Exception):
            outcome = Outcome(Verdict.IN_PROGRESS, "OperatorError", message, event="OperatorError")
            await self._status_writer.write_outcome(resource, outcome, MappingRecord.of(resource), None)

    async def _reconcile(self, resource: Resource) -> Result:
        if resource.removed and not await self._executor.is_removed(resource):
            return Result(ReconcileOutcome.RELEASED)
        result = await self._reconcile_known(resource)
        if resource.removed and result.outcome is ReconcileOutcome.STALLED:
            return self._concluder.abandon(resource)
        return result

    async def _reconcile_known(self, resource: Resource) -> Result:
        if resource.deleting and resource.orphan and resource.has_finalizer:
            self._recorder.warning(resource, "Orphaned", messages.orphaned(resource.uuid))
            return await self._executor.release(resource)
        target = self._config_cache.resolve(resource)
        if isinstance(target, Unresolved) and target.passes:
            return Result(ReconcileOutcome.WAITING, _NAMESPACE_SEEN)
        if isinstance(target, Unresolved):
            return await self._concluder.stalled(resource, _unresolved(target))
        moved = _region_changed(resource, target.target.region)
        if moved is not None:
            return await self._concluder.stalled(resource, moved)
        try:
            connected = await self._targets.get(target.target)
        except (ClientError, BotoCoreError) as error:
            return await self._concluder.failed(resource, MappingRecord.of(resource), None, error)
        moved = _account_changed(resource, connected.client.account)
        if moved is not None:
            return await self._concluder.stalled(resource, moved)
        refused = await self._usage_finalizer.hold(resource)
        if refused is not None:
            return await self._concluder.stalled(resource, _unresolved(refused))
        wait = self._states.failure_backoff.wait(resource.key, connected.client.rate_limiter)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        return await self._steps(resource, target, connected)

    async def _steps(self, resource: Resource, target: Resolved, connected: ConnectedTarget) -> Result:
        """Plan and act until nothing is left but to wait, or AWS refuses."""
        context = ReconcileContext(resource, MappingRecord.of(resource), connected, began=monotonic())
        key = resource.key
        if not target.target.owner_tags:
            context.creating = ownership_records.recorded(resource)
        if not connected.inventory.swept:
            self._states.of(key).awaits_sweep = True  # the sweep may show more, whatever the outcome
        self._inherit_pending_create(resource)
        try:
            if resource.look_requested:
                await self._read_mapping(resource, connected)
                context.looked = True
            for _ in range(_MOST_STEPS):
                context.resource = self._cache.current(context.resource)
                desired = desired_of(context.resource, context.record, target, connected.client.account, self._cluster)
                unsettled = await self._states.of(key).pending_creates.settle(connected.client)
                if ownership_records.may_have_made(context, self._states) and not unsettled:
                    await self._states.of(key).pending_creates.search(connected.client)
                observation = observe(context, desired, self._states, self._cache, unsettled=unsettled)
                if observation.gone and self._inherit_recreation(context.resource):
                    continue
                action = plan.plan(desired, observation)
                logger.debug("Planned %s", type(action).__name__, extra=marks(context.resource))
                if isinstance(action, actions.NoOp) and self._states.of(key).field_refusals.repeat():
                    continue
                if isinstance(action, actions.Rest):
                    return await self._concluder.rest(context, desired, observation, action)
                result = await self._executor.carry_out(context, desired, target, action)
                if isinstance(action, actions.Adopt | actions.Release):
                    self._owner_changed(key, action.uuid)
                if result is not None:
                    return result
        except (ClientError, BotoCoreError) as error:
            if not connected.client.owner_tags:
                self._creates.settle(context)
            return await self._concluder.failed(
                context.resource, context.record, connected, error, replaced=context.replaced, creating=context.creating
            )
        raise RuntimeError(f"The plan of {key} did not come to rest")

    async def _read_mapping(self, resource: Resource, connected: ConnectedTarget) -> None:
        """Read the mapping from AWS, because a person asked for it."""
        if resource.uuid:
            await connected.client.get(resource.uuid)
            if connected.inventory.get(resource.uuid) is not None:
                await connected.client.list_tags(resource.uuid)
        elif resource.intent is not None:
            await connected.client.find(resource.intent.function)
            in_the_way = self._states.blocked_by.uuid(resource.key)
            if connected.inventory.get(in_the_way) is not None:
                await connected.client.list_tags(in_the_way)

    def _owner_changed(self, key: Key, uuid: str) -> None:
        """Reconcile the resources that had the mapping, or waited for it."""
        others = {*self._cache.keys_of([uuid]), *self._states.unblock([uuid])} - {key}
        self._controller.enqueue(others, QueuePriority.EDIT)

    def _inherit_pending_create(self, resource: Resource) -> None:
        """Take over the pending create of an earlier process, which wrote the intent."""
        intent, state = resource.intent, self._states.of(resource.key)
        if intent is None or state.intent_known:
            return
        state.intent_known = True
        recorded = resource.uuid and resource.status.applied.immutable == intent.immutable
        if recorded and not ownership_records.recorded(resource):
            state.made_by_other_until = self._states.settles(state)
        else:
            self._inherit_create(resource.key, intent)

    def _inherit_create(self, key: Key, intent: Intent) -> None:
        """Record that another process may have sent a Create for the intent, until now or the time in the intent."""
        state = self._states.of(key)
        state.pending_creates.inherited(
            intent.function,
            self._states.settles(state),
            alive=not state.predates_process,
            waited=seconds_since(intent.waiting_since),
        )

    def _inherit_recreation(self, resource: Resource) -> bool:
        """If a mapping that an earlier process made is gone, that process may have been about to create it again.

        Returns:
            whether that is new.
        """
        state = self._states.of(resource.key)
        if state.made_by_other_until is None:
            return False
        state.made_by_other_until = None
        if resource.intent is not None:
            self._inherit_create(resource.key, resource.intent)
        return True


def _unresolved(target: Unresolved) -> Outcome:
    return Outcome(Verdict.STALLED, target.reason, target.message, event=target.reason)


def _region_changed(resource: Resource, region: str) -> Outcome | None:
    """A mapping never moves to another region by itself; AWS there is not even asked."""
    intent = resource.intent
    if intent is None or intent.region == region:
        return None
    return _target_changed(intent, "spec.eventSourceARN, the ProviderConfig", f"region {region}")


def _account_changed(resource: Resource, account: str) -> Outcome | None:
    """A mapping never moves to another account by itself."""
    intent = resource.intent
    if intent is None or intent.account == account:
        return None
    return _target_changed(intent, "the ProviderConfig", f"account {account}")


def _target_changed(intent: Intent, what: str, now: str) -> Outcome:
    return Outcome(
        Verdict.STALLED,
        "TargetChanged",
        f"The mapping was made in account {intent.account}, region {intent.region}; {what} or the operator's settings "
        f"now lead to {now}. Set that back; to move the mapping, delete this resource after that and create it anew.",
        event="TargetChanged",
    )
