"""A pace: so many of something in a given time, each key in its turn.

Two things keep one: deletions at AWS (the brake), and the retries of failing resources, which together may
take a part of the request quota only. A key that comes too soon is given a time of its own, so that
thousands that wait cost nothing until then.
"""

import heapq
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from esm_operator.clock import passed

Key = TypeVar("Key", bound=Hashable)


class KeyedRateLimiter(Generic[Key]):
    """Turns at a steady rate, after a burst."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = passed) -> None:
        """
        Args:
            rate: turns a second.
            burst: how many turns may be taken at once after a quiet time.
            clock: seconds that only grow.
        """
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._next = clock() - burst / rate
        """The time of the next turn to be given; in the past as far as turns are saved up."""
        self._turns: dict[Key, float] = {}
        self._free: list[float] = []
        """A heap of turns that were given and will not be taken."""

    def __len__(self) -> int:
        """How many keys wait for their turn."""
        return len(self._turns)

    def take(self, key: Key) -> float:
        """Take a turn. Returns 0 if it is granted, else the seconds until the key's own turn: ask again then."""
        now = self._clock()
        turn = self._turns.get(key)
        if turn is None:
            turn = self._new_turn(now)
        if turn <= now:
            self._turns.pop(key, None)
            return 0.0
        self._turns[key] = turn
        return turn - now

    def advance(self, count: int) -> list[Key]:
        """Let the next few that wait take their turns now. Returns which."""
        keys = sorted(self._turns, key=self._turns.__getitem__)[:count] if self._turns else []
        for key in keys:
            self._give_back(self._turns[key])
            self._turns[key] = -math.inf
        return keys

    def forget(self, key: Key) -> None:
        """A key does not wait any more."""
        turn = self._turns.pop(key, None)
        if turn is not None:
            self._give_back(turn)

    def _new_turn(self, now: float) -> float:
        while self._free and self._free[0] <= now:
            heapq.heappop(self._free)
        if self._free:
            return heapq.heappop(self._free)
        self._next = max(self._next, now - self._burst / self._rate) + 1 / self._rate
        return self._next

    def _give_back(self, turn: float) -> None:
        """A turn that was given is not taken: it is the next one's who comes."""
        if turn > self._clock():
            heapq.heappush(self._free, turn)
