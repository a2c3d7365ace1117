"""An event loop that never waits. Simulated time passes only when the test advances it.

The operator of the model test runs on this loop. ``settle`` runs everything that can run now, and returns when every
task waits for a timer or for an answer. ``next_timer`` is the time until the next timer. While the loop runs, the
simulated clock is the clock of the process, because the operator measures back-off and leases with it.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from esm_operator import clock


class Clock(clock.SystemClock):
    """Simulated time, in seconds. It continues when the operator restarts."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The simulated time. It grows with each call, so that loops that compare times end."""
        self.now += 1e-7
        return self.now

    def wall(self) -> float:
        """The simulated time."""
        return self.now


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        self.tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        """The clock of the process, which decides when timers are due."""
        return clock.monotonic()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Create a task and remember it. A task factory would not see the name that the task gets."""
        task = super().create_task(coro, **options)
        self.tasks.append(task)
        return task


class _IdleSelector(selectors.SelectSelector):
    """Never blocks. If the loop would wait, the selector stops the loop and records the time-out."""

    def __init__(self, idle: Callable[[float | None], None]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._idle(timeout)
        return []


class SteppedLoop:
    """Runs one process of the operator, step by step."""

    def __init__(self, simulated: Clock) -> None:
        self._clock = simulated
        self._loop = _Loop(_IdleSelector(self._idle))
        self._loop.set_exception_handler(self._failed)
        self._next: float | None = None
        self.failures: list[str] = []
        """Exceptions of tasks and callbacks that nobody handled."""

    @property
    def next_timer(self) -> float | None:
        """Seconds until the next timer, as of the last step. None: there is no timer."""
        return self._next

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function within the next step."""
        self._loop.call_soon(function, *args)

    def future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return self._loop.create_future()

    def settle(self) -> None:
        """Run until all tasks wait."""
        with clock.replaced(self._clock):
            self._loop.run_forever()
        for task in [task for task in self._loop.tasks if task.done()]:
            self._loop.tasks.remove(task)
            named = not task.get_name().startswith("Task-")  # other tasks are awaited by the code that created them
            if named and not task.cancelled() and (error := task.exception()) is not None:
                self.failures.append(f"The task {task.get_name()} ended with {error!r}")

    def start(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine function as a task, from the next step on."""
        self._loop.call_soon(lambda: self._loop.create_task(function()))

    def close(self) -> None:
        """Cancel all tasks. The futures that they await must not complete any more."""
        with clock.replaced(self._clock):
            while tasks := asyncio.all_tasks(self._loop):
                for task in tasks:
                    task.cancel()
                self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _idle(self, timeout: float | None) -> None:
        self._next = timeout
        self._loop.stop()

    def _failed(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")
