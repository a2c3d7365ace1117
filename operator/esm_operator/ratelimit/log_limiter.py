"""The log limiter: limits the log lines about the resources of each namespace, so that no tenant can fill the log.

Each edit of a resource can cause a line, and a user may edit a resource many times a second. The status and the Events
of a resource have the information of the lines that were left out.

These lines have no limit here: errors, lines about changes in AWS, which are an audit log, and lines about requests
that the API server refuses. A :class:`~.failure_log.FailureLog` limits the lines about refused requests, which concern
all namespaces.
"""

import logging
from dataclasses import dataclass, field
from functools import lru_cache

from esm_operator.clock import monotonic
from esm_operator.ratelimit.token_bucket import TokenBucket

#: Lines a second of one namespace and level, and lines that may follow each other immediately.
RATE, BURST = 1.0, 300.0
#: Seconds between two lines about lines that were left out.
_QUIET = 60.0
#: Namespaces that are remembered, each with each level. The one that has not written for the longest time is forgotten.
_MOST_KEPT = 10_000
#: Members of records that have no limit here.
_UNLIMITED = ("change", "request")


@dataclass(slots=True)
class _Allowance:
    """The lines of one namespace and level."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(RATE, BURST))
    left_out: int = 0
    """Lines that were left out and are not reported yet."""
    report_at: float = 0.0
    """Monotonic time from which the next line that is left out becomes a report."""


class LogLimiter:
    """A filter for a handler. The members of a record are those of :func:`~esm_operator.logs.marks`."""

    def __init__(self) -> None:
        self._allowance = lru_cache(_MOST_KEPT)(_new_allowance)

    def __call__(self, record: logging.LogRecord) -> bool:
        """Whether to write a line. One a minute of those that are left out becomes a line with their number."""
        members = vars(record)
        namespace = members.get("namespace", "")
        if not namespace or record.levelno >= logging.ERROR or any(name in members for name in _UNLIMITED):
            return True
        allowance = self._allowance(namespace, record.levelno)
        if allowance.bucket.take():
            return True
        allowance.left_out += 1
        now = monotonic()
        if now < allowance.report_at:
            return False
        for name in ("resource", "uuid", "reason"):
            members.pop(name, None)
        record.msg = (
            "The operator leaves out log lines about resources of the namespace %s, because they exceed %g a second. "
            "Lines left out: %d. The status and the Events of the resources have the same information."
        )
        record.args = (namespace, RATE, allowance.left_out)
        allowance.left_out, allowance.report_at = 0, now + _QUIET
        return True


def _new_allowance(namespace: str, level: int) -> _Allowance:
    """The allowance of a namespace and level."""
    return _Allowance()
