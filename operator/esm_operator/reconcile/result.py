"""The result of one reconcile: its outcome, and the delay until the next reconcile of the resource."""

from dataclasses import dataclass

from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.ratelimit.workqueue import QueuePriority


@dataclass(frozen=True, slots=True)
class Result:
    """Returned by :meth:`Reconciler.reconcile`. Only the controller acts on it."""

    outcome: ReconcileOutcome | None
    """The outcome, for metrics. None: not counted, because this process no longer leads or the resource is unknown."""
    requeue_after: float | None = None
    """Seconds until the next reconcile. 0: immediately. None: only after an event."""
    priority: QueuePriority = QueuePriority.RESYNC
    """Priority of the next reconcile."""
    released: bool = False
    """Whether the operator is done with the resource: the finalizer is removed, or another operator has it."""
    deleted: bool = False
    """Whether the resource no longer exists, so that the controller drops earlier requeues of its key."""
