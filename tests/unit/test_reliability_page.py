"""docs/explanation/reliability.md names tests that there are, and counts what the tests count."""

import re
from pathlib import Path

from tests.e2e.test_kills import SCENARIOS
from tests.e2e.test_rbac import GRANTS
from tests.every_field import PAIRS, distinct

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "reliability.md").read_text()


def test_the_tests_that_it_names_are_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(named) > 15
    assert named <= {path.name for path in (ROOT / "tests" / "e2e").glob("test_*.py")}


def test_its_figures_are_those_of_the_tests() -> None:
    assert f"({len(SCENARIOS)} scenarios)" in PAGE
    assert f"| {len(distinct())} ({len(PAIRS)}) |" in PAGE
    assert f"taken away | {len(GRANTS)} |" in PAGE
