"""What an error of AWS means: one table, from code and message to what follows from it.

| disposition | when it is tried again | what the resource shows |
|---|---|---|
| SOON | after about a second, doubling | Reconciling |
| SLOW | after a quarter of a minute, doubling | Reconciling (it may heal by itself: a missing function, a role) |
| PERSON | after minutes, doubling | Stalled |
| FATAL | hourly: no attempt can succeed before the operator or its settings change | Stalled |

An edit ends any waiting. Used by the reconciler, the client and the observer. In a message AWS's own sentence comes
first, the remedy last. Sentences marked *recorded* are in the recordings of AWS's answers; the others are *reported*
in public threads by people who met them, or *documented* in botocore's model.
"""

import logging
import re
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    InvalidRegionError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)

from esm_operator.api.reasons import RefusalReason
from esm_operator.fence import NotLeadingError
from esm_operator.status.denials import denial_of
from esm_operator.status.failure import Disposition, Failure

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErrorRule:
    code: str
    """A pattern for AWS's error code."""
    message: str
    """A pattern for AWS's sentence."""
    reason: RefusalReason
    disposition: Disposition
    remedy: str
    """What to do, as sentences; ``{action}`` is the IAM action that AWS names, else that of the operation."""


class UnreadableAnswerError(BotoCoreError):
    """An answer that can't be read, or lacks what AWS always answers: something between is not AWS."""

    fmt = "The answer to {operation} is not one of AWS, or lacks what AWS always answers."


class NotSentError(BotoCoreError):
    """No byte of the request was sent, so AWS has not done what it asks for."""

    fmt = "{reason}"


class InvalidEndpointError(BotoCoreError):
    """An endpoint URL, a setting's or the environment's, that is none; botocore raises just ValueError."""

    fmt = "{reason}"


def readable(error: Exception, operation: str) -> Exception:
    """What is to be raised in place of what botocore raised.

    Its parsers raise anything at an answer that is none of AWS's, such as a proxy's page, and quote all of it: such an
    answer may hold anything, so nothing of it is repeated.

    Args:
        error: what was raised.
        operation: AWS's name of what was asked.
    """
    known = isinstance(error, ClientError | BotoCoreError | RuntimeError | NotLeadingError)
    return error if known else UnreadableAnswerError(operation=operation)


#: The longest that a Retry-After is obeyed, in seconds: a slip there must not stop all work for hours.
LONGEST_RETRY_AFTER = 120.0

#: Ends the remedy of what the operator retries; the commands, which do not, leave it out.
RETRIES = " The operator retries automatically."

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANY = ""
_CLOCK = (
    "The clock of the operator's node differs from AWS's by minutes. Set it right (NTP, or chrony with the Amazon Time "
    "Sync Service); it is tried again by itself."
)
_FUNCTION = "Create the function, or correct spec.functionName and spec.region. It is tried again by itself."
_KEY = (
    "Check spec.kmsKeyARN, that the key is enabled, and that its policy lets the operator's IAM identity and Lambda "
    f"use it.{RETRIES}"
)
_WEB_IDENTITY = (
    "Let the trust policy of the ServiceAccount's role name this cluster's OIDC provider and the operator's "
    "ServiceAccount, and check its annotation eks.amazonaws.com/role-arn (IRSA)."
)

_UNAVAILABLE = ErrorRule(
    r"ServiceException|InternalFailure|InternalServer|ServiceUnavailable|InternalError|^5\d\d$",
    _ANY,
    "AWSUnavailable",
    Disposition.SOON,
    "AWS failed to answer; it is tried again.",
)
TABLE: tuple[ErrorRule, ...] = (
    ErrorRule(
        "TooManyRequests|Throttl|RequestLimitExceeded",
        _ANY,
        "Throttled",
        Disposition.SOON,
        "The account's Lambda control-plane quota is used up; the operator slows down and tries again.",
    ),
    ErrorRule(
        "ResourceInUse|ResourceConflict",
        _ANY,
        "OperationInProgress",
        Disposition.SOON,
        "AWS is still at work on it; it is tried again.",
    ),
    ErrorRule(
        "InvalidParameterValue|InvalidRequest",
        "Tags not supported in request|Unsupported resource type for tagging",
        "TagsNotSupported",
        Disposition.PERSON,
        "AWS does not accept tags on event source mappings in this region. To create mappings without tags, with "
        "weaker guarantees, set spec.ownership of the ProviderConfig to ResourceOnly. If there is no ProviderConfig, "
        "start the operator with --ownership=resource-only.",
    ),
    ErrorRule("InvalidParameterValue", "KMS Exception:", "KMSKeyRefused", Disposition.SLOW, _KEY),
    ErrorRule(
        "InvalidParameterValue",
        "cannot be assumed by Lambda|Lambda as a Trusted Entity|does not have permissions|ensure the role can perform",
        "RoleLacksPermission",
        Disposition.SLOW,
        "If the role was just made or changed, this heals by itself within minutes. Else give the function's "
        "execution role the permissions that its event source needs.",
    ),
    ErrorRule("InvalidParameterValue", "Function does not exist", "FunctionNotFound", Disposition.SLOW, _FUNCTION),
    ErrorRule("ResourceNotFound", "Function not found", "FunctionNotFound", Disposition.SLOW, _FUNCTION),
    ErrorRule(
        "InvalidParameterValue",
        r"NonExistentQueue|(?i:\b(queue|stream|consumer|table|cluster|broker|source)\b.*(does not exist|not found))",
        "EventSourceNotFound",
        Disposition.SLOW,
        "Create the event source, or correct spec.eventSourceARN. It is tried again by itself.",
    ),
    ErrorRule(
        "InvalidParameterValue",
        "(?i:does not exist|not found|could not be found)",
        "AWSResourceNotFound",
        Disposition.SLOW,
        "Create what the spec refers to, or correct the spec. It is tried again by itself.",
    ),
    ErrorRule(
        "InvalidParameterValue|Validation|InvalidRequestException",
        _ANY,
        "RefusedByAWS",
        Disposition.PERSON,
        "Correct the spec, or what it refers to. An edit is tried at once, else it is tried again within half an hour.",
    ),
    ErrorRule("^KMS", _ANY, "KMSKeyRefused", Disposition.SLOW, _KEY),
    ErrorRule(
        "LimitExceeded|QuotaExceeded|StorageExceeded",
        _ANY,
        "QuotaExceeded",
        Disposition.SLOW,
        "Ask AWS for a higher quota (Service Quotas), or use less of it. It is tried again by itself.",
    ),
    ErrorRule("AccessDenied", "AssumeRoleWithWebIdentity", "WebIdentityRefused", Disposition.SLOW, _WEB_IDENTITY),
    ErrorRule(
        "InvalidIdentityToken|IDPRejectedClaim|IDPCommunication",
        _ANY,
        "WebIdentityRefused",
        Disposition.SLOW,
        _WEB_IDENTITY,
    ),
    ErrorRule(
        "AccessDenied",
        "sts:AssumeRole",
        "RoleNotAssumable",
        Disposition.SLOW,
        "Allow the operator's IAM identity sts:AssumeRole on the role that the ProviderConfig's spec.roleARN names, "
        "and let that role's trust policy admit it (with spec.externalID, if it asks for one).",
    ),
    ErrorRule(
        "AccessDenied|UnauthorizedOperation|NotAuthorized",
        _ANY,
        "AccessDenied",
        Disposition.SLOW,
        f"Allow the operator's IAM identity the action {{action}}.{RETRIES}",
    ),
    ErrorRule(
        "InvalidSignature|SignatureDoesNotMatch|AuthFailure",
        "Signature expired|Signature not yet current",
        "ClockSkewed",
        Disposition.SLOW,
        _CLOCK,
    ),
    ErrorRule("RequestTimeTooSkewed|RequestExpired|RequestInTheFuture", _ANY, "ClockSkewed", Disposition.SLOW, _CLOCK),
    ErrorRule(
        "ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|InvalidSignature|SignatureDoesNotMatch|"
        "IncompleteSignature|MissingAuthenticationToken|AuthFailure",
        _ANY,
        "CredentialsRefused",
        Disposition.SLOW,
        "Give the operator valid AWS credentials (IRSA, Pod Identity or environment). It is tried again by itself.",
    ),
    ErrorRule(
        "RegionDisabled|OptInRequired",
        _ANY,
        "RegionDisabled",
        Disposition.PERSON,
        "Enable the region for the account, or correct the region.",
    ),
    ErrorRule(
        "ResourceNotFound",
        _ANY,
        "NotFound",
        Disposition.SOON,
        "It is looked for again.",
    ),
    ErrorRule(
        "Serialization|UnknownOperation|InvalidRequestContent|InvalidAction|MalformedQueryString",
        _ANY,
        "RequestNotUnderstood",
        Disposition.FATAL,
        "Check that the endpoint URL leads to AWS; else update the operator, or report it with the operator's log.",
    ),
    _UNAVAILABLE,
)

_OTHER = ErrorRule(
    _ANY,
    _ANY,
    "RefusedByAWS",
    Disposition.SLOW,
    "Correct the spec, or what it refers to. It is tried again by itself.",
)

#: Reasons of what AWS has refused, or could not be asked.
REASONS = frozenset({row.reason for row in (*TABLE, _OTHER)} | {"NoCredentials", "NoRegion", "AWSUnreachable"})

#: Reasons of refusals that can be about one member of an Update alone. A denied action is not among them: it is denied
#: for any Update of the mapping.
ABOUT_ONE_MEMBER: frozenset[RefusalReason] = frozenset(
    {
        "EventSourceNotFound",
        "FunctionNotFound",
        "KMSKeyRefused",
        "QuotaExceeded",
        "AWSResourceNotFound",
        "RefusedByAWS",
        "RoleLacksPermission",
    }
)

#: Not within AWS's reach: there are no credentials to ask it with.
_CREDENTIALS = (
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_SERVICES = {"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "GetCallerIdentity": "sts", "GetResources": "tag"}


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def text_of(error: ClientError) -> str:
    """AWS's own sentence; empty: AWS gave none."""
    return str(error.response.get("Error", {}).get("Message") or "").strip()


def _said(error: ClientError) -> str:
    """AWS's own sentence, else one that names the operation, the code and the HTTP status."""
    text, code = text_of(error), code_of(error)
    if text:
        return f"AWS says: {_sentence(text)}"
    named = f"with the code {code}" if code else "without an error code"
    return f"AWS refused {error.operation_name} {named} (HTTP status {_status(error)}) and gave no explanation."


def is_doubtful(error: Exception) -> bool:
    """Whether AWS may have done what it was asked, for there was no answer, half of one, or a failure inside of AWS."""
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, HTTPClientError | IncompleteReadError | SSLError | UnreadableAnswerError)


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Whether the same request may succeed soon: AWS throttled it, failed itself, or could not be reached."""
    return understand(error).reason in ("Throttled", "AWSUnavailable", "AWSUnreachable")


def conflicting_uuid(error: Exception) -> str:
    """The UUID that ends the message of a 409 for a mapping that exists (recorded), or empty."""
    if not isinstance(error, ClientError) or code_of(error) != "ResourceConflictException":
        return ""
    found = _UUID.findall(text_of(error))
    return found[-1] if found else ""


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that there is no such mapping."""
    return code_of(error) == "ResourceNotFoundException" and row_of(error).reason == "NotFound"


def is_busy(error: ClientError) -> bool:
    """Whether AWS says that it is at work on the mapping, which can't be changed meanwhile."""
    return code_of(error) == "ResourceInUseException"


def row_of(error: ClientError) -> ErrorRule:
    """The row of the table that an error of AWS meets first."""
    code, text = code_of(error), text_of(error)
    for row in TABLE:
        if re.search(row.code, code) and re.search(row.message, text):
            return row
    return _UNAVAILABLE if _status(error) >= 500 else _OTHER


def understand(error: Exception) -> Failure:
    """What an exception of boto3 means.

    Args:
        error: what the call raised. An exception that is not botocore's is raised again: it is a bug.
    """
    if isinstance(error, ClientError):
        row, denial = row_of(error), denial_of(text_of(error))
        remedy = row.remedy.format(action=denial.action or _action(error))
        if denial.remedy:
            remedy = f"{denial.remedy}{RETRIES}"
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Failure(
            reason=row.reason,
            message=f"{_said(error)} {remedy}",
            disposition=row.disposition,
            sentence=_sentence(text_of(error) or code_of(error)),
            throttled=row.reason == "Throttled",
            retry_after=_seconds(str(headers.get("retry-after", ""))),
        )
    if isinstance(error, _CREDENTIALS):
        return Failure(
            "NoCredentials",
            f"The operator has no AWS credentials: {_sentence(str(error))} Give its ServiceAccount a role (IRSA or EKS "
            "Pod Identity), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            Disposition.SLOW,
        )
    if isinstance(error, NoRegionError | InvalidRegionError):
        return Failure(
            "NoRegion",
            f"No AWS region is known: {_sentence(str(error))} Set spec.region, the ProviderConfig's region, or the "
            "operator's --region.",
            Disposition.PERSON,
        )
    if isinstance(error, BotoCoreError):
        return Failure(
            "AWSUnreachable",
            f"AWS can't be reached: {_sentence(str(error))} Check the network, the region and the endpoint URL; it is "
            "tried again.",
            Disposition.SOON,
        )
    raise error


def understand_any(error: Exception) -> Failure:
    """What any exception means to a task that has to go on; one that is a bug is logged with its traceback."""
    if isinstance(error, ClientError | BotoCoreError):
        return understand(error)
    logger.exception("An answer of AWS was not understood", exc_info=error)
    return Failure(
        "OperatorError",
        f"The operator did not understand AWS ({type(error).__name__}: {error}). It is tried again; report it with the "
        "operator's log.",
        Disposition.SLOW,
    )


def _action(error: ClientError) -> str:
    """The IAM action of the operation that was called; those of Lambda are called as its operations."""
    return f"{_SERVICES.get(error.operation_name, 'lambda')}:{error.operation_name}"


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _seconds(text: str) -> float:
    try:
        return min(LONGEST_RETRY_AFTER, max(0.0, float(text)))
    except ValueError:
        return 0.0
