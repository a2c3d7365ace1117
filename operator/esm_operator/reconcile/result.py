"""What one reconcile returns: how it ended, and when the resource is reconciled again."""

from dataclasses import dataclass

from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.ratelimit.workqueue import QueuePriority


@dataclass(frozen=True, slots=True)
class Result:
    """Returned by :meth:`Reconciler.reconcile`; only the controller acts on it."""

    outcome: ReconcileOutcome | None
    """How it ended, for metrics. None: this process no longer leads, or the resource is unknown; nothing is counted."""
    requeue_after: float | None = None
    """Seconds until the next reconcile; 0: immediately; None: when something changes."""
    priority: QueuePriority = QueuePriority.RESYNC
    """Priority of the next reconcile."""
    deleted: bool = False
    """Whether the resource no longer exists, so that earlier requeues of its name are dropped."""
