"""The table of AWS errors: what each error means, when the operator retries, and what a person can do.

:data:`TABLE` leads from AWS's error code and sentence to a reason, :data:`REMEDIES` from the reason to the remedy. The
table is searched by :mod:`esm_operator.aws.errors`.

| disposition | when the operator retries | condition of the resource |
|---|---|---|
| SOON | after about a second, doubling | Reconciling |
| SLOW | after a quarter of a minute, doubling | Reconciling (it may heal by itself: a missing function, a role) |
| PERSON | after minutes, doubling | Stalled |
| FATAL | hourly: no attempt can succeed before the operator or its settings change | Stalled |

An edit ends any waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from botocore import exceptions as botocore

from esm_operator.api.reasons import RefusalReason
from esm_operator.status.failure import Disposition

SOON, SLOW, PERSON, FATAL = Disposition

#: Ends the remedy of what the operator retries. The commands do not retry, so they leave it out.
RETRIES = " The operator retries automatically."


@dataclass(frozen=True, slots=True)
class ErrorRule:
    code: str
    """A pattern for AWS's error code."""
    pattern: str
    """A pattern for AWS's sentence; empty: any."""
    reason: RefusalReason
    disposition: Disposition

    @property
    def remedy(self) -> str:
        """What to do, as sentences; ``{action}`` stands for the denied IAM action."""
        if self is OTHER:
            return "Correct the spec, or what it refers to. It is tried again by itself."
        return REMEDIES[self.reason]


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
    ErrorRule("ResourceNotFound", "", "NotFound", SOON),
    ErrorRule(
        "Serialization|UnknownOperation|InvalidRequestContent|InvalidAction|MalformedQueryString",
        "",
        "RequestNotUnderstood",
        FATAL,
    ),
    UNAVAILABLE,
)
#: For an error that no rule of the table matches.
OTHER = ErrorRule("", "", "RefusedByAWS", SLOW)

REMEDIES: Mapping[RefusalReason, str] = {
    "AWSResourceNotFound": "Create what the spec refers to, or correct the spec. It is tried again by itself.",
    "AWSUnavailable": "AWS failed to answer; it is tried again.",
    "AWSUnreachable": "Check the network, the region and the endpoint URL; it is tried again.",
    "AccessDenied": f"Allow the operator's IAM identity the action {{action}}.{RETRIES}",
    "ClockSkewed": "The clock of the operator's node differs from AWS's by minutes. Set it right (NTP, or chrony with "
    "the Amazon Time Sync Service); it is tried again by itself.",
    "CredentialsRefused": "Give the operator valid AWS credentials (IRSA, Pod Identity or environment). It is tried "
    "again by itself.",
    "EventSourceNotFound": "Create the event source, or correct spec.eventSourceARN. It is tried again by itself.",
    "FunctionNotFound": "Create the function, or correct spec.functionName and spec.region. It is tried again by "
    "itself.",
    "KMSKeyRefused": "Check spec.kmsKeyARN, that the key is enabled, and that its policy lets the operator's IAM "
    f"identity and Lambda use it.{RETRIES}",
    "NoCredentials": "Give its ServiceAccount a role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY.",
    "NoRegion": "Set spec.region, the ProviderConfig's region, or the operator's --region.",
    "NotFound": "It is looked for again.",
    "OperationInProgress": "AWS is still at work on it; it is tried again.",
    "QuotaExceeded": "Ask AWS for a higher quota (Service Quotas), or use less of it. It is tried again by itself.",
    "RefusedByAWS": "Correct the spec, or what it refers to. An edit is tried at once, else it is tried again within "
    "half an hour.",
    "RegionDisabled": "Enable the region for the account, or correct the region.",
    "RequestNotUnderstood": "Check that the endpoint URL leads to AWS; else update the operator, or report it with the "
    "operator's log.",
    "RoleLacksPermission": "If the role was just made or changed, this heals by itself within minutes. Else give the "
    "function's execution role the permissions that its event source needs.",
    "RoleNotAssumable": "Allow the operator's IAM identity sts:AssumeRole on the role that the ProviderConfig's "
    "spec.roleARN names, and let that role's trust policy admit it (with spec.externalID, if it asks for one).",
    "TagsNotSupported": "AWS does not accept tags on event source mappings in this region. To create mappings without "
    "tags, with weaker guarantees, set spec.ownership of the ProviderConfig to ResourceOnly. If there is no "
    "ProviderConfig, start the operator with --ownership=resource-only.",
    "Throttled": "The account's Lambda control-plane quota is used up; the operator slows down and tries again.",
    "WebIdentityRefused": "Let the trust policy of the ServiceAccount's role name this cluster's OIDC provider and the "
    "operator's ServiceAccount, and check its annotation eks.amazonaws.com/role-arn (IRSA).",
}


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
#: Exceptions of botocore that are not answers of AWS: the classes, the reason, the disposition and the problem.
EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], RefusalReason, Disposition, str], ...] = (
    (_NO_CREDENTIALS, "NoCredentials", SLOW, "The operator has no AWS credentials"),
    (_NO_REGION, "NoRegion", PERSON, "No AWS region is known"),
    ((botocore.BotoCoreError,), "AWSUnreachable", SOON, "AWS can't be reached"),
)
