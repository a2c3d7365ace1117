"""Records on a resource that a Create without owner tags may be outstanding.

``status.creating`` is written before the Create is sent, and taken back when the outcome is noted or there is none.
It is the only record of the mapping that such a Create makes. It costs one more write to the API server for each
creation.
It is in the status because those who may write resources should not be able to claim mappings by it. What follows from
it is in ``ownership_records.py``. Used by what acts, and by the reconciler.
"""

from dataclasses import replace

from esm_operator.api.resource import Key
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.reconcile import ownership_records
from esm_operator.reconcile.context import ReconcileContext
from esm_operator.reconcile.state import CreateAttempt, ResourceStates
from esm_operator.reconcile.status_writer import StatusWriter


class CreateMarkers:
    """The records of Creates."""

    def __init__(self, memory: ResourceStates, kubernetes: KubernetesClient, teller: StatusWriter) -> None:
        self._memory = memory
        self._kubernetes = kubernetes
        self._teller = teller

    async def begin(self, work: ReconcileContext) -> None:
        """Record that a Create may be sent. Raises ConflictError, and what else a write to the API server raises."""
        marker = ownership_records.marker(work, self._memory)
        if not marker:
            return
        status = {**work.resource.status.unpacked, "creating": marker}
        work.resource = self._teller.took(await self._kubernetes.set_status(work.resource, status))
        work.creating = marker
        self._memory.creates[work.resource.key] = CreateAttempt(marker)
        self._note(work.resource.key)

    def sent(self, key: Key) -> None:
        """A Create is sent: it is outstanding."""
        self._note(key, sent=True)

    def ended(self, key: Key) -> None:
        """A Create has ended: it is outstanding if its outcome is in doubt, or that of one before it."""
        self._note(key)

    def settle(self, work: ReconcileContext) -> None:
        """Forget in the next status that a Create may be outstanding, if none is."""
        work.creating = ownership_records.outstanding(work, self._memory)

    def _note(self, key: Key, *, sent: bool = False) -> None:
        attempt = self._memory.creates.get(key)
        if attempt is not None:
            outstanding = sent or self._memory.doubts.is_unsearched(key)
            self._memory.creates[key] = replace(attempt, outstanding=outstanding)
