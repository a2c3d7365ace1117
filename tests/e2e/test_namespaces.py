"""An operator for some namespaces leaves those of others alone."""

import yaml

from tests.e2e.bed import FINALIZER, Bed
from tests.e2e.manifests import queue


def test_only_the_namespaces_that_are_named(bed: Bed) -> None:
    other = f"{bed.namespace}-other"
    bed.plane.kubectl("create", "namespace", other)
    bed.plane.kubectl("apply", f"--namespace={other}", "--filename=-", input=yaml.safe_dump(queue("elsewhere")))
    try:
        bed.operator(f"--namespaces={bed.namespace}")
        bed.apply(queue())
        bed.wait_ready("orders")
        assert len(bed.mappings()) == 1
        shown = bed.plane.kubectl("get", "esm", "elsewhere", f"--namespace={other}", "--output=yaml").stdout
        assert FINALIZER not in shown
    finally:
        bed.plane.kubectl("delete", "esm", "elsewhere", f"--namespace={other}")
