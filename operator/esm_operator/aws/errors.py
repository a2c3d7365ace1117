"""What an error of AWS means: one table, from code and message to what follows from it.

| disposition | when it is tried again | what the resource shows |
|---|---|---|
| SOON | after about a second, doubling | Reconciling |
| SLOW | after half a minute, doubling | Reconciling (AWS may heal by itself: a missing function, a role) |
| PERSON | after minutes, doubling, or at once after an edit | Stalled |

Used by the reconciler. Messages end in the remedy; AWS's own sentence comes first.
"""

import re
from dataclasses import dataclass
from enum import Enum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)


class Disposition(Enum):
    """When to try again: (first delay, longest delay) in seconds."""

    SOON = (1.0, 60.0)
    SLOW = (15.0, 300.0)
    PERSON = (60.0, 1800.0)


@dataclass(frozen=True, slots=True)
class Row:
    code: str
    """A pattern for AWS's error code."""
    message: str
    """A pattern for AWS's sentence."""
    reason: str
    disposition: Disposition
    remedy: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of AWS, understood."""

    reason: str
    message: str
    disposition: Disposition
    code: str = ""
    throttled: bool = False
    retry_after: float = 0.0


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANY = ""

TABLE: tuple[Row, ...] = (
    Row(
        "TooManyRequests|Throttl|RequestLimitExceeded",
        _ANY,
        "Throttled",
        Disposition.SOON,
        "The account's Lambda control-plane quota is used up; the operator slows down and tries again.",
    ),
    Row(
        "ResourceInUse|ResourceConflict",
        _ANY,
        "OperationInProgress",
        Disposition.SOON,
        "AWS is still at work on it; it is tried again.",
    ),
    Row(
        "InvalidParameterValue",
        "cannot be assumed by Lambda|does not have permissions|ensure the role can perform",
        "RoleLacksPermission",
        Disposition.SLOW,
        "If the role was just made or changed, this heals by itself within minutes. Else give the function's "
        "execution role the permissions that its event source needs.",
    ),
    Row(
        "InvalidParameterValue",
        "Function does not exist",
        "FunctionNotFound",
        Disposition.SLOW,
        "Create the function, or correct spec.functionName and spec.region. It is tried again by itself.",
    ),
    Row(
        "InvalidParameterValue",
        "NonExistentQueue|Stream not found|does not exist|not found",
        "EventSourceNotFound",
        Disposition.SLOW,
        "Create the event source, or correct spec.eventSourceARN. It is tried again by itself.",
    ),
    Row(
        "InvalidParameterValue|Validation|InvalidRequest",
        _ANY,
        "RefusedByAWS",
        Disposition.PERSON,
        "Correct the spec.",
    ),
    Row(
        "AccessDenied|UnauthorizedOperation",
        _ANY,
        "AccessDenied",
        Disposition.SLOW,
        "Allow the operator's IAM identity this action.",
    ),
    Row(
        "ExpiredToken|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|IncompleteSignature",
        _ANY,
        "CredentialsRefused",
        Disposition.SLOW,
        "Give the operator valid AWS credentials (IRSA, Pod Identity or environment).",
    ),
    Row(
        "ResourceNotFound",
        _ANY,
        "NotFound",
        Disposition.SOON,
        "It is looked for again.",
    ),
    Row(
        "ServiceException|InternalFailure|ServiceUnavailable|InternalError|5\\d\\d",
        _ANY,
        "AWSUnavailable",
        Disposition.SOON,
        "AWS failed to answer; it is tried again.",
    ),
)

_OTHER = Row(_ANY, _ANY, "RefusedByAWS", Disposition.SLOW, "It is tried again.")


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def text_of(error: ClientError) -> str:
    """AWS's own sentence."""
    return str(error.response.get("Error", {}).get("Message", "") or code_of(error))


def is_doubtful(error: Exception) -> bool:
    """Whether AWS may have done what it was asked, for there was no answer or one of a failure inside of AWS."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500
    return isinstance(error, HTTPClientError)


def conflicting_uuid(error: Exception) -> str:
    """The UUID that ends the message of a 409 for a mapping that exists (recorded), or empty."""
    if not isinstance(error, ClientError) or code_of(error) != "ResourceConflictException":
        return ""
    found = _UUID.findall(text_of(error))
    return found[-1] if found else ""


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that there is no such mapping."""
    return code_of(error) == "ResourceNotFoundException"


def understand(error: Exception) -> Failure:
    """What an exception of boto3 means.

    Args:
        error: what the call raised. An exception that is not botocore's is raised again: it is a bug.
    """
    if isinstance(error, ClientError):
        code, text = code_of(error), text_of(error)
        row = next((row for row in TABLE if re.search(row.code, code) and re.search(row.message, text)), _OTHER)
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Failure(
            reason=row.reason,
            message=f"AWS says: {_sentence(text)} {row.remedy}",
            disposition=row.disposition,
            code=code,
            throttled=row.reason == "Throttled",
            retry_after=_seconds(str(headers.get("retry-after", ""))),
        )
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Failure(
            "NoCredentials",
            "The operator has no AWS credentials. Give its ServiceAccount a role (IRSA or EKS Pod Identity), or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            Disposition.SLOW,
        )
    if isinstance(error, NoRegionError):
        return Failure(
            "NoRegion",
            "No AWS region is known. Set spec.region, the ProviderConfig's region, or the operator's --region.",
            Disposition.PERSON,
        )
    if isinstance(error, HTTPClientError | BotoCoreError):
        return Failure(
            "AWSUnreachable",
            f"AWS can't be reached: {_sentence(str(error))} Check the network, the region and the endpoint URL.",
            Disposition.SOON,
        )
    raise error


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
