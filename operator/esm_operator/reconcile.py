"""The loop: for one resource, plan, act, plan again, until nothing is left but to wait; then the status.

Reads top to bottom like the sentence that explains the operator. What is decided is in ``plan.py``, what is
told in ``report.py``; here it is carried out, in the order that a crash at any point can be mended from:
intent before Create, names of fields before the Update that sets them, the finalizer last.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from esm_operator import plan, report, status
from esm_operator.api.identity import Identity
from esm_operator.api.sources import source_type
from esm_operator.aws import errors, requests
from esm_operator.aws.targets import Connected, Targets
from esm_operator.desire import Note, desired_of, intent_of
from esm_operator.events import Events
from esm_operator.kube import ConflictError, GoneError, Kubernetes
from esm_operator.plan import Desired, View
from esm_operator.queue import Urgency, WorkQueue
from esm_operator.status import Applied, Outcome, Verdict
from esm_operator.store import FINALIZER, Intent, Key, Resource, Store, parse
from esm_operator.surroundings import Surroundings
from esm_operator.target import Resolved, Unresolved

logger = logging.getLogger(__name__)

#: More steps than any resource needs in one go; a plan that never comes to rest is a bug.
_MOST_STEPS = 12
#: Seconds after which a mapping that is only to be observed, or a point in time that was in the future, is
#: looked at again. Neither costs a call to AWS.
_LOOK_AGAIN = 30.0
#: Seconds before an Update that AWS did not keep is tried again: (first, longest).
_CORRECTION = (10.0, 600.0)
_LET_GO = f"To let the resource go and keep the mapping at AWS, remove the finalizer {FINALIZER} from it."


@dataclass(slots=True)
class _Correction:
    """An Update that was sent, to notice when AWS does not keep it."""

    update: Mapping[str, Any]
    times: int
    not_before: float


@dataclass(slots=True)
class _Work:
    """One resource being worked on: what is known of it changes from step to step."""

    resource: Resource
    note: Note
    connected: Connected
    fresh: bool = False
    """Whether the API server has confirmed the resource within this work."""


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
        self._doubtful: dict[Key, Identity] = {}
        """Creations without a clear answer: they may have been made."""
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
        except Exception as error:
            logger.exception("Reconciling failed unexpectedly; it is tried again", extra=_marks(resource))
            self._queue.add_after(key, Urgency.RESYNC, self._queue.back_off(key, 1.0, 300.0))
            await self._confess(key, error)

    async def _confess(self, key: Key, error: Exception) -> None:
        """Say on the resource that the operator itself failed, if that much still works."""
        resource = self._store.get(key)
        if resource is None:
            return
        message = (
            f"The operator failed on this resource ({type(error).__name__}: {error}). It is tried again; look for "
            "unusual values in the spec, and report it with the operator's log."
        )
        with contextlib.suppress(Exception):
            await self._tell(resource, Outcome(Verdict.IN_PROGRESS, "OperatorError", message), Note.of(resource), None)

    def forget(self, key: Key) -> None:
        """The resource is gone from the cluster."""
        self._queue.forget(key)
        for memory in (self._conflicts, self._doubtful, self._corrections, self._resets):
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
        moved = _region_changed(resource, target.target.region)
        if moved is not None:
            await self._tell(resource, moved, Note.of(resource), None)
            return
        try:
            connected = await self._targets.get(target.target)
        except (ClientError, BotoCoreError) as error:
            await self._failed(resource, Note.of(resource), None, error)
            return
        moved = _account_changed(resource, connected.client.account)
        if moved is not None:
            await self._tell(resource, moved, Note.of(resource), None)
            return
        await self._steps(resource, target, connected)

    async def _steps(self, resource: Resource, target: Resolved, connected: Connected) -> None:
        """Plan and act until nothing is left but to wait, or AWS refuses."""
        work = _Work(resource, Note.of(resource), connected)
        try:
            for _ in range(_MOST_STEPS):
                desired = desired_of(work.resource, work.note, target, connected.client.account, self._cluster)
                await self._clear_doubt(resource.key, connected)
                view = self._view(resource.key, desired, connected)
                action = plan.plan(desired, view)
                logger.debug("Planned %s", type(action).__name__, extra=_marks(work.resource))
                if isinstance(action, plan.NoOp | plan.Wait | plan.Stall | plan.Conflict):
                    await self._rest(work, desired, view, action)
                    return
                if not await self._act(work, desired, target, action):
                    return
        except (ClientError, BotoCoreError) as error:
            await self._failed(work.resource, work.note, connected, error)
            return
        raise RuntimeError(f"The plan of {resource.key} did not come to rest")

    async def _act(self, work: _Work, desired: Desired, target: Resolved, action: plan.Action) -> bool:
        """Carry out one action. Returns whether to plan again."""
        client = work.connected.client
        match action:
            case plan.Prepare():
                intent = intent_of(desired, client.account, target.target.region)
                work.resource = self._took(await self._kubernetes.prepare(work.resource, intent))
                work.fresh = True
            case plan.Look(uuid):
                await client.get(uuid)
            case plan.LookTags(uuid):
                await client.list_tags(uuid)
            case plan.TakeUp(uuid):
                work.note = work.note.taken_up(uuid, work.resource)
            case plan.Create(again):
                return await self._create(work, desired, again=again)
            case plan.Update():
                return await self._update(work, desired, action)
            case plan.Tag(uuid, add, remove):
                work.note = replace(work.note, applied=_with(work.note.applied, tags=frozenset(add)))
                await self._note_first(work)
                await client.tag(uuid, add, remove)
                work.note = replace(work.note, applied=replace(work.note.applied, tags=frozenset(desired.tags)))
                self._events.normal(work.resource, "Tagged", report.tagged(action))
            case plan.Adopt(uuid, previous):
                await client.tag(uuid, desired.tags, frozenset())
                work.note = work.note.adopted(uuid, desired)
                self._events.normal(work.resource, "Adopted", f"Took over the mapping {uuid} from {previous}.")
            case plan.Replace(uuid, fields):
                self._events.warning(work.resource, "Replacing", report.replacing(uuid, fields))
                await client.delete(uuid)
            case plan.Delete(uuid):
                await client.delete(uuid)
                self._events.normal(work.resource, "Deleting", f"Deleting the mapping {uuid} at AWS.")
            case plan.Release(uuid, remove):
                await client.tag(uuid, {}, remove)
                self._events.normal(work.resource, "Released", report.released(uuid))
                return await self._finish(work.resource)
            case plan.Finish():
                return await self._finish(work.resource)
            case _:
                raise AssertionError(f"{action} is nothing to carry out")
        return True

    async def _create(self, work: _Work, desired: Desired, *, again: bool) -> bool:
        resource, client = work.resource, work.connected.client
        if not work.fresh:
            current = parse(await self._kubernetes.read(resource.key))
            if (current.uid, current.generation, current.deleting) != (resource.uid, resource.generation, False):
                self._store.put(current)
                self._queue.add(resource.key, Urgency.EDIT)
                return False
        try:
            answer = await client.create(requests.create(resource.spec, desired.tags))
        except (ClientError, BotoCoreError) as error:
            if errors.is_doubtful(error):
                self._doubtful[resource.key] = desired.identity
            uuid = errors.conflicting_uuid(error)
            if not uuid:
                raise
            self._conflicts[resource.key] = uuid
            await client.get(uuid)
            work.note = replace(work.note, uuid="")
            return True
        self._conflicts.pop(resource.key, None)
        self._corrections.pop(resource.key, None)
        uuid = str(answer["UUID"])
        if again:
            self._events.warning(resource, "CreatedAgain", report.created_again(uuid, source_type(resource.spec)))
        else:
            self._events.normal(resource, "Created", f"Created the mapping {uuid}.")
        logger.info("Created the mapping", extra=_marks(resource) | {"uuid": uuid})
        work.note = Note(uuid, _applied(desired))
        return True

    async def _clear_doubt(self, key: Key, connected: Connected) -> None:
        """See what became of a creation without a clear answer, before anything follows from there being none."""
        identity = self._doubtful.get(key)
        if identity is not None:
            await connected.client.find(identity.function)
            self._doubtful.pop(key, None)

    async def _update(self, work: _Work, desired: Desired, action: plan.Update) -> bool:
        key = work.resource.key
        held = self._held(key, action)
        if held is not None:
            await self._tell(work.resource, held, work.note, work.connected)
            return False
        if desired.source is None:
            return False
        work.note = replace(work.note, applied=_with(work.note.applied, fields=frozenset(action.change)))
        await self._note_first(work)
        queue_mode = desired.values.get("selfManagedKafkaEventSourceConfig.consumptionMode") == "Queue"
        parameters = requests.update(work.resource.spec, desired.source, action, queue_mode=queue_mode)
        await work.connected.client.update(parameters)
        self._remember(key, action)
        message = plan.describe(action)
        logger.info("Updated the mapping: %s", message, extra=_marks(work.resource))
        if action.drift:
            message = f"Changed outside of Kubernetes, put right: {message}"
            self._events.warning(work.resource, "DriftCorrected", message)
        else:
            self._events.normal(work.resource, "Updated", message)
        kept = work.note.applied.fields - action.reset
        work.note = replace(work.note, applied=replace(work.note.applied, fields=kept))
        return True

    async def _rest(
        self,
        work: _Work,
        desired: Desired,
        view: View,
        action: plan.NoOp | plan.Wait | plan.Stall | plan.Conflict,
    ) -> None:
        """Tell how things are, while nothing is left but to wait."""
        key, observer = work.resource.key, work.connected.observer
        if action == plan.SWEEPING and work.note.uuid and observer.failure is None:
            return  # it was well before; the sweep will tell whether it still is
        if isinstance(action, plan.NoOp) and not desired.observe_only and not desired.deleting:
            fields = frozenset(desired.values) | frozenset(plan.unresettable(desired))
            work.note = replace(
                work.note, applied=replace(work.note.applied, fields=fields, tags=frozenset(desired.tags))
            )
        if desired.observe_only and not work.note.uuid:
            mapping = view.mapping or (view.candidates[0] if len(view.candidates) == 1 else None)
            work.note = replace(work.note, uuid=mapping.uuid if mapping else "")
        entry = work.connected.inventory.get(work.note.uuid)
        kept = self._resets.get(key, frozenset())
        outcome = report.outcome(desired, action, entry.observed() if entry else None, kept)
        if not view.swept and observer.failure is not None and not work.note.uuid:
            outcome = failed_outcome(observer.failure)
        if isinstance(action, plan.Conflict):
            self._queue.add_after(key, Urgency.RESYNC, self._queue.back_off(key, 60, 1800))
        else:
            self._queue.forgive(key)
        if isinstance(action, plan.Stall | plan.Conflict):
            self._events.warning(work.resource, outcome.reason, outcome.message)
        if action == plan.NOT_FOUND or (isinstance(action, plan.Stall) and desired.problem):
            self._queue.add_after(key, Urgency.RESYNC, _LOOK_AGAIN)
        await self._tell(work.resource, outcome, work.note, work.connected)
        if isinstance(action, plan.Wait):
            observer.wake()

    async def _note_first(self, work: _Work) -> None:
        """Write the names of fields that are about to be set, if they do not stand there."""
        stands = status.applied_of(work.resource.status)
        if work.note.applied.fields <= stands.fields and work.note.applied.tags <= stands.tags:
            return
        outcome = Outcome(Verdict.IN_PROGRESS, "Updating", "Changing the mapping at AWS.", synced=False)
        work.resource = await self._tell(work.resource, outcome, work.note, work.connected)

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

    async def _finish(self, resource: Resource) -> bool:
        await self._kubernetes.release(resource)
        self.forget(resource.key)
        logger.info("Let the resource go", extra=_marks(resource))
        return False

    async def _failed(
        self, resource: Resource, note: Note, connected: Connected | None, error: ClientError | BotoCoreError
    ) -> None:
        """Say what AWS refused, and try again later."""
        failure = errors.understand(error)
        if resource.deleting:
            failure = replace(failure, message=f"{failure.message} {_LET_GO}")
        first, longest = failure.disposition.value
        delay = max(failure.retry_after, self._queue.back_off(resource.key, first, longest))
        self._queue.add_after(resource.key, Urgency.EDIT if note.uuid else Urgency.CREATE, delay)
        if failure.throttled:
            return
        logger.warning("%s", failure.message, extra=_marks(resource) | {"reason": failure.reason})
        self._events.warning(resource, failure.reason, failure.message)
        await self._tell(resource, failed_outcome(failure), note, connected)

    def _view(self, key: Key, desired: Desired, connected: Connected) -> View:
        inventory = connected.inventory
        uuid = desired.uuid or desired.adoption.uuid
        entry = inventory.get(uuid) if uuid else None
        candidates = {one.raw["UUID"]: one for one in inventory.with_identity(desired.identity)}
        intended = inventory.with_identity(desired.intended) if desired.intended is not None else []
        conflicting = inventory.get(self._conflicts.get(key, ""))
        if conflicting is not None:
            candidates[conflicting.raw["UUID"]] = conflicting
        return View(
            swept=inventory.swept,
            mapping=entry.observed() if entry is not None else None,
            gone=bool(uuid) and inventory.is_gone(uuid),
            candidates=tuple(one.observed() for one in candidates.values()),
            intended=tuple(one.observed() for one in intended if one.raw["UUID"] not in candidates),
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


def _fingerprint(action: plan.Update) -> dict[str, Any]:
    return {**action.change, **{f"-{path}": None for path in action.reset}}


def _with(applied: Applied, fields: frozenset[str] = frozenset(), tags: frozenset[str] = frozenset()) -> Applied:
    return replace(applied, fields=applied.fields | fields, tags=applied.tags | tags)


def _applied(desired: Desired) -> Applied:
    return Applied(frozenset(desired.values), frozenset(desired.tags), plan.immutable_texts(desired.values))


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
    )


def _marks(resource: Resource) -> dict[str, str]:
    return {"namespace": resource.key.namespace, "resource": resource.key.name, "uuid": resource.uuid}
