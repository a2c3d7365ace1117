"""The observer keeps the inventory of one account and region up to date: by sweeps, and by looks at transitions.

Here the two are put together. How often each looks is decided by :mod:`~.sweeper` and :mod:`~.transitions`.
"""

import asyncio
from collections.abc import Collection

from esm_operator.aws.listener import ResourceLookup, SweepListener
from esm_operator.aws.shared_target import SharedTarget
from esm_operator.aws.sweeper import Sweeper, SweepPace
from esm_operator.aws.transitions import Transitions
from esm_operator.status.failure import Failure

#: How many changes that wait are many.
CROWD = 100


class Observer:
    """Sweeper and transitions of one account and region."""

    def __init__(
        self, shared: SharedTarget, lookup: ResourceLookup, listener: SweepListener, *, interval: float
    ) -> None:
        """
        Args:
            shared: the account and region.
            lookup: what is known of resources.
            listener: what reconciles them.
            interval: seconds between sweeps when all is quiet.
        """
        self._shared = shared
        self._lookup = lookup
        self._listener = listener
        self._sweeper = Sweeper(shared, self, interval=interval)
        self._transitions = Transitions(shared, self)

    @property
    def failure(self) -> Failure | None:
        """Why no page of a sweep is read; None: it is, or will be soon."""
        return self._sweeper.failure

    @property
    def stale(self) -> Failure | None:
        """Why the inventory is stale; None: it is up to date, or was never filled."""
        return self._sweeper.stale

    def wake(self) -> None:
        """Look again soon, because a transition has begun."""
        self._transitions.wake()

    def retry(self) -> None:
        """If the last look failed, look again immediately."""
        self._sweeper.retry()
        self._transitions.retry()

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweeper.run(), name="sweeper")
            tasks.create_task(self._transitions.run(), name="transitions")

    # For the sweeper

    def pace(self) -> SweepPace:
        """The pace that sweeps should have now."""
        if self.is_crowded():
            return SweepPace.CROWDED
        return SweepPace.HURRIED if self._transitions.overwhelming() else SweepPace.QUIET

    def mappings_changed(self, uuids: Collection[str]) -> None:
        """A sweep has met a change: somebody else may have begun a transition."""
        self._transitions.wake()
        self._listener.mappings_changed(uuids)

    def first_sweep_ended(self) -> None:
        """The first sweep is complete, or has failed."""
        for target in list(self._shared.clients):
            self._listener.first_sweep_ended(target)

    def staleness_changed(self) -> None:
        """The inventory has become stale, or is up to date again."""
        for target in list(self._shared.clients):
            self._listener.staleness_changed(target)

    # For the transitions

    def is_crowded(self) -> bool:
        """Whether many changes wait for the rate limiter."""
        return sum(self._lookup.pending_changes(target) for target in self._shared.clients) > CROWD

    def owned(self, uuids: Collection[str]) -> list[str]:
        """Of the UUIDs, those of mappings that resources have or wait for."""
        return self._lookup.owned(uuids)

    def sweep_instead(self) -> None:
        """Let the sweeper look, because a sweep takes fewer requests than the looks that are due."""
        self._sweeper.wake()
