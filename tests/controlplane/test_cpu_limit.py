"""A process gets the CPU time of its limit, and not more, in each way that this machine allows."""

import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.controlplane import cpu_limit
from tests.waiting import eventually

#: A share of one core, and the CPU seconds after which the test compares.
SHARE, ENOUGH = 0.25, 0.5


@pytest.fixture
def busy() -> Generator[int]:
    """A process that uses a whole core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("way", [*cpu_limit.WAYS, cpu_limit.limited], ids=lambda way: way.__name__)
def test_a_process_is_held_to_its_share_and_released(busy: int, way: cpu_limit.Way) -> None:
    eventually(lambda: cpu_limit.cpu_time(busy) > 0, "it runs")
    limit = way(busy, SHARE)
    try:
        limit.__enter__()
    except OSError as error:
        pytest.skip(f"This machine does not allow it: {error}")
    before, began = cpu_limit.cpu_time(busy), time.monotonic()
    eventually(lambda: cpu_limit.cpu_time(busy) >= before + ENOUGH, "it has used some time", every=0.02)
    # Without a limit, it would have taken ENOUGH seconds.
    assert time.monotonic() - began > 0.6 * ENOUGH / SHARE
    limit.__exit__(None, None, None)
    before = cpu_limit.cpu_time(busy)
    eventually(lambda: cpu_limit.cpu_time(busy) >= before + ENOUGH, "it runs again")
    assert not list(cpu_limit.CGROUPS.glob(f"**/esm-operator-tests-{busy}"))


def test_a_missing_process_is_an_error(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(OSError, match=r"."), cpu_limit.limited(process.pid, SHARE):
        raise AssertionError("not reached")
