"""The model test: any order of edits, sweeps, crashes and answers converges.

The real operator, except its connections (``calls.py``), runs on a simulated AWS and a simulated cluster. hypothesis
chooses the next event: changes by users, also of the objects that resources reference, changes in AWS by hand, the
answer of a request, watch events, the passing of time, and the end and start of the operator. ``promises.py`` is
checked after each step. After the last step all faults end, and AWS must reach the state that the resources describe.

The test leaves out events that no operator could detect: owner tags that are changed by hand, and an identity that is
changed when neither the status nor the intent names the mapping. It also leaves out the loss of the status of a
resource with references, because only the status has the values of deleted objects.

``ESM_MODEL_EXAMPLES`` and ``ESM_MODEL_STEPS`` set the number of runs and of steps in each run. ``ESM_MODEL_SHRINK=no``
skips the search for a shorter failing program, which can take five minutes. Each run of the suite has the same
programs. ``--hypothesis-seed=random`` chooses others. A failure is printed as a program of steps, with the events by
simulated time and a line ``@reproduce_failure(...)``. To repeat the failure, put this line above ``class Model``.
"""

import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from esm_operator.api.annotations import ALLOW_TAKEOVER_BY, INTENT, ORPHAN, PAUSED, RECONCILE_AT
from esm_operator.api.resource import FINALIZER, Key
from esm_operator.planning.ownership import owner_of
from tests.model.aws import KAFKA, NEW_STREAM, QUEUE, REFUSED_WINDOW, STREAM, Standing, identity_of
from tests.model.calls import FATES
from tests.model.cluster import Deletion, is_deleting
from tests.model.objects import (
    ACK_STREAM,
    CONFIG_MAP,
    FUNCTION_REF,
    NAMES,
    ORDERS,
    SOURCE_REF,
    TOPIC_REF,
    ObjectKind,
    references_in,
    with_arn,
)
from tests.model.promises import BrokenPromiseError, Promises
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

#: The time limit only ends a test that hangs. hypothesis alone may search for a shorter program for five minutes.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("ESM_MODEL_EXAMPLES", "500"))
STEPS = int(os.environ.get("ESM_MODEL_STEPS", "60"))
SHRINK = os.environ.get("ESM_MODEL_SHRINK", "yes") == "yes"
#: Simulated seconds after which all promises must hold. Longer than any back-off.
_LONGEST = 3600.0

KEYS = (Key("a", "one"), Key("a", "two"), Key("b", "one"))
FUNCTIONS = ("orders", "bills")
_NAMED = st.sampled_from(KEYS)
_WHICH = st.integers(0, 7)
_BATCH = st.sampled_from([None, 1, 5])
_WINDOW = st.sampled_from([None, 20, REFUSED_WINDOW])
_TAGS = st.sampled_from([None, {"team": "red"}, {"team": "blue", "cost": "1"}])
_IGNORED = st.sampled_from(
    [
        None,
        None,
        None,
        ["enabled"],
        ["batchSize"],
        ["batchSize", "enabled", "tags.team"],
        ["startingPosition", "maximumBatchingWindowInSeconds"],
        ["tags"],
    ]
)


#: A patch that removes the fields of Kafka sources.
_NO_KAFKA: Mapping[str, Any] = {"topics": None, "topicRef": None, "amazonManagedKafkaEventSourceConfig": None}
_TOPICS_AND_GROUPS = st.builds(
    lambda topic, group: {
        "topics": [topic] if topic else None,
        "topicRef": None if topic else TOPIC_REF,
        "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": group} if group else None,
    },
    st.sampled_from(["orders", "returns", None]),
    st.sampled_from(["shop", "shop", None]),
)
_FUNCTION = st.sampled_from(
    [
        *({"functionName": name, "functionRef": None} for name in FUNCTIONS),
        {"functionName": None, "functionRef": FUNCTION_REF},
    ]
)
_BY_ARN: Mapping[str, Any] = {"eventSourceRef": None}
_BY_REFERENCE: Mapping[str, Any] = {"eventSourceARN": None, "eventSourceRef": SOURCE_REF}


@st.composite
def _specs(draw: st.DrawFn) -> dict[str, Any]:
    source = draw(st.sampled_from([QUEUE, STREAM, KAFKA]))
    spec = {
        **draw(_FUNCTION),
        "eventSourceARN": source,
        **(draw(st.sampled_from([_BY_ARN, _BY_REFERENCE])) if source == STREAM else {}),
        "startingPosition": draw(st.sampled_from(["LATEST", "TRIM_HORIZON"])) if source == STREAM else None,
        **(draw(_TOPICS_AND_GROUPS) if source == KAFKA else {}),
        "batchSize": draw(_BATCH),
        "maximumBatchingWindowInSeconds": draw(_WINDOW),
        "enabled": draw(st.sampled_from([None, None, True, False])),
        "tags": draw(_TAGS),
        "replacePolicy": draw(st.sampled_from([None, "Recreate"])),
        "deletionPolicy": draw(st.sampled_from([None, None, None, "Retain"])),
        "managementPolicy": draw(st.sampled_from([None, None, None, None, "Observe"])),
        "adoption": {"policy": draw(st.sampled_from(["Never", "Never", "IfExists", "Required"]))},
        "ignoreChanges": draw(_IGNORED),
    }
    if references_in(spec).keys() - {"functionRef"}:
        spec["replacePolicy"] = "Recreate"  # an object may change an immutable field at any time
    return {name: value for name, value in spec.items() if value is not None}


_EDITS = st.one_of(
    _FUNCTION,
    st.builds(lambda value: {"batchSize": value}, _BATCH),
    st.builds(lambda value: {"maximumBatchingWindowInSeconds": value}, _WINDOW),
    st.builds(lambda batch, window: {"batchSize": batch, "maximumBatchingWindowInSeconds": window}, _BATCH, _WINDOW),
    st.builds(lambda value: {"enabled": value}, st.sampled_from([None, True, False])),
    st.builds(lambda value: {"tags": value}, _TAGS),
    st.builds(lambda value: {"ignoreChanges": value}, _IGNORED),
    st.builds(lambda value: {"deletionPolicy": value}, st.sampled_from(["Delete", "Retain"])),
    st.builds(lambda value: {"managementPolicy": value}, st.sampled_from(["Full", "Full", "Observe"])),
    st.builds(lambda value: {"adoption": {"policy": value}}, st.sampled_from(["Never", "IfExists", "Required"])),
)
_IMMUTABLE_EDITS = st.one_of(
    st.sampled_from(
        [
            {"eventSourceARN": QUEUE, **_BY_ARN, "startingPosition": None, **_NO_KAFKA},
            {"eventSourceARN": STREAM, **_BY_ARN, "startingPosition": "LATEST", **_NO_KAFKA},
            {"eventSourceARN": STREAM, **_BY_ARN, "startingPosition": "TRIM_HORIZON", **_NO_KAFKA},
            {**_BY_REFERENCE, "startingPosition": "LATEST", **_NO_KAFKA},
        ]
    ),
    st.builds(
        lambda kafka: {"eventSourceARN": KAFKA, **_BY_ARN, "startingPosition": None, **kafka}, _TOPICS_AND_GROUPS
    ),
)
_CHANGES_OF_NAMES = st.one_of(
    st.builds(
        lambda function, topic: {"data": {"function": function, "topic": topic}},
        st.sampled_from((*FUNCTIONS, "")),
        st.sampled_from(["orders", "returns", ""]),
    ),
    st.builds(lambda allow: {"allow": allow}, st.sampled_from(["b", "c"])),
    st.builds(lambda deleting: {"deleting": deleting}, st.booleans()),
)
_CHANGES_OF_ORDERS = st.one_of(
    st.builds(with_arn, st.sampled_from([STREAM, NEW_STREAM, NEW_STREAM, None])),
    st.builds(lambda allow: {"allow": allow}, st.sampled_from(["b", "c"])),
)


class Model(RuleBasedStateMachine):
    """All events, one rule each."""

    def __init__(self) -> None:
        super().__init__()
        self.promises = Promises()
        self.world = self.promises.world
        self.watched = self.world.watched()
        self.deletions: list[Deletion] = []
        """DELETE requests that have read their object and have not taken effect."""
        self.watched.__enter__()

    @initialize(specs=st.lists(_specs(), max_size=2), tag_delay=st.sampled_from([0.0, 0.0, 15.0]))
    def begin(self, specs: list[dict[str, Any]], tag_delay: float) -> None:
        self.world.aws.tag_delay = tag_delay
        for key, spec in zip(KEYS, specs, strict=False):
            self.apply(key, spec)
        self.world.start()
        self.world.calm()

    # Users

    @rule(key=_NAMED, spec=_specs())
    def create(self, key: Key, spec: dict[str, Any]) -> None:
        if key not in self.world.cluster.mappings:
            self.promises.held.discard(key)
            self.apply(key, spec)

    @rule(key=_NAMED, change=_EDITS)
    def edit(self, key: Key, change: dict[str, Any]) -> None:
        if self._alive(key) and ("functionName" not in change or self._noted(key)):
            self.world.log(f"edit {key} {change}")
            self.world.cluster.edit(key, {"spec": change})

    @rule(key=_NAMED, change=_IMMUTABLE_EDITS)
    def edit_immutable(self, key: Key, change: dict[str, Any]) -> None:
        if self._alive(key) and self._spec(key).get("replacePolicy") == "Recreate" and self._noted(key):
            self.world.log(f"edit {key} {change}")
            self.world.cluster.edit(key, {"spec": change})

    @rule(key=_NAMED)
    def edit_topic(self, key: Key) -> None:
        """Read another topic, in the same consumer group where the spec names one."""
        spec = self._spec(key) if self._alive(key) else {}
        if spec.get("topics") and spec.get("replacePolicy") == "Recreate" and self._noted(key):
            change = {"topics": ["returns" if spec["topics"] == ["orders"] else "orders"]}
            self.world.log(f"edit {key} {change}")
            self.world.cluster.edit(key, {"spec": change})

    @rule(change=_CHANGES_OF_NAMES)
    def change_names(self, change: dict[str, Any]) -> None:
        """Change the object that gives names of functions and topics. If it does not exist, create it."""
        if self._may_change(CONFIG_MAP.kind):
            self.world.log(f"the ConfigMap has {change}")
            self._put_object(CONFIG_MAP, NAMES, {"data": {"function": "orders", "topic": "orders"}}, change)

    @rule(change=_CHANGES_OF_ORDERS)
    def change_orders(self, change: dict[str, Any]) -> None:
        """Change the object that gives the ARN of a stream. If it does not exist, create it."""
        if self._may_change(ACK_STREAM.kind):
            self.world.log(f"the stream has {change}")
            self._put_object(ACK_STREAM, ORDERS, with_arn(STREAM), change)

    def _put_object(self, kind: ObjectKind, name: str, usual: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        objects = self.world.cluster.objects
        objects.serve(kind)
        if not objects.change(kind, name, **change):
            objects.put(kind, name, **{**usual, **change})

    @rule(which=st.sampled_from(["names", "orders", "kind", "right"]))
    def take_object_away(self, which: str) -> None:
        """Delete an object, or its kind, or take away the right to watch the kind."""
        self.world.log(f"gone: {which}")
        objects = self.world.cluster.objects
        match which:
            case "names":
                objects.delete(CONFIG_MAP, NAMES)
            case "orders":
                objects.delete(ACK_STREAM, ORDERS)
            case "kind":
                objects.remove_kind(ACK_STREAM)
            case _:
                objects.forbidden = {CONFIG_MAP.path} - objects.forbidden

    @rule(key=_NAMED, which=_WHICH)
    def adopt_one(self, key: Key, which: int) -> None:
        """Set the mapping to take over, and its owner."""
        if not self._alive(key):
            return
        asked = self._identity(key)[1:]
        there = [one for one in self.world.aws.standing.values() if one.identity[1:] == asked]
        if there:
            one = there[which % len(there)]
            owner = owner_of(one.tags)
            adoption = {"policy": "IfExists", "uuid": one.uuid, "takeOverFrom": str(owner) if owner else None}
            self.promises.handled.add(key)
            self.world.log(f"edit {key} {adoption}")
            self.world.cluster.edit(key, {"spec": {"adoption": adoption}})

    @rule(key=_NAMED, there=st.booleans())
    def consent(self, key: Key, there: bool) -> None:
        """Allow all resources to take over the mapping of one, or withdraw that."""
        if key in self.world.cluster.mappings:
            value = ",".join(map(str, KEYS)) if there else None
            self.world.log(f"{ALLOW_TAKEOVER_BY} of {key}: {value}")
            self.world.cluster.edit(key, {"metadata": {"annotations": {ALLOW_TAKEOVER_BY: value}}})

    @rule(key=_NAMED)
    def delete(self, key: Key) -> None:
        if key in self.world.cluster.mappings:
            self.world.log(f"delete {key}")
            self._finish_deletion(self.world.cluster.begin_deletion(key))

    @rule(key=_NAMED)
    def begin_deletion(self, key: Key) -> None:
        """Start a DELETE, which reads the resource. Other events may happen before it takes effect."""
        if key in self.world.cluster.mappings:
            self.world.log(f"begin to delete {key}")
            self.deletions.append(self.world.cluster.begin_deletion(key))

    @precondition(lambda self: self.deletions)
    @rule()
    def finish_deletion(self) -> None:
        self._finish_deletion(self.deletions.pop(0))

    def _finish_deletion(self, deletion: Deletion) -> None:
        cluster = self.world.cluster
        body = cluster.mappings.get(deletion.key)
        cluster.finish_deletion(deletion)
        if body is not None and body is not cluster.mappings.get(deletion.key):
            self.world.log(f"deleted: {deletion.key}")
        if deletion.key not in cluster.mappings and body is not None and _is_cut_loose(body):
            self.promises.excused.add(deletion.key)

    @rule(key=_NAMED, what=st.sampled_from(["finalizer", "status", "intent"]))
    def spoil(self, key: Key, what: str) -> None:
        """Remove annotations or the status of the operator by hand."""
        if key in self.world.cluster.mappings:
            self.world.log(f"{what} of {key} taken off")
            {"finalizer": self._take_finalizer_off, "status": self._wipe_status, "intent": self._take_intent_off}[what](
                key
            )

    def _take_finalizer_off(self, key: Key) -> None:
        body = self.world.cluster.mappings[key]
        if is_deleting(body):
            self.promises.excused.add(key)
        kept = [name for name in body["metadata"].get("finalizers") or [] if name != FINALIZER]
        self.world.cluster.edit(key, {"metadata": {"finalizers": kept}})

    def _wipe_status(self, key: Key) -> None:
        if self._alive(key) and self._findable(key):
            self.promises.handled.add(key)
            self.promises.forget_left()
            self.world.cluster.edit(key, {"status": None})
            self.world.cluster.edit(key, {"status": {"observedGeneration": -1}})

    def _take_intent_off(self, key: Key) -> None:
        mine = [one.uuid for one in self.promises.owned().get(key, [])]
        if self._alive(key) and mine == [self._status(key).get("uuid")] and not self._under_way("create", "delete"):
            self.world.cluster.edit(key, {"metadata": {"annotations": {INTENT: None}}})

    @rule(key=_NAMED, annotation=st.sampled_from([PAUSED, ORPHAN, RECONCILE_AT]), there=st.booleans())
    def annotate(self, key: Key, annotation: str, there: bool) -> None:
        if key in self.world.cluster.mappings:
            value = str(self.world.clock.now) if annotation == RECONCILE_AT else "true" if there else None
            self.world.log(f"{annotation} of {key}: {value}")
            self.promises.held.discard(key)
            self.world.cluster.edit(key, {"metadata": {"annotations": {annotation: value}}})

    @rule(with_status=st.booleans())
    def restore_from_backup(self, with_status: bool) -> None:
        """Remove all resources, and create them again from a backup, with new uids."""
        self.world.log("all is restored from a backup")
        bodies = dict(self.world.cluster.mappings)
        if not with_status and not all(self._findable(key) for key in bodies):
            return
        self.deletions.clear()
        self.promises.forget_left()
        for key in bodies:
            self.world.cluster.lose(key)
        for key, body in bodies.items():
            kept = {name: body["metadata"].get(name) for name in ("annotations", "finalizers")}
            self.world.cluster.create(key, body["spec"], {name: part for name, part in kept.items() if part})
            if with_status:
                self.world.cluster.edit(key, {"status": body["status"]})
            else:
                self.promises.handled.add(key)
        self.world.cluster.relist()

    # Changes in AWS by hand

    @rule(function=st.sampled_from(FUNCTIONS), source=st.sampled_from([QUEUE, STREAM, KAFKA]), tagged=st.booleans())
    def make_by_hand(self, function: str, source: str, tagged: bool) -> None:
        tags = {f"esm-operator.io/{part}": "elsewhere" for part in ("cluster", "namespace", "name", "uid")}
        self.world.aws.make(function, source, tags if tagged else {})

    @rule(which=_WHICH, how=st.sampled_from(["BatchSize", "Enabled", "Tags", "by AWS", "delete"]))
    def meddle(self, which: int, how: str) -> None:
        """Change or delete a mapping by hand."""
        one = self._standing(which)
        if one is None or one.moving:
            return
        self.world.log(f"by hand: {how} {one.uuid}")
        if how == "delete":
            self.world.aws.delete_event_source_mapping(UUID=one.uuid)
            return
        self._handled(one)
        if how == "by AWS":
            self.world.aws.disable(one)
            return
        if how == "Tags":
            one.tags = {**one.tags, "team": "hand"}
            return
        changed = {"Enabled": not one.enabled} if how == "Enabled" else {how: 3}
        self.world.aws.update_event_source_mapping(UUID=one.uuid, **changed)

    @precondition(lambda self: self.world.aws.moving())
    @rule(which=_WHICH)
    def end_transition(self, which: int) -> None:
        moving = self.world.aws.moving()
        self.world.aws.end_transition(moving[which % len(moving)])

    # Requests and watch events

    @precondition(lambda self: self.world.waiting)
    @rule(which=_WHICH, fate=st.sampled_from(("well", "well", "well", "carried out", *FATES)))
    def answer(self, which: int, fate: str) -> None:
        waiting = self.world.waiting
        self.world.decide(waiting[which % len(waiting)], fate)

    @precondition(lambda self: self.world.waiting)
    @rule(times=st.integers(1, 6))
    def answer_in_order(self, times: int) -> None:
        for _ in range(times):
            if self.world.waiting:
                self.world.decide(self.world.waiting[0], "well")

    @precondition(lambda self: self.world.late)
    @rule(which=_WHICH)
    def land(self, which: int) -> None:
        self.world.land(self.world.late[which % len(self.world.late)])

    @precondition(lambda self: self.world.cluster.watch)
    @rule(count=st.integers(1, 8), squashed=st.booleans())
    def watch(self, count: int, squashed: bool) -> None:
        self.world.deliver(count, squashed=squashed)

    @precondition(lambda self: self.world.cluster.objects.undelivered)
    @rule(count=st.integers(1, 3))
    def watch_objects(self, count: int) -> None:
        self.world.deliver_objects(count)

    @precondition(lambda self: self.world.cluster.objects.watches)
    @rule(expired=st.booleans(), failed=st.booleans())
    def cut_watches_of_objects(self, expired: bool, failed: bool) -> None:
        self.world.log(f"the watches of objects are cut (expired: {expired}, failed: {failed})")
        self.world.cluster.objects.cut(expired=expired, failed=failed)
        self.world.settle()

    @precondition(lambda self: self.world.process)
    @rule()
    def relist(self) -> None:
        """Cut the watch, and start it again."""
        self.world.log("the watch begins anew")
        self.world.cluster.relist()

    @precondition(lambda self: self.world.process)
    @rule()
    def calm(self) -> None:
        self.world.calm()
        self.promises.quiet()

    # Time

    @rule(seconds=st.sampled_from([0.3, 2.0, 8.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([1.0, 10.0, 70.0, SWEEP_INTERVAL + 2]))
    def pass_time_calmly(self, seconds: float) -> None:
        self.world.pass_time(seconds, calmly=True)
        self.promises.quiet()

    # The operator

    @precondition(lambda self: self.world.process)
    @rule()
    def crash(self) -> None:
        self.world.crash()

    @precondition(lambda self: not self.world.process)
    @rule()
    def start(self) -> None:
        self.world.start()

    @precondition(lambda self: self.world.process)
    @rule()
    def lose_lease(self) -> None:
        self.world.lose_lease()

    # Promises

    @invariant()
    def promises_hold(self) -> None:
        try:
            self.promises.check()
        except AssertionError:
            self._tell()
            raise

    def teardown(self) -> None:
        try:
            if not self.promises.broken:
                self.world.log("--- the good end")
                self._converge()
        except AssertionError:
            self._tell()
            raise
        finally:
            self.world.end()
            self.watched.__exit__(None, None, None)

    def _converge(self) -> None:
        world = self.world
        self.promises.held.clear()
        world.cluster.objects.forbidden.clear()
        while self.deletions:
            self._finish_deletion(self.deletions.pop(0))
        for key in world.cluster.mappings:
            world.cluster.edit(key, {"metadata": {"annotations": {PAUSED: None}}})
        if world.process is None:
            world.start()
        passed, step = 0.0, 2 * SWEEP_INTERVAL  # the operator must detect changes of other tools, on any page
        while True:
            world.pass_time(step, calmly=True)
            self.promises.check()
            missing = self.promises.missing()
            passed += step
            if not missing:
                break
            if passed > _LONGEST:
                raise BrokenPromiseError("It does not converge: " + "; ".join(missing))
            step = 120.0
        self._stay()

    def _stay(self) -> None:
        """After convergence nothing changes, and the operator writes nothing to AWS."""
        self.world.pass_time(60, calmly=True)
        before = self.promises.writes
        self.world.pass_time(2 * SWEEP_INTERVAL, calmly=True)
        self.promises.check()
        missing = self.promises.missing()
        if missing:
            raise BrokenPromiseError("It does not stay converged: " + "; ".join(missing))
        if self.promises.writes != before and not self.promises.is_refused():
            raise BrokenPromiseError("It continues to write to AWS, though all is as it should be")

    def _tell(self) -> None:
        if not self.promises.told:
            self.promises.told = True
            note("What happened, by simulated time:\n" + "\n".join(self.world.history))

    # Helpers

    def apply(self, key: Key, spec: dict[str, Any]) -> None:
        """Create a resource."""
        self.world.log(f"create {key} {spec}")
        self.promises.handled.discard(key)
        if spec["adoption"]["policy"] != "Never":
            self.promises.handled.add(key)
        self.world.cluster.create(key, spec)

    def _alive(self, key: Key) -> bool:
        body = self.world.cluster.mappings.get(key)
        return body is not None and not is_deleting(body)

    def _spec(self, key: Key) -> dict[str, Any]:
        return dict(self.world.cluster.mappings[key]["spec"])

    def _identity(self, key: Key) -> tuple[str, str, str]:
        """The identity that the effective spec names."""
        return identity_of(self.promises.effective(self.world.cluster.mappings[key]))

    def _may_change(self, kind: str) -> bool:
        """Whether the values of objects of a kind may change: whether all mappings that depend on them are noted."""
        users = [
            key
            for key, body in self.world.cluster.mappings.items()
            if any(one["kind"] == kind for one in references_in(body["spec"]).values())
        ]
        return all(map(self._noted, users))

    def _status(self, key: Key) -> Mapping[str, Any]:
        return self.world.cluster.mappings[key]["status"]

    def _under_way(self, *operations: str) -> bool:
        calls = (*self.world.waiting, *self.world.late)
        return any(call.aws and call.name.startswith(operations) for call in calls)

    def _noted(self, key: Key) -> bool:
        """Whether the status has the UUID of the mapping, or the intent names it. If not, the identity must stay."""
        return bool(self._status(key).get("uuid")) or key not in self.promises.handled

    def _findable(self, key: Key) -> bool:
        """Whether the operator could find the mapping without the status."""
        if references_in(self._spec(key)):
            return False
        names = {self._identity(key)}
        mine = self.promises.owned().get(key, [])
        return all(one.identity in names for one in mine) and not self._under_way("update", "create", "tag")

    def _standing(self, which: int) -> Standing | None:
        there = list(self.world.aws.standing.values())
        return there[which % len(there)] if there else None

    def _handled(self, one: Standing) -> None:
        owner = owner_of(one.tags)
        if owner is not None and owner.cluster == CLUSTER_NAME:
            self.promises.handled.add(Key(owner.namespace, owner.name))


def _is_cut_loose(body: Mapping[str, Any]) -> bool:
    """Whether the user has chosen that a resource that is removed now leaves its mapping."""
    metadata = body["metadata"]
    told = {PAUSED, ORPHAN} & (metadata.get("annotations") or {}).keys()
    return not metadata.get("finalizers") or bool(told) or body["spec"].get("managementPolicy") == "Observe"


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=[phase for phase in Phase if SHRINK or phase not in (Phase.shrink, Phase.explain)],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
