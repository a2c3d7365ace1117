"""AWS is away while all resources are edited: every edit arrives once, and the recovery is no storm of requests."""

from collections.abc import Callable

import pytest

from tests.bed import Bed
from tests.soak import scenarios
from tests.soak.scenarios import Figures

pytestmark = pytest.mark.long


@pytest.mark.parametrize("scenario", [scenarios.aws_away, scenarios.names_unresolved], ids=lambda one: one.__name__)
def test_all_edits_arrive_after_an_outage_within_the_quota(bed: Bed, scenario: Callable[..., Figures]) -> None:
    figures = scenario(bed, resources=20, seconds=5.0)
    assert int(figures["Updates"]) < 2 * 20
    assert int(figures["most calls to AWS Lambda in one second"]) <= scenarios.QUOTA
    assert figures["calls that AWS throttled"] == 0
