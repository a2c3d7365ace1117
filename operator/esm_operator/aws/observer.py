"""The observer keeps the inventory of one account and region up to date, by sweeps and by reads of transitions.

:mod:`~.sweeper` and :mod:`~.transitions` decide how often each reads.
"""

import asyncio

from esm_operator.aws.shared_target import SharedTarget
from esm_operator.aws.sweeper import Sweeper
from esm_operator.aws.transitions import Transitions
from esm_operator.status.failure import Failure


class Observer:
    """Sweeper and transitions of one account and region. The interval is that of the sweeper."""

    def __init__(self, shared: SharedTarget, *, interval: float) -> None:
        self._transitions = Transitions(shared, sweep_instead=lambda: self._sweeper.wake())
        self._sweeper = Sweeper(shared, self._transitions, interval=interval)

    @property
    def failure(self) -> Failure | None:
        """Why no page of a sweep is read; None: it is, or will be soon."""
        return self._sweeper.failure

    @property
    def stale(self) -> Failure | None:
        """Why the inventory is stale; None: it is up to date, or was never filled."""
        return self._sweeper.stale

    def wake(self) -> None:
        """Read soon, because a transition has begun."""
        self._transitions.wake()

    def retry(self) -> None:
        """If the last read failed, read again immediately."""
        self._sweeper.retry()
        self._transitions.retry()

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweeper.run(), name="sweeper")
            tasks.create_task(self._transitions.run(), name="transitions")
