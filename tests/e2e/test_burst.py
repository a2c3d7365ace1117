"""The operator is stopped in the middle of a burst of creations: each resource has one mapping."""

from tests.bed import Bed
from tests.soak import scenarios


def test_sigterm_during_a_burst_leaves_one_mapping_for_each_resource(bed: Bed) -> None:
    figures = scenarios.terminated(bed, resources=60)
    assert int(figures["mappings at its end"]) < 60, "it ended before all mappings were created"
