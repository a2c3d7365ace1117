"""What one reconcile returns: how it ended, and when the resource is reconciled again."""

from dataclasses import dataclass, replace

from esm_operator.metrics.counters import ReconcileOutcome
from esm_operator.ratelimit.workqueue import QueuePriority


@dataclass(frozen=True, slots=True)
class Result:
    """Returned by :meth:`Reconciler.reconcile`; only the controller acts on it.

    Example:
        ``Result(ReconcileOutcome.WAITING, requeue_after=30.0)`` reconciles the resource again in 30 s, or earlier if it
        is edited.
    """

    outcome: ReconcileOutcome | None
    """How it ended, for metrics. None: this process no longer leads, or the resource is unknown; nothing is counted."""
    requeue_after: float | None = None
    """Seconds until the next reconcile; 0: immediately; None: when something changes."""
    priority: QueuePriority = QueuePriority.RESYNC
    """Priority of the next reconcile."""
    deleted: bool = False
    """Whether the resource no longer exists, so that earlier requeues of its name are dropped."""

    def requeued(self, priority: QueuePriority, after: float = 0.0) -> "Result":
        """The same result with another requeue.

        Args:
            priority: of the next reconcile.
            after: seconds until then.
        """
        return replace(self, requeue_after=after, priority=priority)
