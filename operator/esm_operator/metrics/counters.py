"""Counters and histograms, which code updates where the thing happens. Gauges are in ``gauges.py``."""

import re
from collections.abc import Iterable
from enum import IntEnum, StrEnum

from botocore.exceptions import ClientError

from esm_operator.metrics import accounts
from esm_operator.metrics.catalogue import counter, histogram

#: Upper bounds of the buckets of what takes as long as one answer over the network, in seconds.
_ANSWER = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Of what waits for its turn.
_TURN = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
#: Error codes that AWS documents for the operations of the operator. They always have series of their own.
AWS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IDPCommunicationError",
        "IDPRejectedClaim",
        "IncompleteSignature",
        "InternalFailure",
        "InternalServiceException",
        "InvalidAction",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidParameterException",
        "InvalidParameterValueException",
        "InvalidSignatureException",
        "MalformedPolicyDocument",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "PackedPolicyTooLarge",
        "PaginationTokenExpiredException",
        "RegionDisabledException",
        "RequestExpired",
        "ResourceConflictException",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SignatureDoesNotMatch",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }
)
#: Other error codes that have series of their own. An endpoint that is not AWS may answer with any code.
MOST_OTHER_CODES = 50
#: An error code of AWS. Other text may be an ARN, an account or a name.
_CODE = re.compile(r"(?!.*[0-9]{5})[A-Za-z][A-Za-z0-9.]{0,63}")


class DriftKind(StrEnum):
    """The kinds of changes by others in AWS."""

    FIELDS = "fields"
    TAGS = "tags"
    DELETED = "deleted"


class ReconcileOutcome(StrEnum):
    """The result of one reconciliation of one resource."""

    SYNCED = "synced"
    """The mapping is as the spec."""
    WAITING = "waiting"
    """AWS changes the mapping, or the resource waits for something else."""
    STALLED = "stalled"
    """A person has to do something; conflicts too."""
    AWS_ERROR = "aws_error"
    """AWS refused a request or could not be reached; the operator retries."""
    KUBERNETES_ERROR = "kubernetes_error"
    """The API server refused a request or could not be reached; the operator retries."""
    OPERATOR_ERROR = "operator_error"
    """The operator itself failed, which is a bug. The condition has the reason OperatorError."""
    STALE = "stale"
    """The resource changed meanwhile, so the operator reconciles it again."""
    RELEASED = "released"
    """The finalizer was removed, or the resource was already deleted."""


LEASE_ACQUIRED = counter("lease_acquired", "Number of times that this process acquired the lease.")
LEASE_LOST = counter(
    "lease_lost",
    "Number of times that this process lost the lease. The release of the lease when a process stops is not counted.",
)
RECONCILES = counter("reconciles", "Number of reconciliations of resources, by result.", "result")
RECONCILE_SECONDS = histogram(
    "reconcile_duration_seconds",
    "Duration of one reconciliation of one resource, by result. Waiting for the rate limiter is included.",
    "result",
    buckets=(0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
QUEUE_DURATION = histogram(
    "workqueue_queue_duration_seconds",
    "Time that resources waited in the work queue after they were due.",
    "priority",
    buckets=_TURN,
)
DRIFT_CORRECTED = counter(
    "drift_corrected",
    "Number of times that the operator corrected a mapping or created it again, because it was changed or deleted "
    "outside of Kubernetes.",
    "kind",
)
AWS_REQUESTS = counter(
    "aws_requests",
    "Number of requests to AWS. The label code shows the result.",
    "operation",
    "code",
)
AWS_REQUEST_SECONDS = histogram(
    "aws_request_duration_seconds",
    "Duration of requests to AWS. Waiting for the rate limiter is not included.",
    "operation",
    buckets=_ANSWER,
)
AWS_FAILURES = counter(
    "aws_failures",
    "Number of failed requests to AWS. The label reason has the same values as the reasons of failed requests in "
    "the conditions of resources.",
    "reason",
)
AWS_THROTTLES = counter("aws_throttles", "Number of requests that AWS throttled.", "account", "region")
RATE_LIMITER_REQUESTS = counter(
    "aws_rate_limiter_requests",
    "Number of requests to AWS Lambda that the rate limiter allowed.",
    "account",
    "region",
    "priority",
)
RATE_LIMITER_DURATION = histogram(
    "aws_rate_limiter_duration_seconds",
    "Time that requests to AWS Lambda waited for the rate limiter.",
    "priority",
    buckets=_TURN,
)
KUBERNETES_REQUESTS = counter(
    "kubernetes_requests",
    "Number of requests to the API server. Watches and their initial lists are not counted.",
    "verb",
    "code",
)
KUBERNETES_REQUEST_SECONDS = histogram(
    "kubernetes_request_duration_seconds",
    "Duration of requests to the API server. Waiting for --kubernetes-requests-per-second is not included.",
    "verb",
    buckets=_ANSWER,
)

# A series that appears only with its first event has no increase that an alert could see.
for _drift in DriftKind:
    DRIFT_CORRECTED.labels(_drift)
for _result in ReconcileOutcome:
    RECONCILES.labels(_result)

_other_codes: set[str] = set()


def reconciled(result: ReconcileOutcome, seconds: float) -> None:
    """Count one reconciliation."""
    RECONCILES.labels(result).inc()
    RECONCILE_SECONDS.labels(result).observe(seconds)


def answered(operation: str, seconds: float, error: Exception | None = None, reason: str = "") -> None:
    """Count one request to AWS that has ended. ``reason``: what a condition shows for the error; empty: nothing."""
    AWS_REQUESTS.labels(operation, _code(error)).inc()
    AWS_REQUEST_SECONDS.labels(operation).observe(seconds)
    if reason:
        AWS_FAILURES.labels(reason).inc()


def waited(priority: IntEnum, seconds: float) -> None:
    """Record the time that a resource has waited in the work queue since it was due."""
    QUEUE_DURATION.labels(priority.name.lower()).observe(seconds)


def granted(account: str, region: str, priority: IntEnum, seconds: float) -> None:
    """Count one request that the rate limiter has let through, and record the time that it waited."""
    name = priority.name.lower()
    RATE_LIMITER_REQUESTS.labels(accounts.label(account), region, name).inc()
    RATE_LIMITER_DURATION.labels(name).observe(seconds)


def place_in_use(account: str, region: str) -> None:
    """Begin the counters of an account and region at zero."""
    AWS_THROTTLES.labels(accounts.label(account), region)


def throttled(account: str, region: str) -> None:
    """Count one request that AWS has throttled."""
    AWS_THROTTLES.labels(accounts.label(account), region).inc()


def place_unused(account: str, region: str, used: Iterable[tuple[str, str]]) -> None:
    """Remove the series of an account and region that no resource uses any more.

    Args:
        account: the account.
        region: its region.
        used: the accounts and regions in use. One of them may have the same labels, and keeps the series.
    """
    labels = {"account": accounts.label(account), "region": region}
    if not any(accounts.label(one) == labels["account"] for one, place in used if place == region):
        AWS_THROTTLES.remove_by_labels(labels)
        RATE_LIMITER_REQUESTS.remove_by_labels(labels)


def _code(error: Exception | None) -> str:
    """AWS's error code, ``OK``, or the name of the exception."""
    if not isinstance(error, ClientError):
        return "OK" if error is None else type(error).__name__
    code = str(error.response.get("Error", {}).get("Code", "") or "Unknown")
    if code in AWS_CODES or code in _other_codes:
        return code
    if len(_other_codes) >= MOST_OTHER_CODES or not _CODE.fullmatch(code):
        return "Other"
    _other_codes.add(code)
    return code
