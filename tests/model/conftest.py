"""The fixture of scripted scenarios."""

from collections.abc import Generator

import pytest

from tests.model.script import Script, a_script


@pytest.fixture
def script() -> Generator[Script]:
    with a_script() as script:
        yield script
