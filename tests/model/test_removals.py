"""Scripted scenarios: the API server removes a resource while the operator adds its finalizer."""

from typing import Any

import pytest

from esm_operator.api.resource import Key
from tests.model.aws import QUEUE
from tests.model.calls import Call
from tests.model.cluster import Deletion, WatchEvent
from tests.model.script import ONE, SQS, Script
from tests.model.test_late_watches import is_list_of_all


def test_a_resource_that_was_removed_before_the_create_gets_no_mapping(script: Script) -> None:
    """The DELETE had read the object before the finalizer was added."""
    script.apply(Key("b", "other"), functionName="other", eventSourceARN=QUEUE)
    script.begin()  # so that the operator knows all mappings
    script.apply(**SQS)
    deletion = script.cluster.begin_deletion(ONE)
    prepared = script.until(_adds_the_finalizer)
    script.world.decide(prepared, "carried out")
    script.cluster.finish_deletion(deletion)
    assert script.gone()
    script.world.decide(prepared, "well")
    for _ in range(20):  # the watch is late
        for call in list(script.world.waiting):
            script.world.decide(call, "well")
    assert script.mapping().function == "other"
    script.converge()


@pytest.mark.parametrize("word", ["before the answer", "after the answer"])
def test_the_mapping_of_a_resource_that_was_removed_during_the_create_is_deleted(script: Script, word: str) -> None:
    script.world.start()
    script.calmly(60)
    script.apply(**SQS)
    deletion = script.cluster.begin_deletion(ONE)
    creation = script.until_asked("create_event_source_mapping")
    script.cluster.finish_deletion(deletion)
    assert script.gone()
    if word == "before the answer":
        script.world.deliver(len(script.cluster.watch))
    script.world.decide(creation, "well")
    assert len(script.aws.standing) == 1
    script.converge()
    assert script.aws.standing == {}


def test_a_new_resource_waits_for_the_mapping_of_a_removed_one_of_its_name(script: Script) -> None:
    script.world.start()
    script.calmly(60)
    script.apply(**SQS)
    deletion = script.cluster.begin_deletion(ONE)
    creation = script.until_asked("create_event_source_mapping")
    script.cluster.finish_deletion(deletion)
    script.apply(functionName="bills", eventSourceARN=QUEUE)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(creation, "well")
    script.converge()
    assert script.mapping().function == "bills"
    assert script.reason() == "Enabled"


def _adds_the_finalizer(call: Call) -> bool:
    return call.name == "PATCH" and bool(((call.what.get("body") or {}).get("metadata") or {}).get("finalizers"))


#: Seconds after which the status shows a creation that AWS has not finished.
CREATION_SHOWN = 4.0


def removed_during_the_create(script: Script) -> Call:
    """The API server removes the resource while AWS carries out the Create of its mapping. Returns the Create."""
    script.begin()
    script.apply(**SQS)
    deletion: Deletion = script.cluster.begin_deletion(ONE)
    creation = script.until_asked("create_event_source_mapping")
    script.cluster.finish_deletion(deletion)
    script.world.decide(creation, "carried out")
    return creation


def test_a_write_that_finds_no_object_does_not_end_the_search_for_its_mapping(script: Script) -> None:
    """The watch shows the removal while the status is written."""
    creation = removed_during_the_create(script)
    script.world.decide(creation, "well")
    script.world.pass_time(CREATION_SHOWN)
    (status,) = [one for one in script.world.waiting if one.name == "PATCH"]
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(status, "well")
    script.converge()
    assert script.aws.standing == {}


def test_a_comparison_with_the_cluster_does_not_forget_a_removed_resource(script: Script) -> None:
    creation = removed_during_the_create(script)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(creation, "well")
    assert script.mapping().state == "Creating"
    script.mapping().due += 1200  # so that a comparison happens first
    script.calmly(1000)
    script.converge()
    assert script.aws.standing == {}


def test_a_resource_that_is_removed_during_a_comparison_with_the_cluster_is_not_forgotten(script: Script) -> None:
    script.begin()
    script.apply(**SQS)
    deletion = script.cluster.begin_deletion(ONE)
    creation = script.until_asked("create_event_source_mapping")
    script.cluster.relist()
    script.world.deliver(len(script.cluster.watch))
    script.world.pass_time(1.5)
    while not (listings := list(filter(is_list_of_all, script.world.waiting))):
        for call in [one for one in script.world.waiting if one is not creation]:
            script.world.decide(call, "well")
    script.cluster.finish_deletion(deletion)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(listings[0], "well")
    script.world.decide(creation, "well")
    assert len(script.aws.standing) == 1
    script.converge()
    assert script.aws.standing == {}


def test_the_mapping_of_a_removed_resource_is_deleted_though_a_new_one_of_its_name_is_known(script: Script) -> None:
    """The watch is late, and the operator reads the new one after its write for the old one was refused."""
    creation = removed_during_the_create(script)
    script.promises.excused.add(ONE)  # both objects of the name have a mapping for some seconds
    script.apply(functionName="bills", eventSourceARN=QUEUE)
    late, script.cluster.watch[:] = list(script.cluster.watch), []
    script.world.decide(creation, "well")
    script.world.pass_time(CREATION_SHOWN)
    process = script.world.process
    assert process is not None
    for _ in range(20):
        for call in [one for one in script.world.waiting if one.name in ("PATCH", "GET")]:
            script.world.decide(call, "well")
        script.world.settle()
    known = process.knows(ONE)
    assert known is not None
    assert known.uid == script.cluster.mappings[ONE]["metadata"]["uid"]
    script.cluster.watch[:0] = late
    script.converge()
    assert script.mapping().function == "bills"


def test_a_resource_that_has_only_lost_its_label_keeps_its_mapping(script: Script) -> None:
    """The watch of an operator with a selector shows this as a removal, but the object exists."""
    script.apply(**SQS)
    script.begin()
    process, body = script.world.process, dict(script.cluster.mappings[ONE])
    assert process is not None
    metadata: dict[str, Any] = {**body["metadata"], "resourceVersion": "100000"}
    process.tell(WatchEvent("DELETED", {**body, "metadata": metadata}))
    script.calmly(60)
    assert process.knows(ONE) is None
    assert script.mapping().state == "Enabled"
