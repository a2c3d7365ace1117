"""Acts: the one place that changes something at AWS or on a resource, one action of the planner at a time.

In the order that a crash at any point can be mended from: intent before Create, names of fields before the
Update that sets them, the finalizer last. Called by the reconciler.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.recorded_status import Applied, Kept, applied_of
from esm_operator.api.resource import Key, Resource, parse
from esm_operator.api.sources import source_type
from esm_operator.aws import errors, requests
from esm_operator.aws.client import Check
from esm_operator.clock import moment
from esm_operator.cluster.cache import ResourceCache, StaleError
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import GoneError, KubernetesClient
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import DriftKind, ReconcileResult
from esm_operator.planning import actions, differences, isolation
from esm_operator.planning.actions import Action
from esm_operator.planning.desire import MappingRecord, created_fields, intent_of
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.state import TRANSITIONS, Desired
from esm_operator.planning.target import Resolved
from esm_operator.ratelimit.pacer import KeyedRateLimiter
from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.create_marker import CreateMarkers
from esm_operator.reconcile.state import ConflictingMapping, ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.conditions import Outcome, Verdict
from esm_operator.status.kept_fields import as_text

logger = logging.getLogger(__name__)

#: What is told of a mapping on the way.
UPDATING = Outcome(Verdict.IN_PROGRESS, "Updating", "Changing the mapping at AWS.", synced=False)
REPLACING = Outcome(Verdict.IN_PROGRESS, "Replacing", "The mapping is replaced by a new one.", synced=False)


class Executor:
    """Carries out what the planner says."""

    def __init__(
        self,
        *,
        brake: KeyedRateLimiter[Key],
        memory: ResourceStates,
        store: ResourceCache,
        queue: WorkQueue[Key],
        kubernetes: KubernetesClient,
        events: EventRecorder,
        teller: StatusWriter,
        creates: CreateMarkers,
    ) -> None:
        """
        Args:
            brake: how many mappings may be deleted in what time.
            memory: what this process remembers of resources.
            store: the resources.
            queue: where a resource goes that has to wait.
            kubernetes: the API server.
            events: where it is told what was done.
            teller: writes statuses.
            creates: records Creates where mappings have no owner tags.
        """
        self._brake = brake
        self._memory = memory
        self._store = store
        self._queue = queue
        self._kubernetes = kubernetes
        self._events = events
        self._teller = teller
        self._creates = creates
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By the UUID of the mapping that is being changed."""

    async def carry_out(
        self, work: ReconcileContext, desired: Desired, target: Resolved, action: Action
    ) -> ReconcileResult | None:
        """Carry out one action.

        Returns:
            what came of it, or None: plan again.

        Raises:
            StaleError: what the plan was made on has changed: begin anew.
        """
        if isinstance(action, actions.WRITES) and not isinstance(action, actions.Create):
            async with self._alone(work, desired, action.uuid):
                return await self._carry_out(work, desired, target, action)
        return await self._carry_out(work, desired, target, action)

    @asynccontextmanager
    async def _alone(self, work: ReconcileContext, desired: Desired, uuid: str) -> AsyncGenerator[None]:
        """Let only one resource at a time change a mapping: two may claim it, and its owner may change meanwhile."""
        before = self._tags(work, desired, uuid)
        lock = self._locks.setdefault(uuid, asyncio.Lock())
        async with lock:
            if self._tags(work, desired, uuid) != before:
                raise StaleError
            yield

    def _tags(self, work: ReconcileContext, desired: Desired, uuid: str) -> Mapping[str, str] | None:
        """The tags that tell the owner of a mapping; None: they are not known."""
        entry = work.connected.inventory.get(uuid)
        if desired.owner_tags or entry is None:
            return work.connected.inventory.tags(uuid)
        return ownership_records.tags_in_place(work, entry, desired.owner.cluster, self._memory, self._store)

    async def _carry_out(
        self, work: ReconcileContext, desired: Desired, target: Resolved, action: Action
    ) -> ReconcileResult | None:
        client = work.connected.client
        match action:
            case actions.Prepare(keep_intent):
                kept = work.resource.intent if keep_intent else None
                if kept is None:
                    if await self._note_mapping(work, REPLACING):
                        return None
                    self._memory.intents_known.add(work.resource.key)
                intent = kept or intent_of(desired, client.account, target.target.region)
                work.resource = self._teller.took(await self._kubernetes.prepare(work.resource, intent))
            case actions.GetMapping(uuid):
                await client.get(uuid)
            case actions.SearchByFunction():
                await self._memory.doubts.search(work.resource.key, client)
            case actions.ListTags(uuid):
                await self._as_known(work, uuid, client.list_tags(uuid))
            case actions.TakeUp(uuid):
                if not desired.owner_tags:  # before the status says so, another resource might take it up too
                    self._memory.made[work.resource.key] = uuid
                work.note = work.note.taken_up(uuid, work.resource)
            case actions.Create():
                return await self._create(work, desired, action)
            case actions.Update():
                return await self._update(work, desired, action)
            case actions.Tag():
                return await self._tag(work, desired, action)
            case actions.Adopt(uuid, previous):
                return await self._adopt(work, desired, uuid, previous)
            case actions.Delete() | actions.Replace() | actions.Discard():
                return await self._delete(work, action)
            case actions.Release(uuid, remove):
                if not await self._as_known(work, uuid, client.tag(uuid, {}, remove, self._check(work))):
                    return None
                self._events.normal(work.resource, "Released", messages.released(uuid))
                self._memory.released.add(work.resource.key)
            case actions.Finish():
                self._tell_left(work, desired)
                return await self.finish(work.resource)
            case _:
                raise AssertionError(f"{action} is nothing to carry out")
        return None

    async def _create(self, work: ReconcileContext, desired: Desired, action: actions.Create) -> ReconcileResult | None:
        if not desired.owner_tags:
            await self._creates.begin(work)
        resource, client = work.resource, work.connected.client
        if not await self._confirmed(work):
            return ReconcileResult.CHANGED
        work.replaced = action.replaces
        try:
            self._creates.sent(resource.key)
            answer = await client.create(requests.create(resource.spec, desired.tags), self._check(work))
        except (ClientError, BotoCoreError) as error:
            if errors.is_doubtful(error):
                self._memory.doubts.unanswered(resource.key, desired.identity.function)
            await self._in_the_way(work, desired, error)
            if not action.replaces:
                work.note = replace(work.note, uuid="")
            return None
        finally:
            self._creates.ended(resource.key)
        self._memory.conflicts.pop(resource.key, None)
        self._memory.corrections.forget(resource.key)
        self._memory.refusals.forget(resource.key)
        self._memory.doubts.answered(resource.key)
        uuid = self._memory.made[resource.key] = str(answer["UUID"])
        if action.again and self._memory.deleted.get(resource.key) != work.note.uuid:
            self._events.warning(resource, "CreatedAgain", messages.created_again(uuid, source_type(resource.spec)))
            counters.DRIFT_CORRECTED.labels(DriftKind.DELETED).inc()
        else:
            self._events.normal(resource, "Created", f"Created the mapping {uuid}.")
        logger.info("Created the mapping", extra=marks(resource) | {"uuid": uuid})
        work.replaced = ""
        if work.connected.inventory.get(action.replaces) is None:
            work.note = MappingRecord(uuid, _applied(desired))
        return None  # else the one that it replaces is noted until it is deleted

    async def _in_the_way(self, work: ReconcileContext, desired: Desired, error: ClientError | BotoCoreError) -> None:
        """Look at the mapping that AWS names in a refusal, so that the plan knows of it; else raise that again."""
        uuid = errors.conflicting_uuid(error)
        if not uuid:
            raise error
        await work.connected.client.get(uuid)
        entry = work.connected.inventory.get(uuid)
        if entry is None:
            raise error  # it is gone already, and AWS does not know that yet
        self._memory.conflicts[work.resource.key] = ConflictingMapping(
            desired.identity, desired.consumer_group, uuid, entry.identity
        )

    def _check(self, work: ReconcileContext) -> Check:
        """Whether what was planned is still wanted when it is the request's turn, which may be seconds later."""
        return lambda: self._store.current(work.resource)

    async def _as_known(self, work: ReconcileContext, uuid: str, request: Awaitable[Any]) -> bool:
        """Make a request about a mapping. Returns False if AWS refused it because the mapping is not as we know it.

        It is gone, or AWS is at work on it for somebody else: then it was looked at, and the plan knows.
        """
        try:
            await request
        except ClientError as error:
            if not errors.is_gone(error) and not errors.is_busy(error):
                raise
            await work.connected.client.get(uuid)
            entry = work.connected.inventory.get(uuid)
            if entry is not None and entry.state not in TRANSITIONS:
                raise
            return False
        return True

    async def _confirmed(self, work: ReconcileContext) -> bool:
        """Read the resource before a mapping is made for it. Returns whether it is as we know it.

        The answer to the PATCH that added the finalizer is no proof that the finalizer holds: a DELETE that read the
        object before may still remove it. Else the work is begun again.

        Raises:
            GoneError: the resource does not exist any more.
        """
        current = parse(await self._kubernetes.read(work.resource.key))
        if (current.uid, current.resource_version) == (work.resource.uid, work.resource.resource_version):
            return True
        self._store.renew(current)
        self._queue.add(current.key, QueuePriority.EDIT)
        return False

    async def _adopt(
        self, work: ReconcileContext, desired: Desired, uuid: str, previous: str
    ) -> ReconcileResult | None:
        """Tag a mapping as ours, unless somebody was quicker."""
        client, inventory = work.connected.client, work.connected.inventory
        if not await self._confirmed(work):
            return ReconcileResult.CHANGED
        before = inventory.tags(uuid)
        if not await self._as_known(work, uuid, client.list_tags(uuid)) or inventory.tags(uuid) != before:
            return None
        if not await self._as_known(work, uuid, client.tag(uuid, desired.tags, frozenset(), self._check(work))):
            return None
        work.note = work.note.adopted(uuid, desired)
        self._events.normal(work.resource, "Adopted", f"Took over the mapping {uuid} from {previous}.")
        return None

    async def _delete(
        self, work: ReconcileContext, action: actions.Delete | actions.Replace | actions.Discard
    ) -> ReconcileResult | None:
        resource = work.resource
        wait = self._brake.take(resource.key)
        if wait:
            verdict = Verdict.TERMINATING if resource.deleting else Verdict.IN_PROGRESS
            self._queue.add_after(resource.key, QueuePriority.EDIT, wait)
            outcome = Outcome(
                verdict,
                "DeletionsHeld",
                messages.deletions_held(owner_tags=work.connected.client.owner_tags),
                event="DeletionsHeld",
            )
            await self._teller.tell_of(work, outcome)
            return ReconcileResult.WAITING
        began = time.monotonic()
        if await self._as_known(work, action.uuid, work.connected.client.delete(action.uuid, self._check(work))):
            self._memory.deleted[resource.key] = action.uuid
            if self._memory.made_by_others.get(resource.key, began) < began:
                del self._memory.made_by_others[resource.key]  # it stood in the way of whatever others had sent
            self._tell_deletion(resource, action)
        return None

    def _tell_deletion(self, resource: Resource, action: actions.Delete | actions.Replace | actions.Discard) -> None:
        match action:
            case actions.Replace():
                message = messages.replacing(action, source_type(resource.spec))
                self._events.warning(resource, "Replacing", message)
            case actions.Delete():
                self._events.normal(resource, "Deleting", f"Deleting the mapping {action.uuid} at AWS.")
            case actions.Discard():
                self._events.normal(resource, "Deleting", f"Deleting the mapping {action.uuid}, needed no more.")

    async def _update(self, work: ReconcileContext, desired: Desired, action: actions.Update) -> ReconcileResult | None:
        key = work.resource.key
        fingerprint = {**action.change, **{f"-{path}": None for path in action.reset}}
        message = differences.describe(action)
        if await self._not_kept(work, "fields", fingerprint, message):
            return ReconcileResult.WAITING
        if desired.source is None:
            return ReconcileResult.STALLED
        if actions.IDENTITY & action.change.keys() and await self._note_mapping(work, UPDATING):
            return None
        if await self._note_first(work, _with(work.note.applied, fields=frozenset(action.change))):
            return None
        queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
        parameters = requests.update(work.resource.spec, desired.source, action, queue_mode=queue_mode)
        entry = work.connected.inventory.get(action.uuid)
        reason = str(entry.raw.get("StateTransitionReason") or "") if entry is not None else ""
        try:
            if not await self._as_known(work, action.uuid, self._send_update(work, parameters)):
                return None
        except ClientError as error:
            failure = errors.understand(error)
            if failure.reason not in errors.ABOUT_ONE_MEMBER:
                return await self._in_the_way(work, desired, error)
            members = isolation.members_of((*action.change, *action.reset))
            logger.debug("AWS refused %s: %s", message, failure.message, extra=marks(work.resource))
            self._memory.refusals.refused(key, work.resource.generation, members, failure)
            return None
        self._memory.corrections.sent(key, "fields", fingerprint)
        self._memory.refusals.accepted(key)
        logger.info("Updated the mapping: %s", message, extra=marks(work.resource))
        if action.drift:
            by_aws = reason if "enabled" in action.old else ""
            self._events.warning(work.resource, "DriftCorrected", messages.corrected(message, by_aws))
            counters.DRIFT_CORRECTED.labels(DriftKind.FIELDS).inc()
        else:
            self._events.normal(work.resource, "Updated", f"{message}.")
        sent = {path: Kept(as_text(action.old.get(path))) for path in action.reset - {"enabled"}}
        applied = work.note.applied
        work.note = replace(work.note, applied=replace(applied, kept={**applied.kept, **sent}))
        return None

    async def _send_update(self, work: ReconcileContext, parameters: Mapping[str, Any]) -> None:
        """Send an Update, once more in another form where AWS does not take the first one."""
        client, check = work.connected.client, self._check(work)
        try:
            await client.update(parameters, check)
        except ClientError as error:
            other = requests.in_other_form(parameters, errors.text_of(error))
            if other is None:
                raise
            await client.update(other, check)

    async def _tag(self, work: ReconcileContext, desired: Desired, action: actions.Tag) -> ReconcileResult | None:
        key, client = work.resource.key, work.connected.client
        fingerprint = {**action.add, **{f"-{tag}": None for tag in action.remove}}
        message = messages.tagged(action)
        if await self._not_kept(work, "tags", fingerprint, message):
            return ReconcileResult.WAITING
        if await self._note_first(work, _with(work.note.applied, tags=frozenset(action.add))):
            return None
        request = client.tag(action.uuid, action.add, action.remove, self._check(work))
        if not await self._as_known(work, action.uuid, request):
            return None
        self._memory.corrections.sent(key, "tags", fingerprint)
        work.note = replace(work.note, applied=replace(work.note.applied, tags=frozenset(desired.tags)))
        if action.drift:
            self._events.warning(work.resource, "DriftCorrected", messages.corrected(message))
            counters.DRIFT_CORRECTED.labels(DriftKind.TAGS).inc()
        else:
            self._events.normal(work.resource, "Tagged", f"{message}.")
        return None

    async def _not_kept(self, work: ReconcileContext, kind: str, fingerprint: Mapping[str, Any], message: str) -> bool:
        """Whether the same change was sent before and AWS did not keep it: then it waits its turn."""
        wait = self._memory.corrections.wait(work.resource.key, kind, fingerprint)
        if not wait:
            return False
        self._queue.add_after(work.resource.key, QueuePriority.RESYNC, wait)
        await self._teller.tell_of(work, messages.not_kept(message))
        return True

    async def _note_first(self, work: ReconcileContext, applied: Applied) -> bool:
        """Write the names of fields and tags that are about to be set, if they do not stand there.

        Returns whether it was written: that takes time, in which the mapping may get another owner, so it is
        planned again.
        """
        work.note = replace(work.note, applied=applied)
        stands = applied_of(work.resource.status)
        if applied.fields <= stands.fields and applied.tags <= stands.tags:
            return False
        work.resource = await self._teller.tell_of(work, UPDATING)
        return True

    async def _note_mapping(self, work: ReconcileContext, outcome: Outcome) -> bool:
        """Write the UUID of a mapping that only the intent tells of, before neither does.

        Returns whether it was written: it is planned again.
        """
        if work.note.uuid in ("", work.resource.uuid):
            return False
        work.resource = await self._teller.tell_of(work, outcome)
        return True

    def _tell_left(self, work: ReconcileContext, desired: Desired) -> None:
        """An Event of the mapping that the status notes and that is not deleted with the resource."""
        uuid, inventory = work.note.uuid, work.connected.inventory
        if not uuid or inventory.get(uuid) is None or desired.retain:
            return
        other = owner_of(self._tags(work, desired, uuid) or {})
        if desired.observe_only:
            why = "managementPolicy is Observe"
        elif other is None and not desired.owner_tags:
            why = "nothing records that it is the resource's own"
        elif other is None:
            why = "somebody has taken the operator's tags off it"
        else:
            why = f"it belongs to {other} (cluster/namespace/name)"
        self._events.warning(work.resource, "Left", messages.left(uuid, why))

    async def note_waiting(self, work: ReconcileContext) -> None:
        """Write to the intent the time from which the operator sends no Create and only waits for an earlier one.

        A restarted process then continues the wait instead of beginning it again.
        """
        intent = work.resource.intent
        if intent is None or intent.waiting_since or work.resource.removed:
            return
        noted = replace(intent, waiting_since=moment())
        work.resource = self._teller.took(await self._kubernetes.prepare(work.resource, noted))

    async def is_removed(self, resource: Resource) -> bool:
        """Read a resource whose DELETED event has arrived, once, to confirm that the object does not exist any more.

        The watch sends the same event for an object that no longer matches the label selector.
        """
        if resource.key in self._memory.removals_confirmed:
            return True
        try:
            current = parse(await self._kubernetes.read(resource.key))
        except GoneError:
            pass
        else:
            if current.uid == resource.uid:
                return False
        self._memory.removals_confirmed.add(resource.key)
        logger.warning(
            "The API server deleted this resource while the operator added its finalizer, so the finalizer had no "
            "effect. The operator deletes the mapping, if one was created.",
            extra=marks(resource),
        )
        return True

    async def finish(self, resource: Resource) -> ReconcileResult:
        """Let the resource go: remove the finalizer, if the object still exists."""
        if not resource.removed:
            await self._kubernetes.release(resource)
        logger.info("Let the resource go", extra=marks(resource))
        return ReconcileResult.RELEASED


def _with(applied: Applied, fields: frozenset[str] = frozenset(), tags: frozenset[str] = frozenset()) -> Applied:
    return replace(applied, fields=applied.fields | fields, tags=applied.tags | tags)


def _applied(desired: Desired) -> Applied:
    immutable = differences.immutable_texts(desired.values)
    return Applied(created_fields(desired), frozenset(desired.tags), immutable)
