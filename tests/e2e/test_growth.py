"""Threads and file descriptors do not grow with resources and ProviderConfigs that were removed.

Memory depends on the allocator, so only ``python -m tests.soak cycles`` shows it, after many cycles.
"""

import pytest

from tests.bed import Bed
from tests.soak import scenarios

pytestmark = pytest.mark.long


def test_created_and_deleted_resources_leave_nothing_behind(bed: Bed) -> None:
    first, *_, last = scenarios.cycles(bed, total=100, together=20).values()
    assert last.exceeds(first) == "", (first, last)


def test_removed_provider_configs_leave_nothing_behind(bed: Bed) -> None:
    first, *_, last = scenarios.provider_configs(bed, count=5, rounds=2).values()
    assert last.exceeds(first) == "", (first, last)
