"""A tenant connects functions, event sources and destinations of other teams, with the rights of the operator."""

import pytest

from tests.bed import Bed
from tests.e2e.manifests import HERE, TEN_KINDS, mapping, provider_config, queue, stream

ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:{HERE}:function"
KAFKA = TEN_KINDS["self-managed-kafka"]


def limited(bed: Bed, **lists: list[str]) -> None:
    """Create the default ProviderConfig with allow-lists, and start the operator."""
    bed.apply(provider_config("default", **lists))
    bed.operator()


def assert_refused(bed: Bed, name: str, *parts: str) -> None:
    """Wait until a resource is refused. No mapping is created, and no request names its function."""
    stalled = bed.wait_condition(name, "Stalled", "True", "NotAllowed")
    for part in (*parts, 'ProviderConfig "default"', bed.namespace):
        assert part in stalled["message"]
    assert bed.requests("CreateEventSourceMapping") == []


@pytest.mark.parametrize(
    "function",
    [
        "bank_ledger",
        "bank_ledger:live",
        f"{FUNCTION}:bank_ledger",
        f"{ACCOUNT}:function:bank_ledger",
        "arn:aws:lambda:eu-west-1:222222222222:function:{namespace}_orders",
        "222222222222:function:{namespace}_orders",
        "{namespace}-b_orders",
    ],
)
def test_the_function_of_another_team_is_refused(bed: Bed, function: str) -> None:
    limited(bed, allowedFunctions=["${namespace}_*", f"{FUNCTION}:shared"])
    function = function.replace("{namespace}", bed.namespace)
    bed.apply(queue(functionName=function))
    assert_refused(bed, "orders", "spec.functionName", function.rpartition("function:")[2], "allowedFunctions")
    bed.annotate("orders", reconcile_at="now")

    bed.patch("orders", {"functionName": f"{bed.namespace}_orders:live"})
    bed.wait_ready("orders")
    assert bed.functions() == {"live": 1}
    bed.apply(queue("shared", functionName="shared:blue"))
    bed.wait_ready("shared")


def test_the_queue_of_another_team_is_refused(bed: Bed) -> None:
    limited(bed, allowedEventSources=["arn:aws:sqs:*:*:${namespace}_*"])
    bed.apply(queue("ledger"))
    assert_refused(bed, "ledger", f'spec.eventSourceARN "arn:aws:sqs:{HERE}:ledger"', "allowedEventSources")
    bed.apply(mapping("kafka", **KAFKA))
    assert_refused(bed, "kafka", "KAFKA_BOOTSTRAP_SERVERS")
    bed.apply(queue(eventSourceARN=f"arn:aws:sqs:{HERE}:{bed.namespace}_orders"))
    bed.wait_ready("orders")


def test_each_bootstrap_server_must_be_allowed(bed: Bed) -> None:
    limited(bed, allowedEventSources=["kafka://kafka-*.example.com:9092"])
    servers = ["kafka-1.example.com:9092", "kafka-1.example.com.attacker.test:9092"]
    endpoints = {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
    bed.apply(mapping("mixed", **{**KAFKA, "selfManagedEventSource": endpoints}))
    assert_refused(bed, "mixed", '"kafka://kafka-1.example.com.attacker.test:9092"')
    bed.apply(mapping("kafka", **KAFKA))
    bed.wait_ready("kafka")


def test_a_destination_outside_of_the_list_is_refused(bed: Bed) -> None:
    limited(bed, allowedDestinations=["arn:aws:s3:::${namespace}.*"])
    stolen = {"onFailure": {"destination": "arn:aws:s3:::attacker"}}
    bed.apply(stream(destinationConfig=stolen))
    assert_refused(bed, "orders", 'spec.destinationConfig.onFailure.destination "arn:aws:s3:::attacker"')
    bed.patch("orders", {"destinationConfig": {"onFailure": {"destination": f"arn:aws:s3:::{bed.namespace}.failed"}}})
    bed.wait_ready("orders")
    bed.patch("orders", {"destinationConfig": stolen})
    bed.wait_condition("orders", "Stalled", "True", "NotAllowed")
    assert bed.mapping("orders")["DestinationConfig"]["OnFailure"]["Destination"].endswith(".failed")


def test_a_mapping_that_is_not_allowed_any_more_is_left_and_can_be_deleted(bed: Bed) -> None:
    bed.apply(provider_config("default"))
    bed.operator()
    bed.apply(queue(), queue("kept", deletionPolicy="Retain"))
    bed.wait_ready("orders")
    bed.wait_ready("kept")
    uuid = bed.status("orders")["uuid"]

    bed.apply(provider_config("default", allowedFunctions=["${namespace}_*"]))
    for name in ("orders", "kept"):
        bed.wait_condition(name, "Stalled", "True", "NotAllowed")
    bed.control.edit_mapping(uuid, BatchSize=7)
    bed.wait_swept(2)
    assert bed.mapping_by_uuid(uuid)["BatchSize"] == 7

    bed.delete("orders")
    bed.delete("kept")
    bed.wait_gone("orders")
    bed.wait_gone("kept")
    assert [one["FunctionArn"].rpartition(":")[2] for one in bed.mappings()] == ["kept"]


def test_a_mapping_of_a_function_that_is_not_allowed_cannot_be_adopted(bed: Bed) -> None:
    """The resource names its own function, and the UUID of a mapping of another function."""
    limited(bed, allowedFunctions=["${namespace}_*"])
    source = f"arn:aws:sqs:{HERE}:ledger"
    theirs = bed.control.make_mapping(FunctionName="bank_ledger", EventSourceArn=source, region="eu-west-1")
    adoption = {"policy": "IfExists", "uuid": theirs["UUID"]}
    bed.apply(queue(functionName=f"{bed.namespace}_orders", eventSourceARN=source, adoption=adoption))
    conflict = bed.wait_condition("orders", "Stalled", "True", "NotAllowed")
    assert theirs["UUID"] in conflict["message"]
    assert "bank_ledger" not in conflict["message"]
    (found,) = bed.mappings()
    assert found["FunctionArn"].endswith("bank_ledger")
