"""The waiters of a limiter: requests that await their turn, by party and priority.

The *parties* (namespaces) take turns, so one with many requests does not delay another. When a party has its turn, its
most urgent request is granted. Reads of transitions and sweeps are of no party, and come after the requests
of all parties.

In each round, every party that waits has one turn, in the order of the priorities of its requests. If it waits with
edits, it has up to four turns. An edit needs several requests, one after the other. So an edit does not wait for the
creations of all parties, and constant edits of one party do not use up the turns of the others. A party whose request
arrives during a round still has its turn in this round.

One turn in eight goes to the request that has waited longest, so that none starves.
"""

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import NamedTuple

_FAIR_TURN = 8
#: The turns that a party can have in a round, if its next request is an edit.
_EDITS = 4
_party: ContextVar[Hashable] = ContextVar("party", default=None)


class RequestPriority(IntEnum):
    """Which request comes first: lower values do."""

    EDIT = 0
    CREATE = 1
    TRANSITION = 2
    SWEEP = 3
    TAG_SWEEP = 4


#: The priorities of requests for one resource.
_OF_PARTIES = frozenset({RequestPriority.EDIT, RequestPriority.CREATE})


class _Request(NamedTuple):
    """A request that waits. Those of one party are in order."""

    priority: RequestPriority
    number: int
    """In the order of arrival."""
    turn: asyncio.Future[None]


@contextmanager
def requests_of(party: Hashable) -> Generator[None]:
    """Count the requests of this task inside the block as those of a party."""
    token = _party.set(party)
    try:
        yield
    finally:
        _party.reset(token)


def current_party() -> Hashable:
    """The party of the requests of this task; None: they are of none."""
    return _party.get()


class Waiters:
    """Requests that wait. A request that was cancelled does not wait any more. For one event loop."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._waiting: dict[Hashable, list[_Request]] = {}
        """By party: a heap, which is not empty."""
        self._turns: Counter[Hashable] = Counter()
        """The turns that each party has had in this round."""
        self._granted = 0

    def __bool__(self) -> bool:
        for party in [one for one, requests in self._waiting.items() if requests[0].turn.done()]:
            self._drop_done(party)
        return bool(self._waiting)

    def __len__(self) -> int:
        return sum(not request.turn.done() for requests in self._waiting.values() for request in requests)

    def add(self, priority: RequestPriority) -> asyncio.Future[None]:
        """Add a request of the party of this task. Its turn has come when the future is done."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        party = current_party() if priority in _OF_PARTIES else None
        heapq.heappush(self._waiting.setdefault(party, []), _Request(priority, next(self._order), turn))
        return turn

    def grant(self) -> bool:
        """Let the next request take its turn. Returns whether one waits."""
        if not self:
            return False
        self._granted += 1
        if self._granted % _FAIR_TURN == 0:
            party, request = self._longest()
        else:
            party = min(self._waiting, key=self._rank)
            request = self._waiting[party][0]
            if self._is_served(party):
                self._turns.clear()
        self._turns[party] += 1
        request.turn.set_result(None)
        self._drop_done(party)
        return True

    def _rank(self, party: Hashable) -> tuple[bool, bool, RequestPriority, int]:
        first = self._waiting[party][0]
        return first.priority not in _OF_PARTIES, self._is_served(party), first.priority, first.number

    def _is_served(self, party: Hashable) -> bool:
        """Whether a party has no turn any more in this round."""
        is_edit = self._waiting[party][0].priority is RequestPriority.EDIT
        return self._turns[party] >= (_EDITS if is_edit else 1)

    def _longest(self) -> tuple[Hashable, _Request]:
        waiting = ((party, one) for party, requests in self._waiting.items() for one in requests if not one.turn.done())
        return min(waiting, key=lambda found: found[1].number)

    def _drop_done(self, party: Hashable) -> None:
        """Remove requests that do not wait any more from the beginning of the queue of a party."""
        requests = self._waiting[party]
        while requests and requests[0].turn.done():
            heapq.heappop(requests)
        if not requests:
            del self._waiting[party]
        if not self._waiting:
            self._turns.clear()
