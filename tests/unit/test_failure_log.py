"""The failure log: what recurs is a line a minute with its number, and its end is a line too."""

import logging

import pytest

from esm_operator.ratelimit.failure_log import REPEAT_AFTER, FailureLog
from tests.unit.clock import stopped

logger = logging.getLogger(__name__)
AGAIN = "The API server answers again"


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_eighty_failures_in_forty_seconds_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with stopped() as clock:
        failures = FailureLog(logger, AGAIN)
        for number in range(80):
            failures.failed(f"PATCH of shop/r{number} failed with 503.", subject=number, cause=("PATCH", 503))
            clock.now += 0.5
        assert said(caplog) == ["PATCH of shop/r0 failed with 503."]
        clock.now += REPEAT_AFTER - 40
        failures.failed("PATCH of shop/r80 failed with 503.", subject=80, cause=("PATCH", 503))
    assert said(caplog)[1:] == [
        "PATCH of shop/r80 failed with 503. This failure occurred 79 more times in the last 60 s."
    ]
    assert {line.levelno for line in caplog.records} == {logging.WARNING}


def test_another_cause_is_a_line_immediately(caplog: pytest.LogCaptureFixture) -> None:
    with stopped():
        failures = FailureLog(logger, AGAIN)
        for text in ("403", "503", "403"):
            failures.failed(text)
    assert said(caplog) == ["403", "503"]


def test_the_end_is_a_line_when_nothing_fails_any_more(caplog: pytest.LogCaptureFixture) -> None:
    with stopped() as clock:
        failures = FailureLog(logger, AGAIN)
        failures.succeeded("a")
        for subject in ("a", "b", "a"):
            failures.failed("503", subject=subject)
        clock.now += 12
        failures.succeeded("a")
        assert said(caplog) == ["503"]
        failures.succeeded("b")
        failures.succeeded("b")
        assert said(caplog)[1:] == ["The API server answers again, after 3 failures in 12 s."]
        assert caplog.records[1].levelno == logging.INFO
        failures.failed("503", subject="a")
    assert said(caplog)[2:] == ["503"], "a new series"


def test_one_that_fails_for_ever_does_not_hide_its_causes_behind_recoveries(caplog: pytest.LogCaptureFixture) -> None:
    """One resource is refused again and again while the writes to all others succeed."""
    with stopped() as clock:
        failures = FailureLog(logger, AGAIN)
        for _ in range(50):
            failures.failed("403", subject="refused")
            failures.succeeded("fine")
            clock.now += 1
    assert said(caplog) == ["403"]


def test_a_line_carries_its_members(caplog: pytest.LogCaptureFixture) -> None:
    FailureLog(logger, AGAIN).failed("503", extra={"namespace": "shop"})
    assert vars(caplog.records[0])["namespace"] == "shop"


def test_a_traceback_is_logged_once_for_each_line_of_the_code(caplog: pytest.LogCaptureFixture) -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    with stopped() as clock:
        failures = FailureLog(logger, AGAIN)
        for number in range(50):
            try:
                fail(f"answer {number}")
            except ValueError as error:
                failures.failed_unexpectedly(f"Failed on {number}.", error, subject=number)
            clock.now += 1
        try:
            int("x")
        except ValueError as error:
            failures.failed_unexpectedly("Failed on 51.", error, subject=51)
    assert said(caplog) == ["Failed on 0.", "Failed on 51."]
    assert [line.exc_info is not None and line.levelno == logging.ERROR for line in caplog.records] == [True, True]
