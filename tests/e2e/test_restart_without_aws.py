"""The operator starts while AWS is unreachable: resources that were Ready do not stay Ready forever."""

import pytest

from tests.aws import FaultKind
from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.waiting import eventually

WITHOUT = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/nowhere"}


def test_missing_credentials_for_a_role_are_reported(bed: Bed) -> None:
    bed.apply(provider_config("shop", roleARN="arn:aws:iam::222222222222:role/shop"))
    operator = bed.operator("--sweep-interval=1")
    source = "arn:aws:sqs:eu-west-1:222222222222:orders"
    bed.apply(queue(providerConfigRef={"name": "shop"}, batchSize=5, eventSourceARN=source))
    uuid = bed.wait_ready("orders")["status"]["uuid"]
    operator.stop()

    without = bed.operator("--sweep-interval=1", environment=WITHOUT)
    told = bed.wait_condition("orders", "Ready", "False", "NoCredentials")
    assert "Give the operator's ServiceAccount an IAM role" in told["message"]
    assert bed.status("orders")["uuid"] == uuid
    without.stop()

    operator.start()
    bed.control.edit_mapping(uuid, BatchSize=1)
    bed.wait_ready("orders")
    eventually(lambda: {one["UUID"]: one for one in bed.mappings()}[uuid]["BatchSize"] == 5, what="it works again")


def test_a_refused_list_is_reported_and_a_single_failure_is_not(bed: Bed) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue(batchSize=5))
    bed.wait_ready("orders")
    operator.stop()
    before = bed.versions()
    bed.control.fault(FaultKind.THROTTLE, "ListEventSourceMappings", times=2)
    operator.start()
    bed.wait_swept(4)
    assert bed.versions() == before, "two refusals that passed by themselves"
    operator.stop()

    denied = bed.control.fault(FaultKind.ACCESS_DENIED, "ListEventSourceMappings")
    operator.start()
    told = bed.wait_condition("orders", "Ready", "False", "AccessDenied")
    assert "lambda:ListEventSourceMappings" in told["message"]
    bed.control.remove_fault(denied)
    bed.wait_ready("orders")


def test_the_first_connection_fails_while_there_are_no_resources(bed: Bed) -> None:
    bed.control.fault(FaultKind.UNRECOGNIZED_CLIENT)
    bed.operator("--sweep-interval=1")
    eventually(lambda: bed.calls().get("GetCallerIdentity", 0) >= 1, what="an attempt to connect")
    bed.control.clear_faults()
    bed.wait_swept()


@pytest.mark.long
def test_a_role_that_no_resource_uses_any_more_is_not_assumed(bed: Bed) -> None:
    """The role was wrong when the operator started, and was corrected."""
    arn = "arn:aws:iam::222222222222:role"
    bed.control.fault(FaultKind.ACCESS_DENIED, "AssumeRole", match={"RoleArn": f"{arn}/wrong"})
    bed.apply(provider_config("default", roleARN=f"{arn}/wrong"))
    bed.operator("--sweep-interval=1")
    eventually(lambda: bed.calls().get("AssumeRole", 0) >= 2, what="attempts to connect")
    bed.apply(provider_config("default", roleARN=f"{arn}/right"))
    bed.apply(queue(eventSourceARN="arn:aws:sqs:eu-west-1:222222222222:orders"))
    bed.wait_ready("orders")
    bed.wait_swept(15)
    bed.control.reset_counts()
    bed.wait_swept(15)
    assert bed.calls().get("AssumeRole", 0) == 0
