"""The rate limiter of keys: each key gets a turn of its own, at a steady rate, and the time at which to ask again.

Deletions of mappings and retries of failing resources wait by it for minutes or hours, by the thousand. A resource that
has its turn later is requeued until then and costs nothing. Awaiting a :class:`~.rate_limiter.RateLimiter` would hold a
worker for each of them, and a turn can't be given up there.

*Parties* (namespaces) take turns, so one with thousands of keys does not delay another. A new key gets the turn of a
later key of a party that has more keys before that turn. The other key gets a later turn instead.
"""

import heapq
import itertools
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from esm_operator.clock import monotonic
from esm_operator.ratelimit.token_bucket import TokenBucket

Key = TypeVar("Key", bound=Hashable)


class _Turn(NamedTuple, Generic[Key]):
    """The turn of a key that waits. Turns are ordered by time."""

    time: float
    """Monotonic time from which it may be taken, in seconds. -inf: now, because others have left."""
    number: int
    """A number of its own, so that keys are not compared."""
    key: Key


class KeyedRateLimiter(Generic[Key]):
    """Turns by key, so many a second, and a burst after a quiet time.

    A turn that a key gives up goes to the next key that asks. ``party`` returns the party of a key.
    """

    def __init__(self, rate: float, burst: float, party: Callable[[Key], Hashable] = lambda _: None) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._party = party
        self._numbers = itertools.count()
        self._turns: dict[Key, _Turn[Key]] = {}
        self._by_party: dict[Hashable, list[_Turn[Key]]] = {}
        """The turns of each party, the next one first."""
        self._free: list[float] = []
        """A heap of turns that were given and will not be taken."""

    def __len__(self) -> int:
        """How many keys wait for their turn."""
        return len(self._turns)

    def take(self, key: Key) -> float:
        """Take a turn. Returns 0 if it is granted, else the seconds until the key's own turn, when it asks again."""
        turn = self._withdraw(key) if key in self._turns else self._reserve(key)
        now = monotonic()  # read after the reservation, so that a turn that begins now is granted now
        if turn <= now:
            return 0.0
        self._assign(key, turn)
        return turn - now

    def advance(self, count: int) -> list[Key]:
        """Let the next few keys that wait take their turns now. Returns which."""
        waiting = (key for key, turn in self._turns.items() if turn.time > -math.inf)
        keys = heapq.nsmallest(count, waiting, key=self._turns.__getitem__)
        for key in keys:
            self._release(self._withdraw(key))
            self._assign(key, -math.inf)
        return keys

    def forget(self, key: Key) -> None:
        """Release the turn of a key that does not wait any more."""
        if key in self._turns:
            self._release(self._withdraw(key))

    def _assign(self, key: Key, time: float) -> None:
        turn = self._turns[key] = _Turn(time, next(self._numbers), key)
        insort(self._by_party.setdefault(self._party(key), []), turn)

    def _withdraw(self, key: Key) -> float:
        turn, party = self._turns.pop(key), self._party(key)
        turns = self._by_party[party]
        del turns[bisect_left(turns, turn)]
        if not turns:
            del self._by_party[party]
        return turn.time

    def _reserve(self, key: Key) -> float:
        """The turn of a new key: the first that was given up, or a new one, or that of a key of another party.

        A key that loses its turn gets another one in the same way. Each is of a larger party than the key before it.

        Returns:
            monotonic time from which the turn may be taken, in seconds.
        """
        now = monotonic()
        while self._free and self._free[0] <= now:
            heapq.heappop(self._free)
        turn = heapq.heappop(self._free) if self._free else self._bucket.reserve()
        first = self._turn_for(key, now, turn)
        if first is None:
            return turn
        other: _Turn[Key] | None = first
        while other is not None:
            self._withdraw(other.key)
            following = self._turn_for(other.key, now, turn)
            self._assign(other.key, turn if following is None else following.time)
            other = following
        return first.time

    def _turn_for(self, key: Key, now: float, before: float) -> _Turn[Key] | None:
        """The first turn of another party that a new key gets instead of a later turn; None: there is none.

        It is a turn of a party that keeps more turns before it than the party of the key has.
        """
        own = len(self._by_party.get(self._party(key), ()))
        later = [turns[own + 1] for turns in self._by_party.values() if len(turns) > own + 1]
        first = min(later, default=None)
        return first if first is not None and now < first.time < before else None

    def _release(self, turn: float) -> None:
        """Keep a turn for the next key that asks, unless it is over."""
        if turn > monotonic():
            heapq.heappush(self._free, turn)
