"""The report filter: what lasts is reported when it begins and when it changes, and again only if that is asked for."""

from esm_operator.ratelimit.report_filter import ReportFilter
from tests.unit.clock import stopped


def test_what_lasts_is_reported_once_and_what_changes_again() -> None:
    reports = ReportFilter()
    assert [reports.admit("eu-west-1", text) for text in ("denied", "denied", "down", "down", "denied")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert reports.admit("us-east-1", "denied"), "another subject"


def test_the_same_is_reported_again_after_a_while_that_reports_do_not_prolong() -> None:
    with stopped() as clock:
        reports = ReportFilter(60.0)
        assert reports.admit("lease")
        for _ in range(59):
            clock.now += 1
            assert not reports.admit("lease")
        clock.now += 1
        assert reports.admit("lease")


def test_what_is_over_is_reported_when_it_recurs() -> None:
    reports = ReportFilter()
    subjects = ("a", "b", "c")
    assert all(reports.admit(one) for one in subjects)
    reports.forget("a")
    assert [reports.admit(one) for one in subjects] == [True, False, False]
    reports.keep({"c"})
    assert [reports.admit(one) for one in subjects] == [True, True, False]
    reports.clear()
    assert all(reports.admit(one) for one in subjects)
