"""Calculations of the benchmark: percentiles, parsed metrics, and the workload."""

import math

import pytest

from tests.bench import writes
from tests.bench.exposition import series
from tests.bench.pace import Reading, rate, recovery
from tests.bench.percentiles import percentile
from tests.bench.progress import remaining
from tests.bench.workload import function_of, manifest, name_of, spread

SCRAPED = """\
# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="eventsourcemappings",subresource="",verb="PATCH"} 5
apiserver_request_total{code="201",resource="eventsourcemappings",subresource="",verb="POST"} 3
apiserver_request_total{code="200",resource="eventsourcemappings",subresource="status",verb="PATCH"} 1.2e+01
apiserver_request_total{code="409",resource="eventsourcemappings",subresource="status",verb="PATCH"} 1
apiserver_request_total{code="200",resource="eventsourcemappings",subresource="",verb="LIST"} 100
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 40
apiserver_request_total{code="201",resource="namespaces",subresource="",verb="POST"} 20
apiserver_request_total_of_something_else{code="200"} 7
esm_operator_leader 1.0
"""


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (90, 9), (99, 10), (100, 10), (1, 1)])
def test_percentiles_are_values_that_were_measured(percent: float, expected: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_an_empty_series_has_no_percentile() -> None:
    assert math.isnan(percentile([], 99))


def test_a_series_is_not_confused_with_one_that_has_the_same_prefix() -> None:
    assert len(list(series(SCRAPED, "apiserver_request_total"))) == 7
    assert list(series(SCRAPED, "esm_operator_leader")) == [({}, 1.0)]
    assert list(series('m{a="x \\"y\\"",b=""} 2\n', "m")) == [({"a": 'x \\"y\\"', "b": ""}, 2.0)]


def test_requests_are_counted_as_reads_writes_and_refused_writes() -> None:
    assert writes.counted(SCRAPED) == {
        "PATCH eventsourcemappings": 5,
        "POST eventsourcemappings": 3,
        "PATCH eventsourcemappings/status": 12,
        "PATCH eventsourcemappings/status 409": 1,
        "PUT leases": 40,
    }


def test_the_difference_of_two_scrapes_has_only_the_increase() -> None:
    added = writes.between({"PATCH eventsourcemappings": 5, "PUT leases": 1}, writes.counted(SCRAPED))
    assert added["PUT leases"] == 39
    assert "PATCH eventsourcemappings" not in added
    assert "PUT leases" not in writes.without_leases(added)


def test_all_resources_have_different_identities() -> None:
    numbers = range(1000)
    assert len({name_of(number) for number in numbers}) == len({function_of(number) for number in numbers}) == 1000
    assert {len(manifest(number)["spec"]["tags"]) for number in numbers} == {3}
    assert {manifest(number)["spec"]["batchSize"] for number in numbers} == {10}


@pytest.mark.parametrize(("count", "total"), [(1, 50), (5, 20), (10, 50), (60, 500), (100, 10_000), (50, 50)])
def test_changed_resources_are_spread_evenly(count: int, total: int) -> None:
    numbers = spread(count, range(total))
    assert len(set(numbers)) == count
    assert max(numbers) < total
    assert max(numbers) - min(numbers) >= (total // count) * (count - 1)


def test_kinds_of_sources_are_spread_evenly() -> None:
    assert {number % 10 for number in spread(100, range(10_000))} == set(range(10))


def test_an_estimate_is_made_only_from_progress() -> None:
    assert remaining(100, 300, 10.0) == ", about 30 s to go"
    assert remaining(0, 300, 10.0) == remaining(100, 0, 10.0) == ""
    assert remaining(2, 9_998, 500.0) == ""


def _readings(*speeds: float) -> list[Reading]:
    """A reading a second. Each speed, in counts a second, lasts for 20 s."""
    found = [Reading(0.0, 0)]
    for speed in speeds:
        for _ in range(20):
            found.append(Reading(found[-1].at + 1, round(found[-1].count + speed)))
    return found


def test_a_rate_begins_with_the_first_change() -> None:
    assert rate(_readings(0, 10)) == 10
    assert rate(_readings(0)) == 0


def test_the_recovery_ends_with_the_first_window_at_full_speed() -> None:
    assert recovery(_readings(10, 2, 10), since=40, before=10) == 0
    assert recovery(_readings(10, 2, 2, 10), since=40, before=10) == 19
    assert recovery(_readings(10, 2, 2), since=40, before=10) is None
