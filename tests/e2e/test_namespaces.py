"""An operator for some namespaces ignores resources in other namespaces."""

from tests.bed import FINALIZER, Bed, Resources
from tests.bed.cluster import create_namespace
from tests.e2e.manifests import queue


def test_only_resources_in_the_configured_namespaces_are_reconciled(bed: Bed) -> None:
    elsewhere = Resources(bed.client, f"{bed.namespace}-other")
    create_namespace(bed.client, elsewhere.namespace)
    elsewhere.apply(queue("elsewhere"))
    try:
        bed.operator(f"--namespaces={bed.namespace}")
        bed.apply(queue())
        bed.wait_ready("orders")
        assert len(bed.mappings()) == 1
        assert FINALIZER not in str(elsewhere.get("elsewhere"))
    finally:
        elsewhere.clear()
