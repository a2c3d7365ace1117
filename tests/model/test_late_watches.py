"""Scripted scenarios: the watch is late or has lost events."""

from esm_operator.clock import replaced
from tests.model.calls import Call
from tests.model.cluster import MAPPINGS
from tests.model.script import ONE, SQS, TWO, Script
from tests.model.world import LEASE


def is_list_of_all(call: Call) -> bool:
    """Whether the request lists all resources."""
    return call.name == "GET" and call.what["path"] == MAPPINGS


def answer_all(script: Script) -> None:
    """Answer all requests until the operator is idle. Deliver no watch event."""
    for _ in range(20):
        for call in list(script.world.waiting):
            script.world.decide(call, "well")


def answer_all_but_lists(script: Script) -> None:
    """Answer all requests except lists of mappings until the operator is idle. Deliver watch events."""
    for _ in range(20):
        for call in [one for one in script.world.waiting if one.name != "list_event_source_mappings"]:
            script.world.decide(call, "well")
        script.world.deliver(len(script.cluster.watch))


def test_a_resource_whose_edit_the_watch_has_lost_is_read_after_a_conflict(script: Script) -> None:
    script.begin()
    script.apply(**SQS)
    script.world.deliver(1)
    script.cluster.edit(ONE, {"spec": {"batchSize": 5}})
    script.cluster.watch.clear()
    script.calmly(60)
    assert script.reason() == "Enabled"
    assert script.mapping().config["BatchSize"] == 5
    script.converge()


def test_no_mapping_is_created_for_a_resource_whose_deletion_the_watch_has_not_reported(script: Script) -> None:
    """An earlier process has written the finalizer and the intent, so this process starts with the Create."""
    script.apply(**SQS)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "dropped")
    script.world.crash()
    script.world.start()
    script.until_asked("list_event_source_mappings")
    script.cluster.lose(ONE)
    script.cluster.watch.clear()
    script.calmly(60)
    assert script.aws.standing == {}


def test_no_mapping_is_adopted_for_a_resource_whose_deletion_the_watch_has_not_reported(script: Script) -> None:
    with replaced(script.world.clock):
        one = script.aws.make("orders", SQS["eventSourceARN"], {"team": "red"})
    assert one is not None
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.world.start()
    script.until_asked("list_event_source_mappings")
    answer_all_but_lists(script)  # finalizer and intent are written
    script.cluster.lose(ONE)
    script.cluster.watch.clear()
    script.calmly(60)
    assert one.tags == {"team": "red"}


def test_no_mapping_is_created_from_a_spec_whose_edit_the_watch_has_not_reported(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "dropped")
    script.world.crash()
    script.world.start()
    script.until_asked("list_event_source_mappings")
    script.edit(batchSize=5, enabled=False)
    script.cluster.watch.clear()
    assert script.until_asked("create_event_source_mapping").what["BatchSize"] == 5
    script.converge()


def test_a_resource_that_is_created_during_a_list_is_not_forgotten(script: Script) -> None:
    script.world.start()
    listing = script.until(is_list_of_all)
    script.world.decide(listing, "carried out")
    script.apply(**SQS)
    script.world.deliver(1)
    script.world.decide(listing, "well")
    script.calmly(60)
    assert script.reason() == "Enabled"
    script.converge()


def test_a_resource_that_was_deleted_while_the_watch_was_cut_is_forgotten(script: Script) -> None:
    script.apply(ONE, **SQS)
    script.apply(TWO, functionName="bills", eventSourceARN=SQS["eventSourceARN"])
    script.begin()
    process, one = script.world.process, script.aws.standing[script.status()["uuid"]]
    assert process is not None
    script.promises.excused.add(ONE)
    script.cluster.lose(ONE)
    script.cluster.relist()
    script.calmly(10)
    assert process.knows(ONE) is None
    assert one.state == "Enabled", "that a resource is missing is no reason to delete its mapping"


def test_an_operator_does_not_lead_before_it_knows_all_resources(script: Script) -> None:
    script.apply(**SQS)
    script.world.start()
    process = script.world.process
    assert process is not None
    for _ in range(int(LEASE)):
        answer_all(script)
        script.world.pass_time(1)
    assert not process.covers(0)
    script.calmly(10)
    assert process.covers(0)
    script.converge()


def test_no_resource_is_written_when_the_lease_is_about_to_end(script: Script) -> None:
    script.begin()
    process = script.world.process
    assert process is not None
    process.gate.lease_is_cut = True
    while process.covers(5.0):
        script.world.pass_time(1, calmly=True)
    script.apply(**SQS)
    script.world.deliver(1)
    assert process.covers(0)
    assert not [call for call in script.world.waiting if call.writes]
    process.gate.lease_is_cut = False
    script.converge()
