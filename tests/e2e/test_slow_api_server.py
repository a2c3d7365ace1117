"""Every answer of the API server takes seconds, also those to requests for the lease. The operator works slowly."""

import pytest

from tests.bed import Bed
from tests.soak import scenarios

pytestmark = pytest.mark.long


@pytest.mark.parametrize("delay", [1.0, 5.0])
def test_all_changes_are_made_with_a_slow_api_server(bed: Bed, delay: float) -> None:
    print(scenarios.slow_api_server(bed, resources=5, delay=delay))
