"""The author of a ProviderConfig edits it again and again, to fill the log."""

import logging
from collections.abc import Generator

import pytest

from esm_operator.operator import Operator
from tests.model.script import a_script

REGIONS = [f"xx-dead{'a' * 235}-{number}" for number in range(64)]


def edit(operator: Operator, number: int) -> None:
    meta = {"name": "flood", "uid": "u", "resourceVersion": str(number)}
    spec = {"allowedRegions": REGIONS[number % 5 :], "defaultTags": {"edit": str(number)}}
    operator.handle_provider_config("MODIFIED", {"metadata": meta, "spec": spec})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Generator[pytest.LogCaptureFixture]:
    """The lines of the operator, which the model test hides."""
    logger = logging.getLogger("esm_operator.operator")
    before = logger.level
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.WARNING)
    yield caplog
    logger.removeHandler(caplog.handler)
    logger.setLevel(before)


def test_edits_of_a_provider_config_with_unknown_regions_log_one_short_line(log: pytest.LogCaptureFixture) -> None:
    with a_script() as script:
        script.begin()
        process = script.world.process
        assert process is not None
        assert process.operator is not None
        for number in range(1, 100):
            process.loop.call(edit, process.operator, number)
    lines = [record.getMessage() for record in log.records if "flood" in record.getMessage()]
    assert len(lines) == 1
    assert len(lines[0]) < 1_000
    assert "--more-regions" in lines[0]
    assert " more. Correct the regions." in lines[0]
