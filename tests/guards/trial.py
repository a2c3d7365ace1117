"""Runs tests on a copy of the operator in which one guard is disabled.

Each run is a separate process. It is forked from a process that has imported everything except the operator
(``tests.fork_server``): there are many runs, and importing takes longer than most of them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.fork_server import ForkServer
from tests.guards.guard import PACKAGE, ROOT, Guard

#: Imported once for all runs. None of them imports the operator.
_LIBRARIES = (
    "_pytest.assertion.rewrite",
    "aiohttp.web",
    "boto3",
    "botocore.session",
    "hypothesis.stateful",
    "kopf",
    "kubernetes.aio.client",
    "prometheus_client",
    "pydantic_settings",
    "pytest_asyncio",
    "pytest_timeout",
    "yaml",
)
#: Seconds after which a test counts as failed, and after which a run is ended, while a guard is disabled.
_TEST_TIMEOUT, _RUN_TIMEOUT = 60, 240
#: Both while no guard is disabled. A slow machine needs long for the tests of all guards together.
_PATIENCE = 1_500


class Verdict(Enum):
    """The result of the tests on a copy of the operator."""

    PASSED = "they pass"
    FAILED = "one fails"
    NOT_RUN = "they could not be run"
    """A test does not exist, or the import of the copy fails."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one run."""

    verdict: Verdict
    output: str
    """The output of pytest."""

    @property
    def failure(self) -> str:
        """The first failed test with its reason, from the summary of pytest. Empty: no test failed."""
        found = (line for line in self.output.splitlines() if line.startswith(("FAILED ", "ERROR tests/")))
        return next(found, "").partition(" ")[2]


class Trials:
    """Runs tests on copies of the operator. A context manager. Not thread-safe."""

    def __init__(self) -> None:
        self._fork_server = ForkServer(_LIBRARIES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._fork_server.stop()

    def without(self, guard: Guard) -> Outcome:
        """Run the tests of a guard on a copy that lacks it. Raises StaleRowError."""
        source = guard.disabled()
        with _copy() as place:
            (place / PACKAGE.name / guard.file).write_text(source)
            return self._run(place, [f"--timeout={_TEST_TIMEOUT}", "--exitfirst", *guard.tests], _RUN_TIMEOUT)

    def unchanged(self, guards: Sequence[Guard]) -> Outcome:
        """Run the tests of all these guards on a copy that lacks none."""
        with _copy() as place:
            tests = sorted({test for guard in guards for test in guard.tests})
            return self._run(place, [f"--timeout={_PATIENCE}", *tests], _PATIENCE)

    def _run(self, place: Path, arguments: Sequence[str], limit: float) -> Outcome:
        log = place / "log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        process = self._fork_server.start(
            f"{__name__}:main",
            arguments=[str(place), *arguments],
            environment={**inherited, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT))), "COLUMNS": "300"},
            log=log,
        )
        code = process.wait(limit)
        if code is None:
            process.stop(0)
            return Outcome(Verdict.FAILED, f"{log.read_text()}\nFAILED It did not end within {limit:.0f} s")
        verdicts = {int(pytest.ExitCode.OK): Verdict.PASSED, int(pytest.ExitCode.TESTS_FAILED): Verdict.FAILED}
        return Outcome(verdicts.get(code, Verdict.NOT_RUN), log.read_text())


@contextmanager
def _copy() -> Generator[Path]:
    """A folder with a copy of the operator's package. Its files keep their times, so that compiled modules are used.

    Another process may be writing a compiled module. Its temporary file, ``NAME.pyc.NUMBER``, is not copied.
    """
    with tempfile.TemporaryDirectory(prefix="guards-") as place:
        shutil.copytree(PACKAGE, Path(place) / PACKAGE.name, ignore=shutil.ignore_patterns("*.pyc.*"))
        yield Path(place)


# Code of a run


def main() -> None:
    """Run pytest on the copy: ``sys.argv`` is the folder that the copy is in, and pytest's arguments."""
    place, *arguments = sys.argv
    os.chdir(ROOT)
    sys.path.insert(0, place)
    options = [
        f"--override-ini=pythonpath={place} .",  # otherwise pytest puts the original first
        "-p",
        "no:cacheprovider",
        "--quiet",
        "--tb=short",
    ]
    code = pytest.main([*options, *arguments], plugins=[_Proof(Path(place))])
    sys.stdout.flush()
    sys.exit(code)


class _Proof:
    """A plugin of pytest that proves that the tests run on the copy."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def pytest_collection_finish(self) -> None:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == PACKAGE.name and module.__file__ is not None:
                assert Path(module.__file__).is_relative_to(self._place), f"{name} is not that of the copy"
