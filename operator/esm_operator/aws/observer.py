"""The observer of one target keeps its inventory fresh: by sweeps of all, and by looks at what is in transition.

Here the two are put together; how often each looks is theirs.
"""

import asyncio
from collections.abc import Callable, Collection

from esm_operator.aws.client import MappingsClient
from esm_operator.aws.sweeper import Sweeper, SweepPace
from esm_operator.aws.transitions import Transitions
from esm_operator.status.failure import Failure

#: How many changes that wait are many.
CROWD = 100


class Observer:
    """Sweeper and transitions of one target."""

    def __init__(
        self,
        client: Callable[[], MappingsClient],
        *,
        interval: float,
        ours: Callable[[Collection[str]], list[str]],
        changes_pending: Callable[[], int],
        changed: Callable[[Collection[str]], None],
        waiting: Callable[[], object],
        failed: Callable[[MappingsClient], None],
        sight: Callable[[], object],
    ) -> None:
        """
        Args:
            client: through whom to look.
            interval: seconds between sweeps when all is quiet.
            ours: of some UUIDs, those that belong to resources.
            changes_pending: how many resources wait for a change of theirs to be sent.
            changed: told of UUIDs whose mapping changed.
            waiting: told that the first sweep is in, or has failed: ``failure`` says why.
            failed: told that a look was refused or not answered, and through whom.
            sight: told that ``blind`` is another.
        """
        self._changes_pending = changes_pending
        self._changed = changed
        self._sweeper = Sweeper(
            client,
            interval=interval,
            pace=self._pace,
            changed=self._swept,
            waiting=waiting,
            failed=failed,
            sight=sight,
        )
        self._transitions = Transitions(
            client, ours=ours, crowded=self._crowded, too_many=self._sweeper.wake, failed=failed
        )

    @property
    def failure(self) -> Failure | None:
        """Why no page of a sweep is read; None: it is, or will be soon."""
        return self._sweeper.failure

    @property
    def blind(self) -> Failure | None:
        """Why nobody has known for long how the mappings are; None: they are known, or never were."""
        return self._sweeper.blind

    def wake(self) -> None:
        """Something has begun: look again soon."""
        self._transitions.wake()

    def retry(self) -> None:
        """If the last look failed, look again at once."""
        self._sweeper.retry()
        self._transitions.retry()

    async def run(self) -> None:
        """Observe until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweeper.run(), name="sweeper")
            tasks.create_task(self._transitions.run(), name="transitions")

    def _swept(self, uuids: Collection[str]) -> None:
        self._transitions.wake()  # a sweep may find that somebody else has begun something
        self._changed(uuids)

    def _crowded(self) -> bool:
        return self._changes_pending() > CROWD

    def _pace(self) -> SweepPace:
        if self._crowded():
            return SweepPace.CROWDED
        return SweepPace.HURRIED if self._transitions.overwhelming() else SweepPace.QUIET
