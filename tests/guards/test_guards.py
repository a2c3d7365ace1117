"""Each guard is needed: a fast test fails when it is disabled."""

from collections.abc import Generator
from dataclasses import replace

import pytest

from tests.guards.__main__ import main
from tests.guards.guard import PACKAGE, Guard, StaleRowError, unit
from tests.guards.table import BY_NAME, GUARDS
from tests.guards.trial import Trials, Verdict


@pytest.fixture(scope="session")
def trials() -> Generator[Trials]:
    with Trials() as made:
        yield made


#: A line on which no test depends.
NEEDLESS = Guard(
    name="needless",
    harm="Nothing happens.",
    file="reconcile/executor.py",
    text='class Executor:\n    """',
    without='class Executor:\n    """Not a guard. ',
    tests=unit("desire", "tags_are_the_default_ones_the_specs_and_the_owners"),
)


def test_a_line_that_no_test_needs_is_reported(trials: Trials) -> None:
    assert trials.without(NEEDLESS).verdict is Verdict.PASSED


def test_a_test_that_does_not_exist_is_reported(trials: Trials) -> None:
    assert trials.without(replace(NEEDLESS, tests=unit("desire", "nothing"))).verdict is Verdict.NOT_RUN


@pytest.mark.parametrize("text", ["This is not there.", "self"])
def test_a_row_that_does_not_match_the_source_names_the_remedy(trials: Trials, text: str) -> None:
    with pytest.raises(StaleRowError, match=r"reconcile/executor\.py, and must occur once") as stale:
        trials.without(replace(NEEDLESS, text=text))
    assert "change file, text and without of its row in tests/guards/" in str(stale.value)


def test_the_command_shows_which_test_needs_a_guard(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paused"]) == 0
    said = capsys.readouterr().out
    assert "1/1 paused: caught by tests/unit/test_plan.py::test_plan[going, paused]" in said
    assert said.endswith("A test notices each of 1 guards.\n")


def test_names_are_unique() -> None:
    assert len(BY_NAME) == sum(len(guards) for guards in GUARDS.values())


@pytest.mark.parametrize("name", BY_NAME)
def test_each_row_matches_the_source(name: str) -> None:
    guard = BY_NAME[name]
    assert guard.tests, "a row without tests would run all tests"
    compile(guard.disabled(), str(PACKAGE / guard.file), "exec")


def test_all_tests_pass_while_no_guard_is_disabled(trials: Trials) -> None:
    outcome = trials.unchanged(list(BY_NAME.values()))
    assert outcome.verdict is Verdict.PASSED, outcome.output


@pytest.mark.parametrize("name", BY_NAME)
def test_a_test_fails_while_a_guard_is_disabled(trials: Trials, name: str) -> None:
    guard = BY_NAME[name]
    outcome = trials.without(guard)
    assert outcome.verdict is Verdict.FAILED, (
        f'While the guard "{name}" is disabled, none of its tests fails ({outcome.verdict.value}). Without it: '
        f"{guard.harm} Write a test that shows this, or correct the row.\n{outcome.output}"
    )
