"""The loop: for one resource, plan, act, plan again, until nothing is left but to wait; then the status.

Reads top to bottom like the sentence that explains the operator. What is decided is in ``planning/plan.py``, what is
told in ``messages.py``, and ``executor.py`` carries it out.
"""

import contextlib
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from aiohttp import ClientError as HTTPException
from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.recorded_status import Applied, applied_of
from esm_operator.api.resource import LET_GO, Intent, Key, Resource, parse
from esm_operator.aws import errors
from esm_operator.aws.targets import ConnectedTarget, Targets
from esm_operator.clock import seconds_since
from esm_operator.cluster.cache import ResourceCache, StaleError
from esm_operator.cluster.config_cache import ConfigCache
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import ApiError, ConflictError, GoneError, KubernetesClient
from esm_operator.cluster.usage_finalizer import UsageFinalizer
from esm_operator.fence import NotLeadingError
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import ReconcileResult
from esm_operator.planning import actions, differences, plan
from esm_operator.planning.desire import MappingRecord, desired_of
from esm_operator.planning.state import Desired, Observation
from esm_operator.planning.target import Resolved, Unresolved
from esm_operator.ratelimit.failure_backoff import FailureBackoff
from esm_operator.ratelimit.pacer import KeyedRateLimiter
from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.blocked_by import BlockedBy
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.create_marker import CreateMarkers
from esm_operator.reconcile.executor import Executor
from esm_operator.reconcile.state import ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.reconcile.view import view_of
from esm_operator.status import messages
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.failure import Disposition, Failure
from esm_operator.status.kept_fields import kept_fields
from esm_operator.status.kept_fields import message as kept_message
from esm_operator.status.refused_fields import RefusedFields, first_disposition, refused_fields
from esm_operator.status.refused_fields import outcome as refused_outcome

logger = logging.getLogger(__name__)

#: More steps than any resource needs in one go; a plan that never comes to rest is a bug.
_MOST_STEPS = 48
#: Seconds after which a mapping that is only to be observed, or a point in time that was in the future, is
#: looked at again. Neither costs a call to AWS.
_LOOK_AGAIN = 30.0
#: Seconds after which a resource is worked on whose namespace is not known yet, if nothing tells of it before.
_NAMESPACE_SEEN = 5.0


class Reconciler:
    """Brings one resource after the other to where its spec wants it."""

    def __init__(
        self,
        *,
        cluster: str,
        deletions_per_minute: int = 300,
        cache: ResourceCache,
        queue: WorkQueue[Key],
        targets: Targets,
        kubernetes: KubernetesClient,
        recorder: EventRecorder,
        config_cache: ConfigCache,
        usage_finalizer: UsageFinalizer,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._targets = targets
        self._kubernetes = kubernetes
        self._recorder = recorder
        self._config_cache = config_cache
        self._usage_finalizer = usage_finalizer
        self._status_writer = StatusWriter(cache, kubernetes, recorder)
        self._deletion_limiter: KeyedRateLimiter[Key] = KeyedRateLimiter(
            deletions_per_minute / 60, deletions_per_minute
        )
        self._failure_backoff: FailureBackoff[Key] = FailureBackoff()
        self._blocked_by: BlockedBy[Key] = BlockedBy()
        self._states = ResourceStates()
        self._unswept: set[Key] = set()
        self._first: set[Key] = set()
        self._creates = CreateMarkers(self._states, kubernetes, self._status_writer)
        self._executor = Executor(
            deletion_limiter=self._deletion_limiter,
            states=self._states,
            cache=cache,
            queue=queue,
            kubernetes=kubernetes,
            recorder=recorder,
            status_writer=self._status_writer,
            creates=self._creates,
        )

    @property
    def deletions_held(self) -> int:
        """How many deletions wait for the brake."""
        return len(self._deletion_limiter)

    async def reconcile(self, key: Key) -> None:
        """Work on one resource once. Raises nothing: what goes wrong is told and tried again."""
        resource = self._cache.get(key)
        if resource is None:
            self.forget(key)
            return
        began = time.monotonic()
        try:
            result = await self._reconcile(resource)
            if result is ReconcileResult.RELEASED:
                self._forget_incarnation(resource)
        except GoneError:
            self._forget_incarnation(resource)
            result = ReconcileResult.RELEASED
        except StaleError:
            self._queue.add(key, QueuePriority.EDIT)
            result = ReconcileResult.CHANGED
        except ConflictError:
            result = await self._changed_meanwhile(resource)
        except NotLeadingError:
            self._queue.add_after(key, QueuePriority.EDIT, 1.0)
            return
        except (ApiError, HTTPException, TimeoutError) as error:
            logger.warning("The API server did not take it, it is tried again: %s", str(error) or type(error).__name__)
            self._queue.add_after(key, QueuePriority.EDIT, self._queue.back_off(key, 1.0, 30.0))
            result = ReconcileResult.UNWRITTEN
        except Exception as error:
            logger.exception("Reconciling failed unexpectedly; it is tried again", extra=marks(resource))
            self._queue.add_after(key, QueuePriority.RESYNC, self._queue.back_off(key, 1.0, 300.0))
            await self._confess(key, error)
            result = ReconcileResult.FAILED
        counters.reconciled(result, time.monotonic() - began)

    def edited(self, key: Key) -> None:
        """A person has changed the resource: whatever it waits for by our own choice is over."""
        self._queue.forgive(key)
        self._failure_backoff.forget(key)
        self._deletion_limiter.forget(key)
        self._states.drift_backoff.forget(key)
        self._states.field_refusals.forget(key)

    def forget(self, key: Key) -> None:
        """The resource is gone from the cluster."""
        self.edited(key)
        self._unswept.discard(key)
        self._first.discard(key)
        self._queue.forget(key)
        self._blocked_by.forget(key)
        self._states.forget(key)

    def began_with(self, keys: Collection[Key]) -> None:
        """These resources were there when this process began to work: who worked on them before has ended.

        Others may come from an operator that goes on, for they were given another label.
        """
        self._first = set(keys)

    def inherit_failure(self, key: Key) -> None:
        """AWS had refused a resource when it was last told of, by another process: it takes its turn with such."""
        self._failure_backoff.failed(key)

    def unswept(self) -> set[Key]:
        """The resources that have waited for the first sweep of their target since this was asked last."""
        unswept, self._unswept = self._unswept, set()
        return unswept

    def is_failing(self, key: Key) -> bool:
        """Whether a resource waits to be tried again because AWS has refused it."""
        return self._failure_backoff.is_failing(key)

    def _forget_incarnation(self, resource: Resource) -> None:
        """A resource is gone; one of the same name may have been made meanwhile."""
        known = self._cache.get(resource.key)
        if known is not None and known.removed and not resource.removed:
            self._queue.add(resource.key, QueuePriority.EDIT)  # its mapping is still to be deleted
            return
        if known is not None and known.uid == resource.uid and known.removed_despite_finalizer:
            return  # the last state of the object, which the watch shows, says whether its mapping is to be deleted
        self._cache.forget(resource.key, resource.uid)
        self.forget(resource.key)
        if self._cache.get(resource.key) is not None:
            self._queue.add(resource.key, QueuePriority.EDIT)

    def awaited(self, uuids: Collection[str]) -> list[str]:
        """Those of the UUIDs whose mappings are not a resource's own, and in the way of one."""
        return self._blocked_by.known(uuids)

    def freed(self, uuids: Collection[str]) -> set[Key]:
        """The resources in whose way mappings are that have changed: they need not take their turns any more."""
        keys = self._blocked_by.waiting_for(uuids)
        for key in keys:
            self._failure_backoff.forget(key)
        return keys

    async def _changed_meanwhile(self, resource: Resource) -> ReconcileResult:
        """Begin anew from what the API server has: its watch may be late, or cut off."""
        key = resource.key
        self._queue.add_after(key, QueuePriority.EDIT, self._queue.back_off(key, 0.1, 30.0))
        try:
            self._cache.renew(parse(await self._kubernetes.read(key)))
        except GoneError:
            self._forget_incarnation(resource)
        except (ApiError, HTTPException, TimeoutError) as error:
            logger.warning("Reading a resource failed, it is tried again: %s", str(error) or type(error).__name__)
        return ReconcileResult.CHANGED

    async def _confess(self, key: Key, error: Exception) -> None:
        """Say on the resource that the operator itself failed, if that much still works."""
        resource = self._cache.get(key)
        if resource is None:
            return
        message = (
            f"The operator failed on this resource ({type(error).__name__}: {error}). It is tried again; look for "
            "unusual values in the spec, and report it with the operator's log."
        )
        with contextlib.suppress(Exception):
            outcome = Outcome(Verdict.IN_PROGRESS, "OperatorError", message, event="OperatorError")
            await self._status_writer.tell(resource, outcome, MappingRecord.of(resource), None)

    async def _reconcile(self, resource: Resource) -> ReconcileResult:
        if resource.removed and not await self._executor.is_removed(resource):
            return ReconcileResult.RELEASED
        result = await self._reconcile_known(resource)
        if resource.removed and result is ReconcileResult.STALLED:
            return self._give_up(resource)
        return result

    def _give_up(self, resource: Resource) -> ReconcileResult:
        """Forget a removed resource whose mapping can't be deleted. The orphans that the tag sweep counts show it."""
        self._recorder.warning(resource, "Left", messages.left_by_removed())
        logger.error("%s", messages.left_by_removed(), extra=marks(resource))
        return ReconcileResult.RELEASED

    async def _reconcile_known(self, resource: Resource) -> ReconcileResult:
        if resource.deleting and resource.let_go and resource.has_finalizer:
            self._recorder.warning(resource, "LetGo", messages.let_go(resource.uuid))
            return await self._executor.finish(resource)
        target = self._config_cache.resolve(resource)
        if isinstance(target, Unresolved) and target.passes:
            self._queue.add_after(resource.key, QueuePriority.RESYNC, _NAMESPACE_SEEN)
            return ReconcileResult.WAITING
        if isinstance(target, Unresolved):
            return await self._stall(resource, _unresolved(target))
        moved = _region_changed(resource, target.target.region)
        if moved is not None:
            return await self._stall(resource, moved)
        try:
            connected = await self._targets.get(target.target)
        except (ClientError, BotoCoreError) as error:
            return await self._failed(resource, MappingRecord.of(resource), None, error)
        moved = _account_changed(resource, connected.client.account)
        if moved is not None:
            return await self._stall(resource, moved)
        refused = await self._usage_finalizer.hold(resource)
        if refused is not None:
            return await self._stall(resource, _unresolved(refused))
        wait = self._failure_backoff.wait(resource.key, connected.client.rate_limiter)
        if wait:
            self._queue.add_after(resource.key, QueuePriority.RESYNC, wait)
            return ReconcileResult.WAITING
        return await self._steps(resource, target, connected)

    async def _steps(self, resource: Resource, target: Resolved, connected: ConnectedTarget) -> ReconcileResult:
        """Plan and act until nothing is left but to wait, or AWS refuses."""
        context = ReconcileContext(resource, MappingRecord.of(resource), connected, began=time.monotonic())
        if not target.target.owner_tags:
            context.creating = ownership_records.recorded(resource)
        if not connected.inventory.swept:
            self._unswept.add(resource.key)  # whatever comes of it, there may be more to know
        self._inherit_doubt(resource)
        try:
            if resource.look_requested:
                await self._look(resource, connected)
                context.looked = True
            for _ in range(_MOST_STEPS):
                context.resource = self._cache.current(context.resource)
                desired = desired_of(context.resource, context.record, target, connected.client.account, self._cluster)
                unsettled = await self._states.pending_creates.settle(resource.key, connected.client)
                if ownership_records.may_have_made(context, self._states) and not unsettled:
                    await self._states.pending_creates.search(resource.key, connected.client)
                view = view_of(context, desired, self._states, self._cache, unsettled=unsettled)
                if view.gone and self._doubt_what_is_gone(context.resource):
                    continue
                action = plan.plan(desired, view)
                logger.debug("Planned %s", type(action).__name__, extra=marks(context.resource))
                if isinstance(action, actions.NoOp) and self._states.field_refusals.repeat(resource.key):
                    continue
                if isinstance(action, actions.Rest):
                    return await self._rest(context, desired, view, action)
                result = await self._executor.carry_out(context, desired, target, action)
                if isinstance(action, actions.Adopt | actions.Release):
                    self._owner_changed(context.resource.key, action.uuid)
                if result is not None:
                    return result
        except (ClientError, BotoCoreError) as error:
            if not connected.client.owner_tags:
                self._creates.settle(context)
            return await self._failed(
                context.resource, context.record, connected, error, replaced=context.replaced, creating=context.creating
            )
        raise RuntimeError(f"The plan of {resource.key} did not come to rest")

    async def _look(self, resource: Resource, connected: ConnectedTarget) -> None:
        """Ask AWS for the mapping as it is now, for a person wants to know."""
        if resource.uuid:
            await connected.client.get(resource.uuid)
            if connected.inventory.get(resource.uuid) is not None:
                await connected.client.list_tags(resource.uuid)
        elif resource.intent is not None:
            await connected.client.find(resource.intent.function)
            in_the_way = self._blocked_by.of(resource.key)
            if connected.inventory.get(in_the_way) is not None:
                await connected.client.list_tags(in_the_way)

    async def _rest(
        self, context: ReconcileContext, desired: Desired, view: Observation, action: actions.Rest
    ) -> ReconcileResult:
        """Tell how things are, while nothing is left but to wait."""
        key, observer = context.resource.key, context.connected.observer
        self._deletion_limiter.forget(key)
        if action == plan.SWEEPING and observer.failure is None and (context.record.uuid or context.resource.told):
            return ReconcileResult.WAITING  # the status says how it was; the sweep will tell whether it still is so
        refused = self._refused(key, context, desired, view, action)
        context.record = _rested(context.record, desired, view, action, refused, context.resource.generation)
        entry = context.connected.inventory.get(context.record.uuid)
        observed = entry.observed() if entry is not None else None
        outcome = messages.outcome(desired, action, observed, context.record.applied.kept)
        refused = tuple(one for one in refused if not one.kept)
        if refused:
            outcome = refused_outcome(refused, kept_message(context.record.applied.kept))
        if observer.blind is not None and outcome.synced:
            outcome = messages.unseen(outcome, observer.blind.reason, observer.blind.message)
        if action == plan.SWEEPING and observer.failure is not None:
            outcome = failed_outcome(observer.failure)
            if context.record.uuid:  # all that have one would have the same Event
                outcome = replace(outcome, event="")
        self._obstructed(key, view, action)
        if action == plan.UNSETTLED:
            await self._executor.note_waiting(context)
        if not desired.owner_tags:
            self._creates.settle(context)
        await self._status_writer.tell_of(context, outcome)
        if context.connected.inventory.get(context.record.uuid) is not entry:
            self._queue.add(key, QueuePriority.TRANSITION)  # AWS moved on before the store knew whose mapping it is
        if refused:
            self._retry_refused(context, refused)
            return ReconcileResult.REFUSED
        if isinstance(action, actions.NoOp):
            self._states.field_refusals.forget(key)
        self._look_again(context, desired, action)
        if isinstance(action, actions.Wait):
            observer.wake()
            return ReconcileResult.WAITING
        return ReconcileResult.SYNCED if isinstance(action, actions.NoOp) else ReconcileResult.STALLED

    def _refused(
        self, key: Key, context: ReconcileContext, desired: Desired, view: Observation, action: actions.Rest
    ) -> tuple[RefusedFields, ...]:
        """The fields that AWS refused to change, once nothing else is left to send."""
        failures = self._states.field_refusals.of(key, context.resource.generation)
        if not failures or not isinstance(action, actions.NoOp) or view.mapping is None:
            return ()
        return refused_fields(desired, view.mapping, failures)

    def _retry_refused(self, context: ReconcileContext, refused: Sequence[RefusedFields]) -> None:
        """Schedule the next attempt for refused fields, with back-off."""
        key, field_refusals = context.resource.key, self._states.field_refusals
        delay = field_refusals.left(key)
        if delay is None:
            first, longest = first_disposition(refused).value
            delay = self._queue.back_off(key, first, longest)
            field_refusals.retry_after(key, delay)
            self._failure_backoff.failed(key)
        self._queue.add_after(key, QueuePriority.EDIT, delay)

    def _obstructed(self, key: Key, view: Observation, action: actions.Rest) -> None:
        """Be told when the mapping that is in the way moves."""
        if isinstance(action, actions.Conflict) or (isinstance(action, actions.Wait) and action.uuid):
            self._blocked_by.put(key, action.uuid)
        else:
            self._blocked_by.forget(key)

    def _look_again(self, context: ReconcileContext, desired: Desired, action: actions.Rest) -> None:
        """Come back to what nobody tells of."""
        key = context.resource.key
        if isinstance(action, actions.Wait) and action.reason == "TagsNotVisible":
            self._queue.add_after(key, QueuePriority.EDIT, self._queue.back_off(key, 1.0, 8.0))
            return
        if isinstance(action, actions.Conflict):  # it costs a call each time, so many of them take turns
            self._failure_backoff.failed(key)
            self._queue.add_after(key, QueuePriority.RESYNC, self._queue.back_off(key, 60, 1800))
            return
        if action != plan.SWEEPING:
            for other in self._failure_backoff.succeeded(key, context.connected.client.rate_limiter):
                self._queue.add(other, QueuePriority.RESYNC)
        match action:
            case actions.Wait("NotFound") | actions.Stall("NothingToAdopt"):
                self._queue.add_after(key, QueuePriority.RESYNC, _LOOK_AGAIN)
            case actions.Stall() if desired.problem:
                self._queue.add_after(key, QueuePriority.RESYNC, _LOOK_AGAIN)
            case plan.UNSETTLED:
                self._queue.add_after(key, QueuePriority.EDIT, self._states.pending_creates.left(key))
            case _ if self._states.pending_creates.stands(
                key
            ):  # a second mapping may come, and nobody would tell whose it is
                self._queue.add_after(key, QueuePriority.RESYNC, self._states.pending_creates.left(key))
            case _:
                pass
        self._queue.forgive(key)

    def _owner_changed(self, key: Key, uuid: str) -> None:
        """Whoever had the mapping, or waits for it, looks again."""
        for other in {*self._cache.keys_of([uuid]), *self.freed([uuid])} - {key}:
            self._queue.add(other, QueuePriority.EDIT)

    async def _stall(self, resource: Resource, outcome: Outcome) -> ReconcileResult:
        """Tell of what keeps AWS from being asked at all."""
        if resource.deleting:
            outcome = replace(outcome, message=f"{outcome.message} {_let_go(resource)}")
        await self._status_writer.tell(resource, outcome, MappingRecord.of(resource), None)
        return ReconcileResult.STALLED

    async def _failed(
        self,
        resource: Resource,
        record: MappingRecord,
        connected: ConnectedTarget | None,
        error: ClientError | BotoCoreError,
        *,
        replaced: str = "",
        creating: str | None = None,
    ) -> ReconcileResult:
        """Say what AWS refused, and try again later."""
        failure = errors.understand(error)
        if resource.deleting:
            failure = replace(failure, message=f"{failure.message} {_let_go(resource)}")
        if replaced:
            stands = connected is not None and connected.inventory.get(replaced) is not None
            message = messages.replacement_failed(replaced, failure.message, stands=stands)
            failure = replace(failure, message=message)
        first, longest = failure.disposition.value
        delay = max(failure.retry_after, self._queue.back_off(resource.key, first, longest))
        self._queue.add_after(resource.key, QueuePriority.EDIT if record.uuid else QueuePriority.CREATE, delay)
        self._failure_backoff.failed(resource.key)
        logger.debug("AWS refused: %s", failure.message, extra=marks(resource) | {"reason": failure.reason})
        outcome = failed_outcome(failure)
        if replaced:
            outcome = replace(outcome, event="ReplacementFailed")
        await self._status_writer.tell(resource, outcome, record, connected, creating=creating)
        lasts = failure.disposition is not Disposition.SOON
        if resource.removed and lasts and self._cache.has_successor(resource.key):
            return self._give_up(resource)  # else a new resource of the name would wait for ever
        return ReconcileResult.REFUSED

    def _inherit_doubt(self, resource: Resource) -> None:
        """An intent that another process wrote may be of a Create that AWS is still to carry out."""
        intent = resource.intent
        if intent is None or resource.key in self._states.intents_known:
            return
        self._states.intents_known.add(resource.key)
        noted = resource.uuid and applied_of(resource.status).immutable == intent.immutable
        if noted and not ownership_records.recorded(resource):
            self._states.made_by_others[resource.key] = self._states.pending_creates.settles(
                alive=self._is_alive(resource)
            )
        else:
            self._inherit_create(resource, intent)

    def _inherit_create(self, resource: Resource, intent: Intent) -> None:
        """Another process may have sent a Create for the intent, until the time that the intent notes, or until now."""
        waited = seconds_since(intent.waiting_since)
        self._states.pending_creates.inherited(
            resource.key, intent.function, alive=self._is_alive(resource), waited=waited
        )

    def _is_alive(self, resource: Resource) -> bool:
        """Whether the process that worked on a resource before may have lived a moment ago."""
        return resource.key not in self._first

    def _doubt_what_is_gone(self, resource: Resource) -> bool:
        """Where a mapping that another process made is gone, that may have been about to make it again.

        Returns:
            whether that is new.
        """
        if self._states.made_by_others.pop(resource.key, None) is None:
            return False
        if resource.intent is not None:
            self._inherit_create(resource, resource.intent)
        return True


def _rested(
    record: MappingRecord,
    desired: Desired,
    view: Observation,
    action: actions.Rest,
    refused: Sequence[RefusedFields],
    generation: int,
) -> MappingRecord:
    """What is to be remembered of a mapping that nothing is to be done to."""
    if desired.observe_only and not desired.deleting:
        watched = plan.observed_mapping(desired, view)
        if watched is not None and watched.uuid != record.uuid and not desired.owner_tags:
            return MappingRecord(watched.uuid, Applied())  # nothing applied: it owns nothing
        if watched is not None:
            return replace(record, uuid=watched.uuid)
        return replace(record, uuid="") if view.swept or view.gone else record
    if not isinstance(action, actions.NoOp) or desired.deleting or view.mapping is None:
        return record
    sentences = {path: one.failure.sentence for one in refused if one.kept for path in one.paths}
    kept = kept_fields(desired, view.mapping, record.applied.kept, sentences, generation)
    reset = differences.to_reset(desired, view.mapping)
    applied = Applied(
        fields=frozenset(desired.values) | (record.applied.fields & {"enabled"}) | kept.keys() | reset.keys(),
        tags=frozenset(desired.tags),
        immutable=differences.immutable_texts(desired.values),
        kept=kept,
    )
    return replace(record, applied=applied)


def _unresolved(target: Unresolved) -> Outcome:
    return Outcome(Verdict.STALLED, target.reason, target.message, event=target.reason)


def failed_outcome(failure: Failure) -> Outcome:
    """What a resource shows while AWS refuses."""
    verdict = Verdict.STALLED if failure.disposition.stalls else Verdict.IN_PROGRESS
    event = "" if failure.throttled else failure.reason  # being throttled passes by itself
    return Outcome(verdict, failure.reason, failure.message, synced=False, event=event)


def _let_go(resource: Resource) -> str:
    namespace, name = resource.key
    return (
        "To let the resource go and leave what is at AWS: "
        f"kubectl annotate esm {name} --namespace {namespace} {LET_GO}=true"
    )


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
