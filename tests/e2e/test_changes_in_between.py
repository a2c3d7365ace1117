"""Values that are removed and set again, or change on one side only: AWS, the status and Events stay correct."""

from collections.abc import Generator

import pytest

from tests.bed import Bed
from tests.e2e.manifests import HERE, QUEUE, provider_config, queue, stream
from tests.waiting import eventually

SECONDLY = "--sweep-interval=1"
KEY = f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555"
FILTER = {"filters": [{"pattern": '{"body": {"kind": ["new"]}}'}]}


@pytest.fixture
def held(bed: Bed) -> Generator[None]:
    """Hold transitions in AWS during the test, and release them when it ends."""
    yield
    bed.control.set(hold=False)


def wait_all_told(bed: Bed) -> None:
    """Wait until all Events are posted. They are sent in order, so the Event of a new change is the last one."""
    bed.patch("orders", {"batchSize": 8})

    def told() -> bool:
        return any("batchSize" in one["message"] for one in bed.list_events() if one["reason"] == "Updated")

    eventually(told, "the last change is in the status")


def test_an_encrypted_filter_that_was_removed_is_set_again(bed: Bed) -> None:
    """AWS does not show encrypted filters, so only the status records the filter."""
    bed.operator(SECONDLY)
    bed.apply(queue(kmsKeyARN=KEY, filterCriteria=FILTER))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    client = bed.aws.client("lambda", region="eu-west-1")

    def at_aws() -> bool:
        return bool(client.get_event_source_mapping(UUID=uuid).get("FilterCriteria"))

    assert at_aws()
    bed.wait_swept(2)
    bed.patch("orders", {"filterCriteria": None})
    bed.wait_ready("orders")
    eventually(lambda: not at_aws(), what="the filter is off")
    bed.wait_swept(2)
    bed.patch("orders", {"filterCriteria": FILTER})
    eventually(at_aws, "the filter is on again")
    bed.wait_ready("orders")
    assert bed.status("orders")["uuid"] == uuid
    before = len(bed.requests("UpdateEventSourceMapping"))
    bed.wait_swept(3)
    assert at_aws()
    assert len(bed.requests("UpdateEventSourceMapping")) == before


def test_an_observed_mapping_that_is_recreated_is_recorded_with_its_new_uuid(bed: Bed) -> None:
    made = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, BatchSize=3, region="eu-west-1")
    bed.operator(SECONDLY)
    bed.apply(queue(managementPolicy="Observe", batchSize=5))
    assert bed.wait_ready("orders")["status"]["uuid"] == made["UUID"]
    bed.control.delete_mapping(made["UUID"])
    anew = bed.control.make_mapping(FunctionName="orders", EventSourceArn=QUEUE, BatchSize=7, region="eu-west-1")
    eventually(lambda: bed.status("orders").get("uuid") == anew["UUID"], "the new UUID is noted")
    eventually(lambda: "batchSize: 7" in bed.condition("orders", "Synced")["message"], "its values are compared")
    assert bed.status("orders")["arn"].endswith(anew["UUID"])


def test_a_default_tag_that_a_provider_config_drops_is_no_drift(bed: Bed) -> None:
    bed.operator(SECONDLY)
    bed.apply(provider_config("default", defaultTags={"team": "platform", "stage": "test"}))
    bed.apply(queue())
    eventually(lambda: bed.status("orders").get("tagsAll", {}).get("stage") == "test")
    bed.wait_ready("orders")
    bed.apply(provider_config("default", defaultTags={"team": "platform"}))
    eventually(lambda: "stage" not in bed.mapping("orders")["Tags"])
    eventually(lambda: "stage" not in bed.status("orders")["tagsAll"])
    wait_all_told(bed)
    assert "DriftCorrected" not in bed.events("orders")


@pytest.mark.usefixtures("held")
def test_an_edit_that_is_undone_during_the_deletion_is_not_reported_as_drift(bed: Bed) -> None:
    """The edits caused the new mapping. Nobody deleted the old one by hand."""
    bed.operator()
    bed.apply(stream(replacePolicy="Recreate"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.set(hold=True)
    bed.patch("orders", {"startingPosition": "TRIM_HORIZON"})
    eventually(lambda: [one["State"] for one in bed.mappings()] == ["Deleting"])
    bed.patch("orders", {"startingPosition": "LATEST"})
    eventually(lambda: bed.condition("orders", "Ready"), what="the edit is taken up")
    bed.control.set(hold=False)
    eventually(lambda: bed.status("orders").get("uuid") not in (before, None, ""))
    bed.wait_ready("orders")
    wait_all_told(bed)
    assert "CreatedAgain" not in bed.events("orders")
