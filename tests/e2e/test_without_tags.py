"""Regions in which event source mappings cannot have tags: the refusal, and the ownership mode without tags."""

from collections.abc import Generator

import pytest
import yaml

from tests.aws import FaultKind
from tests.bed import Bed
from tests.controlplane.client import ApiError
from tests.e2e.commands import run_command
from tests.e2e.manifests import HERE, TEN_KINDS, mapping, provider_config, queue, stream
from tests.waiting import eventually

RESOURCE_ONLY = "--ownership=resource-only"
TAG_CALLS = ("TagResource", "UntagResource", "ListTags", "GetResources")
CREATE = "CreateEventSourceMapping"
PAUSED = "lambda.esm-operator.io/paused"


@pytest.fixture
def place(bed: Bed) -> Generator[Bed]:
    """A bed with an AWS that refuses tags. The test fails if a request with tags is sent."""
    bed.control.set(tags_supported=False)
    yield bed
    assert {name: count for name, count in bed.calls().items() if name in TAG_CALLS} == {}
    assert [members for members in bed.requests(CREATE) if "Tags" in members] == []


def foreign(bed: Bed, name: str = "orders") -> str:
    """Create a mapping as another tool does. Returns its UUID."""
    made = bed.control.make_mapping(
        FunctionName=name, EventSourceArn=f"arn:aws:sqs:{HERE}:{name}", region="eu-west-1", BatchSize=7
    )
    return str(made["UUID"])


def uuids(bed: Bed) -> list[str]:
    """The mappings in AWS that are not being deleted."""
    return sorted(one["UUID"] for one in bed.mappings() if one["State"] != "Deleting")


def wait_settled(bed: Bed, name: str = "orders") -> None:
    """Wait until the resource records that no Create is pending."""
    eventually(lambda: "creating" not in bed.status(name), what="no Create is outstanding")


# -- With owner tags ----------------------------------------------------------------------------------------


def test_a_refusal_of_tags_has_its_own_reason_and_ends_with_the_ownership_mode(bed: Bed) -> None:
    bed.control.set(tags_supported=False)
    existing = foreign(bed, "existing")
    bed.operator()
    bed.apply(queue("orders"), queue("existing"))
    for name in ("orders", "existing"):  # Create with tags, and ListTags of the conflicting mapping
        told = bed.wait_condition(name, "Stalled", "True", "TagsNotSupported")
        assert "spec.ownership" in told["message"]
        assert "--ownership=resource-only" in told["message"]
    assert uuids(bed) == [existing]
    eventually(lambda: "Tags not supported in request." in bed.events("orders").get("TagsNotSupported", ""))

    bed.apply(provider_config("default", ownership="ResourceOnly"))
    bed.wait_ready("orders")
    bed.wait_condition("existing", "Stalled", "True", "Conflict")


# -- Without owner tags -------------------------------------------------------------------------------------


def test_a_mapping_is_created_edited_corrected_and_deleted(place: Bed) -> None:
    place.operator(RESOURCE_ONLY, "--sweep-interval=1", "--tag-sweep-interval=1")
    place.apply(queue(batchSize=5))
    uuid = place.wait_ready("orders")["status"]["uuid"]
    assert uuids(place) == [uuid]
    wait_settled(place)

    place.patch("orders", {"batchSize": 6, "enabled": False})
    eventually(lambda: place.mapping("orders")["BatchSize"] == 6)
    place.wait_ready("orders")
    place.control.edit_mapping(uuid, BatchSize=9)
    eventually(lambda: place.mapping("orders")["BatchSize"] == 6, what="drift is corrected")
    eventually(lambda: "batchSize" in place.events("orders").get("DriftCorrected", ""))
    place.patch("orders", {"functionName": "payments"})
    eventually(lambda: place.mapping("orders")["FunctionArn"].endswith(":payments"))
    place.wait_ready("orders")

    place.annotate("orders", reconcile_at="now")
    eventually(lambda: place.status("orders").get("lastHandledReconcileAt") == "now")
    place.delete("orders")
    place.wait_gone("orders")
    assert place.mappings() == []


def test_a_mapping_that_is_deleted_by_hand_is_created_again(place: Bed) -> None:
    place.operator(RESOURCE_ONLY, "--sweep-interval=1")
    place.apply(queue())
    first = place.wait_ready("orders")["status"]["uuid"]
    place.control.delete_mapping(first)
    eventually(lambda: place.status("orders").get("uuid") not in (None, first))
    place.wait_ready("orders")
    assert uuids(place) == [place.status("orders")["uuid"]]
    place.event("orders", "CreatedAgain")


def test_the_mode_applies_to_one_provider_config_only(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("plain", ownership="ResourceOnly"), provider_config("tagged"))
    bed.apply(
        queue("plain", providerConfigRef={"name": "plain"}), queue("tagged", providerConfigRef={"name": "tagged"})
    )
    bed.wait_ready("plain")
    bed.wait_ready("tagged")
    assert bed.mapping("plain")["Tags"] == {}
    assert bed.mapping("tagged")["Tags"]["esm-operator.io/name"] == "tagged"


def test_tags_and_takeovers_are_refused(place: Bed) -> None:
    place.operator(RESOURCE_ONLY)
    place.apply(provider_config("shop", defaultTags={"team": "shop"}))
    place.apply(
        queue("tags", tags={"team": "shop"}),
        queue("default-tags", providerConfigRef={"name": "shop"}),
        queue("take-over", adoption={"policy": "IfExists", "uuid": foreign(place), "takeOverFrom": "a/b/c"}),
    )
    for name, field in (
        ("tags", "spec.tags"),
        ("default-tags", "defaultTags"),
        ("take-over", "spec.adoption.takeOverFrom"),
    ):
        told = place.wait_condition(name, "Stalled", "True", "InvalidSpec")
        assert field in told["message"]
        assert "ResourceOnly" in told["message"]
    place.patch("tags", {"tags": None})
    place.wait_ready("tags")


def test_a_provider_config_in_this_mode_accepts_no_default_tags(bed: Bed) -> None:
    config = provider_config("shop", ownership="ResourceOnly", defaultTags={"team": "shop"})
    with pytest.raises(ApiError) as refused:
        bed.apply(config)
    assert "defaultTags" in refused.value.message
    assert "ResourceOnly" in refused.value.message


def test_a_retained_mapping_remains(place: Bed) -> None:
    place.operator(RESOURCE_ONLY)
    place.apply(queue(deletionPolicy="Retain"))
    uuid = place.wait_ready("orders")["status"]["uuid"]
    place.delete("orders")
    place.wait_gone("orders")
    assert uuids(place) == [uuid]
    assert uuid in place.event("orders", "Released")

    place.apply(queue())
    place.wait_condition("orders", "Stalled", "True", "Conflict")
    place.patch("orders", {"adoption": {"policy": "IfExists"}})
    assert place.wait_ready("orders")["status"]["uuid"] == uuid


@pytest.mark.parametrize("change", ["position", "source"])
def test_a_replacement_leaves_one_mapping(place: Bed, change: str) -> None:
    """The old mapping is deleted first if the source is the same. Otherwise the new one is created first."""
    place.operator(RESOURCE_ONLY)
    place.apply(stream(replacePolicy="Recreate"))
    old = place.wait_ready("orders")["status"]["uuid"]
    source = f"arn:aws:kinesis:{HERE}:stream/payments"
    place.patch("orders", {"startingPosition": "TRIM_HORIZON"} if change == "position" else {"eventSourceARN": source})
    eventually(lambda: place.status("orders").get("uuid") not in (None, old))
    place.wait_ready("orders")
    eventually(lambda: uuids(place) == [place.status("orders")["uuid"]])
    made = place.mapping("orders")
    assert made["StartingPosition" if change == "position" else "EventSourceArn"] in ("TRIM_HORIZON", source)
    wait_settled(place)


# -- What only the resource records -------------------------------------------------------------------------


def test_a_mapping_whose_create_was_not_answered_is_found(place: Bed) -> None:
    place.control.fault(FaultKind.ANSWER_LOST, CREATE, times=1)
    place.operator(RESOURCE_ONLY)
    place.apply(queue())
    place.wait_ready("orders")
    assert uuids(place) == [place.status("orders")["uuid"]]
    wait_settled(place)
    place.delete("orders")
    place.wait_gone("orders")
    assert place.mappings() == []


def test_mappings_of_all_kinds_whose_creates_were_not_answered_are_found(place: Bed) -> None:
    """The operator recognises each mapping by its identity and its immutable fields in AWS."""
    place.control.fault(FaultKind.ANSWER_LOST, CREATE, times=len(TEN_KINDS))
    place.operator(RESOURCE_ONLY)
    place.apply(*(mapping(name, **spec) for name, spec in TEN_KINDS.items()))
    for name in TEN_KINDS:
        place.wait_ready(name)
    assert uuids(place) == sorted(place.status(name)["uuid"] for name in TEN_KINDS)
    assert place.calls()[CREATE] == len(TEN_KINDS)
    place.delete_all()
    eventually(lambda: place.all() == [])
    assert place.mappings() == []


def test_a_mapping_whose_create_was_not_answered_is_deleted_with_the_resource(place: Bed) -> None:
    place.control.fault(FaultKind.ANSWER_LOST, CREATE, times=1)
    place.operator(RESOURCE_ONLY)
    place.apply(queue())
    eventually(place.mappings)
    place.control.fault(FaultKind.SERVICE_EXCEPTION, CREATE)
    place.delete("orders")
    place.wait_gone("orders")
    assert place.mappings() == []


def test_a_create_that_takes_effect_after_the_next_one_leaves_one_mapping(place: Bed) -> None:
    """No other mapping uses the function of that Create at this time."""
    place.control.set(pace=0.05)
    place.control.fault(FaultKind.DELAY, CREATE, times=1, seconds=8.0)
    place.operator(RESOURCE_ONLY, "--sweep-interval=1")
    place.apply(queue())
    place.wait_ready("orders")
    place.patch("orders", {"functionName": "payments"})
    place.wait_ready("orders")
    eventually(lambda: len(place.requests(CREATE)) >= 2, what="AWS has answered both")
    eventually(lambda: uuids(place) == [place.status("orders")["uuid"]], what="one mapping")
    wait_settled(place)


def test_a_kill_during_a_create_leaves_one_mapping(place: Bed) -> None:
    place.control.fault(FaultKind.DELAY_ANSWER, CREATE, times=1, seconds=4.0)
    operator = place.operator(RESOURCE_ONLY)
    place.apply(queue())
    made = eventually(place.mappings)[0]["UUID"]
    operator.kill()
    assert "uuid" not in place.status("orders")

    operator.start()
    assert place.wait_ready("orders")["status"]["uuid"] == made
    assert uuids(place) == [made]
    assert place.calls()[CREATE] == 1
    wait_settled(place)


def test_a_kill_during_a_create_and_a_deletion_before_the_restart_leave_no_mapping(place: Bed) -> None:
    place.control.fault(FaultKind.DELAY_ANSWER, CREATE, times=1, seconds=4.0)
    operator = place.operator(RESOURCE_ONLY)
    place.apply(queue())
    eventually(place.mappings)
    operator.kill()
    place.delete("orders")
    operator.start()
    place.wait_gone("orders")
    assert place.mappings() == []


def test_a_kill_during_a_replacement_leaves_one_mapping(place: Bed) -> None:
    """The new mapping exists, and only the intent records it."""
    operator = place.operator(RESOURCE_ONLY)
    place.apply(stream(replacePolicy="Recreate"))
    old = place.wait_ready("orders")["status"]["uuid"]
    place.control.fault(FaultKind.DELAY_ANSWER, CREATE, times=1, seconds=4.0)
    place.patch("orders", {"eventSourceARN": f"arn:aws:kinesis:{HERE}:stream/payments"})
    eventually(lambda: len(place.mappings()) == 2)
    operator.kill()
    operator.start()
    eventually(lambda: place.status("orders").get("uuid") not in (None, old))
    place.wait_ready("orders")
    eventually(lambda: uuids(place) == [place.status("orders")["uuid"]])
    assert place.mapping("orders")["EventSourceArn"].endswith("payments")


# -- Mappings of others -------------------------------------------------------------------------------------


def test_a_mapping_of_another_tool_is_a_conflict_and_never_changed(place: Bed) -> None:
    other = foreign(place)
    before = place.mappings()
    operator = place.operator(RESOURCE_ONLY, "--sweep-interval=1")
    place.apply(queue(batchSize=5))
    told = place.wait_condition("orders", "Stalled", "True", "Conflict")
    assert other in told["message"]
    assert "adoption" in told["message"]
    operator.kill()
    operator.start()  # the intent alone does not make the resource the owner of the mapping
    place.wait_swept(2)
    place.patch("orders", {"batchSize": 6})
    place.wait_condition("orders", "Stalled", "True", "Conflict")
    place.delete("orders")
    place.wait_gone("orders")
    assert place.mappings() == before
    assert CREATE not in place.calls()


def test_a_mapping_that_aws_names_in_a_refusal_is_not_owned(place: Bed) -> None:
    """Another tool created it between the last list and the Create."""
    place.control.fault(FaultKind.DELAY, CREATE, times=1, seconds=2.0)
    operator = place.operator(RESOURCE_ONLY, "--sweep-interval=3600")
    place.apply(queue())
    eventually(lambda: CREATE in place.calls())
    other = foreign(place)
    told = place.wait_condition("orders", "Stalled", "True", "Conflict")
    assert other in told["message"]
    wait_settled(place)
    operator.kill()
    operator.start()
    place.wait_swept()
    place.delete("orders")
    place.wait_gone("orders")
    assert [(one["UUID"], one["BatchSize"]) for one in place.mappings()] == [(other, 7)]


def test_a_mapping_that_was_only_observed_is_not_owned(place: Bed) -> None:
    other = foreign(place)
    place.operator(RESOURCE_ONLY)
    place.apply(queue(managementPolicy="Observe", batchSize=5))
    place.wait_condition("orders", "Ready", "True", "Observed")
    assert place.status("orders")["uuid"] == other
    place.patch("orders", {"managementPolicy": "Full"})
    place.wait_condition("orders", "Stalled", "True", "Conflict")
    place.delete("orders")
    place.wait_gone("orders")
    assert [(one["UUID"], one["BatchSize"]) for one in place.mappings()] == [(other, 7)]


def test_a_mapping_is_adopted_once(place: Bed) -> None:
    """A second resource that may adopt the same mapping does not get it, also not after a restart."""
    other = foreign(place)
    operator = place.operator(RESOURCE_ONLY, "--sweep-interval=1")
    place.apply(queue(batchSize=5, adoption={"policy": "IfExists"}))
    assert place.wait_ready("orders")["status"]["uuid"] == other
    eventually(lambda: place.mapping("orders")["BatchSize"] == 5)
    second = queue("second", adoption={"policy": "IfExists", "uuid": other})
    second["spec"] |= {"functionName": "orders", "eventSourceARN": f"arn:aws:sqs:{HERE}:orders"}
    place.apply(second)
    told = place.wait_condition("second", "Stalled", "True", "Conflict")
    assert f"{place.namespace}/orders" in told["message"]
    assert "takeOverFrom" not in told["message"]
    operator.kill()
    operator.start()
    place.wait_swept(2)
    place.delete("second")
    place.wait_gone("second")
    assert uuids(place) == [other]

    place.delete("orders")
    place.wait_gone("orders")
    assert place.mappings() == []


def test_of_two_resources_that_record_the_same_mapping_the_older_one_owns_it(place: Bed) -> None:
    """A user has copied a status."""
    place.operator(RESOURCE_ONLY)
    place.apply(queue())
    uuid = place.wait_ready("orders")["status"]["uuid"]
    applied = place.status("orders")["applied"]
    second = queue("second")
    second["metadata"]["annotations"] = {PAUSED: "true"}
    place.apply(second)
    place.wait_condition("second", "Reconciling", "True", "Paused")
    place.write_status("second", {"uuid": uuid, "applied": applied})
    place.annotate("second", paused=None)
    older, younger = sorted(("orders", "second"), key=lambda name: age(place, name))
    place.delete(younger)
    place.wait_gone(younger)
    assert uuid in uuids(place)
    place.delete(older)
    place.wait_gone(older)
    assert place.mappings() == []


def age(bed: Bed, name: str) -> tuple[str, str]:
    """A key that orders resources by age, and then by uid."""
    found = bed.get(name)
    assert found is not None
    return found["metadata"]["creationTimestamp"], found["metadata"]["uid"]


# -- The commands -------------------------------------------------------------------------------------------


def test_the_command_orphans_reports_that_it_needs_tags(place: Bed) -> None:
    cluster = {"HOME": str(place.plane.kubeconfig.parent), "KUBECONFIG": str(place.plane.kubeconfig)}
    cluster["ESM_OPERATOR_CLUSTER_NAME"] = "default"
    ended = run_command(place, "orphans", RESOURCE_ONLY, environment=cluster)
    assert ended.returncode == 1
    assert "eu-west-1: mappings have no owner tags there (ownership ResourceOnly)" in ended.stderr
    place.apply(provider_config("tagged", region="us-west-2", ownership="Tags"))
    place.control.set(tags_supported=True)
    ended = run_command(place, "orphans", RESOURCE_ONLY, environment=cluster)
    assert "eu-west-1: mappings have no owner tags there" in ended.stderr
    assert "No orphans of cluster default among 0 mappings in us-west-2." in ended.stderr
    assert ended.returncode == 0
    place.control.reset_counts()


def test_mappings_are_exported_without_tags(bed: Bed) -> None:
    bed.control.set(tags_supported=False)
    uuid = foreign(bed)
    ended = run_command(bed, "export", "--requests-per-second=1000", environment={})
    assert ended.returncode == 0, ended.stderr
    assert "Event source mappings have no tags in this region" in ended.stderr
    (manifest,) = yaml.safe_load_all(ended.stdout)
    assert manifest["spec"]["adoption"]["uuid"] == uuid
    assert "tags" not in manifest["spec"]
    bed.operator(RESOURCE_ONLY)
    bed.kubectl("apply", "--filename=-", input=ended.stdout)
    bed.wait_ready(manifest["metadata"]["name"])
    assert uuids(bed) == [uuid]


# -- Another mode -------------------------------------------------------------------------------------------


def test_the_mode_of_a_resource_can_change(bed: Bed) -> None:
    bed.apply(provider_config("default", ownership="Tags"))
    operator = bed.operator()
    bed.apply(queue(batchSize=5))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    before = bed.mapping("orders")["Tags"]

    bed.apply(provider_config("default", ownership="ResourceOnly"))
    bed.control.set(tags_supported=False)
    bed.patch("orders", {"batchSize": 6})
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 6)
    bed.wait_ready("orders")
    assert (bed.status("orders")["uuid"], bed.mapping("orders")["Tags"]) == (uuid, before)

    bed.control.edit_mapping(uuid, Tags={})  # as if it had been created without tags
    bed.patch("orders", {"adoption": {"policy": "IfExists"}})
    bed.wait_ready("orders")
    operator.stop()
    bed.control.set(tags_supported=True)
    bed.apply(provider_config("default", ownership="Tags"))
    bed.patch("orders", {"batchSize": 7})
    operator.start()
    eventually(lambda: bed.mapping("orders")["Tags"] == before, "it is adopted")
    eventually(lambda: bed.mapping("orders")["BatchSize"] == 7)
    assert bed.wait_ready("orders")["status"]["uuid"] == uuid
    assert uuids(bed) == [uuid]
