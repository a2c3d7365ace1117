"""A resource that has not changed costs no write to Kubernetes, and no call to AWS except the sweeps."""

from tests.bed import SWEEPS, Bed
from tests.e2e.manifests import TEN_KINDS, mapping


def test_another_apply_a_new_label_and_a_restart_cost_nothing(bed: Bed) -> None:
    manifests = [mapping(name, **spec) for name, spec in TEN_KINDS.items()]
    operator = bed.operator("--sweep-interval=1")
    bed.apply(*manifests)
    for name in TEN_KINDS:
        bed.wait_ready(name)
    bed.wait_swept(2)
    before = bed.versions()
    bed.control.reset_counts()

    bed.apply(*manifests)
    bed.wait_swept(2)
    assert bed.versions() == before

    operator.stop()
    operator.start()
    bed.wait_swept(3)
    assert bed.versions() == before

    for name in before:
        bed.label(name, touched="yes")
    touched = bed.versions()
    bed.wait_swept(2)
    assert bed.versions() == touched
    assert bed.calls().keys() <= SWEEPS
