"""The executor: the one place that changes something in AWS or on a resource, one action of the plan at a time.

In the order that a crash at any point can be mended from: intent before Create, names of fields before the
Update that sets them, the finalizer last. Called by the reconciler.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.recorded_status import Applied, Kept
from esm_operator.api.resource import Resource, parse
from esm_operator.api.values import Canonical
from esm_operator.aws import errors, requests
from esm_operator.aws.mappings_api import Precondition
from esm_operator.clock import monotonic, timestamp
from esm_operator.cluster.cache import ResourceCache, StaleError
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import GoneError, KubernetesClient
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import DriftKind, ReconcileOutcome
from esm_operator.planning import actions, differences, isolation
from esm_operator.planning.actions import Action
from esm_operator.planning.desire import MappingRecord, created_fields, intent_of
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.state import TRANSITIONS, Desired
from esm_operator.planning.target import Resolved
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.create_marker import CreateMarkers
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.state import ConflictingMapping, ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.kept_fields import as_text

logger = logging.getLogger(__name__)

#: What is told of a mapping on the way.
UPDATING = Outcome(Verdict.IN_PROGRESS, "Updating", "Changing the mapping at AWS.", synced=False)
REPLACING = Outcome(Verdict.IN_PROGRESS, "Replacing", "The mapping is replaced by a new one.", synced=False)


@dataclass(frozen=True, slots=True)
class _Unchanged:
    """Holds while a resource is the same as when its action was planned."""

    cache: ResourceCache
    context: ReconcileContext

    def check(self) -> None:
        """Raises StaleError if it has changed."""
        self.cache.current(self.context.resource)


class Executor:
    """Carries out what the planner says."""

    def __init__(
        self,
        *,
        states: ResourceStates,
        cache: ResourceCache,
        kubernetes: KubernetesClient,
        recorder: EventRecorder,
        status_writer: StatusWriter,
        creates: CreateMarkers,
    ) -> None:
        """
        Args:
            states: what the process remembers of each resource.
            cache: the resources.
            kubernetes: the API server.
            recorder: where it is told what was done.
            status_writer: writes statuses.
            creates: records Creates where mappings have no owner tags.
        """
        self._states = states
        self._cache = cache
        self._kubernetes = kubernetes
        self._recorder = recorder
        self._status_writer = status_writer
        self._creates = creates
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By the UUID of the mapping that is being changed."""

    async def carry_out(
        self, context: ReconcileContext, desired: Desired, target: Resolved, action: Action
    ) -> Result | None:
        """Carry out one action.

        Returns:
            what came of it, or None: plan again.

        Raises:
            StaleError: what the plan was made on has changed: begin anew.
        """
        if isinstance(action, actions.WRITES) and not isinstance(action, actions.Create):
            async with self._locked(context, desired, action.uuid):
                return await self._carry_out(context, desired, target, action)
        return await self._carry_out(context, desired, target, action)

    @asynccontextmanager
    async def _locked(self, context: ReconcileContext, desired: Desired, uuid: str) -> AsyncGenerator[None]:
        """Let only one resource at a time change a mapping: two may claim it, and its owner may change meanwhile."""
        before = self._tags(context, desired, uuid)
        lock = self._locks.setdefault(uuid, asyncio.Lock())
        async with lock:
            if self._tags(context, desired, uuid) != before:
                raise StaleError
            yield

    def _tags(self, context: ReconcileContext, desired: Desired, uuid: str) -> Mapping[str, str] | None:
        """The tags that tell the owner of a mapping; None: they are not known."""
        entry = context.connected.inventory.get(uuid)
        if desired.owner_tags or entry is None:
            return context.connected.inventory.tags(uuid)
        return ownership_records.tags_in_place(context, entry, desired.owner.cluster, self._states, self._cache)

    async def _carry_out(
        self, context: ReconcileContext, desired: Desired, target: Resolved, action: Action
    ) -> Result | None:
        client = context.connected.client
        match action:
            case actions.Prepare(keep_intent):
                kept = context.resource.intent if keep_intent else None
                if kept is None:
                    if await self._record_mapping_first(context, REPLACING):
                        return None
                    self._states.of(context.resource.key).intent_known = True
                intent = kept or intent_of(desired, client.account, target.target.region)
                context.resource = self._status_writer.record(await self._kubernetes.prepare(context.resource, intent))
            case actions.GetMapping(uuid):
                await client.get(uuid)
            case actions.SearchByFunction():
                await self._states.of(context.resource.key).pending_creates.search(client)
            case actions.ListTags(uuid):
                await self._request(context, uuid, client.list_tags(uuid))
            case actions.TakeUp(uuid):
                if not desired.owner_tags:  # before the status says so, another resource might take it up too
                    self._states.created(context.resource.key, uuid)
                context.record = context.record.taken_up(uuid, context.resource)
            case actions.Create():
                return await self._create(context, desired, action)
            case actions.Update():
                return await self._update(context, desired, action)
            case actions.Tag():
                return await self._tag(context, desired, action)
            case actions.Adopt(uuid, previous):
                return await self._adopt(context, desired, uuid, previous)
            case actions.Delete() | actions.Replace() | actions.Discard():
                return await self._delete(context, action)
            case actions.Release(uuid, remove):
                if not await self._request(context, uuid, client.tag(uuid, {}, remove, self._unchanged(context))):
                    return None
                self._recorder.normal(context.resource, "Released", messages.released(uuid))
                self._states.of(context.resource.key).released = True
            case actions.Finish():
                self._record_left(context, desired)
                return await self.release(context.resource)
            case _:
                raise AssertionError(f"{action} is nothing to carry out")
        return None

    async def _create(self, context: ReconcileContext, desired: Desired, action: actions.Create) -> Result | None:
        if not desired.owner_tags:
            await self._creates.begin(context)
        resource, client = context.resource, context.connected.client
        if not await self._confirm_unchanged(context):
            return Result(ReconcileOutcome.STALE, 0.0, QueuePriority.EDIT)
        context.replaced = action.replaces
        try:
            self._creates.sent(resource.key)
            answer = await client.create(requests.create(resource.spec, desired.tags), self._unchanged(context))
        except (ClientError, BotoCoreError) as error:
            if errors.is_doubtful(error):
                self._states.of(resource.key).pending_creates.unanswered(desired.identity.function)
            await self._read_conflicting(context, desired, error)
            if not action.replaces:
                context.record = replace(context.record, uuid="")
            return None
        finally:
            self._creates.ended(resource.key)
        state, uuid = self._states.of(resource.key), str(answer["UUID"])
        state.conflict = None
        state.drift_backoff.clear()
        state.field_refusals.clear()
        state.pending_creates.answered()
        self._states.created(resource.key, uuid)
        if action.again and state.deleted != context.record.uuid:
            self._recorder.warning(resource, "CreatedAgain", messages.created_again(uuid, resource.spec.source))
            counters.DRIFT_CORRECTED.labels(DriftKind.DELETED).inc()
        else:
            self._recorder.normal(resource, "Created", f"Created the mapping {uuid}.")
        logger.info("Created the mapping", extra=marks(resource) | {"uuid": uuid})
        context.replaced = ""
        if context.connected.inventory.get(action.replaces) is None:
            context.record = MappingRecord(uuid, _applied(desired))
        return None  # else the one that it replaces is noted until it is deleted

    async def _read_conflicting(
        self, context: ReconcileContext, desired: Desired, error: ClientError | BotoCoreError
    ) -> None:
        """Look at the mapping that AWS names in a refusal, so that the plan knows of it; else raise that again."""
        uuid = errors.conflicting_uuid(error)
        if not uuid:
            raise error
        await context.connected.client.get(uuid)
        entry = context.connected.inventory.get(uuid)
        if entry is None:
            raise error  # it is gone already, and AWS does not know that yet
        self._states.of(context.resource.key).conflict = ConflictingMapping(
            desired.identity, desired.consumer_group, uuid, entry.identity
        )

    def _unchanged(self, context: ReconcileContext) -> Precondition:
        """Checks that the resource has not changed when it is the request's turn, which may be seconds later."""
        return _Unchanged(self._cache, context)

    async def _request(self, context: ReconcileContext, uuid: str, request: Awaitable[Any]) -> bool:
        """Make a request about a mapping. Returns False if AWS refused it because the mapping is not as we know it.

        It is gone, or AWS is at work on it for somebody else: then it was looked at, and the plan knows.
        """
        try:
            await request
        except ClientError as error:
            if not errors.is_gone(error) and not errors.is_busy(error):
                raise
            await context.connected.client.get(uuid)
            entry = context.connected.inventory.get(uuid)
            if entry is not None and entry.state not in TRANSITIONS:
                raise
            return False
        return True

    async def _confirm_unchanged(self, context: ReconcileContext) -> bool:
        """Read the resource before a mapping is made for it. Returns whether it is as we know it.

        The answer to the PATCH that added the finalizer is no proof that the finalizer holds: a DELETE that read the
        object before may still remove it. Else the work is begun again.

        Raises:
            GoneError: the resource does not exist any more.
        """
        current = parse(await self._kubernetes.read(context.resource.key))
        if (current.uid, current.resource_version) == (context.resource.uid, context.resource.resource_version):
            return True
        self._cache.renew(current)
        return False

    async def _adopt(self, context: ReconcileContext, desired: Desired, uuid: str, previous: str) -> Result | None:
        """Tag a mapping as ours, unless somebody was quicker."""
        client, inventory = context.connected.client, context.connected.inventory
        if not await self._confirm_unchanged(context):
            return Result(ReconcileOutcome.STALE, 0.0, QueuePriority.EDIT)
        before = inventory.tags(uuid)
        if not await self._request(context, uuid, client.list_tags(uuid)) or inventory.tags(uuid) != before:
            return None
        if not await self._request(
            context, uuid, client.tag(uuid, desired.tags, frozenset(), self._unchanged(context))
        ):
            return None
        context.record = context.record.adopted(uuid, desired)
        self._recorder.normal(context.resource, "Adopted", f"Took over the mapping {uuid} from {previous}.")
        return None

    async def _delete(
        self, context: ReconcileContext, action: actions.Delete | actions.Replace | actions.Discard
    ) -> Result | None:
        resource = context.resource
        wait = self._states.deletion_limiter.take(resource.key)
        if wait:
            verdict = Verdict.TERMINATING if resource.deleting else Verdict.IN_PROGRESS
            outcome = Outcome(
                verdict,
                "DeletionsHeld",
                messages.deletions_held(owner_tags=context.connected.client.owner_tags),
                event="DeletionsHeld",
            )
            await self._status_writer.write(context, outcome)
            return Result(ReconcileOutcome.WAITING, wait, QueuePriority.EDIT)
        began = monotonic()
        if await self._request(
            context, action.uuid, context.connected.client.delete(action.uuid, self._unchanged(context))
        ):
            state = self._states.of(resource.key)
            state.deleted = action.uuid
            if state.made_by_other_until is not None and state.made_by_other_until < began:
                state.made_by_other_until = None  # AWS has refused whatever others had sent, because of this mapping
            self._record_deletion(resource, action)
        return None

    def _record_deletion(self, resource: Resource, action: actions.Delete | actions.Replace | actions.Discard) -> None:
        match action:
            case actions.Replace():
                message = messages.replacing(action, resource.spec.source)
                self._recorder.warning(resource, "Replacing", message)
            case actions.Delete():
                self._recorder.normal(resource, "Deleting", f"Deleting the mapping {action.uuid} at AWS.")
            case actions.Discard():
                self._recorder.normal(resource, "Deleting", f"Deleting the mapping {action.uuid}, needed no more.")

    async def _update(self, context: ReconcileContext, desired: Desired, action: actions.Update) -> Result | None:
        key = context.resource.key
        fingerprint = {**action.change, **{f"-{path}": None for path in action.reset}}
        message = differences.describe(action)
        wait = await self._drift_wait(context, "fields", fingerprint, message)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        if desired.source is None:
            return Result(ReconcileOutcome.STALLED)
        if actions.IDENTITY & action.change.keys() and await self._record_mapping_first(context, UPDATING):
            return None
        if await self._record_names_first(context, _with(context.record.applied, fields=frozenset(action.change))):
            return None
        queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
        parameters = requests.update(context.resource.spec, desired.source, action, queue_mode=queue_mode)
        entry = context.connected.inventory.get(action.uuid)
        reason = (entry.report().state_transition_reason or "") if entry is not None else ""
        try:
            if not await self._request(context, action.uuid, self._send_update(context, parameters)):
                return None
        except ClientError as error:
            failure = errors.understand(error)
            if failure.reason not in errors.ABOUT_ONE_MEMBER:
                return await self._read_conflicting(context, desired, error)
            members = isolation.members_of((*action.change, *action.reset))
            logger.debug("AWS refused %s: %s", message, failure.message, extra=marks(context.resource))
            self._states.of(key).field_refusals.refused(context.resource.generation, members, failure)
            return None
        self._states.of(key).drift_backoff.sent("fields", fingerprint)
        self._states.of(key).field_refusals.accepted()
        logger.info("Updated the mapping: %s", message, extra=marks(context.resource))
        if action.drift:
            by_aws = reason if "enabled" in action.old else ""
            self._recorder.warning(context.resource, "DriftCorrected", messages.corrected(message, by_aws))
            counters.DRIFT_CORRECTED.labels(DriftKind.FIELDS).inc()
        else:
            self._recorder.normal(context.resource, "Updated", f"{message}.")
        sent = {path: Kept(as_text(action.old.get(path))) for path in action.reset - {"enabled"}}
        applied = context.record.applied
        context.record = replace(context.record, applied=replace(applied, kept={**applied.kept, **sent}))
        return None

    async def _send_update(self, context: ReconcileContext, parameters: Mapping[str, Any]) -> None:
        """Send an Update, once more in another form where AWS does not take the first one."""
        client, check = context.connected.client, self._unchanged(context)
        try:
            await client.update(parameters, check)
        except ClientError as error:
            other = requests.in_other_form(parameters, errors.text_of(error))
            if other is None:
                raise
            await client.update(other, check)

    async def _tag(self, context: ReconcileContext, desired: Desired, action: actions.Tag) -> Result | None:
        key, client = context.resource.key, context.connected.client
        fingerprint = {**action.add, **{f"-{tag}": None for tag in action.remove}}
        message = messages.tagged(action)
        wait = await self._drift_wait(context, "tags", fingerprint, message)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        if await self._record_names_first(context, _with(context.record.applied, tags=frozenset(action.add))):
            return None
        request = client.tag(action.uuid, action.add, action.remove, self._unchanged(context))
        if not await self._request(context, action.uuid, request):
            return None
        self._states.of(key).drift_backoff.sent("tags", fingerprint)
        context.record = replace(context.record, applied=replace(context.record.applied, tags=frozenset(desired.tags)))
        if action.drift:
            self._recorder.warning(context.resource, "DriftCorrected", messages.corrected(message))
            counters.DRIFT_CORRECTED.labels(DriftKind.TAGS).inc()
        else:
            self._recorder.normal(context.resource, "Tagged", f"{message}.")
        return None

    async def _drift_wait(
        self, context: ReconcileContext, kind: str, change: Mapping[str, Canonical], message: str
    ) -> float:
        """Seconds until a change may be sent that was sent before and that AWS did not keep; 0: now."""
        wait = self._states.of(context.resource.key).drift_backoff.wait(kind, change)
        if wait:
            await self._status_writer.write(context, messages.not_kept(message))
        return wait

    async def _record_names_first(self, context: ReconcileContext, applied: Applied) -> bool:
        """Write the names of fields and tags that are about to be set, if they do not stand there.

        Returns whether it was written: that takes time, in which the mapping may get another owner, so it is
        planned again.
        """
        context.record = replace(context.record, applied=applied)
        stands = context.resource.status.applied
        if applied.fields <= stands.fields and applied.tags <= stands.tags:
            return False
        context.resource = await self._status_writer.write(context, UPDATING)
        return True

    async def _record_mapping_first(self, context: ReconcileContext, outcome: Outcome) -> bool:
        """Write the UUID of a mapping that only the intent tells of, before neither does.

        Returns whether it was written: it is planned again.
        """
        if context.record.uuid in ("", context.resource.uuid):
            return False
        context.resource = await self._status_writer.write(context, outcome)
        return True

    def _record_left(self, context: ReconcileContext, desired: Desired) -> None:
        """An Event of the mapping that the status notes and that is not deleted with the resource."""
        uuid, inventory = context.record.uuid, context.connected.inventory
        if not uuid or inventory.get(uuid) is None or desired.retain:
            return
        other = owner_of(self._tags(context, desired, uuid) or {})
        if desired.observe_only:
            why = "managementPolicy is Observe"
        elif other is None and not desired.owner_tags:
            why = "nothing records that it is the resource's own"
        elif other is None:
            why = "somebody has taken the operator's tags off it"
        else:
            why = f"it belongs to {other} (cluster/namespace/name)"
        self._recorder.warning(context.resource, "MappingNotDeleted", messages.left(uuid, why))

    async def record_waiting(self, context: ReconcileContext) -> None:
        """Write to the intent the time from which the operator sends no Create and only waits for an earlier one.

        A restarted process then continues the wait instead of beginning it again.
        """
        intent = context.resource.intent
        if intent is None or intent.waiting_since or context.resource.removed:
            return
        noted = replace(intent, waiting_since=timestamp())
        context.resource = self._status_writer.record(await self._kubernetes.prepare(context.resource, noted))

    async def is_removed(self, resource: Resource) -> bool:
        """Read a resource whose DELETED event has arrived, once, to confirm that the object does not exist any more.

        The watch sends the same event for an object that no longer matches the label selector.
        """
        if self._states.of(resource.key).removal_confirmed:
            return True
        try:
            current = parse(await self._kubernetes.read(resource.key))
        except GoneError:
            pass
        else:
            if current.uid == resource.uid:
                return False
        self._states.of(resource.key).removal_confirmed = True
        logger.warning(
            "The API server deleted this resource while the operator added its finalizer, so the finalizer had no "
            "effect. The operator deletes the mapping, if one was created.",
            extra=marks(resource),
        )
        return True

    async def release(self, resource: Resource) -> Result:
        """Let the resource go: remove the finalizer, if the object still exists."""
        if not resource.removed:
            await self._kubernetes.release(resource)
        logger.info("Let the resource go", extra=marks(resource))
        return Result(ReconcileOutcome.RELEASED)


def _with(applied: Applied, fields: frozenset[str] = frozenset(), tags: frozenset[str] = frozenset()) -> Applied:
    return replace(applied, fields=applied.fields | fields, tags=applied.tags | tags)


def _applied(desired: Desired) -> Applied:
    immutable = differences.immutable_texts(desired.values)
    return Applied(created_fields(desired), frozenset(desired.tags), immutable)
