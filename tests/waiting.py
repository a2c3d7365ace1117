"""Wait for a condition. Tests poll only here.

The time limit does not test speed. It only ends a test whose condition never becomes true, so it is long enough for a
busy machine.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import TypeVar

Answer = TypeVar("Answer")
#: Seconds until a wait fails.
LIMIT = 300.0
#: Seconds until a command that a test runs is ended.
COMMAND_LIMIT = 2 * LIMIT
#: Seconds between two checks.
INTERVAL = 0.1


def eventually(
    check: Callable[[], Answer | None],
    what: str | Callable[[], str] = "",
    *,
    limit: float = LIMIT,
    every: float = INTERVAL,
    error: Callable[[str], Exception] = AssertionError,
) -> Answer:
    """Block until a check returns a true value, and return the value.

    Args:
        check: called repeatedly. An exception in it ends the wait.
        what: the condition in words, for the error. A callable is called when the limit is reached.
        limit: seconds until the wait fails.
        every: seconds between two calls.
        error: makes the exception of a wait that fails.

    Raises:
        AssertionError: the check returned no true value within the limit.
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
    """Wait until a check returns a true value, and return the value. Other tasks run meanwhile.

    Args:
        check: called repeatedly. An exception in it ends the wait.
        what: the condition in words, for the error. A callable is called when the limit is reached.
        limit: seconds until the wait fails.
        every: seconds between two calls.

    Raises:
        AssertionError: the check returned no true value within the limit.
    """
    for _ in _looks(what or repr(check), limit, AssertionError):
        if answer := check():
            return answer
        await asyncio.sleep(every)
    raise AssertionError("not reached")


def _looks(what: str | Callable[[], str], limit: float, error: Callable[[str], Exception]) -> Generator[None]:
    """Yield once for each check: at least twice, the last time after the limit."""
    deadline = time.monotonic() + limit
    while True:
        last = time.monotonic() > deadline
        yield
        if last:
            words = what if isinstance(what, str) else what()
            raise error(f"Not within {limit:.0f} s: {words}")
