"""The fixtures of scripted scenarios."""

import random
from collections.abc import Generator

import pytest

from tests.model.script import Script, a_script

#: Chosen arbitrarily.
SEED = 20


@pytest.fixture(autouse=True)
def _same_jitter() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """Seed ``random``, so that the jitter of back-offs and sweeps is the same in each run of a scenario.

    hypothesis seeds ``random`` for each example of its tests, and restores it after the example.
    """
    state = random.getstate()
    random.seed(SEED)
    yield
    random.setstate(state)


@pytest.fixture
def script() -> Generator[Script]:
    with a_script() as script:
        yield script
