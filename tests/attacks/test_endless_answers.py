"""An endpoint sends endless answers. The operator keeps its memory, works for other tenants, and stops at SIGTERM."""

from pathlib import Path

import pytest

from tests.attacks.hostile_endpoint import KINDS, LISTS, HostileEndpoint
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
