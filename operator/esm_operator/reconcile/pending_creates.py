"""Doubts: Creates whose outcome is not known, for AWS may carry them out a little later.

An answer was lost, or an earlier process sent the request and was killed. Until the doubt is settled by a
list that began well after the request, nothing may follow from there being no mapping: neither that the
resource can go, nor that another identity can be written into its intent. (The same Create may be sent
again: AWS refuses a second mapping of the same identity. That settles nothing: once the mapping that it made is
deleted, what was sent first may make another.) A sweep settles a doubt too, but proves no absence, for its pages shift
while mappings come and go: before anything follows from there being none, the function's own list is asked, which is
one page. Asked by the reconciler.
"""

import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from esm_operator.aws.client import MappingsClient

Key = TypeVar("Key", bound=Hashable)

#: Seconds after which AWS does not carry out a request any more whose sender has given up or died.
SETTLE = 8.0
#: Seconds by which the clocks of two machines may differ.
CLOCKS_DIFFER = 5.0


@dataclass(slots=True)
class _Doubt:
    function: str
    settles: float
    looked: bool
    settled: bool = False
    """Whether nothing more is being made. The doubt stays until a list of the function has told what was."""


class PendingCreates(Generic[Key]):
    """The resources of which it is not known whether a mapping was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._pending_creates: dict[Key, _Doubt] = {}
        self._suspects: set[Key] = set()

    def may_have_made(self, key: Key) -> bool:
        """Whether a Create whose answer this process has not seen may have made a mapping for the resource."""
        return key in self._suspects

    def unanswered(self, key: Key, function: str) -> None:
        """A Create had no clear answer.

        Args:
            key: the resource.
            function: the function of the mapping, as its identity names it.
        """
        self._suspects.add(key)
        self._pending_creates[key] = _Doubt(function, time.monotonic() + SETTLE, looked=False)

    def inherited(self, key: Key, function: str, *, alive: bool, waited: float = 0.0) -> None:
        """Another process has noted that it was about to create a mapping, and not what came of it.

        Args:
            key: the resource.
            function: the function of the mapping, as its identity names it.
            alive: whether that process may still have lived a moment ago; else it had ended when this one began.
            waited: seconds since a note that no Create is sent any more, by the clocks of two machines.
        """
        self._suspects.add(key)
        if not self.stands(key):
            settles = self.settles(alive=alive)
            if waited:
                settles = min(settles, time.monotonic() + max(0.0, SETTLE + CLOCKS_DIFFER - waited))
            self._pending_creates[key] = _Doubt(function, settles, looked=not alive)

    def settles(self, *, alive: bool) -> float:
        """Monotonic time, in seconds, from which AWS does not carry out any more what another process has sent.

        Args:
            alive: whether that process may still have lived a moment ago; else it had ended when this one began.
        """
        return (time.monotonic() if alive else self._began) + SETTLE

    def stands(self, key: Key) -> bool:
        """Whether a doubt is not settled yet."""
        doubt = self._pending_creates.get(key)
        return doubt is not None and not doubt.settled

    def is_unsearched(self, key: Key) -> bool:
        """Whether no list of the function has told yet what was made."""
        return key in self._pending_creates

    def left(self, key: Key) -> float:
        """Seconds until a doubt can be settled."""
        doubt = self._pending_creates.get(key)
        return max(0.0, doubt.settles - time.monotonic()) if doubt is not None else 0.0

    async def settle(self, key: Key, client: MappingsClient) -> bool:
        """Look for the mapping, where that can tell something new. Returns whether the doubt remains."""
        doubt = self._pending_creates.get(key)
        if doubt is None or doubt.settled:
            return False
        now = time.monotonic()
        if client.inventory.swept_from < doubt.settles and (now >= doubt.settles or not doubt.looked):
            await client.find(doubt.function)
            doubt.looked = True
            if now >= doubt.settles:
                self._pending_creates.pop(key, None)
                return False
        doubt.settled = max(now, client.inventory.swept_from) >= doubt.settles
        return not doubt.settled

    async def search(self, key: Key, client: MappingsClient) -> None:
        """Ask AWS for the list of the function, once the doubt is settled: whatever was made is known then."""
        doubt = self._pending_creates.get(key)
        if doubt is not None:
            await client.find(doubt.function)
            self._pending_creates.pop(key, None)

    def answered(self, key: Key) -> None:
        """A Create has made the mapping. If nothing more was being made, there is no other: AWS refuses a twin."""
        doubt = self._pending_creates.get(key)
        if doubt is not None and doubt.settled:
            del self._pending_creates[key]

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._pending_creates.pop(key, None)
        self._suspects.discard(key)
