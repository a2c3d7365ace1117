"""A deletion that AWS does not let happen says why, and how to let the resource go."""

from tests.aws import FaultKind
from tests.e2e.bed import FINALIZER, Bed
from tests.e2e.manifests import queue


def test_credentials_are_gone_when_a_resource_is_deleted(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue())
    bed.wait_ready("orders")
    bed.control.fault(FaultKind.EXPIRED_TOKEN)
    bed.delete("orders")
    told = bed.wait_condition("orders", "Reconciling", "True", "CredentialsRefused")
    assert "security token" in told["message"]
    assert FINALIZER in told["message"]

    bed.kubectl("patch", "esm", "orders", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    bed.wait_gone("orders")
    assert len(bed.mappings()) == 1
