"""The waiters of a limiter: requests that await their turn, by priority.

One turn in eight goes to the request that has waited longest, so that none starves.
"""

import asyncio
import heapq
import itertools
from enum import IntEnum

_FAIR_TURN = 8


class RequestPriority(IntEnum):
    """Which request comes first: lower values do."""

    EDIT = 0
    CREATE = 1
    TRANSITION = 2
    SWEEP = 3
    TAG_SWEEP = 4


class Waiters:
    """Requests that wait. A request that was cancelled does not wait any more. For one event loop."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._granted = 0

    def __bool__(self) -> bool:
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return bool(self._waiting)

    def __len__(self) -> int:
        return sum(not turn.done() for _, _, turn in self._waiting)

    def add(self, priority: RequestPriority) -> asyncio.Future[None]:
        """Add a request. Its turn has come when the future is done."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (int(priority), next(self._order), turn))
        return turn

    def grant(self) -> bool:
        """Let the next request take its turn. Returns whether one waits."""
        if not self:
            return False
        self._granted += 1
        turn = self._longest() if self._granted % _FAIR_TURN == 0 else heapq.heappop(self._waiting)[2]
        turn.set_result(None)
        return True

    def _longest(self) -> asyncio.Future[None]:
        longest = min((entry for entry in self._waiting if not entry[2].done()), key=lambda entry: entry[1])
        self._waiting.remove(longest)
        heapq.heapify(self._waiting)
        return longest[2]
