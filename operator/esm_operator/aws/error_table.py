"""The table of AWS errors: what each error means, and when the operator retries.

:data:`TABLE` leads from AWS's error code and sentence to a reason. ``status/reason_table.py`` has the sentence and the
remedy of each reason. The table is searched by :mod:`esm_operator.aws.errors`.

| disposition | when the operator retries |
|---|---|
| SOON | after about a second, doubling |
| SLOW | after a quarter of a minute, doubling, because it may end without an edit of the resource |
| PERSON | after minutes, doubling |
| FATAL | hourly: no attempt can succeed before the operator or its settings change |

An edit ends any waiting. ``status/reason_table.py`` decides whether the resource is Stalled until then.
"""

from dataclasses import dataclass

from botocore import exceptions as botocore

from esm_operator.api.reasons import RefusalReason
from esm_operator.status.failure import Disposition

SOON, SLOW, PERSON, FATAL = Disposition


@dataclass(frozen=True, slots=True)
class ErrorRule:
    code: str
    """A pattern for AWS's error code."""
    pattern: str
    """A pattern for AWS's sentence; empty: any."""
    reason: RefusalReason
    disposition: Disposition
    case: str = ""
    """Which message of the reason, if it has more than one."""


UNAVAILABLE = ErrorRule(
    r"ServiceException|InternalFailure|InternalServer|ServiceUnavailable|InternalError|^5\d\d$",
    "",
    "AWSUnavailable",
    SOON,
)
#: Errors of AWS services. The first rule that matches decides.
TABLE: tuple[ErrorRule, ...] = (
    ErrorRule("TooManyRequests|Throttl|RequestLimitExceeded", "", "Throttled", SOON),
    ErrorRule("ResourceInUse|ResourceConflict", "", "OperationInProgress", SOON),
    ErrorRule(
        "InvalidParameterValue|InvalidRequest",
        "Tags not supported in request|Unsupported resource type for tagging",
        "TagsNotSupported",
        PERSON,
    ),
    ErrorRule("InvalidParameterValue", "KMS Exception:", "KMSKeyRefused", SLOW),
    ErrorRule(
        "InvalidParameterValue",
        "cannot be assumed by Lambda|Lambda as a Trusted Entity|does not have permissions|ensure the role can perform",
        "RoleLacksPermission",
        SLOW,
    ),
    ErrorRule("InvalidParameterValue", "Function does not exist", "FunctionNotFound", SLOW),
    ErrorRule("ResourceNotFound", "Function not found", "FunctionNotFound", SLOW),
    ErrorRule(
        "InvalidParameterValue",
        r"NonExistentQueue|(?i:\b(queue|stream|consumer|table|cluster|broker|source)\b.*(does not exist|not found))",
        "EventSourceNotFound",
        SLOW,
    ),
    ErrorRule("InvalidParameterValue", "(?i:does not exist|not found|could not be found)", "AWSResourceNotFound", SLOW),
    ErrorRule("InvalidParameterValue|Validation|InvalidRequestException", "", "RefusedByAWS", PERSON),
    ErrorRule("^KMS", "", "KMSKeyRefused", SLOW),
    ErrorRule("LimitExceeded|QuotaExceeded|StorageExceeded", "", "QuotaExceeded", SLOW),
    ErrorRule("AccessDenied", "AssumeRoleWithWebIdentity", "WebIdentityRefused", SLOW),
    ErrorRule("InvalidIdentityToken|IDPRejectedClaim|IDPCommunication", "", "WebIdentityRefused", SLOW),
    ErrorRule("AccessDenied", "sts:AssumeRole", "RoleNotAssumable", SLOW),
    ErrorRule("AccessDenied|UnauthorizedOperation|NotAuthorized", "", "AccessDenied", SLOW),
    ErrorRule(
        "InvalidSignature|SignatureDoesNotMatch|AuthFailure",
        "Signature expired|Signature not yet current",
        "ClockSkewed",
        SLOW,
    ),
    ErrorRule("RequestTimeTooSkewed|RequestExpired|RequestInTheFuture", "", "ClockSkewed", SLOW),
    ErrorRule(
        "ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|InvalidSignature|SignatureDoesNotMatch|"
        "IncompleteSignature|MissingAuthenticationToken|AuthFailure",
        "",
        "CredentialsRefused",
        SLOW,
    ),
    ErrorRule("RegionDisabled|OptInRequired", "", "RegionDisabled", PERSON),
    ErrorRule("ResourceNotFound", "", "NotFound", SOON, "Refused"),
    ErrorRule(
        "Serialization|UnknownOperation|InvalidRequestContent|InvalidAction|MalformedQueryString",
        "",
        "RequestNotUnderstood",
        FATAL,
    ),
    UNAVAILABLE,
)
#: For an error that no rule of the table matches.
OTHER = ErrorRule("", "", "RefusedByAWS", SLOW, "UnknownCode")

_NO_CREDENTIALS = (
    botocore.CredentialRetrievalError,
    botocore.MetadataRetrievalError,
    botocore.NoAuthTokenError,
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.ProfileNotFound,
    botocore.SSOError,
    botocore.TokenRetrievalError,
)
_NO_REGION = (botocore.NoRegionError, botocore.InvalidRegionError)
#: Exceptions of botocore that are not answers of AWS: the classes, the reason and the disposition.
EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], RefusalReason, Disposition], ...] = (
    (_NO_CREDENTIALS, "NoCredentials", SLOW),
    (_NO_REGION, "NoRegion", PERSON),
    ((botocore.BotoCoreError,), "AWSUnreachable", SOON),
)
