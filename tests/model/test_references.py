"""Scripted scenarios: the values of references change while requests of the operator are in progress.

At the end, AWS has one mapping with the present values, and the status shows them.
"""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from esm_operator.api.resource import Key
from esm_operator.clock import replaced
from esm_operator.cluster.resource_cache import ResourceCache
from tests.model.aws import ACCOUNT, KAFKA, NEW_STREAM, QUEUE, REGION, STREAM
from tests.model.calls import FATES, Call
from tests.model.objects import (
    ACK_STREAM,
    CONFIG_MAP,
    FUNCTION_REF,
    NAMES,
    ORDERS,
    SOURCE_REF,
    TOPIC_REF,
    with_arn,
)
from tests.model.script import ONE, TWO, Script, a_script, answer_all_but
from tests.model.test_moved_targets import configure, patch_config
from tests.model.test_without_tags import PromisesWithoutTags

#: The function can be changed by an Update.
BY_FUNCTION: Mapping[str, Any] = {"functionRef": FUNCTION_REF, "eventSourceARN": QUEUE}
#: The source needs another mapping, which is created before the old one is deleted.
BY_SOURCE: Mapping[str, Any] = {
    "functionName": "orders",
    "eventSourceRef": SOURCE_REF,
    "startingPosition": "LATEST",
    "replacePolicy": "Recreate",
}
#: The topic needs another mapping, and the old one is deleted first, because both have one consumer group.
BY_TOPIC: Mapping[str, Any] = {
    "functionName": "orders",
    "eventSourceARN": KAFKA,
    "topicRef": TOPIC_REF,
    "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "shop"},
    "replacePolicy": "Recreate",
}
CREATE, DELETE, UPDATE = "create_event_source_mapping", "delete_event_source_mapping", "update_event_source_mapping"


def has(script: Script) -> tuple[str, str, str]:
    """Function, source and topic of the only mapping in AWS."""
    return script.mapping().identity


def set_old(script: Script) -> None:
    script.set_names()
    script.set_source(STREAM)


def set_new(script: Script) -> None:
    """Change all values."""
    script.set_names(function="bills", topic="returns")
    script.set_source(NEW_STREAM)


#: The spec, and the identity of its mapping by the old values and by the new ones.
SPECS = pytest.mark.parametrize(
    ("spec", "old", "new"),
    [
        pytest.param(BY_FUNCTION, ("orders", QUEUE, ""), ("bills", QUEUE, ""), id="function"),
        pytest.param(BY_SOURCE, ("orders", STREAM, ""), ("orders", NEW_STREAM, ""), id="source"),
        pytest.param(BY_TOPIC, ("orders", KAFKA, "orders"), ("orders", KAFKA, "returns"), id="topic"),
    ],
)


@SPECS
def test_a_mapping_follows_its_reference(script: Script, spec: Any, old: Any, new: Any) -> None:
    script.apply(**spec)
    script.begin()
    assert has(script) == old
    script.converge()
    set_new(script)
    script.converge()
    assert has(script) == new


def changes_shown(script: Script) -> list[str]:
    """From now on, the messages of the Events about changed values."""
    shown: list[str] = []
    really = script.cluster.request

    def request(method: str, path: str, body: Any) -> Any:
        if path.endswith("/events") and body["reason"] == "ReferenceChanged":
            shown.append(body["message"])
        return really(method, path, body)

    script.cluster.request = request
    return shown


@pytest.mark.parametrize("value_changes", [True, False])
def test_an_item_that_moves_in_its_list_has_an_event_only_if_its_value_changes(
    script: Script, value_changes: bool
) -> None:
    secrets = [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}" for name in ("one", "two", "three")]
    refers = {"type": "SASL_SCRAM_512_AUTH", "uriRef": FUNCTION_REF}
    others = [{"type": "CLIENT_CERTIFICATE_TLS_AUTH", "uriRef": TOPIC_REF}]
    script.set_names(function=secrets[0], topic=secrets[2])
    spec: dict[str, Any] = {"functionName": "orders", "eventSourceARN": KAFKA, "topics": ["orders"]}
    script.apply(**spec, sourceAccessConfigurations=[*others, refers])
    script.begin()
    shown = changes_shown(script)
    script.world.crash()  # so that one write of the status shows the move and the value
    script.edit(sourceAccessConfigurations=[refers, *others])
    if value_changes:
        script.set_names(function=secrets[1], topic=secrets[2])
    script.world.start()
    script.calmly(60)
    recorded = [(one["field"], one["value"]) for one in script.status()["references"]]
    first, second = (f"sourceAccessConfigurations[{number}].uriRef" for number in range(2))
    assert recorded == [(first, secrets[value_changes]), (second, secrets[2])]
    changed = f"has changed from {secrets[0]} to {secrets[1]}."
    assert len(shown) == value_changes
    assert all(f"spec.{first}" in text and text.endswith(changed) for text in shown), shown


# A value that changes while a request waits for its answer


def change_during(script: Script, operation: str, fate: str) -> None:
    """Continue until an operation is called. Then change all values, let the operator know, and decide the outcome."""
    call = script.until_asked(operation)
    set_new(script)
    answer_all_but(script, call)
    script.world.decide(call, fate)


@pytest.mark.parametrize("fate", ["well", "lost", "late", "dropped"])
@SPECS
def test_a_value_changes_while_a_create_waits_for_its_answer(
    script: Script, spec: Any, old: Any, new: Any, fate: str
) -> None:
    script.apply(**spec)
    script.world.start()
    change_during(script, CREATE, fate)
    assert {one.identity for one in script.aws.standing.values()} <= {old, new}
    script.converge()
    assert has(script) == new


@pytest.mark.parametrize("fate", ["carried out", "late", "dropped"])
@SPECS
def test_a_value_changes_while_the_operator_is_down_after_a_create(
    script: Script, spec: Any, old: Any, new: Any, fate: str
) -> None:
    """Nobody knows the outcome of the Create with the old value."""
    script.apply(**spec)
    script.world.start()
    script.world.decide(script.until_asked(CREATE), fate)
    script.world.crash()
    set_new(script)
    script.world.start()
    script.converge()
    assert has(script) == new


def begin_replacement(script: Script, spec: Any) -> None:
    script.apply(**spec)
    script.begin()
    set_new(script)


#: The requests of a replacement or an Update.
STEPS = pytest.mark.parametrize(
    ("spec", "operation", "old", "new"),
    [
        pytest.param(BY_FUNCTION, UPDATE, ("orders", QUEUE, ""), ("bills", QUEUE, ""), id="function-update"),
        pytest.param(BY_SOURCE, CREATE, ("orders", STREAM, ""), ("orders", NEW_STREAM, ""), id="source-create"),
        pytest.param(BY_SOURCE, DELETE, ("orders", STREAM, ""), ("orders", NEW_STREAM, ""), id="source-delete"),
        pytest.param(BY_TOPIC, DELETE, ("orders", KAFKA, "orders"), ("orders", KAFKA, "returns"), id="topic-delete"),
        pytest.param(BY_TOPIC, CREATE, ("orders", KAFKA, "orders"), ("orders", KAFKA, "returns"), id="topic-create"),
    ],
)


@pytest.mark.parametrize("fate", ["well", "lost", "late"])
@STEPS
def test_a_value_changes_back_while_a_replacement_waits_for_its_answer(
    script: Script, spec: Any, operation: str, old: Any, new: Any, fate: str
) -> None:
    begin_replacement(script, spec)
    call = script.until_asked(operation)
    set_old(script)
    answer_all_but(script, call)
    script.world.decide(call, fate)
    script.converge()
    assert has(script) == old


@pytest.mark.parametrize("then", ["as it was", "back", "deleted"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["not carried out", "carried out"])
@STEPS
def test_a_kill_during_a_replacement_leaves_one_mapping(
    script: Script, spec: Any, operation: str, old: Any, new: Any, then: str, *, carried_out: bool
) -> None:
    """Meanwhile the value may change back, or the object may be deleted."""
    begin_replacement(script, spec)
    call = script.until_asked(operation)
    if carried_out:
        script.world.decide(call, "carried out")
    script.world.crash()
    if then == "back":
        set_old(script)
    elif then == "deleted":
        delete_objects(script)
    script.world.start()
    script.converge()
    if then == "deleted":  # the status records one of the two values, and has() is of the only mapping
        assert script.status()["references"][0]["value"] in has(script)
    else:
        assert has(script) == (new if then == "as it was" else old)


def delete_objects(script: Script) -> None:
    script.world.log("the objects are deleted")
    script.objects.delete(CONFIG_MAP, NAMES)
    script.objects.delete(ACK_STREAM, ORDERS)


@pytest.mark.parametrize("fate", ["well", "dropped"])
@STEPS
def test_an_object_is_deleted_during_a_replacement(
    script: Script, spec: Any, operation: str, old: Any, new: Any, fate: str
) -> None:
    begin_replacement(script, spec)
    call = script.until_asked(operation)
    delete_objects(script)
    answer_all_but(script, call)
    script.world.decide(call, fate)
    script.converge()
    assert has(script) in (old, new)
    set_new(script)
    script.converge()
    assert has(script) == new


@pytest.mark.parametrize("first", ["the value", "the failure"])
def test_an_invalid_value_deletes_no_mapping_when_another_failure_ends(script: Script, first: str) -> None:
    """Each status records the values, also that of a failure that hides whether they are valid."""
    configure(script)
    script.apply(**BY_TOPIC, providerConfigRef={"name": "shop"})
    script.begin()
    before = script.mapping().answer()
    steps = [
        partial(script.set_names, topic="not a topic!!"),
        partial(patch_config, script, spec={"allowedFunctions": ["others-*"]}),
    ]
    for step in steps if first == "the value" else reversed(steps):
        step()
        script.calmly(60)
    assert script.reason() == "NotAllowed"
    assert script.status()["references"][0]["value"] == "not a topic!!"
    patch_config(script, spec={"allowedFunctions": None})
    script.calmly(60)
    assert script.reason() == "InvalidSpec"
    assert script.mapping().answer() == before


# Restarts


def restart_without_lists(script: Script) -> list[Call]:
    """Restart the operator, and answer no list of referenced objects. Returns the requests for lists."""
    script.world.crash()
    script.world.start()

    def lists() -> list[Call]:
        paths = (CONFIG_MAP.path, ACK_STREAM.path)
        return [call for call in script.world.waiting if str(call.what.get("path")) in paths]

    for _ in range(40):
        script.world.deliver(len(script.cluster.watch))
        for call in [one for one in script.world.waiting if one not in lists()]:
            script.world.decide(call, "well")
        if not script.world.waiting or len(script.world.waiting) == len(lists()):
            script.world.pass_time(0.5)
    return lists()


@SPECS
def test_a_restart_writes_and_calls_nothing_before_the_objects_are_listed(
    script: Script, spec: Any, old: Any, new: Any
) -> None:
    script.apply(**spec)
    script.begin()
    version, before = script.cluster.mappings[ONE]["metadata"]["resourceVersion"], script.promises.writes
    set_new(script)
    lists = restart_without_lists(script)
    assert lists
    assert script.promises.writes == before
    assert script.cluster.mappings[ONE]["metadata"]["resourceVersion"] == version
    assert has(script) == old
    script.converge()
    assert has(script) == new


def test_nothing_is_created_before_the_objects_are_listed(script: Script) -> None:
    script.world.start()
    script.apply(**BY_SOURCE)
    assert restart_without_lists(script)
    assert script.aws.standing == {}
    assert not script.reason()
    script.converge()
    assert has(script) == ("orders", STREAM, "")


# The answer to a request arrives together with the new values


def next_request(script: Script) -> Call | None:
    """Let time pass until the operator sends a request. None: it sends none any more."""
    for _ in range(30):
        script.world.deliver(len(script.cluster.watch))
        script.world.deliver_objects(10)
        if script.world.waiting:
            return script.world.waiting[0]
        script.world.pass_time(1)
    return None


def answer_together(script: Script, number: int, change: Callable[[Script], None], *, values_first: bool) -> bool:
    """Answer requests one by one, and change all values with the answer to one of them. Returns whether it was sent.

    With ``values_first``, the cache has the new values when it takes the answer, but nothing was resolved again yet.
    """
    for _ in range(number):
        call = next_request(script)
        if call is None:
            return False
        script.world.decide(call, "well")
    call, process = next_request(script), script.world.process
    if call is None or process is None:
        return False
    change(script)
    script.world.log(f"with the new values: {call}")
    if not values_first:
        process.gate.settle(call)
    for line in script.objects.deliver(10):
        script.world.log(line)
    if values_first:
        process.gate.settle(call)
    script.world.settle()
    return True


@pytest.mark.parametrize("replace", [False, True], ids=["creation", "replacement"])
@pytest.mark.parametrize("values_first", [False, True], ids=["answer first", "values first"])
@SPECS
def test_a_value_changes_together_with_the_answer_to_a_request(
    spec: Any, old: Any, new: Any, *, replace: bool, values_first: bool
) -> None:
    number = 0
    while True:
        with a_script() as script:
            script.begin()
            script.apply(**spec)
            if replace:
                script.calmly(30)
                set_new(script)
            if not answer_together(script, number, set_old if replace else set_new, values_first=values_first):
                break
            script.calmly(100)
            assert script.promises.missing() == [], number
            assert has(script) == (old if replace else new)
        number += 1
    assert number > 4


def test_no_create_without_owner_tags_is_sent_with_values_that_are_outdated() -> None:
    """The status has the record of the Create. The answer to this write brings the new value of the source."""
    spec = {name: value for name, value in BY_SOURCE.items() if name != "replacePolicy"}
    with a_script(PromisesWithoutTags()) as script:
        script.begin()
        script.apply(**spec)
        marked = script.until(lambda call: "creating" in call.what.get("body", {}).get("status", {}))
        set_new(script)
        answer_all_but(script, marked)
        script.world.decide(marked, "well")
        script.calmly(100)
        assert has(script) == ("orders", NEW_STREAM, "")
        assert script.promises.missing() == []


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
@pytest.mark.parametrize("spec", [BY_SOURCE, BY_TOPIC], ids=["source", "topic"])
def test_a_replacement_by_a_reference_keeps_the_values_of_others(script: Script, spec: Any, *, killed: bool) -> None:
    """The kill is after AWS has deleted the old mapping, or has created the new one."""
    script.apply(**spec, batchSize=5, tags={"team": "red"}, ignoreChanges=["batchSize", "enabled", "tags.team"])
    script.begin()
    old = script.mapping()
    with replaced(script.world.clock):
        script.aws.update_event_source_mapping(UUID=old.uuid, BatchSize=7, Enabled=False)
    old.tags = {**old.tags, "team": "blue"}
    set_new(script)
    if killed:
        script.world.decide(script.until_asked(CREATE if spec is BY_SOURCE else DELETE), "carried out")
        script.world.crash()
        script.world.start()
    script.converge()
    one = script.mapping()
    assert one.uuid != old.uuid
    assert (one.config["BatchSize"], one.enabled, one.tags["team"]) == (7, False, "blue")


@pytest.mark.parametrize("how", ["expired", "failed", "removed"])
def test_a_value_that_changes_while_the_watch_is_cut_is_applied(script: Script, how: str) -> None:
    """``removed``: the API server does not serve the kind for a while, as after its CRD was created again."""
    script.apply(**BY_SOURCE)
    script.begin()
    if how == "removed":
        script.objects.remove_kind(ACK_STREAM)
        script.calmly(60)
        assert has(script) == ("orders", STREAM, "")
        assert script.promises.missing() == []
        script.objects.serve(ACK_STREAM)
    script.objects.cut(expired=how == "expired", failed=how == "failed")
    script.objects.delete(ACK_STREAM, ORDERS)
    script.set_source(NEW_STREAM)
    script.converge()
    assert has(script) == ("orders", NEW_STREAM, "")


def test_an_object_without_consent_changes_nothing(script: Script) -> None:
    key = Key("b", "one")
    script.apply(key, **BY_SOURCE)
    script.begin()
    script.objects.put(ACK_STREAM, ORDERS, allow="c", **with_arn(NEW_STREAM))
    script.converge()
    assert has(script) == ("orders", STREAM, "")
    script.objects.put(ACK_STREAM, ORDERS, allow="b", **with_arn(NEW_STREAM))
    script.converge()
    assert has(script) == ("orders", NEW_STREAM, "")


def test_a_deletion_needs_no_value(script: Script) -> None:
    """The Create with the old value has no answer, the object is deleted, and then the resource."""
    script.apply(**BY_SOURCE)
    script.world.start()
    script.world.decide(script.until_asked(CREATE), "late")
    script.world.crash()
    delete_objects(script)
    script.delete()
    script.world.start()
    script.converge()
    assert script.gone()
    assert script.aws.standing == {}


def test_a_bug_with_one_resource_does_not_keep_another_one_from_its_new_value(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error for one key stands for a bug."""
    script.apply(**BY_FUNCTION)
    script.apply(TWO, **BY_SOURCE)
    script.begin()
    really = ResourceCache.resolve_again

    def resolve_again(self: ResourceCache, key: Key) -> Any:
        if key == ONE:
            raise RuntimeError("a bug")
        return really(self, key)

    with monkeypatch.context() as broken:
        broken.setattr(ResourceCache, "resolve_again", resolve_again)
        set_new(script)
        script.world.calm()
        script.world.pass_time(60, calmly=True)
    assert script.world.bugs
    script.world.bugs.clear()
    assert script.of_source(NEW_STREAM).function == "orders"
    assert script.of_source(QUEUE).function == "orders"
    script.converge()
    assert script.of_source(QUEUE).function == "bills"


#: The mapping of a resource that is renamed again and again. Others may change the batch size.
RENAMED: Mapping[str, Any] = {
    "functionRef": FUNCTION_REF,
    "eventSourceRef": SOURCE_REF,
    "startingPosition": "LATEST",
    "batchSize": 7,
    "replacePolicy": "Recreate",
    "ignoreChanges": ["batchSize"],
}


class Chaos:
    """A resource whose values change, whose name changes, and whose operator is killed, in a random order."""

    def __init__(self, script: Script, seed: int) -> None:
        self._script, self._chosen = script, random.Random(seed)
        self._names = 0

    @property
    def key(self) -> Key:
        """The present name of the resource."""
        return Key(ONE.namespace, f"name-{self._names}")

    def step(self) -> None:
        """One event."""
        script, chosen = self._script, self._chosen
        match chosen.choices(("answer", "value", "time", "rename", "kill", "gone"), (60, 12, 12, 4, 4, 4))[0]:
            case "answer":
                script.world.deliver(chosen.randint(0, 3))
                script.world.deliver_objects(chosen.randint(0, 2))
                if script.world.waiting:
                    call = chosen.choice(script.world.waiting)
                    script.world.decide(call, chosen.choice(("well", "well", "well", "well", "carried out", *FATES)))
            case "value":
                script.set_names(function=chosen.choice(("orders", "bills")))
                script.set_source(chosen.choice((STREAM, NEW_STREAM)))
            case "time":
                script.world.pass_time(chosen.choice((0.1, 1.0, 20.0)))
            case "rename":
                former, self._names = self.key, self._names + 1
                script.apply(self.key, **RENAMED, adoption={"policy": "IfExists", "takeOverFrom": str(former)})
                script.delete(former)
            case "kill":
                script.world.crash()
                script.world.pass_time(chosen.choice((0.0, 30.0)))
                script.world.start()
            case _:
                delete_objects(script)
        script.check()


@pytest.mark.parametrize("seed", range(20))
def test_values_that_change_during_renames_and_kills_leave_one_mapping(script: Script, seed: int) -> None:
    set_old(script)
    chaos = Chaos(script, seed)
    script.apply(chaos.key, **RENAMED)
    script.begin()
    for _ in range(120):
        chaos.step()
    set_new(script)
    script.converge()
    if script.reason(chaos.key) == "AdoptedMappingDiffers":  # the source changed during a rename: follow the message
        uuid = script.mapping().uuid
        script.edit(chaos.key, eventSourceRef=None, eventSourceARN=script.mapping().source)
        script.converge()
        assert script.mapping().uuid == uuid
        script.edit(chaos.key, eventSourceRef=SOURCE_REF, eventSourceARN=None)
        script.converge()
    assert has(script) == ("bills", NEW_STREAM, "")
    assert script.mapping().config["BatchSize"] == 7
    assert script.mapping().uuid == script.status(chaos.key)["uuid"]
    assert list(script.cluster.mappings) == [chaos.key]
