"""An endpoint sends endless answers. The operator keeps its memory, works for other tenants, and stops at SIGTERM."""

from pathlib import Path

import pytest

from tests.attacks.hostile_endpoint import KINDS, LARGE_ERROR, LISTS, HostileEndpoint
from tests.bed import Bed
from tests.e2e.manifests import provider_config, queue
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

#: The most megabytes by which the memory of the operator grows. Pages of AWS can have 8 MB, and are parsed.
MOST_GROWTH = 150


def peak(operator: OperatorProcess) -> int:
    """The most resident memory that a process has had, in MB."""
    lines = Path(f"/proc/{operator.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


@pytest.mark.parametrize(
    ("kind", "operation"),
    [*[(kind, "ListEventSourceMappings") for kind in KINDS], *[(kind, "GetCallerIdentity") for kind in KINDS[:4]]],
)
def test_an_endpoint_with_endless_answers_harms_nobody_else(bed: Bed, kind: str, operation: str) -> None:
    operator = bed.operator("--sweep-interval=1")
    bed.apply(queue("known"))
    bed.wait_ready("known")
    before = peak(operator)
    with HostileEndpoint(kind, operation) as endpoint:
        bed.apply(provider_config("hostile", endpointURL=endpoint.url))
        bed.apply(queue("victim", providerConfigRef={"name": "hostile"}))
        bed.wait_condition("victim", "Ready", "False", "AWSUnreachable")
        eventually(lambda: endpoint.asked >= 3, "attempts")
        bed.apply(queue("another"))
        bed.wait_ready("another")
        assert peak(operator) < before + MOST_GROWTH
        operator.stop()


@pytest.mark.parametrize(
    ("operation", "regions", "attempts", "reason", "quoted"),
    [
        ("CreateEventSourceMapping", ["eu-west-1"], 120, "RefusedByAWS", "aaaa"),
        ("GetCallerIdentity", ["eu-west-1", "eu-west-2", "eu-west-3"], 24, "AWSUnreachable", "GetCallerIdentity"),
    ],
)
def test_large_errors_take_no_memory(
    bed: Bed, operation: str, regions: list[str], attempts: int, reason: str, quoted: str
) -> None:
    operator = bed.operator("--requests-per-second=100", "--targets-per-namespace=10")
    bed.apply(queue("known"))
    bed.wait_ready("known")
    before = peak(operator)
    with HostileEndpoint(LARGE_ERROR, operation) as endpoint:
        bed.apply(provider_config("hostile", endpointURL=endpoint.url))
        for number in range(60):
            source = f"arn:aws:sqs:{regions[number % len(regions)]}:123456789012:victim-{number}"
            bed.apply(queue(f"victim-{number}", eventSourceARN=source, providerConfigRef={"name": "hostile"}))
        assert quoted in bed.wait_condition("victim-0", "Ready", "False", reason)["message"]
        eventually(lambda: endpoint.asked >= attempts, "attempts")
        assert peak(operator) < before + 60


@pytest.mark.parametrize("kind", LISTS)
def test_an_endless_list_ends(bed: Bed, kind: str) -> None:
    operator = bed.operator("--sweep-interval=1", "--max-mappings=2000", "--requests-per-second=100")
    bed.apply(queue("known"))
    bed.wait_ready("known")
    before = peak(operator)
    with HostileEndpoint(kind, "ListEventSourceMappings") as endpoint:
        bed.apply(provider_config("hostile", endpointURL=endpoint.url))
        bed.apply(queue("victim", providerConfigRef={"name": "hostile"}))
        assert LISTS[kind] in bed.wait_condition("victim", "Ready", "False", "AWSUnreachable")["message"]
        asked = endpoint.asked
        bed.apply(queue("another"))
        bed.wait_ready("another")
        assert peak(operator) < before + MOST_GROWTH
        assert endpoint.asked == asked, "the operator pauses before it lists again"


def test_slow_credentials_do_not_keep_the_process(bed: Bed) -> None:
    with HostileEndpoint("slow", "AssumeRole") as endpoint:
        operator = bed.operator(environment={"AWS_ENDPOINT_URL_STS": endpoint.url})
        role = "arn:aws:iam::123456789012:role/tenant"
        bed.apply(provider_config("slow", roleARN=role), queue("victim", providerConfigRef={"name": "slow"}))
        eventually(lambda: endpoint.asked > 0, "the operator asks for credentials")
        operator.stop()
