"""Self-managed Kafka: two mappings conflict if they share any bootstrap server."""

from typing import Any

from tests.bed import Bed
from tests.e2e.manifests import mapping

ACCESS = [
    {"type": "VPC_SUBNET", "uri": "subnet:subnet-1"},
    {"type": "VPC_SECURITY_GROUP", "uri": "security_group:sg-1"},
]


def servers(*names: str) -> dict[str, Any]:
    """The field of a spec with the bootstrap servers."""
    endpoints = {"KAFKA_BOOTSTRAP_SERVERS": [f"{name}.example.com:9092" for name in names]}
    return {"selfManagedEventSource": {"endpoints": endpoints}}


def kafka(name: str, *names: str, **spec: Any) -> dict[str, Any]:
    """A mapping of a topic on these servers. All mappings have the same function."""
    return mapping(
        name, functionName="orders", topics=["orders"], sourceAccessConfigurations=ACCESS, **servers(*names), **spec
    )


def test_a_replacement_with_servers_of_another_mapping_deletes_nothing(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    bed.apply(kafka("orders", "kafka-1", replacePolicy="Recreate"), kafka("others", "kafka-2"))
    uuids = {name: bed.wait_ready(name)["status"]["uuid"] for name in ("orders", "others")}
    bed.patch("orders", servers("kafka-1", "kafka-2"))
    told = bed.wait_condition("orders", "Stalled", "True", "Conflict")["message"]
    assert uuids["others"] in told
    assert f"{bed.namespace}/others" in told
    bed.wait_swept(3)
    assert {(one["UUID"], one["State"]) for one in bed.mappings()} == {(uuid, "Enabled") for uuid in uuids.values()}
    assert "DeleteEventSourceMapping" not in bed.calls()

    bed.patch("orders", servers("kafka-1"))
    assert bed.wait_ready("orders")["status"]["uuid"] == uuids["orders"]
    assert len(bed.mappings()) == 2


def test_a_replacement_with_more_servers_succeeds(bed: Bed) -> None:
    bed.operator()
    bed.apply(kafka("orders", "kafka-1", replacePolicy="Recreate"))
    before = bed.wait_ready("orders")["status"]["uuid"]
    bed.patch("orders", servers("kafka-1", "kafka-2"))
    after = bed.wait_ready("orders")["status"]["uuid"]
    assert after != before
    assert [one["UUID"] for one in bed.mappings()] == [after]
