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

    def __init__(self, states: ResourceStates, kubernetes: KubernetesClient, status_writer: StatusWriter) -> None:
        self._states = states
        self._kubernetes = kubernetes
        self._status_writer = status_writer

    async def begin(self, context: ReconcileContext) -> None:
        """Record that a Create may be sent. Raises ConflictError, and what else a write to the API server raises."""
        marker = ownership_records.marker(context, self._states)
        if not marker:
            return
        status = replace(context.resource.status, creating=marker)
        context.resource = self._status_writer.record(await self._kubernetes.set_status(context.resource, status))
        context.creating = marker
        self._states.of(context.resource.key).create_attempt = CreateAttempt(marker)
        self._record(context.resource.key)

    def sent(self, key: Key) -> None:
        """A Create is sent: it is outstanding."""
        self._record(key, sent=True)

    def ended(self, key: Key) -> None:
        """A Create has ended: it is outstanding if its outcome is in doubt, or that of one before it."""
        self._record(key)

    def settle(self, context: ReconcileContext) -> None:
        """Forget in the next status that a Create may be outstanding, if none is."""
        context.creating = ownership_records.outstanding(context, self._states)

    def _record(self, key: Key, *, sent: bool = False) -> None:
        state = self._states.of(key)
        if state.create_attempt is not None:
            outstanding = sent or state.pending_creates.unsearched
            state.create_attempt = replace(state.create_attempt, outstanding=outstanding)
