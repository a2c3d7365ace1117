"""The checks of the benchmark report each wrong count, with its actual and its expected value."""

from collections.abc import Callable

import pytest

from tests.bench.checks import failures
from tests.bench.figures import figures
from tests.bench.phases import EDITS, STARVED
from tests.bench.results import Results
from tests.unit.bench_results import ideal, phase


def test_ideal_results_pass_all_checks() -> None:
    assert failures(ideal()) == []


def _throttle(results: Results) -> None:
    phase(results, "full", "create").throttled = 1


def _create_twice(results: Results) -> None:
    phase(results, "fifth", "settle").calls["CreateEventSourceMapping"] = 1


def _ask_for_tags(results: Results) -> None:
    phase(results, "full", "create").calls["ListTags"] = 4


def _write_the_status_once_more(results: Results) -> None:
    phase(results, "full", "settle").writes["PATCH eventsourcemappings/status"] += 1


def _have_a_write_refused(results: Results) -> None:
    phase(results, "full", "create").writes["PATCH eventsourcemappings 409"] = 1


def _tell_too_much(results: Results) -> None:
    phase(results, "full", "create").writes["POST events"] = 201


def _write_at_a_restart(results: Results) -> None:
    phase(results, "small", "restart").writes["PATCH eventsourcemappings/status"] = 2


def _write_for_nothing(results: Results) -> None:
    phase(results, "full", "quiet").writes["POST events"] = 1


def _write_each_result(results: Results) -> None:
    phase(results, "full", "quiet").writes["PATCH eventsourcemappings/status"] = 101


def _update_twice(results: Results) -> None:
    phase(results, "full", "drift").calls["UpdateEventSourceMapping"] = 3


def _lose_an_edit(results: Results) -> None:
    phase(results, "errors", "edits among errors").latencies.clear()


def _forget_a_pending_one(results: Results) -> None:
    phase(results, "full", "edits while many are created").calls["DeleteEventSourceMapping"] = 8


def _delete_twice(results: Results) -> None:
    phase(results, "full", "delete").calls["DeleteEventSourceMapping"] += 1


def _leave_one(results: Results) -> None:
    phase(results, "full", "delete").figures["left"] = 1.0


def _lose_one_while_starved(results: Results) -> None:
    phase(results, "starved-longer", STARVED).figures["mappings"] = 9.0


def _fail(results: Results) -> None:
    results.worlds["ceiling"].failure = "BenchError: The watch failed."


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_throttle, "full: in the phase create, AWS throttled 1 calls; none may be."),
        (_create_twice, "fifth: 21 calls of CreateEventSourceMapping; it must be 20."),
        (_ask_for_tags, "full: 4 calls of ListTags while mappings were created; it must be 0."),
        (
            _write_the_status_once_more,
            "full: 201 writes PATCH eventsourcemappings/status while 100 mappings were created; one or two each must "
            "be.",
        ),
        (
            _have_a_write_refused,
            "full: 1 writes PATCH eventsourcemappings 409 while mappings were created; it must be 0.",
        ),
        (_tell_too_much, "full: 201 Events for 100 created mappings; at most 2 each may be."),
        (
            _write_at_a_restart,
            "small: 2 writes PATCH eventsourcemappings/status in the phase restart; it must be at most 0.",
        ),
        (_write_for_nothing, "full: 1 writes POST events in the phase quiet; it must be 0."),
        (
            _write_each_result,
            "full: 101 writes PATCH eventsourcemappings/status in the phase quiet; it must be at most 100.",
        ),
        (_update_twice, "full: 3 calls of UpdateEventSourceMapping in the phase drift; it must be 2."),
        (_lose_an_edit, "errors: 0 changes that arrived in the phase edits among errors; it must be 1."),
        (
            _forget_a_pending_one,
            "full: 8 calls of DeleteEventSourceMapping in the phase edits while many are created; it must be 9.",
        ),
        (_delete_twice, "full: 101 calls of DeleteEventSourceMapping; it must be 100."),
        (_leave_one, "full: 1 mappings left in AWS; it must be 0."),
        (
            _lose_one_while_starved,
            "starved-longer: 9 mappings in AWS after the phase create while starved; it must be 10.",
        ),
        (_fail, "ceiling: it did not come to its end: BenchError: The watch failed."),
    ],
)
def test_a_wrong_count_is_reported(spoil: Callable[[Results], None], told: str) -> None:
    results = ideal()
    spoil(results)
    assert failures(results) == [told]


def test_times_are_never_checked() -> None:
    results = ideal()
    phase(results, "full", "restart").figures |= {"seconds": 1000.0, "cpu": 1000.0}
    phase(results, "full", "quiet").peak = 10_000.0
    assert failures(results) == []


def test_memory_is_measured_with_the_number_of_mappings_in_the_table() -> None:
    results = ideal()
    phase(results, "full", "quiet").peak = 180.0
    phase(results, "full", EDITS).peak = 270.0
    judged, *more = [one for one in figures(results) if one.what.startswith("Highest memory")]
    assert judged.value == "180 MB"
    assert judged.met
    assert [(one.value, one.met) for one in more] == [("270 MB", None), ("100 MB", None)]
    phase(results, "full", "quiet").peak = 251.0
    assert not next(one for one in figures(results) if one.what.startswith("Highest memory")).met


def test_a_phase_that_did_not_end_is_not_checked() -> None:
    results = ideal()
    phase(results, "full", "delete").complete = False
    phase(results, "full", "delete").calls.clear()
    assert failures(results) == []
