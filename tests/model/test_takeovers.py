"""Scripted scenarios: a mapping gets another owner while the operator works on it."""

from esm_operator.api.annotations import ALLOW_TAKEOVER_BY
from esm_operator.api.resource import Key
from esm_operator.clock import replaced
from tests.model.aws import QUEUE, Standing
from tests.model.script import ONE, SQS, TWO, Script, answer_all_but
from tests.model.world import CLUSTER_NAME, SWEEP_INTERVAL

#: The owner tags of a resource in another cluster.
ELSEWHERE = {f"esm-operator.io/{part}": "elsewhere" for part in ("cluster", "namespace", "name", "uid")}

#: A resource of another namespace.
THREE = Key("b", "three")


def consent(script: Script, *, there: bool = True) -> None:
    """Let a resource consent to the take-over by the resource of another namespace, or withdraw the consent."""
    value = str(THREE) if there else None
    script.cluster.edit(ONE, {"metadata": {"annotations": {ALLOW_TAKEOVER_BY: value}}})


def apply_taker(script: Script) -> None:
    """Create the resource of the other namespace, which takes over the only mapping."""
    owner = f"{CLUSTER_NAME}/{ONE}"
    script.apply(THREE, **SQS, adoption={"policy": "IfExists", "uuid": script.mapping().uuid, "takeOverFrom": owner})


def test_an_edit_of_the_former_owner_does_not_reach_a_mapping_that_is_being_taken_over(script: Script) -> None:
    script.apply(**SQS, batchSize=7)
    script.begin()
    one = script.mapping()
    adoption = {"policy": "IfExists", "uuid": one.uuid, "takeOverFrom": f"{CLUSTER_NAME}/{ONE}"}
    script.apply(TWO, **SQS, adoption=adoption)
    tagging = script.until_asked("tag_resource")
    script.world.decide(tagging, "carried out")
    script.edit(batchSize=5)
    answer_all_but(script, tagging)
    assert one.config["BatchSize"] == 7
    script.world.decide(tagging, "well")
    script.calmly(60)
    assert one.config["BatchSize"] == 7
    assert (script.reason(ONE), script.reason(TWO)) == ("Conflict", "Enabled")
    script.converge()


def test_a_mapping_that_gets_an_owner_between_the_plan_and_its_adoption_is_not_adopted(script: Script) -> None:
    with replaced(script.world.clock):
        one = script.aws.make("orders", SQS["eventSourceARN"], {"team": "red"})
    assert one is not None
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.world.start()
    looked = script.until_asked("list_tags")
    script.world.decide(looked, "carried out")
    one.tags = dict(ELSEWHERE)
    script.world.decide(looked, "well")
    script.calmly(60)
    assert one.tags == ELSEWHERE
    assert script.reason() == "Conflict"


def test_a_mapping_that_gets_another_owner_while_the_status_is_written_is_not_updated(script: Script) -> None:
    """Another resource in conflict reads the tags in the meantime, so that the operator knows them."""
    script.apply(**SQS)
    script.begin()
    script.apply(TWO, **SQS)
    script.calmly(10)
    assert script.reason(TWO) == "Conflict"
    one = script.mapping()
    script.edit(batchSize=5)
    note = script.until(lambda call: call.name == "PATCH" and "Updating" in str(call))
    one.tags = dict(ELSEWHERE)
    script.edit(TWO, tags={"team": "red"})
    answer_all_but(script, note)
    script.world.decide(note, "well")
    script.calmly(60)
    assert one.config["BatchSize"] == 10
    assert (script.reason(ONE), script.reason(TWO)) == ("Conflict", "Conflict")


def test_of_two_resources_that_may_adopt_a_mapping_the_older_one_gets_it(script: Script) -> None:
    """The younger one is reconciled first, because the API server answers the first write of the older one late."""
    with replaced(script.world.clock):
        one = script.aws.make("orders", SQS["eventSourceARN"], {"team": "red"})
    assert one is not None
    script.apply(ONE, **SQS, adoption={"policy": "IfExists"})
    script.apply(TWO, **SQS, adoption={"policy": "IfExists"})
    script.world.start()
    script.world.deliver(len(script.cluster.watch))
    older = script.until(lambda call: call.name == "PATCH" and f"/{ONE.name}" in str(call.what["path"]))
    answer_all_but(script, older)
    script.world.pass_time(1)
    answer_all_but(script, older)
    assert one.tags == {"team": "red"}
    script.calmly(SWEEP_INTERVAL)
    assert one.tags["esm-operator.io/name"] == ONE.name
    assert script.reason(TWO) == "Conflict"


def make_disabled(script: Script) -> Standing:
    """A disabled mapping without an owner, which has other values."""
    with replaced(script.world.clock):
        one = script.aws.make("orders", SQS["eventSourceARN"], {"team": "red"})
        assert one is not None
        script.aws.end_transition(one)
        script.aws.update_event_source_mapping(UUID=one.uuid, BatchSize=3, Enabled=False)
        script.aws.end_transition(one)
    return one


def test_an_adopted_mapping_keeps_values_that_the_spec_does_not_set(script: Script) -> None:
    one = make_disabled(script)
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.begin()
    script.calmly(SWEEP_INTERVAL)
    assert script.status()["uuid"] == one.uuid
    assert (one.enabled, one.config["BatchSize"], one.tags["team"]) == (False, 3, "red")


def test_an_adoption_that_a_kill_interrupts_leaves_a_disabled_mapping_disabled(script: Script) -> None:
    one = make_disabled(script)
    script.apply(**SQS, adoption={"policy": "IfExists"})
    script.world.start()
    script.world.decide(script.until_asked("tag_resource"), "carried out")
    script.world.crash()
    script.world.start()
    script.calmly(SWEEP_INTERVAL)
    assert script.status()["uuid"] == one.uuid
    assert not one.enabled


def test_a_former_owner_shows_nothing_of_a_mapping_that_another_namespace_has_taken_over(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    consent(script)
    apply_taker(script)
    script.calmly(60)
    assert (script.reason(ONE), script.reason(THREE)) == ("Conflict", "Enabled")
    assert not script.status(ONE).keys() & {"state", "arn", "functionARN", "lastModified", "tagsAll"}
    assert script.status(THREE)["tagsAll"]["esm-operator.io/namespace"] == THREE.namespace
    script.converge()


def test_a_mapping_of_another_namespace_is_taken_over_as_soon_as_the_owner_consents(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    apply_taker(script)
    script.calmly(60)
    assert (script.reason(ONE), script.reason(THREE)) == ("Enabled", "Conflict")
    consent(script)
    script.calmly(5)
    assert (script.reason(ONE), script.reason(THREE)) == ("Conflict", "Enabled")


def test_a_consent_that_is_withdrawn_before_the_request_is_not_used(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    consent(script)
    apply_taker(script)
    planned = script.until_asked("list_tags")
    script.world.decide(planned, "well")
    looked = script.until_asked("list_tags")
    assert looked is not planned
    consent(script, there=False)
    answer_all_but(script, looked)
    script.world.decide(looked, "well")
    script.calmly(60)
    assert (script.reason(ONE), script.reason(THREE)) == ("Enabled", "Conflict")
    assert script.mapping().tags["esm-operator.io/name"] == ONE.name


def test_a_consent_of_a_third_resource_that_changes_does_not_stop_a_take_over(script: Script) -> None:
    """Its user changes the annotation each time the operator reads the tags of the mapping."""
    script.apply(**SQS)
    script.apply(TWO, functionName="bills", eventSourceARN=f"{QUEUE}-bills")
    script.begin()
    owner = f"{CLUSTER_NAME}/{ONE}"
    uuid = script.status()["uuid"]
    script.apply(THREE, **SQS, adoption={"policy": "IfExists", "uuid": uuid, "takeOverFrom": owner})
    consent(script)
    for number in range(10):
        script.world.decide(script.until_asked("list_tags"), "well")
        value = None if number % 2 else str(THREE)
        script.cluster.edit(TWO, {"metadata": {"annotations": {ALLOW_TAKEOVER_BY: value}}})
        script.world.deliver(len(script.cluster.watch))
        if any(call.name == "tag_resource" for call in script.world.waiting):
            break
    else:
        raise AssertionError("the mapping is not taken over")
    script.calmly(5)
    assert (script.reason(ONE), script.reason(THREE)) == ("Conflict", "Enabled")


def test_an_observed_mapping_is_hidden_when_the_owner_withdraws_the_consent(script: Script) -> None:
    script.apply(**SQS)
    script.begin()
    consent(script)
    script.apply(THREE, **SQS, managementPolicy="Observe")
    script.calmly(60)
    assert (script.reason(THREE), script.status(THREE)["state"]) == ("Observed", "Enabled")
    consent(script, there=False)
    script.calmly(60)
    assert script.reason(THREE) == "Conflict"
    assert not script.status(THREE).keys() & {"uuid", "state", "arn", "functionARN", "lastModified", "tagsAll"}
