"""A tenant uses many targets. Other namespaces keep working, and the operator uses threads for a few targets only."""

from esm_operator.adapters.botocore_regions import known_regions
from tests.bed import Bed
from tests.conftest import NewBed
from tests.e2e.manifests import queue
from tests.waiting import eventually

REGIONS = sorted(known_regions() - {"eu-west-1"})[:8]
ENTRY = f"{__name__}:main"


def main() -> None:
    """Run the operator, which releases unused targets after a second in place of a minute."""
    from esm_operator import operator
    from esm_operator.aws import connections
    from tests import forked_operator

    connections.UNUSED = 1.0
    operator.TARGETS, operator.TARGETS_INCOMPLETE = 2.0, 1.0
    forked_operator.main()


def test_a_namespace_cannot_use_all_targets(new_bed: NewBed) -> None:
    mallory, alice = new_bed(), new_bed()
    mallory.compares_log = alice.compares_log = False  # both have one operator, and its log
    mallory.operator("--targets-per-namespace=3", "--max-targets=4", entry=ENTRY)
    for region in REGIONS:
        mallory.apply(queue(region, eventSourceARN=f"arn:aws:sqs:{region}:123456789012:orders"))
    eventually(lambda: len(settled(mallory)) == len(REGIONS), "each resource is ready or stalled")
    ready = [name for name, state in settled(mallory).items() if state == "Ready"]
    assert len(ready) == 2, "one more only while more are free than it uses"
    asked = {one["region"] for one in mallory.control.requests(10_000)}
    assert asked <= {*ready, "eu-west-1"}, "and that of --region"

    alice.apply(queue("orders"))
    alice.wait_ready("orders")

    refused = next(name for name, state in settled(mallory).items() if state == "TooManyTargets")
    message = mallory.condition(refused, "Stalled")["message"]
    assert mallory.namespace in message
    assert "--max-targets" in message
    for name in REGIONS:
        if name != refused:
            mallory.delete(name)
    mallory.wait_ready(refused)


def settled(bed: Bed) -> dict[str, str]:
    """Resources that are Ready, or have the reason why they are Stalled, by name."""
    found: dict[str, str] = {}
    for one in bed.all():
        for condition in one.get("status", {}).get("conditions", ()):
            if (condition["type"], condition["status"]) == ("Ready", "True"):
                found[one["metadata"]["name"]] = "Ready"
            if (condition["type"], condition["status"]) == ("Stalled", "True"):
                found[one["metadata"]["name"]] = condition["reason"]
    return found
