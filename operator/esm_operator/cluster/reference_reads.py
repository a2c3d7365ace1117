"""The reads of single objects that a list has not shown, because they were referenced later.

Each read is a request, and users choose the names. So the namespaces whose resources need the objects take turns. An
object that resources of several namespaces need is read in the first of their turns. The reference cache adds the
objects and takes them for the readers of ``reference_watches.py``.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind
from esm_operator.cluster.referenced_object import ObjectName
from esm_operator.ratelimit.workqueue import QueuePriority, WorkQueue


class WantedObject(NamedTuple):
    """An object that resources of a namespace need."""

    party: str
    """The namespace of the resources."""
    kind: Kind
    name: ObjectName

    @property
    def object(self) -> tuple[Kind, ObjectName]:
        return self.kind, self.name


class ObjectReads:
    """The objects to read. For one event loop."""

    def __init__(self) -> None:
        self._queue = WorkQueue[WantedObject](dict.fromkeys(QueuePriority, 1), party=lambda wanted: wanted.party)
        self._since: dict[tuple[Kind, ObjectName], float] = {}
        """Monotonic time at which the first attempt was needed, of the reads that have not succeeded, in seconds."""
        self._under_way: set[tuple[Kind, ObjectName]] = set()

    def __len__(self) -> int:
        return len(self._since)

    def add(self, wanted: WantedObject) -> None:
        """Have an object read, unless it is being read."""
        if wanted.object not in self._under_way:
            self._since.setdefault(wanted.object, monotonic())
            self._queue.add(wanted, QueuePriority.CREATE)

    async def take(self, is_needed: Callable[[WantedObject], bool]) -> WantedObject:
        """Wait for the next object that is still needed. After the read, call :meth:`ended`."""
        while True:
            wanted = await self._queue.take()
            self._queue.done(wanted)
            if wanted.object in self._under_way:
                continue
            if is_needed(wanted):
                self._under_way.add(wanted.object)
                return wanted
            self._since.pop(wanted.object, None)

    def ended(self, kind: Kind, name: ObjectName, *, again: bool) -> None:
        """A read has ended. ``again``: it has failed, and the object is added again later."""
        self._under_way.discard((kind, name))
        if not again:
            self._since.pop((kind, name), None)

    def waited(self, kind: Kind, name: ObjectName) -> float:
        """The seconds since the first attempt to read an object was needed."""
        return monotonic() - self._since.get((kind, name), math.inf)
