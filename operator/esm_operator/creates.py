"""Records on a resource that a Create without owner tags may be outstanding.

The record is written before the Create is sent, and taken back when the outcome is noted or there is none. Nothing else
tells of the mapping that such a Create makes. It takes two more writes to the API server for each creation. What
follows from the record is in ``records.py``. Used by what acts, and by the reconciler.
"""

from dataclasses import replace

from esm_operator import records
from esm_operator.cluster.kube import Kubernetes
from esm_operator.cluster.resource import Intent, Key
from esm_operator.memory import Attempt, Memory
from esm_operator.telling.teller import Teller
from esm_operator.work import Work


class Creates:
    """The records of Creates."""

    def __init__(self, memory: Memory, kubernetes: Kubernetes, teller: Teller) -> None:
        self._memory = memory
        self._kubernetes = kubernetes
        self._teller = teller

    async def begin(self, work: Work) -> None:
        """Record that a Create may be sent. Raises ConflictError, and what else a write to the API server raises."""
        intent = records.creating(work.resource, self._memory)
        if intent is not None:
            await self._write(work, intent)
            self._memory.creates[work.resource.key] = Attempt(intent.creating)
            self._note(work.resource.key)

    def sent(self, key: Key) -> None:
        """A Create is sent: it is outstanding."""
        self._note(key, sent=True)

    def ended(self, key: Key) -> None:
        """A Create has ended: it is outstanding if its outcome is in doubt, or that of one before it."""
        self._note(key)

    async def end(self, work: Work) -> None:
        """Record that no Create is outstanding any more, if that is so. Raises as :meth:`begin`."""
        intent = records.created(work, self._memory)
        if intent is not None:
            await self._write(work, intent)

    def _note(self, key: Key, *, sent: bool = False) -> None:
        attempt = self._memory.creates.get(key)
        if attempt is not None:
            outstanding = sent or self._memory.doubts.is_unsearched(key)
            self._memory.creates[key] = replace(attempt, outstanding=outstanding)

    async def _write(self, work: Work, intent: Intent) -> None:
        work.resource = self._teller.took(await self._kubernetes.prepare(work.resource, intent))
