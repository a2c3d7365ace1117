"""``status.observed``: what AWS has for each field, without a call to AWS and with few writes."""

from typing import Any

import pytest

from tests.bed import WRITES, Bed
from tests.e2e.manifests import HERE, QUEUE, TEN_KINDS, mapping, queue, stream
from tests.waiting import eventually

KEY = f"arn:aws:kms:{HERE}:key/orders"
FILTERS = {"filters": [{"pattern": '{ "body": {"kind": ["new"]} }'}, {"pattern": '{"body": {"kind": ["old"]}}'}]}


def observed(bed: Bed, name: str = "orders") -> dict[str, Any]:
    return bed.status(name).get("observed", {})


def test_the_status_has_the_values_of_the_spec_and_those_that_aws_chose(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(*(mapping(name, **spec) for name, spec in TEN_KINDS.items()))
    for name, spec in TEN_KINDS.items():
        bed.wait_ready(name)
        found = observed(bed, name)
        assert found["functionName"] == name
        assert found["enabled"] is True
        assert found["batchSize"] == bed.mapping(name)["BatchSize"]
        for field, value in spec.items():
            if not isinstance(value, dict):
                assert found[field] == value, field
    kafka = bed.mapping("msk")
    group = kafka["AmazonManagedKafkaEventSourceConfig"]["ConsumerGroupId"]
    assert observed(bed, "msk")["amazonManagedKafkaEventSourceConfig"]["consumerGroupID"] == group
    assert observed(bed, "msk")["startingPosition"] == kafka["StartingPosition"]
    assert bed.calls()["CreateEventSourceMapping"] == len(TEN_KINDS)
    assert bed.calls().keys() & WRITES == {"CreateEventSourceMapping"}


def test_an_edit_and_a_change_by_others_are_shown(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(maximumBatchingWindowInSeconds=5, filterCriteria=FILTERS))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    assert observed(bed)["filterCriteria"] == FILTERS
    assert observed(bed)["batchSize"] == 10
    bed.patch("orders", {"maximumBatchingWindowInSeconds": 6, "filterCriteria": None})
    eventually(lambda: observed(bed)["maximumBatchingWindowInSeconds"] == 6)
    bed.wait_ready("orders")
    assert "filterCriteria" not in observed(bed)
    bed.control.edit_mapping(uuid, BatchSize=9, ScalingConfig={"MaximumConcurrency": 7})
    eventually(lambda: observed(bed)["batchSize"] == 9, "no field of the spec differs, and the status shows the change")
    assert observed(bed)["scalingConfig"] == {"maximumConcurrency": 7}
    assert bed.condition("orders", "Synced")["status"] == "True"


def test_a_mapping_that_is_only_observed_shows_its_values(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    made = bed.control.make_mapping(
        FunctionName="orders", EventSourceArn=QUEUE, BatchSize=3, Enabled=False, region="eu-west-1"
    )
    bed.apply(queue(managementPolicy="Observe", batchSize=9))
    eventually(lambda: observed(bed).get("batchSize") == 3)
    assert bed.status("orders")["uuid"] == made["UUID"]
    assert observed(bed)["enabled"] is False


def test_encrypted_filters_are_not_shown(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(queue(kmsKeyARN=KEY, filterCriteria=FILTERS))
    bed.wait_ready("orders")
    assert observed(bed)["kmsKeyARN"] == KEY
    assert "filterCriteria" not in observed(bed)


def test_a_status_of_an_earlier_version_is_not_written_for_the_new_field(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue("orders"), stream("returns"))
    bed.wait_ready("orders")
    bed.wait_ready("returns")
    operator.stop()
    bed.write_status("orders", {"observed": None})
    bed.write_status("returns", {"observed": {"batchSize": None}})
    before = bed.versions()

    operator.start()
    bed.wait_swept(4)
    assert bed.versions() == before
    bed.patch("orders", {"batchSize": 6})
    bed.patch("returns", {"batchSize": 7})
    eventually(lambda: observed(bed).get("batchSize") == 6, "the next write has the field")
    eventually(lambda: observed(bed, "returns").get("batchSize") == 7)


@pytest.mark.parametrize("value", ["NEW_WORD", "x" * 9_000])
def test_a_value_that_this_version_does_not_know_is_shown(bed: Bed, value: str) -> None:
    """The status is written whatever AWS answers."""
    bed.operator("--sweep-interval=1")
    bed.apply(stream())
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    bed.control.edit_mapping(uuid, FunctionResponseTypes=[value, value], BatchSize=2**40)
    eventually(lambda: observed(bed).get("batchSize") == 2**40)
    assert [one[:8] for one in observed(bed)["functionResponseTypes"]] == [value[:8]] * 2
