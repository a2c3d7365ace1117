"""A manifest that was copied with the operator's annotations. They belong to the other resource and have no effect."""

from typing import Any

from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue

ELSEWHERE = "222222222222"


def copied(bed: Bed, name: str, **spec: Any) -> None:
    """Create a resource from another one, with all of its metadata except the name, and with another spec."""
    original = bed.get("orders")
    assert original is not None
    kept = {part: original["metadata"][part] for part in ("annotations", "finalizers", "namespace")}
    copy = {**queue(name, **spec), "metadata": {**kept, "name": name}}
    bed.client.create(copy)


def test_a_copy_for_another_region_is_made_there(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    copied(bed, "copy", eventSourceARN="arn:aws:sqs:us-west-2:123456789012:copy")
    bed.wait_ready("copy")
    assert {name: bed.mapping(name)["region"] for name in ("orders", "copy")} == {
        "orders": "eu-west-1",
        "copy": "us-west-2",
    }
    bed.delete("copy")
    bed.wait_gone("copy")
    assert [one["UUID"] for one in bed.mappings()] == [bed.status("orders")["uuid"]]


def test_a_copy_for_another_account_is_made_there(bed: Bed) -> None:
    bed.operator()
    bed.apply(provider_config("elsewhere", roleARN=f"arn:aws:iam::{ELSEWHERE}:role/shop"))
    bed.apply(queue())
    bed.wait_ready("orders")
    copied(
        bed,
        "copy",
        eventSourceARN=f"arn:aws:sqs:eu-west-1:{ELSEWHERE}:copy",
        providerConfigRef={"name": "elsewhere"},
    )
    bed.wait_ready("copy")
    assert {name: bed.mapping(name)["account"] for name in ("orders", "copy")} == {
        "orders": "123456789012",
        "copy": ELSEWHERE,
    }
