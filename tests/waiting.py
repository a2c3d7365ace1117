"""Wait for a condition: the one place where tests poll.

The limit is no expectation of speed. It only ends a test whose condition never comes true, so it is generous enough
for a machine that is busy with other things.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import TypeVar

Answer = TypeVar("Answer")
#: Seconds until a wait is given up.
LIMIT = 120.0
#: Seconds between two looks.
INTERVAL = 0.1


def eventually(
    check: Callable[[], Answer | None],
    what: str | Callable[[], str] = "",
    *,
    limit: float = LIMIT,
    every: float = INTERVAL,
    error: Callable[[str], Exception] = AssertionError,
) -> Answer:
    """Block until a check returns something true, and return that.

    Args:
        check: called again and again. An exception that it raises ends the wait.
        what: the condition in words, for the error; a callable is called when the limit is reached.
        limit: seconds until the wait is given up.
        every: seconds between two calls.
        error: makes the exception of a wait that is given up.

    Raises:
        AssertionError: the check returned nothing true within the limit.
    """
    for _ in _looks(what or repr(check), limit, error):
        if answer := check():
            return answer
        time.sleep(every)
    raise AssertionError("not reached")


async def eventually_async(
    check: Callable[[], Answer | None],
    what: str | Callable[[], str] = "",
    *,
    limit: float = LIMIT,
    every: float = 0.01,
) -> Answer:
    """Wait until a check returns something true, and return that, while other tasks run.

    Args:
        check: called again and again. An exception that it raises ends the wait.
        what: the condition in words, for the error; a callable is called when the limit is reached.
        limit: seconds until the wait is given up.
        every: seconds between two calls.

    Raises:
        AssertionError: the check returned nothing true within the limit.
    """
    for _ in _looks(what or repr(check), limit, AssertionError):
        if answer := check():
            return answer
        await asyncio.sleep(every)
    raise AssertionError("not reached")


def _looks(what: str | Callable[[], str], limit: float, error: Callable[[str], Exception]) -> Generator[None]:
    """One item for each look: at least two, the last one after the limit."""
    deadline = time.monotonic() + limit
    while True:
        last = time.monotonic() > deadline
        yield
        if last:
            words = what if isinstance(what, str) else what()
            raise error(f"Not within {limit:.0f} s: {words}")
