"""The executor: carries out one action of a plan, in AWS or on the resource. Only the executor changes mappings in AWS.

The order of its writes lets a restarted process continue after a crash at any point. The executor writes the intent
before a Create, the names of fields before the Update that sets them, and the values of ignored fields before the
mapping is deleted to be replaced. It removes the finalizer last. Where mappings have no owner tags, it writes
``status.creating`` before a Create.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator.api.fields import BY_PATH
from esm_operator.api.recorded_status import Applied, Kept
from esm_operator.api.resource import Intent, Key, Resource
from esm_operator.api.values import Canonical
from esm_operator.aws import errors, requests
from esm_operator.clock import monotonic, timestamp
from esm_operator.cluster.event_recorder import EventRecorder
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.resource_cache import ResourceCache, StaleError
from esm_operator.cluster.transport import GoneError
from esm_operator.logs import marks
from esm_operator.metrics import counters
from esm_operator.metrics.counters import DriftKind, ReconcileOutcome
from esm_operator.planning import actions, differences, isolation
from esm_operator.planning.access import shown_owner
from esm_operator.planning.actions import Action
from esm_operator.planning.desired import MappingRecord, intent_of, recorded_applied
from esm_operator.planning.finding import Finding
from esm_operator.planning.inputs import TRANSITIONS
from esm_operator.planning.left_to_others import still_ignored
from esm_operator.planning.ownership import owner_of
from esm_operator.planning.target import Place
from esm_operator.ratelimit.workqueue import QueuePriority
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.change_log import Cause, Change
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.resource_state import ConflictingMapping, ResourceStates
from esm_operator.reconcile.result import Result
from esm_operator.reconcile.status_writer import StatusWriter
from esm_operator.status import messages
from esm_operator.status.field_outcomes import as_text
from esm_operator.status.rendering import message

logger = logging.getLogger(__name__)

#: The kinds of changes in the drift back-off.
_FIELDS, _TAGS, _CREATION = "fields", "tags", "creation"
#: Shown in the status while an action is in progress.
UPDATING = Finding("Updating", "Sending")
REPLACING = Finding("Replacing", "Creating")


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes the actions of plans. For one event loop."""

    states: ResourceStates
    cache: ResourceCache
    kubernetes: KubernetesClient
    recorder: EventRecorder
    status_writer: StatusWriter
    locks: WeakValueDictionary[tuple[Place, str], asyncio.Lock] = field(
        default_factory=WeakValueDictionary[tuple[Place, str], asyncio.Lock]
    )
    """By the place and the UUID of the mapping that is being changed."""

    async def execute(self, context: ReconcileContext, action: Action) -> Result | None:
        """Execute one action. Returns the result of the reconcile; None: plan again.

        Raises:
            StaleError: the resource, or the owner of its mapping, has changed since the plan was made.
        """
        async with self._locked(context, action):
            return await self._execute(context, action)

    @asynccontextmanager
    async def _locked(self, context: ReconcileContext, action: Action) -> AsyncGenerator[None]:
        """Let only one resource at a time change a mapping. Two may claim it, and its owner may change meanwhile."""
        if not isinstance(action, actions.WRITES) or isinstance(action, actions.Create):
            yield
            return
        before = self._tags(context, action.uuid)
        lock = self.locks.setdefault((context.connected.place, action.uuid), asyncio.Lock())
        async with lock:
            if self._tags(context, action.uuid) != before:
                raise StaleError
            yield

    def _tags(self, context: ReconcileContext, uuid: str) -> Mapping[str, str] | None:
        """The tags that name the owner of a mapping; None: they are not known."""
        entry = context.connected.inventory.get(uuid)
        if context.desired.owner_tags or entry is None:
            return context.connected.inventory.tags(uuid)
        return ownership_records.tags_in_place(context, entry)

    async def _execute(self, context: ReconcileContext, action: Action) -> Result | None:
        client, key = context.connected.client, context.resource.key
        match action:
            case actions.AddFinalizer(keep_intent):
                await self._add_finalizer(context, context.resource.intent if keep_intent else None)
            case actions.GetMapping(uuid):
                await client.refresh(uuid)
            case actions.SearchByFunction():
                await context.state.pending_creates.search(client)
            case actions.ListTags(uuid):
                await self._request(context, uuid, client.refresh_tags(uuid))
            case actions.RecordUUID(uuid):
                if not context.desired.owner_tags:  # before the status records it, another resource might take it up
                    self.states.record_created(key, context.state, uuid)
                context.record = context.record.taken_up(uuid, context.resource)
            case actions.Create():
                return await self._create(context, action)
            case actions.Update():
                return await self._update(context, action)
            case actions.Tag():
                return await self._tag(context, action)
            case actions.Adopt():
                await self._adopt(context, action)
            case actions.Delete() | actions.Replace() | actions.Discard():
                return await self._delete(context, action)
            case actions.RemoveOwnerTags(uuid, remove):
                context.change = Change(Cause.RELEASE)
                if await self._request(context, uuid, client.tag(uuid, {}, remove, context)):
                    if not client.owner_tags:
                        context.log("Release", uuid, answered=True)
                    text = message("Released", subject=context.subject, uuid=uuid)
                    self.recorder.normal(context.resource, "Released", text)
                    context.state.released = True
            case actions.RemoveFinalizer():
                result = await self.remove_finalizer(context.resource)
                self._record_left(context)
                return result
            case _:
                raise AssertionError(f"{action} can't be executed")
        return None

    async def _add_finalizer(self, context: ReconcileContext, intent: Intent | None) -> None:
        """Write the finalizer and the intent; None: a new one."""
        if intent is None:
            if await self._record_mapping_first(context, REPLACING):
                return
            context.state.intent_known = True
            intent = intent_of(context.desired, context.connected.client.account, context.target.target.region)
        context.resource = self.cache.record(await self.kubernetes.add_finalizer(context.resource, intent))

    async def _create(self, context: ReconcileContext, action: actions.Create) -> Result | None:
        desired = context.desired
        delay = await self._read_ignored(context, action.replaces, tags=True) if action.replaces else None
        if delay is not None:
            return _plan_again(delay)
        again = action.again and context.state.deleted != context.record.uuid
        repeated = again or context.state.created not in ("", context.state.deleted)
        wait = await self._drift_wait(context, _CREATION, {}, drift=True) if repeated else 0.0
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        if not desired.owner_tags:
            await self._mark_create(context)
        resource, client = context.resource, context.connected.client
        await self._check_unchanged(context)
        context.replaced = action.replaces
        cause = Cause.RECREATION if again else Cause.REPLACEMENT if action.replaces else Cause.NEW
        context.change = Change(cause, f"replaces mapping {action.replaces}" if action.replaces else "")
        try:
            context.state.record_create(sent=True)
            parameters = requests.create(desired.creation.parameters, desired.creation.tags)
            answer = await client.create(parameters, context)
        except asyncio.CancelledError:  # the term ends, and the next one may be of this process too
            context.state.pending_creates.unanswered(desired.identity.function)
            raise
        except (ClientError, BotoCoreError) as error:
            if errors.is_doubtful(error):
                context.state.pending_creates.unanswered(desired.identity.function)
            if not await self._read_conflicting(context, error):
                raise
            if not action.replaces:
                context.record = replace(context.record, uuid="")
            return None
        finally:
            context.state.record_create()
        state, uuid = context.state, str(answer["UUID"])
        state.conflict = None
        state.drift_backoff.forget(_FIELDS, _TAGS)
        if repeated:
            state.drift_backoff.sent(_CREATION, {}, drift=True)
        state.field_refusals.clear()
        state.pending_creates.answered()
        self.states.record_created(resource.key, state, uuid)
        if again:
            text = messages.created_again(uuid, resource.spec.source, context.subject)
            self.recorder.warning(resource, "CreatedAgain", text)
            counters.DRIFT_CORRECTED.labels(DriftKind.DELETED).inc()
        else:
            self.recorder.normal(resource, "Created", message("Created", subject=context.subject, uuid=uuid))
        context.replaced = ""
        if context.connected.inventory.get(action.replaces) is None:
            made = desired.creation
            immutable, ignored = differences.immutable_texts(made.values), context.record.applied.ignored
            applied = Applied(made.fields, made.tag_keys, immutable, ignored=still_ignored(desired.ignored, ignored))
            context.record = MappingRecord(uuid, applied)  # else the predecessor is recorded until it is deleted
        return None

    async def _mark_create(self, context: ReconcileContext) -> None:
        """Write ``status.creating``, the only record of the mapping that a Create without owner tags makes.

        The record is in the status, so that clients that may write only resources cannot claim mappings by it. Raises
        StaleError if a reference got another value during the write.
        """
        marker, planned = ownership_records.marker(context), context.resource.packed_spec
        if not marker:
            return
        status = replace(context.resource.status, creating=marker)
        context.resource = self.cache.record(await self.kubernetes.set_status(context.resource, status))
        context.creating = marker
        context.state.create_marker = marker
        context.state.record_create()
        if context.resource.packed_spec != planned:
            raise StaleError  # the answer has the new value, and the Create that was planned has the old one

    async def _read_conflicting(self, context: ReconcileContext, error: ClientError | BotoCoreError) -> bool:
        """Read the mapping that AWS names in a refusal. Returns True if the mapping exists."""
        uuid = errors.conflicting_uuid(error)
        if not uuid:
            return False
        await context.connected.client.refresh(uuid)
        entry = context.connected.inventory.get(uuid)
        if entry is None:
            return False  # it no longer exists, and AWS does not know that yet
        desired = context.desired
        conflict = ConflictingMapping(desired.identity, desired.consumer_group, uuid, entry.identity)
        context.state.conflict = conflict
        return True

    async def _request(self, context: ReconcileContext, uuid: str, request: Awaitable[Any]) -> bool:
        """Make a request about a mapping. Returns whether AWS accepted it.

        If AWS refused it because the mapping no longer exists or is being changed, read the mapping for the plan.
        """
        try:
            await request
        except ClientError as error:
            if not errors.is_gone(error) and not errors.is_busy(error):
                raise
            await context.connected.client.refresh(uuid)
            entry = context.connected.inventory.get(uuid)
            if entry is not None and entry.state not in TRANSITIONS:
                raise
            return False
        return True

    async def _check_unchanged(self, context: ReconcileContext) -> None:
        """Read the resource before a mapping is created or adopted for it. Raises GoneError or StaleError on a change.

        The answer to the PATCH that added the finalizer does not prove that the finalizer has an effect. A DELETE that
        read the object before the PATCH may still remove the object.
        """
        current = await self.read(context.resource.key)
        if (current.uid, current.resource_version) != (context.resource.uid, context.resource.resource_version):
            raise StaleError

    async def _adopt(self, context: ReconcileContext, action: actions.Adopt) -> None:
        """Write the owner tags to a mapping, unless its tags have changed since the plan was made."""
        uuid, client = action.uuid, context.connected.client
        before = self._tags(context, uuid)
        await self._check_unchanged(context)
        if not await self._request(context, uuid, client.refresh_tags(uuid)) or self._tags(context, uuid) != before:
            return
        context.taken_from = owner_of(before or {}) if action.previous else None
        cause = Cause.TAKE_OVER if action.previous else Cause.ADOPTION
        context.change = Change(cause, f"from {action.previous}" if action.previous else "")
        request = client.tag(uuid, context.desired.tags, frozenset(), context)
        accepted = await self._request(context, uuid, request)
        context.taken_from = None
        if accepted:
            if not client.owner_tags:  # before the status records it, another resource might adopt it
                self.states.record_created(context.resource.key, context.state, uuid)
                context.log("Adopt", uuid, answered=True)
            context.record = context.record.adopted(uuid, context.desired)
            case = "TakenOver" if action.previous else ""
            text = message("Adopted", case, subject=context.subject, uuid=uuid, previous=action.previous)
            self.recorder.normal(context.resource, "Adopted", text)

    async def _delete(
        self, context: ReconcileContext, action: actions.Delete | actions.Replace | actions.Discard
    ) -> Result | None:
        if isinstance(action, actions.Replace) and not action.successor:
            delay = await self._keep_ignored(context, action.uuid)
            if delay is not None:
                return _plan_again(delay)
        resource, client = context.resource, context.connected.client
        wait = self.states.deletion_limiter.take(resource.key)
        if wait:
            held = Finding("DeletionsHeld", values={"rescue": client.owner_tags})
            outcome = messages.outcome_of(held, context.subject, deleting=resource.deleting)
            await self.status_writer.write(resource, outcome, context)
            return Result(ReconcileOutcome.WAITING, wait, QueuePriority.EDIT)
        began, context.change = monotonic(), _deletion(action)
        if not await self._request(context, action.uuid, client.delete(action.uuid, context)):
            return None
        state = context.state
        state.deleted = action.uuid
        if state.made_by_other_until is not None and state.made_by_other_until < began:
            state.made_by_other_until = None  # AWS has refused all that others had sent, because of this mapping
        subject = context.subject
        match action:
            case actions.Replace():
                self.recorder.warning(resource, "Replacing", messages.replacing(action, resource.spec.source, subject))
            case actions.Delete():
                self.recorder.normal(
                    resource, "Deleting", message("Deleting", "Sent", subject=subject, uuid=action.uuid)
                )
            case actions.Discard():
                text = message("Deleting", "Discarded", subject=subject, uuid=action.uuid)
                self.recorder.normal(resource, "Deleting", text)
        return None

    async def _update(self, context: ReconcileContext, action: actions.Update) -> Result | None:
        desired = context.desired
        fingerprint = {**action.change, **{f"-{path}": None for path in action.reset}}
        change = differences.describe(action)
        wait = await self._drift_wait(context, _FIELDS, fingerprint, change, drift=action.drift)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        assert desired.source is not None, "no Update is planned for an unknown source"
        if actions.IDENTITY & action.change.keys() and await self._record_mapping_first(context, UPDATING):
            return None
        # The default of AWS needs no reset, so its name is not recorded first.
        named = {path for path, value in action.change.items() if (path, value) != ("enabled", True)}
        if await self._record_names_first(context, fields=frozenset(named)):
            return None
        shared = {BY_PATH[path].top for path in desired.ignored.fields} & requests.tops(action)
        delay = await self._read_ignored(context, action.uuid) if shared else None
        if delay is not None:
            return _plan_again(delay)
        parameters = requests.update(desired.creation.parameters, desired.source, action, queue_mode=desired.queue_mode)
        drift = action.drift or context.state.drift_backoff.repeats(_FIELDS, fingerprint)
        context.change = Change(Cause.DRIFT if drift else Cause.EDIT, change)
        entry = context.connected.inventory.get(action.uuid)
        by_aws = entry.report().state_transition_reason if entry is not None and "enabled" in action.old else None
        try:
            if not await self._request(context, action.uuid, self._send_update(context, parameters)):
                return None
        except ClientError as error:
            failure = errors.understand(error)
            if failure.reason not in errors.ABOUT_ONE_MEMBER:
                if not await self._read_conflicting(context, error):
                    raise
                return None
            members = isolation.members_of((*action.change, *action.reset))
            logger.debug("AWS refused %s. %s", change, failure.answer, extra=marks(context.resource))
            context.state.field_refusals.refused(context.resource.packed_spec, members, failure)
            return None
        context.state.drift_backoff.sent(_FIELDS, fingerprint, drift=action.drift)
        context.state.field_refusals.accepted()
        subject = context.subject
        if drift:
            text = message("DriftCorrected", subject=subject, change=change, aws_reason=by_aws or "")
            self._record_drift(context, DriftKind.FIELDS, text)
        else:
            self.recorder.normal(context.resource, "Updated", message("Updated", subject=subject, change=change))
        sent = {path: Kept(as_text(action.old.get(path))) for path in action.reset - {"enabled"}}
        applied = context.record.applied
        context.record = replace(context.record, applied=replace(applied, kept={**applied.kept, **sent}))
        return None

    async def _send_update(self, context: ReconcileContext, parameters: Mapping[str, Any]) -> None:
        """Send an Update. If AWS does not accept its form, send it once more in another form."""
        client = context.connected.client
        try:
            await client.update(parameters, context)
        except ClientError as error:
            other = requests.in_other_form(parameters, errors.text_of(error))
            if other is None:
                raise
            await client.update(other, context)

    async def _tag(self, context: ReconcileContext, action: actions.Tag) -> Result | None:
        fingerprint = {**action.add, **{f"-{tag}": None for tag in action.remove}}
        change = messages.tagged(action)
        wait = await self._drift_wait(context, _TAGS, fingerprint, change, drift=action.drift)
        if wait:
            return Result(ReconcileOutcome.WAITING, wait)
        if await self._record_names_first(context, tags=frozenset(action.add)):
            return None
        drift = action.drift or context.state.drift_backoff.repeats(_TAGS, fingerprint)
        context.change = Change(Cause.DRIFT if drift else Cause.EDIT, change)
        request = context.connected.client.tag(action.uuid, action.add, action.remove, context)
        if not await self._request(context, action.uuid, request):
            return None
        context.state.drift_backoff.sent(_TAGS, fingerprint, drift=action.drift)
        applied = replace(context.record.applied, tags=differences.recorded_tags(context.desired))
        context.record = replace(context.record, applied=applied)
        subject = context.subject
        if drift:
            text = message("DriftCorrected", subject=subject, change=change, aws_reason="")
            self._record_drift(context, DriftKind.TAGS, text)
        else:
            self.recorder.normal(context.resource, "Tagged", message("Tagged", subject=subject, change=change))
        return None

    async def _drift_wait(
        self, context: ReconcileContext, kind: str, change: Mapping[str, Canonical], text: str = "", *, drift: bool
    ) -> float:
        """Seconds until a change that AWS did not keep may be sent again; 0: now."""
        wait = context.state.drift_backoff.wait(kind, change, drift=drift)
        if wait:
            not_kept = Finding("ChangeNotKept", "Deleted" if kind == _CREATION else "", {"change": text})
            outcome = messages.outcome_of(not_kept, context.subject, synced=False)
            await self.status_writer.write(context.resource, outcome, context)
        return wait

    def _record_drift(self, context: ReconcileContext, kind: DriftKind, message: str) -> None:
        self.recorder.warning(context.resource, "DriftCorrected", message)
        counters.DRIFT_CORRECTED.labels(kind).inc()

    async def _record_names_first(
        self, context: ReconcileContext, fields: frozenset[str] = frozenset(), tags: frozenset[str] = frozenset()
    ) -> bool:
        """Write the names of fields and tags to the status before they are set. Returns whether a write was necessary.

        After a write, plan again, because the owner of the mapping may have changed meanwhile.
        """
        applied = context.record.applied
        applied = replace(applied, fields=applied.fields | fields, tags=applied.tags | tags)
        context.record = replace(context.record, applied=applied)
        recorded = recorded_applied(context.resource.status)
        if applied.fields <= recorded.fields and applied.tags <= recorded.tags:
            return False
        await self._show(context, UPDATING)
        return True

    async def _keep_ignored(self, context: ReconcileContext, uuid: str) -> float | None:
        """Read and record the values of ignored fields before their mapping is deleted. See :meth:`_read_ignored`."""
        delay = await self._read_ignored(context, uuid)
        if delay is None and await self._record_ignored_first(context):
            return 0.0
        return delay

    async def _read_ignored(self, context: ReconcileContext, uuid: str, *, tags: bool = False) -> float | None:
        """Read the mapping before a request sends the values of ignored fields.

        Others may have changed the values since the last sweep. An Update of a structure that has an ignored part sends
        the values. A replacement sends the values and the ignored tags.

        Returns:
            seconds until the next plan, because the mapping was read. None: that was not necessary.
        """
        client, ignored, began = context.connected.client, context.desired.ignored, context.began
        entry = client.inventory.get(uuid)
        if entry is None:
            return None
        if ignored.fields and entry.seen < began:
            await client.refresh(uuid)
            entry = client.inventory.get(uuid)
            is_read = entry is None or entry.seen >= began
        elif tags and ignored.any_tags and client.owner_tags and entry.tags_seen < began:
            await self._request(context, uuid, client.refresh_tags(uuid))
            entry = client.inventory.get(uuid)
            is_read = entry is None or entry.tags_seen >= began
        else:
            return None
        return 0.0 if is_read else context.state.back_off(1.0, 8.0)  # AWS answers no tags during a change

    async def _record_ignored_first(self, context: ReconcileContext) -> bool:
        """Write the values of ignored fields to the status before the mapping is deleted, because AWS then loses them.

        Returns:
            whether a write was necessary. After a write, plan again.
        """
        if context.record.applied.ignored == context.resource.status.applied.ignored:
            return False
        await self._show(context, REPLACING)
        return True

    async def _record_mapping_first(self, context: ReconcileContext, shown: Finding) -> bool:
        """Write the UUID of a mapping to the status if only the intent records the mapping. Returns whether so."""
        if context.record.uuid in ("", context.resource.uuid):
            return False
        await self._show(context, shown)
        return True

    async def _show(self, context: ReconcileContext, finding: Finding) -> None:
        """Write an action that is in progress to the status."""
        outcome = messages.outcome_of(finding, context.subject, synced=False, event=False)
        context.resource = await self.status_writer.write(context.resource, outcome, context)

    def _record_left(self, context: ReconcileContext) -> None:
        """Record an Event if the recorded mapping remains when the resource is deleted."""
        uuid, desired = context.record.uuid, context.desired
        if not uuid or context.connected.inventory.get(uuid) is None or desired.retain:
            return
        other = owner_of(self._tags(context, uuid) or {})
        if desired.observe_only:
            case = "Observed"
        elif other is None and not desired.owner_tags:
            case = "Unrecorded"
        elif other is None:
            case = "TagsRemoved"
        else:
            case = "Owned"
        heir = Key(other.namespace, other.name) if other is not None else None
        if heir is not None and self.cache.has_taken_over(heir, context.resource, desired.owner.cluster):
            text = message("HandedOver", subject=context.subject, uuid=uuid, heir=heir)
            self.recorder.normal(context.resource, "HandedOver", text)
            return
        whose = shown_owner(desired, other)
        text = message("MappingNotDeleted", case, subject=context.subject, uuid=uuid, whose=whose)
        self.recorder.warning(context.resource, "MappingNotDeleted", text)

    async def record_waiting(self, context: ReconcileContext) -> None:
        """Write to the intent the time from which the operator sends no Create and waits for an earlier one.

        A restarted process then continues the wait instead of beginning it again.
        """
        intent = context.resource.intent
        if intent is not None and not intent.waiting_since and not context.resource.removed:
            await self._add_finalizer(context, replace(intent, waiting_since=timestamp()))

    async def read(self, key: Key) -> Resource:
        """Read a resource from the API server, which may show an edit before the watch does."""
        current = self.cache.parse(await self.kubernetes.read(key))
        self.states.record_change(self.cache.update_if_present(current), current)
        return current

    async def is_removed(self, resource: Resource) -> bool:
        """After a DELETED event, read the resource once to confirm that the object no longer exists.

        The watch sends a DELETED event also for an object that no longer matches the label selector.
        """
        if self.states.of(resource.key).removal_confirmed:
            return True
        try:
            current = await self.kubernetes.read(resource.key)
            if current["metadata"]["uid"] == resource.uid:
                return False
        except GoneError:
            pass
        self.states.of(resource.key).removal_confirmed = True
        logger.warning(
            "The API server deleted this resource while the operator added its finalizer, so the finalizer had no "
            "effect. The operator deletes the mapping, if one was created.",
            extra=marks(resource),
        )
        return True

    async def remove_finalizer(self, resource: Resource) -> Result:
        """Remove the finalizer, if the object still exists."""
        if not resource.removed:
            await self.kubernetes.remove_finalizer(resource)
        logger.info("Removed the finalizer, so that Kubernetes deletes the resource", extra=marks(resource))
        return Result(ReconcileOutcome.RELEASED, released=True)


def _plan_again(delay: float) -> Result | None:
    """The result of an action that was only prepared, for a plan after a delay in seconds."""
    return Result(ReconcileOutcome.WAITING, delay, QueuePriority.EDIT) if delay else None


def _deletion(action: actions.Delete | actions.Replace | actions.Discard) -> Change:
    match action:
        case actions.Replace():
            return Change(Cause.REPLACEMENT, f"AWS cannot change {', '.join(action.fields)}")
        case actions.Discard():
            return Change(Cause.DUPLICATE)
        case actions.Delete():
            return Change(Cause.DELETION)
