"""The loop: for one resource, plan, act, plan again, until nothing is left but to wait; then the status.

Reads top to bottom like the sentence that explains the operator. What is decided is in ``plan.py``, what is
told in ``report.py``; here it is carried out, in the order that a crash at any point can be mended from:
intent before Create, names of fields before the Update that sets them, the finalizer last.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator import plan, report, status
from esm_operator.api.sources import source_type
from esm_operator.aws import errors, requests
from esm_operator.aws.targets import Connected, Targets
from esm_operator.desire import Note, desired_of, intent_of
from esm_operator.events import Events
from esm_operator.kube import ConflictError, GoneError, Kubernetes
from esm_operator.plan import Desired, View
from esm_operator.queue import Urgency, WorkQueue
from esm_operator.status import Applied, Outcome, Verdict
from esm_operator.store import Key, Resource, Store, parse
from esm_operator.surroundings import Surroundings
from esm_operator.target import Resolved, Target, Unresolved

logger = logging.getLogger(__name__)

#: More steps than any resource needs in one go; a plan that never comes to rest is a bug.
_MOST_STEPS = 12
#: Seconds after which a mapping that is only to be observed is looked for again.
_LOOK_AGAIN = 30.0
#: Seconds before an Update that AWS did not keep is tried again: (first, longest).
_CORRECTION = (10.0, 600.0)


@dataclass(slots=True)
class _Correction:
    """An Update that was sent, to notice when AWS does not keep it."""

    update: Mapping[str, Any]
    times: int
    not_before: float


class Reconciler:
    """Brings one resource after the other to where its spec wants it."""

    def __init__(
        self,
        *,
        cluster: str,
        store: Store,
        queue: WorkQueue[Key],
        targets: Targets,
        kubernetes: Kubernetes,
        events: Events,
        surroundings: Surroundings,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self._targets = targets
        self._kubernetes = kubernetes
        self._events = events
        self._surroundings = surroundings
        self._conflicts: dict[Key, str] = {}
        self._corrections: dict[Key, _Correction] = {}
        self._resets: dict[Key, frozenset[str]] = {}

    async def reconcile(self, key: Key) -> None:
        """Work on one resource once. Raises nothing: what goes wrong is told and tried again."""
        resource = self._store.get(key)
        if resource is None:
            self.forget(key)
            return
        try:
            await self._reconcile(resource)
        except GoneError:
            self._store.forget(key, resource.uid)
            self.forget(key)
        except ConflictError:
            self._queue.add_after(key, Urgency.EDIT, 0.2)
        except Exception:
            logger.exception("Reconciling failed unexpectedly; it is tried again", extra=_marks(resource))
            self._queue.add_after(key, Urgency.RESYNC, self._queue.back_off(key, 1.0, 300.0))

    def forget(self, key: Key) -> None:
        """The resource is gone from the cluster."""
        self._queue.forget(key)
        for memory in (self._conflicts, self._corrections, self._resets):
            memory.pop(key, None)

    async def _reconcile(self, resource: Resource) -> None:
        target = self._surroundings.resolve(resource)
        if isinstance(target, Unresolved):
            if resource.deleting and not resource.intent and not resource.uuid:
                await self._finish(resource)
                return
            stalled = Outcome(Verdict.STALLED, target.reason, target.message)
            await self._tell(resource, stalled, Note.of(resource), None)
            return
        try:
            connected = await self._targets.get(target.target)
            changed = _target_changed(resource, connected, target.target)
            if changed is not None:
                await self._tell(resource, changed, Note.of(resource), None)
                return
            await self._steps(resource, target, connected)
        except (ClientError, BotoCoreError) as error:
            await self._failed(resource.key, errors.understand(error), target)

    async def _steps(self, resource: Resource, target: Resolved, connected: Connected) -> None:
        note = Note.of(resource)
        fresh = False
        for _ in range(_MOST_STEPS):
            desired = desired_of(resource, note, target, connected.client.account, self._cluster)
            view = self._view(resource.key, desired, connected)
            action = plan.plan(desired, view)
            logger.debug("Planned %s", type(action).__name__, extra=_marks(resource))
            match action:
                case plan.Prepare():
                    intent = intent_of(desired, connected.client.account, target.target.region)
                    resource = self._took(await self._kubernetes.prepare(resource, intent))
                    fresh = True
                case plan.Look(uuid):
                    await connected.client.get(uuid)
                case plan.LookTags(uuid):
                    await connected.client.list_tags(uuid)
                case plan.TakeUp(uuid):
                    note = note.taken_up(uuid, resource)
                case plan.Create(again):
                    current = resource if fresh else parse(await self._kubernetes.read(resource.key))
                    if (current.uid, current.generation, current.deleting) != (
                        resource.uid,
                        resource.generation,
                        resource.deleting,
                    ):
                        self._store.put(current)
                        self._queue.add(resource.key, Urgency.EDIT)
                        return
                    note = await self._create(resource, desired, connected, again=again)
                case plan.Update():
                    held = self._held(resource.key, action)
                    if held is not None:
                        await self._tell(resource, held, note, connected)
                        return
                    resource, note = await self._update(resource, note, desired, connected, action)
                case plan.Tag(uuid, add, remove):
                    note = replace(note, applied=_with(note.applied, tags=frozenset(add)))
                    resource = await self._note_first(resource, note, connected)
                    await connected.client.tag(uuid, add, remove)
                    note = replace(note, applied=replace(note.applied, tags=frozenset(desired.tags)))
                    self._events.normal(resource, "Tagged", report.tagged(action))
                case plan.Adopt(uuid, previous):
                    await connected.client.tag(uuid, desired.tags, frozenset())
                    note = note.adopted(uuid, desired)
                    self._events.normal(resource, "Adopted", f"Took over the mapping {uuid} from {previous}.")
                case plan.Replace(uuid, fields):
                    self._events.warning(resource, "Replacing", report.replacing(uuid, fields))
                    await connected.client.delete(uuid)
                    connected.observer.wake()
                case plan.Delete(uuid):
                    await connected.client.delete(uuid)
                    connected.observer.wake()
                    self._events.normal(resource, "Deleting", f"Deleting the mapping {uuid} at AWS.")
                case plan.Release(uuid, remove):
                    await connected.client.tag(uuid, {}, remove)
                    self._events.normal(
                        resource, "Released", f"Left the mapping {uuid} at AWS, as spec.deletionPolicy says."
                    )
                    await self._finish(resource)
                    return
                case plan.Finish():
                    await self._finish(resource)
                    return
                case plan.NoOp() | plan.Wait() | plan.Stall() | plan.Conflict():
                    await self._rest(resource, note, desired, view, action, connected)
                    return
        raise RuntimeError(f"The plan of {resource.key} did not come to rest")

    async def _create(self, resource: Resource, desired: Desired, connected: Connected, *, again: bool) -> Note:
        parameters = requests.create(resource.spec, desired.tags)
        try:
            answer = await connected.client.create(parameters)
        except ClientError as error:
            uuid = errors.conflicting_uuid(error)
            if not uuid:
                raise
            self._conflicts[resource.key] = uuid
            await connected.client.get(uuid)
            return replace(Note.of(resource), uuid="")
        self._conflicts.pop(resource.key, None)
        self._corrections.pop(resource.key, None)
        connected.observer.wake()
        uuid = str(answer["UUID"])
        if again:
            self._events.warning(resource, "CreatedAgain", report.created_again(uuid, source_type(resource.spec)))
        else:
            self._events.normal(resource, "Created", f"Created the mapping {uuid}.")
        logger.info("Created the mapping", extra=_marks(resource) | {"uuid": uuid})
        return Note(uuid, _applied(desired))

    async def _update(
        self, resource: Resource, note: Note, desired: Desired, connected: Connected, action: plan.Update
    ) -> tuple[Resource, Note]:
        note = replace(note, applied=_with(note.applied, fields=frozenset(action.change)))
        resource = await self._note_first(resource, note, connected)
        queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
        if desired.source is not None:
            await connected.client.update(requests.update(resource.spec, desired.source, action, queue_mode=queue_mode))
        connected.observer.wake()
        self._remember(resource.key, action)
        message = plan.describe(action)
        logger.info("Updated the mapping: %s", message, extra=_marks(resource))
        if action.drift:
            self._events.warning(resource, "DriftCorrected", f"Changed outside of Kubernetes, put right: {message}")
        else:
            self._events.normal(resource, "Updated", message)
        return resource, replace(note, applied=replace(note.applied, fields=note.applied.fields - action.reset))

    async def _rest(
        self,
        resource: Resource,
        note: Note,
        desired: Desired,
        view: View,
        action: plan.NoOp | plan.Wait | plan.Stall | plan.Conflict,
        connected: Connected,
    ) -> None:
        if isinstance(action, plan.NoOp) and not desired.observe_only and not resource.deleting:
            fields = frozenset(desired.values) | frozenset(plan.unresettable(desired))
            note = replace(note, applied=replace(note.applied, fields=fields, tags=frozenset(desired.tags)))
        if desired.observe_only and view.mapping is None and len(view.candidates) == 1:
            note = replace(note, uuid=view.candidates[0].uuid)
        entry = connected.inventory.get(note.uuid)
        kept = self._resets.get(resource.key, frozenset())
        outcome = report.outcome(desired, action, entry.observed() if entry else None, kept)
        if not view.swept and connected.observer.failure is not None:
            outcome = failed_outcome(connected.observer.failure)
        self._queue.forgive(resource.key)
        if isinstance(action, plan.Stall | plan.Conflict):
            self._events.warning(resource, action_reason(action), action.message)
            if isinstance(action, plan.Conflict):
                self._queue.add_after(resource.key, Urgency.RESYNC, self._queue.back_off(resource.key, 60, 1800))
        if action == plan.NOT_FOUND:
            self._queue.add_after(resource.key, Urgency.RESYNC, _LOOK_AGAIN)
        await self._tell(resource, outcome, note, connected)
        if isinstance(action, plan.Wait):
            connected.observer.wake()

    async def _note_first(self, resource: Resource, note: Note, connected: Connected) -> Resource:
        """Write the names of fields that are about to be set, if they do not stand there."""
        if note.applied.fields <= status.applied_of(resource.status).fields and (
            note.applied.tags <= status.applied_of(resource.status).tags
        ):
            return resource
        outcome = Outcome(Verdict.IN_PROGRESS, "Updating", "Changing the mapping at AWS.", synced=False)
        return await self._tell(resource, outcome, note, connected)

    async def _tell(self, resource: Resource, outcome: Outcome, note: Note, connected: Connected | None) -> Resource:
        """Write the status if it differs from what stands."""
        entry = connected.inventory.get(note.uuid) if connected is not None and note.uuid else None
        rendered = status.render(
            resource.status,
            generation=resource.generation,
            outcome=outcome,
            mapping=entry.raw if entry is not None else None,
            tags=entry.tags if entry is not None else None,
            applied=note.applied,
            uuid=note.uuid,
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        if rendered == resource.status:
            return resource
        return self._took(await self._kubernetes.set_status(resource, rendered))

    async def _finish(self, resource: Resource) -> None:
        await self._kubernetes.release(resource)
        self.forget(resource.key)
        logger.info("Let the resource go", extra=_marks(resource))

    async def _failed(self, key: Key, failure: errors.Failure, target: Resolved) -> None:
        """Say what AWS refused, and try again later."""
        resource = self._store.get(key)
        if resource is None:
            return
        first, longest = failure.disposition.value
        delay = max(failure.retry_after, self._queue.back_off(key, first, longest))
        urgency = Urgency.EDIT if resource.uuid else Urgency.CREATE
        self._queue.add_after(key, urgency, delay)
        if failure.throttled:
            return
        logger.warning("%s", failure.message, extra=_marks(resource) | {"reason": failure.reason})
        self._events.warning(resource, failure.reason, failure.message)
        connected = self._targets.find(target.target)
        await self._tell(resource, failed_outcome(failure), Note.of(resource), connected)

    def _view(self, key: Key, desired: Desired, connected: Connected) -> View:
        inventory = connected.inventory
        uuid = desired.uuid or desired.adoption.uuid
        entry = inventory.get(uuid) if uuid else None
        candidates = {one.raw["UUID"]: one for one in inventory.with_identity(desired.identity)}
        conflicting = inventory.get(self._conflicts.get(key, ""))
        if conflicting is not None:
            candidates[conflicting.raw["UUID"]] = conflicting
        return View(
            swept=inventory.swept,
            mapping=entry.observed() if entry is not None else None,
            gone=bool(uuid) and inventory.is_gone(uuid),
            candidates=tuple(one.observed() for one in candidates.values()),
        )

    def _held(self, key: Key, action: plan.Update) -> Outcome | None:
        """Whether the same Update was sent before and AWS did not keep it: then it waits its turn."""
        last = self._corrections.get(key)
        if last is None or last.update != _fingerprint(action) or time.monotonic() >= last.not_before:
            return None
        self._queue.add_after(key, Urgency.RESYNC, last.not_before - time.monotonic())
        return Outcome(
            Verdict.IN_PROGRESS,
            "ChangeNotKept",
            f"AWS did not keep a change: {plan.describe(action)}. It is tried again, ever more rarely. See who else "
            "changes the mapping, and status.stateTransitionReason.",
            synced=False,
        )

    def _remember(self, key: Key, action: plan.Update) -> None:
        last = self._corrections.get(key)
        fingerprint = _fingerprint(action)
        times = last.times + 1 if last is not None and last.update == fingerprint else 0
        first, longest = _CORRECTION
        self._corrections[key] = _Correction(
            fingerprint, times, time.monotonic() + min(longest, first * 2.0 ** min(times, 20))
        )
        self._resets[key] = action.reset

    def _took(self, body: Mapping[str, Any]) -> Resource:
        resource = parse(body)
        self._store.put(resource)
        return resource


def failed_outcome(failure: errors.Failure) -> Outcome:
    """What a resource shows while AWS refuses."""
    stalled = failure.disposition is errors.Disposition.PERSON
    verdict = Verdict.STALLED if stalled else Verdict.IN_PROGRESS
    return Outcome(verdict, failure.reason, failure.message, synced=False)


def action_reason(action: plan.Stall | plan.Conflict) -> str:
    """The reason of a condition or an Event for an action that waits for a person."""
    return action.reason if isinstance(action, plan.Stall) else "Conflict"


def _fingerprint(action: plan.Update) -> dict[str, Any]:
    return {**action.change, **{f"-{path}": None for path in action.reset}}


def _with(applied: Applied, fields: frozenset[str] = frozenset(), tags: frozenset[str] = frozenset()) -> Applied:
    return replace(applied, fields=applied.fields | fields, tags=applied.tags | tags)


def _applied(desired: Desired) -> Applied:
    return Applied(frozenset(desired.values), frozenset(desired.tags), plan.immutable_texts(desired.values))


def _target_changed(resource: Resource, connected: Connected, target: Target) -> Outcome | None:
    """A mapping never moves to another account or region by itself."""
    intent = resource.intent
    if intent is None or (intent.account, intent.region) == (connected.client.account, target.region):
        return None
    return Outcome(
        Verdict.STALLED,
        "TargetChanged",
        f"The mapping was made in account {intent.account}, region {intent.region}; the ProviderConfig or the "
        f"operator's settings now lead to account {connected.client.account}, region {target.region}. Set them "
        "back, or delete this resource first and create it anew.",
    )


def _marks(resource: Resource) -> dict[str, str]:
    return {"namespace": resource.key.namespace, "resource": resource.key.name, "uuid": resource.uuid}
