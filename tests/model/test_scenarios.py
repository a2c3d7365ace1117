"""Scripted scenarios on the model: rare sequences of events that random programs hardly find."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from esm_operator.api.annotations import INTENT, RECONCILE_AT
from esm_operator.api.resource import Key
from esm_operator.clock import replaced
from tests.model.aws import KAFKA, QUEUE, STREAM, Standing, refusal
from tests.model.calls import Call
from tests.model.cluster import Answer, WatchEvent
from tests.model.script import KINESIS, ONE, SQS, Script, a_script, answers, as_ever, killed_before_the_note
from tests.model.test_without_tags import PromisesWithoutTags
from tests.model.world import SWEEP_INTERVAL

#: A mapping that does not exist.
UNKNOWN = "11111111-2222-3333-4444-555555555555"
#: An answer of a proxy or of an overloaded API server, which is not JSON.
PLAIN = {
    429: "Too many requests, please try again later.",
    502: "<html><body><h1>502 Bad Gateway</h1></body></html>",
}


# -- The API server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", PLAIN)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_an_answer_of_the_api_server_that_is_not_json_stops_no_worker(
    script: Script, monkeypatch: pytest.MonkeyPatch, status: int, method: str
) -> None:
    keys = [Key("a", f"one-{number}") for number in range(12)]
    for key in keys:
        script.apply(key, functionName=key.name, eventSourceARN=QUEUE)
    script.world.start()
    really = script.cluster.request

    def in_trouble(asked: str, path: str, body: Any) -> Answer:
        if "/eventsourcemappings/" not in path:
            return really(asked, path, body)
        if asked == method:
            return Answer(status, PLAIN[status])
        # A status that is always outdated makes the operator read the resource.
        return Answer(409, '{"message":"modified"}') if path.endswith("/status") else really(asked, path, body)

    with monkeypatch.context() as trouble:
        trouble.setattr(script.cluster, "request", in_trouble)
        script.calmly(20)
    script.converge()
    assert len(script.aws.standing) == len(keys)
    assert not script.said("OperatorError")


def test_a_list_that_fails_is_not_repeated_without_a_pause(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.apply(**SQS)
    really, lists = script.cluster.request, list[str]()

    def busy(method: str, path: str, body: Any) -> Answer:
        if method == "GET" and path.partition("?")[0].endswith("/eventsourcemappings"):
            lists.append(path)
            return Answer(503, '{"message":"busy"}')
        return really(method, path, body)

    with monkeypatch.context() as trouble:
        trouble.setattr(script.cluster, "request", busy)
        script.world.start()
        script.calmly(300)
    assert 5 <= len(lists) <= 60
    script.converge()


@pytest.mark.parametrize("is_back", [True, False])
def test_a_late_report_of_a_deletion_is_checked(script: Script, is_back: bool) -> None:
    """The resource lost the label of the operator. A later version is known already, with or without the label."""
    script.apply(**SQS)
    script.begin()
    process, version = script.world.process, script.cluster.mappings[ONE]
    assert process is not None
    script.cluster.edit(ONE, {"metadata": {"annotations": {"example.com/seen": "1"}}})
    if not is_back:
        del script.cluster.mappings[ONE]
    script.calmly()
    process.tell(WatchEvent("DELETED", version))
    assert process.knows(ONE) is not None
    script.calmly(10)
    assert (process.knows(ONE) is not None) is is_back


@pytest.mark.parametrize("status", PLAIN)
def test_a_write_that_is_answered_without_json_is_retried(
    script: Script, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    script.apply(**SQS)
    script.world.start()
    really = script.cluster.request
    refused: list[str] = []

    def once(asked: str, path: str, body: Any) -> Answer:
        if asked == "PATCH" and "/eventsourcemappings/" in path and not refused:
            refused.append(path)
            return Answer(status, PLAIN[status])
        return really(asked, path, body)

    monkeypatch.setattr(script.cluster, "request", once)
    script.calmly(60)
    assert refused
    assert script.reason() == "Enabled"
    assert not script.said("OperatorError")
    script.converge()


# -- Replacements -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["LATEST", "TRIM_HORIZON"])
def test_a_replacement_that_is_edited_back_ends_with_one_mapping(script: Script, position: str) -> None:
    """The successor is still being created, and the deletion of its predecessor was refused."""
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    deletion = script.until_asked("delete_event_source_mapping")
    assert script.of_source(QUEUE).state == "Creating"
    script.world.decide(deletion, "refused")
    script.edit(eventSourceARN=STREAM, startingPosition=position)
    script.calmly(2 * SWEEP_INTERVAL)
    script.converge()
    assert (script.mapping().source, script.mapping().position) == (STREAM, position)


def test_a_resource_that_waits_for_the_first_sweep_is_reconciled_after_it(script: Script) -> None:
    """The first page fails, so the resource is reconciled before the sweep and waits."""
    failures = ["once", "twice"]

    def fail(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        if failures:
            failures.pop()
            raise ClientError({"Error": {"Code": "ServiceException"}}, "ListEventSourceMappings")
        return really(**asked)

    answers(script, "list_event_source_mappings", fail)
    script.apply(**SQS)
    script.world.start()
    script.calmly(60)
    assert script.mapping().function == "orders"


def test_a_resource_that_is_deleted_during_its_replacement_leaves_no_mapping(script: Script) -> None:
    """The sweep after the deletion misses the successor, as pages do when their items shift."""
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    script.calmly()
    old, new = script.of_source(STREAM), script.of_source(QUEUE)
    missed: list[str] = []

    def without_successor(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        answer = really(**asked)
        if "FunctionName" in asked:
            return answer
        listed = [one for one in answer["EventSourceMappings"] if one["UUID"] != new.uuid]
        missed.extend(["missed"] * (len(answer["EventSourceMappings"]) - len(listed)))
        return {**answer, "EventSourceMappings": listed}

    answers(script, "list_event_source_mappings", without_successor)
    script.delete()
    old.due += SWEEP_INTERVAL + 100  # the predecessor is deleted after that sweep
    script.calmly(SWEEP_INTERVAL + 30)
    assert missed
    script.aws.end_transition(old)
    script.calmly(60)
    as_ever(script, "list_event_source_mappings")
    script.converge()
    assert script.gone()
    assert script.aws.standing == {}


def test_a_replacement_that_is_edited_back_while_no_operator_runs_leaves_no_second_mapping(script: Script) -> None:
    """The successor exists, no status records it, and the resource looks in sync before the first sweep."""
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    creation = script.until_asked("create_event_source_mapping")
    script.world.decide(creation, "carried out")
    script.world.crash()
    assert len(script.aws.standing) == 2
    script.edit(eventSourceARN=STREAM, startingPosition="LATEST")
    script.world.start()
    page = script.until_asked("list_event_source_mappings")
    for _ in range(20):  # all other requests are answered before the first page
        for call in [one for one in script.world.waiting if one is not page]:
            script.world.decide(call, "well")
        script.world.settle()
    script.world.decide(page, "well")
    script.calmly(60)
    assert script.mapping().source == STREAM
    script.converge()


def kafka(topic: str, group: str = "shop") -> dict[str, Any]:
    """A part of a spec: a topic of an MSK cluster, read in a consumer group."""
    config = {"amazonManagedKafkaEventSourceConfig": {"consumerGroupID": group}}
    return {"functionName": "orders", "eventSourceARN": KAFKA, "topics": [topic], **config}


def refused_creations(script: Script) -> list[str]:
    """The history of each Create that AWS refused."""
    return [line for line in script.world.history if "refused: create_event_source_mapping" in line]


def test_in_a_consumer_group_the_old_mapping_is_deleted_before_the_new_one_is_created(script: Script) -> None:
    script.apply(**kafka("orders"), replacePolicy="Recreate")
    script.begin()
    script.edit(topics=["returns"])
    deletion = script.until_asked("delete_event_source_mapping")
    assert script.mapping().topic == "orders"
    script.world.decide(deletion, "well")
    script.converge()
    assert (script.mapping().topic, script.mapping().group) == ("returns", "shop")
    assert not script.said("Conflict")


def test_a_creation_in_a_consumer_group_that_takes_effect_late_is_replaced_too(script: Script) -> None:
    """The Create got no answer, the topic was edited again, and AWS created the mapping of the second topic later."""
    script.apply(**kafka("orders"), replacePolicy="Recreate")
    script.begin()
    script.edit(topics=["returns"])
    creation = script.until_asked("create_event_source_mapping")
    script.world.decide(creation, "carried out")
    script.world.crash()
    script.edit(topics=["payments"])
    script.world.start()
    script.converge()
    assert script.mapping().topic == "payments"


# -- Mappings that only the intent records --------------------------------------------------------------------------


@pytest.fixture
def unlisted(script: Script) -> Callable[[], None]:
    """Make all sweeps miss the mapping of a resource, as pages do when their items shift.

    Only the intent records that mapping. Call this function when the resource has its final spec and no operator runs.
    The next operator reconciles the resource after the first sweep that starts after the outcome of all Creates is
    known.
    """
    others = [Key("b", f"other-{number}") for number in range(3)]
    for other in others:
        script.apply(other, functionName=other.name, eventSourceARN=QUEUE)
    script.begin()
    script.apply(**KINESIS, replacePolicy="Recreate")
    killed_before_the_note(script)
    (missed,) = [one for one in script.aws.standing.values() if one.function == "orders"]

    def listed(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        answer = really(**asked)
        if "FunctionName" in asked:
            return answer
        items = [one for one in answer["EventSourceMappings"] if one["UUID"] != missed.uuid]
        return {**answer, "EventSourceMappings": items}

    def restart() -> None:
        for one in script.aws.standing.values():
            if one is not missed:  # sweeps follow each other immediately during so many transitions
                script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=10)
                one.due += 60
        answers(script, "list_event_source_mappings", listed)
        script.world.start()
        script.until(lambda call: _tells_of(ONE, call))
        end = script.world.clock.now + 11
        while script.world.clock.now < end:
            for call in [one for one in script.world.waiting if not _tells_of(ONE, one)]:
                script.world.decide(call, "well")
            script.world.deliver(len(script.cluster.watch))
            script.world.pass_time(0.5)
        script.calmly(30)
        as_ever(script, "list_event_source_mappings")

    return restart


def _tells_of(key: Key, call: Call) -> bool:
    return call.name == "PATCH" and str(call.what["path"]).endswith(f"/{key.name}/status")


def test_a_resource_is_removed_only_when_the_list_of_its_function_shows_no_mapping(
    script: Script, unlisted: Callable[[], None]
) -> None:
    script.delete()
    unlisted()
    script.converge()
    assert script.gone()


def test_the_intent_changes_only_when_the_list_of_the_function_shows_no_mapping(
    script: Script, unlisted: Callable[[], None]
) -> None:
    script.edit(eventSourceARN=QUEUE, startingPosition=None)
    unlisted()
    script.converge()
    assert {one.source for one in script.aws.standing.values()} == {QUEUE}


def replaced_and_killed(script: Script) -> Standing:
    """A successor exists in addition to its predecessor, which is being deleted. Only the intent records the successor.

    Returns:
        the successor.
    """
    script.apply(**KINESIS, replacePolicy="Recreate")
    script.begin()
    script.edit(functionName="bills", startingPosition="TRIM_HORIZON")
    killed_before_the_note(script)
    (successor,) = [one for one in script.aws.standing.values() if one.function == "bills"]
    script.edit(functionName="orders", startingPosition="TRIM_HORIZON")
    script.world.start()
    script.calmly(2)
    (old,) = [one for one in script.aws.standing.values() if one is not successor]
    assert old.state == "Deleting"
    old.due += 60
    script.calmly(30)  # now it is known that no Create is pending
    return successor


def test_a_mapping_of_the_intent_is_recorded_before_its_function_changes(script: Script) -> None:
    successor = replaced_and_killed(script)
    update = script.until_asked("update_event_source_mapping")
    script.world.decide(update, "carried out")
    script.world.crash()
    assert successor.function == "orders"
    script.edit(functionName="bills")
    script.world.start()
    script.converge()
    assert (script.mapping().uuid, script.mapping().function) == (successor.uuid, "bills")


def test_a_mapping_of_the_intent_is_recorded_before_the_intent_changes(script: Script) -> None:
    successor = replaced_and_killed(script)
    script.edit(startingPosition="LATEST")
    intent = script.until(lambda call: INTENT in str(call.what.get("body")) and call.name == "PATCH")
    script.world.decide(intent, "carried out")
    script.world.crash()
    assert script.mapping() is successor
    script.delete()
    script.world.start()
    script.converge()
    assert script.gone()
    assert script.aws.standing == {}


# -- Names that are used again ------------------------------------------------------------------------------


def test_a_late_report_about_an_earlier_resource_of_the_name_does_no_harm(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    script.delete()
    late = script.cluster.watch[-1]
    assert "deletionTimestamp" in late.body["metadata"]
    script.calmly(60)
    assert script.gone()
    script.apply(**SQS)
    script.calmly(60)
    uuid = script.mapping().uuid

    script.cluster.watch.append(late)
    script.calmly(1)
    assert (script.mapping().uuid, script.mapping().state) == (uuid, "Enabled")
    script.converge()
    assert script.mapping().uuid == uuid


def test_a_resource_recreated_during_the_removal_of_the_old_one_is_reconciled(script: Script) -> None:
    """The old one's finalizer is removed, and the answer has not arrived when the name is used again."""
    script.apply(**SQS)
    script.begin()
    script.delete()
    release = script.until(_takes_the_finalizer_off)
    script.world.decide(release, "carried out")
    assert script.gone()
    script.check()
    script.apply(**SQS)
    script.world.deliver(len(script.cluster.watch))
    script.world.decide(release, "well")
    script.calmly(60)
    assert script.reason() == "Enabled"
    script.converge()


def _takes_the_finalizer_off(call: Call) -> bool:
    metadata = (call.what.get("body") or {}).get("metadata") or {}
    return call.name == "PATCH" and metadata.get("finalizers") == []


def test_without_tags_a_resource_does_not_own_the_mapping_of_an_earlier_one_of_its_name() -> None:
    """A person took the finalizer of the earlier one off, and the watch has not reported the deletion."""
    with a_script(PromisesWithoutTags()) as script:
        script.apply(**SQS)
        script.begin()
        one = script.mapping()
        script.promises.excused.add(ONE)
        script.cluster.lose(ONE)
        script.cluster.watch.clear()
        script.apply(**SQS)
        script.calmly(60)
        assert script.reason() == "Conflict"
        assert script.mapping() is one


# -- Odd answers of AWS -------------------------------------------------------------------------------------


def test_an_item_of_a_list_without_a_uuid_does_not_end_the_sweeps(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    odd: list[str] = []

    def once(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        if odd or "FunctionName" in asked:
            return really(**asked)
        odd.append("odd")
        return {"EventSourceMappings": [{}]}

    answers(script, "list_event_source_mappings", once)
    script.calmly(SWEEP_INTERVAL + 60)
    assert odd
    script.aws.standing.clear()  # a change by hand, which only a sweep finds
    script.calmly(4 * SWEEP_INTERVAL)
    assert len(script.aws.standing) == 1
    script.converge()


def test_a_mapping_whose_creation_is_answered_without_a_uuid_is_deleted_with_the_resource(script: Script) -> None:
    script.apply(**SQS)

    def empty(really: Callable[..., Any], asked: dict[str, Any]) -> Any:
        really(**asked)
        return {}

    answers(script, "create_event_source_mapping", empty)
    script.world.start()
    script.world.decide(script.until_asked("create_event_source_mapping"), "well")
    assert len(script.aws.standing) == 1
    script.delete()
    script.converge()
    assert script.gone()
    assert script.aws.standing == {}
    assert not script.said("OperatorError")


def test_a_conflict_with_a_deleted_mapping_is_checked_rarely(script: Script) -> None:
    """AWS is not consistent: it refuses the Create because of a mapping that Get does not find."""
    script.apply(**SQS)
    attempts: list[float] = []

    def refused(_: Callable[..., Any], asked: dict[str, Any]) -> Any:
        del asked
        attempts.append(script.world.clock.now)
        text = (
            f'An event source mapping with SQS arn (" {QUEUE} ") and function (" orders ") already exists. '
            f"Please update or delete the existing mapping with UUID {UNKNOWN}"
        )
        raise refusal("CreateEventSourceMapping", "ResourceConflictException", 409, text)

    answers(script, "create_event_source_mapping", refused)
    script.world.start()
    script.calmly(60)
    assert 1 <= len(attempts) <= 10
    assert not script.said("OperatorError")
    as_ever(script, "create_event_source_mapping")
    script.converge()


def test_the_release_of_a_mapping_that_is_being_deleted_waits_for_its_end(script: Script) -> None:
    """A user deletes the mapping by hand that the operator retains. AWS has no tags of it any more."""
    script.apply(**SQS, deletionPolicy="Retain")
    script.begin()
    one = script.mapping()
    attempts: list[float] = []

    def refused(_: Callable[..., Any], asked: dict[str, Any]) -> Any:
        del asked
        attempts.append(script.world.clock.now)
        raise refusal("UntagResource", "ResourceNotFoundException", 404, "The resource you requested does not exist.")

    answers(script, "untag_resource", refused)
    script.aws.delete_event_source_mapping(UUID=one.uuid)
    one.due += 60
    script.delete()
    script.calmly(30)
    assert len(attempts) <= 3
    assert not script.said("OperatorError")
    script.calmly(120)
    assert script.gone()
    assert script.aws.standing == {}


# -- Changes by others -----------------------------------------------------------------------------------------


def test_a_conflict_ends_at_the_next_attempt_after_the_other_owner_releases_the_mapping(script: Script) -> None:
    """With adoption.policy IfExists. The identity belonged to another cluster, and then to no owner."""
    tags = {f"esm-operator.io/{part}": "elsewhere" for part in ("cluster", "namespace", "name", "uid")}
    with replaced(script.world.clock):
        one = script.aws.make("orders", QUEUE, tags)
    assert one is not None
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.begin()
    assert script.reason() == "Conflict"
    assert one.tags == tags
    script.calmly(SWEEP_INTERVAL)
    one.tags.clear()
    script.calmly(5 * SWEEP_INTERVAL)  # longer than the back-off, which can be 1,200 s after five attempts
    assert script.reason() == "Enabled"
    assert script.status()["uuid"] == one.uuid


def test_a_resource_whose_predecessor_is_being_deleted_gets_its_mapping_soon_after(script: Script) -> None:
    """Somebody deletes a mapping by hand and applies the resource for the same identity meanwhile."""
    with replaced(script.world.clock):
        one = script.aws.make("orders", QUEUE, {})
        assert one is not None
        script.world.pass_time(60)
        script.aws.delete_event_source_mapping(UUID=one.uuid)
    one.due = script.world.clock.now + 2.5 * SWEEP_INTERVAL
    script.apply(**SQS)
    script.begin()
    assert script.reason() == "PredecessorDeleting"
    script.calmly(SWEEP_INTERVAL)
    script.aws.end_transition(one)
    script.calmly(SWEEP_INTERVAL + 60)
    assert script.mapping().uuid != one.uuid
    assert script.reason() == "Enabled"


def test_what_was_written_before_a_crash_is_taken_back_when_the_spec_does_not_name_it_any_more(script: Script) -> None:
    """The mapping is created again with a tag and a size, and the operator is killed before the status records them."""
    script.apply(**SQS)
    script.begin()
    script.edit(batchSize=5, tags={"team": "red"})
    script.aws.standing.clear()  # another change by hand at the same time
    creation = script.until_asked("create_event_source_mapping")
    script.world.decide(creation, "carried out")
    script.world.crash()
    assert (script.mapping().config["BatchSize"], script.mapping().tags["team"]) == (5, "red")
    script.edit(batchSize=None, tags=None)
    script.world.start()
    script.converge()
    assert script.mapping().config["BatchSize"] == 10
    assert "team" not in script.mapping().tags


def test_a_requested_reconcile_counts_as_done_when_it_succeeds(script: Script) -> None:
    script.apply(**SQS, tags={"team": "red"})
    script.begin()
    one = script.mapping()
    one.tags["team"] = "blue"
    script.cluster.edit(ONE, {"metadata": {"annotations": {RECONCILE_AT: "now"}}})
    look = script.until_asked("get_event_source_mapping")
    script.world.decide(look, "failed")
    script.world.calm()
    assert "lastHandledReconcileAt" not in script.status()
    script.calmly(120)
    assert script.status()["lastHandledReconcileAt"] == "now"
    assert one.tags["team"] == "red"
