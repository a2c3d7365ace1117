"""The model test without tags in AWS. Only the resources record the owners of mappings.

The events and promises are those of ``test_model.py``. Each run has random steps from one seed, so it can be repeated.
``ESM_MODEL_EXAMPLES`` sets the number of runs. In this mode most failures happen around a Create, so the test puts more
faults there than chance would.

The test leaves out events from which this mode does not protect by design: adoption and its limits, a lost status, and
mappings of the same identity that are created by hand while a Create of the operator is pending, or that no sweep has
shown before the Create.
"""

import os
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from esm_operator.api.annotations import ORPHAN, PAUSED, RECONCILE_AT
from esm_operator.api.resource import Key, parse
from esm_operator.planning.desired import MappingRecord
from esm_operator.planning.ownership import UID, Owner, owner_of
from tests.model.aws import QUEUE, STREAM, Standing
from tests.model.calls import FATES, Call
from tests.model.cluster import key_of
from tests.model.promises import Promises
from tests.model.test_model import FUNCTIONS, KEYS, Model
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

RUNS = int(os.environ.get("ESM_MODEL_EXAMPLES", "500"))
STEPS = int(os.environ.get("ESM_MODEL_STEPS", "60"))
#: Runs in one test, so that a failure does not hide the others.
_TOGETHER = 25
_CREATE = "create_event_source_mapping"
#: Rounds of answers within which the operator sends a Create.
_MOST_ROUNDS = 50


class PromisesWithoutTags(Promises):
    """The promises if the test knows the owners of mappings and AWS does not.

    ``Standing.tags`` name the resource for which the operator sent the Create. Mappings change hands in ways that the
    operator cannot see: see ``_change_hands``.
    """

    owner_tags = False

    def sent(self, call: Call) -> None:
        sender = Key(*call.task.removeprefix("work on ").split("/"))
        one = self.world.aws.standing.get(call.what.get("UUID", ""))
        owner = owner_of(one.tags) if one is not None else None
        if one is not None and owner is not None and sender in self.world.cluster.mappings:
            noted = self.world.cluster.mappings.get(Key(owner.namespace, owner.name), {}).get("status", {}).get("uuid")
            if noted != one.uuid and sender != Key(owner.namespace, owner.name):
                self.handled.add(sender)
                self._give(one, sender)
        super().sent(call)

    def maker(self, call: Call) -> Owner | None:
        """By the task that sends it; the mapping that it makes is known by that."""
        if "Tags" in call.what:
            self.fail(f"{call} sends tags")
        key = Key(*call.task.removeprefix("work on ").split("/"))
        owner, really = self._owner(key), call.run

        def run() -> object:
            self.world.aws.made_for = owner.tags()
            try:
                return really()
            finally:
                self.world.aws.made_for = {}

        call.run = run
        return owner

    def owned(self) -> dict[Key, list[Standing]]:
        self._change_hands(super().owned())
        return super().owned()

    def check_release(self, body: Mapping[str, Any]) -> None:
        """Remove the owner of retained mappings, and of mappings that two resources may have created."""
        if body["spec"].get("deletionPolicy") == "Retain":
            noted = {other["status"].get("uuid") for other in self.world.cluster.mappings.values()}
            for key, mappings in self.owned().items():
                for one in mappings:
                    same = one.identity == (body["spec"]["functionName"], body["spec"]["eventSourceARN"])
                    if key == key_of(body) or (same and one.uuid not in noted):
                        one.tags = {}
        super().check_release(body)

    def _change_hands(self, owned: Mapping[Key, list[Standing]]) -> None:
        """What people have cut loose is nobody's: a new resource of the same name does not know it.

        Where two resources have sent the same Create and neither knows the outcome, either may take up the mapping;
        where both do, the older one has it.
        """
        bodies = self.world.cluster.mappings
        resources = sorted(map(parse, bodies.values()), key=lambda one: (one.created, one.uid), reverse=True)
        recorded = {note.uuid: one.key for one in resources if (note := MappingRecord.of(one)).owns}
        for key, mappings in owned.items():
            uid = bodies[key]["metadata"]["uid"] if key in bodies else ""
            known = self.world.process.knows(key) if self.world.process is not None else None
            for one in mappings:
                if one.uuid in recorded:
                    if recorded[one.uuid] != key:
                        self.handled.add(
                            recorded[one.uuid]
                        )  # the other's spec may have set what this one leaves to AWS
                    self._give(one, recorded[one.uuid])
                elif key in self.excused and one.tags[UID] not in (uid, known.uid if known is not None else ""):
                    one.tags = {}

    def _give(self, one: Standing, key: Key) -> None:
        one.tags = self._owner(key).tags()

    def _owner(self, key: Key) -> Owner:
        body = self.world.cluster.mappings.get(key)
        return Owner(CLUSTER_NAME, key.namespace, key.name, body["metadata"]["uid"] if body is not None else "")


class WithoutTags(Model):
    """One run of random steps."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.watched.__exit__(None, None, None)
        self.promises = PromisesWithoutTags()
        self.world = self.promises.world
        self.watched = self.world.watched()
        self.watched.__enter__()
        self._random = random

    def run(self) -> None:
        """Run all steps, and check the promises of the end."""
        steps: list[tuple[Callable[[], None], int]] = [
            (self._create, 4),
            (self._edit, 4),
            (self._edit_source, 3),
            (self._delete, 3),
            (self._annotate, 1),
            (self._spoil, 1),
            (self._restore, 1),
            (self._make_by_hand, 1),
            (self._meddle, 2),
            (self._answer, 8),
            (self._land, 2),
            (self._watch, 4),
            (self._pass_time, 4),
            (self._calm, 2),
            (self._until_a_create, 5),
            (self._end_a_create, 12),
            (self._stop_or_start, 3),
            (self._lose_lease, 1),
        ]
        actions, weights = [step for step, _ in steps], [weight for _, weight in steps]
        try:
            for key in KEYS[: self._random.randrange(3)]:
                self.apply(key, self._spec_of())
            self.world.start()
            self.world.calm()
            for action in self._random.choices(actions, weights, k=STEPS):
                action()
                self.promises_hold()
        finally:
            self.teardown()

    # Users

    def _spec_of(self) -> dict[str, Any]:
        choose = self._random.choice
        source = choose([QUEUE, STREAM])
        spec = {
            "functionName": choose(FUNCTIONS),
            "eventSourceARN": source,
            "startingPosition": choose(["LATEST", "TRIM_HORIZON"]) if source == STREAM else None,
            "batchSize": choose([None, 1, 5]),
            "replacePolicy": choose([None, "Recreate"]),
            "deletionPolicy": choose([None, None, None, "Retain"]),
            "managementPolicy": choose([None, None, None, None, "Observe"]),
            "adoption": {"policy": "Never"},
        }
        return {name: value for name, value in spec.items() if value is not None}

    def _key(self) -> Key:
        return self._random.choice(KEYS)

    def _create(self) -> None:
        key = self._key()
        if key not in self.world.cluster.mappings:
            self.promises.held.discard(key)
            self.apply(key, self._spec_of())

    def _edit(self) -> None:
        change = self._random.choice(
            [
                {"functionName": self._random.choice(FUNCTIONS)},
                {"batchSize": self._random.choice([None, 1, 5])},
                {"enabled": self._random.choice([None, True, False])},
                {"deletionPolicy": self._random.choice(["Delete", "Retain"])},
                {"managementPolicy": self._random.choice(["Full", "Full", "Observe"])},
            ]
        )
        self.edit(self._key(), change)

    def _edit_source(self) -> None:
        change = self._random.choice(
            [
                {"eventSourceARN": QUEUE, "startingPosition": None},
                {"eventSourceARN": STREAM, "startingPosition": "LATEST"},
                {"eventSourceARN": STREAM, "startingPosition": "TRIM_HORIZON"},
            ]
        )
        self.edit_immutable(self._key(), change)

    def _delete(self) -> None:
        self.delete(self._key())

    def _annotate(self) -> None:
        annotation = self._random.choice([PAUSED, ORPHAN, RECONCILE_AT])
        self.annotate(self._key(), annotation, self._random.random() < 0.3)

    def _spoil(self) -> None:
        self.spoil(self._key(), self._random.choice(["finalizer", "intent"]))

    def _restore(self) -> None:
        if self._settled():
            self.restore_from_backup(True)

    # Changes in AWS by hand

    def _make_by_hand(self) -> None:
        if self._settled():
            self.world.log("a mapping is made by hand")
            self.world.aws.make(self._random.choice(FUNCTIONS), self._random.choice([QUEUE, STREAM]), {})
            if self.world.process is not None:
                self.world.pass_time(2 * SWEEP_INTERVAL + 2, calmly=True)  # on any page

    def _meddle(self) -> None:
        self.meddle(self._random.randrange(8), self._random.choice(["BatchSize", "Enabled", "delete"]))

    # Requests and watch events

    def _fate(self) -> str:
        return self._random.choice(("well", "well", "carried out", *FATES))

    def _answer(self) -> None:
        if self.world.waiting:
            self.world.decide(self._random.choice(self.world.waiting), self._fate())

    def _land(self) -> None:
        if self.world.late:
            self.land(self._random.randrange(8))

    def _watch(self) -> None:
        self.world.deliver(self._random.randrange(1, 8), squashed=self._random.random() < 0.5)

    def _pass_time(self) -> None:
        self.world.pass_time(self._random.choice([0.3, 2.0, 8.0, 70.0]))

    def _calm(self) -> None:
        self.world.pass_time(self._random.choice([1.0, 10.0, 70.0, SWEEP_INTERVAL + 2]), calmly=True)
        self.promises.quiet()

    def _until_a_create(self) -> None:
        """Continue without faults until a Create waits for its answer."""
        for _ in range(_MOST_ROUNDS):
            self.world.deliver(len(self.world.cluster.watch))
            others = [call for call in self.world.waiting if call.name != _CREATE]
            if not others:
                return
            for call in others:
                self.world.decide(call, "well")

    def _end_a_create(self) -> None:
        creates: list[Call] = [call for call in self.world.waiting if call.name == _CREATE]
        if creates:
            self.world.decide(self._random.choice(creates), self._fate())
            if self._random.random() < 0.3:
                self.world.crash()

    # The operator

    def _stop_or_start(self) -> None:
        if self.world.process is None:
            self.world.start()
        else:
            self.world.crash()

    def _lose_lease(self) -> None:
        self.world.lose_lease()

    def _settled(self) -> bool:
        """Whether the statuses record every mapping, and no Create is pending."""
        if self._under_way("create"):
            return False
        for key, body in self.world.cluster.mappings.items():
            noted = body["status"].get("uuid")
            if "creating" in body["status"]:
                return False
            if any(one.uuid != noted for one in self.promises.owned().get(key, ())):
                return False
        return True

    def _tell(self) -> None:
        if not self.promises.told:
            self.promises.told = True
            print("What happened, by simulated time:\n" + "\n".join(self.world.history))


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, RUNS, _TOGETHER))
def test_without_tags(first: int) -> None:
    for seed in range(first, min(first + _TOGETHER, RUNS)):
        print(f"Seed {seed}")
        WithoutTags(Random(seed)).run()
