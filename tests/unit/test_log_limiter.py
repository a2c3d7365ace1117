"""The log limiter: how many lines about the resources of a namespace are written, and which lines have no limit."""

import json
import logging
from collections.abc import Callable, Generator
from io import StringIO
from typing import Any, Literal

import pytest

from esm_operator import logs
from esm_operator.ratelimit.log_limiter import BURST, RATE
from tests.unit.clock import stopped

#: More lines than a namespace may have.
MANY = int(BURST) + 100
logger = logging.getLogger("test.log_limiter")
#: Returns the lines since the last call.
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log_level() -> Literal["info", "debug"]:
    return "info"


@pytest.fixture
def lines(log_level: Literal["info", "debug"], monkeypatch: pytest.MonkeyPatch) -> Generator[Lines]:
    """The log of the operator at a level, until the test ends."""
    root, written = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", written)
    logs.configure("json", log_level)

    def take() -> list[dict[str, Any]]:
        found = written.getvalue()
        written.seek(0)
        written.truncate()
        return [json.loads(line) for line in found.splitlines()]

    yield take
    root.handlers[:] = handlers
    root.setLevel(level)


def write(count: int, level: int = logging.WARNING, *, namespace: str = "a", **members: str) -> None:
    """Write lines about a resource."""
    for _ in range(count):
        about = {"namespace": namespace, "resource": "one", "uuid": "", "reason": "InvalidSpec", **members}
        logger.log(level, "The spec is invalid.", extra=about)


def test_lines_of_a_namespace_are_limited_and_those_left_out_are_counted(lines: Lines) -> None:
    with stopped() as clock:
        write(MANY)
        *some, last = lines()
        assert len(some) == BURST
        assert "Lines left out: 1." in last["message"]
        assert "namespace a" in last["message"]
        assert "name" not in last
        write(100, namespace="b")
        assert len(lines()) == 100, "another namespace has its own limit"
        write(100, logging.INFO)
        assert len(lines()) == 100, "warnings leave room for other lines"
        clock.now += 60
        write(100)
        *some, last = lines()
        assert len(some) == 60 * RATE
        assert "Lines left out: 100." in last["message"], "99 since the last report, and this one"


@pytest.mark.parametrize(
    ("level", "members"),
    [
        (logging.INFO, {"change": "UpdateEventSourceMapping"}),
        (logging.WARNING, {"change": "UpdateEventSourceMapping"}),
        (logging.WARNING, {"request": "PATCH"}),
        (logging.ERROR, {}),
        (logging.WARNING, {"namespace": ""}),
    ],
    ids=["change", "change without an answer", "request to the API server", "error", "no resource"],
)
def test_some_lines_have_no_limit(lines: Lines, level: int, members: dict[str, str]) -> None:
    write(MANY, level, **members)
    assert len(lines()) == MANY


@pytest.mark.parametrize("log_level", ["debug"])
def test_the_level_debug_has_no_limit(lines: Lines) -> None:
    write(MANY)
    assert len(lines()) == MANY
