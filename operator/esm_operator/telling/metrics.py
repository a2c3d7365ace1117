"""The metrics: what an alert or a graph is made from, all in one place.

Counters are counted up where the thing happens. Gauges over resources are asked of the running operator at
each scrape, so that they can't be out of date; ``watch`` says whom to ask. Labels have few values, whatever
the number of resources. Served by the probes under ``/metrics``.
"""

from collections.abc import Callable
from enum import StrEnum

from botocore.exceptions import ClientError
from prometheus_client import Counter, Gauge, disable_created_metrics

# The time at which a counter began is a second series for each, and of no use here.
disable_created_metrics()


class Drift(StrEnum):
    """What somebody else changed at AWS."""

    FIELDS = "fields"
    TAGS = "tags"
    DELETED = "deleted"


class Result(StrEnum):
    """How one reconciliation of one resource ended."""

    SYNCED = "synced"
    """AWS has what the spec says."""
    WAITING = "waiting"
    """AWS is at work, or something is waited for."""
    STALLED = "stalled"
    """A person has to do something; conflicts too."""
    REFUSED = "refused"
    """AWS refused or could not be reached; it is tried again."""
    CHANGED = "changed"
    """The resource was changed meanwhile; it is begun anew."""
    RELEASED = "released"
    """The resource was let go, or was gone already."""
    FAILED = "failed"
    """The operator itself failed: a bug, or an API server that can't be reached."""


LEADER = Gauge("esm_operator_leader", "Whether this process holds the lease and works (1), or stands by (0).")
DRIFT_CORRECTED = Counter(
    "esm_operator_drift_corrected",
    "Mappings changed outside of Kubernetes and put right, by what was changed.",
    ["kind"],
)
PROCESSING_PROBLEMS = Gauge(
    "esm_operator_processing_problems", "Mappings whose last processing result at AWS is a problem."
)
DELETIONS_HELD = Gauge("esm_operator_deletions_held", "Deletions at AWS that wait for the limit on deletions a minute.")
AWS_REQUESTS = Counter(
    "esm_operator_aws_requests",
    "Requests to AWS, by operation and by AWS's error code (OK: none; the name of the exception: no answer).",
    ["operation", "code"],
)
RECONCILES = Counter("esm_operator_reconciles", "Reconciliations of resources, by how they ended.", ["result"])

# A series that appears only with its first event has no increase that an alert could see.
for _drift in Drift:
    DRIFT_CORRECTED.labels(_drift)
for _result in Result:
    RECONCILES.labels(_result)


def _none() -> int:
    return 0


def watch(*, processing_problems: Callable[[], int] = _none, deletions_held: Callable[[], int] = _none) -> None:
    """Have the gauges over resources asked at each scrape, in the thread that scrapes (the event loop's).

    Called by what leads, and without anything when that ends: a standby's numbers would count twice.

    Args:
        processing_problems: how many mappings have a problem as their last processing result.
        deletions_held: how many deletions wait.
    """
    PROCESSING_PROBLEMS.set_function(processing_problems)
    DELETIONS_HELD.set_function(deletions_held)


def count_request(operation: str, error: Exception | None = None) -> None:
    """Count one request to AWS that has ended.

    Args:
        operation: AWS's name of it, such as ``GetEventSourceMapping``.
        error: what it raised, or None.
    """
    if error is None:
        code = "OK"
    elif isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "") or "Unknown")
    else:
        code = type(error).__name__
    AWS_REQUESTS.labels(operation, code).inc()
