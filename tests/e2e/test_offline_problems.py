"""Problems that only the operator detects: the resource becomes Stalled without a call to AWS."""

from datetime import UTC, datetime, timedelta

from tests.bed import SWEEPS, Bed
from tests.e2e.manifests import queue, stream


def test_a_filter_pattern_that_is_not_json_is_reported_until_it_is_corrected(bed: Bed) -> None:
    bed.operator()
    bed.apply(queue(filterCriteria={"filters": [{"pattern": "{'body': 1}"}]}))
    stalled = bed.wait_condition("orders", "Stalled", "True", "InvalidSpec")
    assert "filterCriteria" in stalled["message"]
    assert "JSON" in stalled["message"]
    assert bed.calls().keys() <= SWEEPS

    bed.patch("orders", {"filterCriteria": {"filters": [{"pattern": '{"body": [1]}'}]}})
    bed.wait_ready("orders")


def test_a_timestamp_in_the_future_is_reported(bed: Bed) -> None:
    bed.operator()
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    bed.apply(stream(startingPosition="AT_TIMESTAMP", startingPositionTimestamp=later))
    stalled = bed.wait_condition("orders", "Stalled", "True", "InvalidSpec")
    assert "startingPositionTimestamp" in stalled["message"]
    assert bed.calls().keys() <= SWEEPS
    bed.delete("orders")
    bed.wait_gone("orders")
