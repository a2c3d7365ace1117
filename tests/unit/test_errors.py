"""Errors of AWS: the consequence of each, and the message."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    IncompleteReadError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)

from esm_operator.aws.error_table import TABLE, ErrorRule
from esm_operator.aws.errors import (
    InvalidEndpointError,
    NotSentError,
    UnreadableAnswerError,
    conflicting_uuid,
    is_doubtful,
    is_gone,
    row_of,
    understand,
    understand_any,
)
from esm_operator.ratelimit.backoff import LONGEST_RETRY_AFTER
from esm_operator.status.failure import Disposition, Failure, sentence_of
from esm_operator.status.rendering import answer_and_remedy, message_of_failure, stalls
from esm_operator.status.subject import Subject

SUBJECT = Subject(function="orders", region="eu-west-1", account="123456789012")
UUID = "11111111-2222-3333-4444-555555555555"
SOON, SLOW, PERSON, FATAL = Disposition
INVALID = "InvalidParameterValueException"
EXPIRED = "Signature expired: 20260101T131223Z is now earlier than 20260101T131534Z (20260101T132034Z - 5 min.)"


def refused(
    code: str,
    message: str = "",
    *,
    retry_after: str | None = None,
    status: int = 400,
    operation: str = "CreateEventSourceMapping",
) -> ClientError:
    headers = {"retry-after": retry_after} if retry_after is not None else {}
    metadata = {"HTTPHeaders": headers, "HTTPStatusCode": status}
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(response, operation)  # pyright: ignore[reportArgumentType]


#: Each row of the table is met by one of these: (code, AWS's sentence, reason, disposition, part of the remedy).
ANSWERS = [
    ("TooManyRequestsException", "Rate exceeded", "Throttled", SOON, "lowered its request rate"),
    ("ThrottlingException", "Rate exceeded", "Throttled", SOON, "lowered its request rate"),
    ("RequestLimitExceeded", "Request limit exceeded.", "Throttled", SOON, "lowered its request rate"),
    ("ThrottledException", "Rate exceeded", "Throttled", SOON, "lowered its request rate"),
    ("ResourceInUseException", "The mapping is in use.", "OperationInProgress", SOON, "retries automatically"),
    (
        "ResourceConflictException",
        "An update is in progress for resource: x",
        "OperationInProgress",
        SOON,
        "retries automatically",
    ),
    (
        INVALID,
        "Tags not supported in request.",
        "TagsNotSupported",
        PERSON,
        "set spec.ownership of the ProviderConfig to ResourceOnly",
    ),
    (
        INVALID,
        "The function defined for the task cannot be assumed by Lambda.",
        "RoleLacksPermission",
        SLOW,
        "wait some minutes",
    ),
    (
        INVALID,
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        "RoleLacksPermission",
        SLOW,
        "execution role the permissions",
    ),
    (
        INVALID,
        "Cannot access stream x. Please ensure the role can perform the GetRecords Actions on your stream in IAM.",
        "RoleLacksPermission",
        SLOW,
        "execution role the permissions",
    ),
    (
        INVALID,
        "Please add Lambda as a Trusted Entity for arn:aws:iam::123456789012:role/orders",
        "RoleLacksPermission",
        SLOW,
        "wait some minutes",
    ),
    (INVALID, "Function does not exist", "FunctionNotFound", SLOW, "spec.functionName"),
    (
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:orders",
        "FunctionNotFound",
        SLOW,
        "spec.functionName",
    ),
    (
        INVALID,
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS "
        "Error Message: The specified queue does not exist.",
        "EventSourceNotFound",
        SLOW,
        "spec.eventSourceARN",
    ),
    (INVALID, "Stream not found: arn", "EventSourceNotFound", SLOW, "spec.eventSourceARN"),
    (INVALID, "The secret arn:x could not be found.", "AWSResourceNotFound", SLOW, "correct the spec"),
    (INVALID, "Unrecognized event source.", "RefusedByAWS", PERSON, "Correct the spec"),
    (
        INVALID,
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
        "RefusedByAWS",
        PERSON,
        "the AWS resource that it refers to",
    ),
    ("ValidationException", "1 validation error detected", "RefusedByAWS", PERSON, "Correct the spec"),
    ("KMSAccessDeniedException", "Lambda was unable to decrypt", "KMSKeyRefused", SLOW, "spec.kmsKeyARN"),
    (
        INVALID,
        "Lambda was unable to use the key. KMS Exception: DisabledException KMS Message: arn:x is disabled.",
        "KMSKeyRefused",
        SLOW,
        "spec.kmsKeyARN",
    ),
    ("ServiceQuotaExceededException", "Too many mappings", "QuotaExceeded", SLOW, "Service Quotas"),
    (
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "WebIdentityRefused",
        SLOW,
        "OIDC provider",
    ),
    ("InvalidIdentityToken", "No OpenIDConnect provider found", "WebIdentityRefused", SLOW, "OIDC provider"),
    (
        "AccessDenied",
        "User: arn:x is not authorized to perform: sts:AssumeRole on resource: arn:y",
        "RoleNotAssumable",
        SLOW,
        "trust policy",
    ),
    (
        "AccessDeniedException",
        "User x is not authorized",
        "AccessDenied",
        SLOW,
        "the action lambda:CreateEventSourceMapping",
    ),
    ("InvalidSignatureException", EXPIRED, "ClockSkewed", SLOW, "clock"),
    ("SignatureDoesNotMatch", EXPIRED, "ClockSkewed", SLOW, "clock"),
    (
        "InvalidSignatureException",
        "Signature not yet current: 20260101T002809Z is still later than 20260101T002309Z (20260101T001809Z + 5 min.)",
        "ClockSkewed",
        SLOW,
        "clock",
    ),
    (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        "ClockSkewed",
        SLOW,
        "clock",
    ),
    ("RequestExpired", "Request has expired.", "ClockSkewed", SLOW, "clock"),
    ("ExpiredTokenException", "The security token is expired", "CredentialsRefused", SLOW, "valid AWS credentials"),
    ("ExpiredToken", "The security token is expired", "CredentialsRefused", SLOW, "valid AWS credentials"),
    (
        "UnrecognizedClientException",
        "The security token is invalid.",
        "CredentialsRefused",
        SLOW,
        "valid AWS credentials",
    ),
    ("InvalidClientTokenId", "The security token is invalid.", "CredentialsRefused", SLOW, "valid AWS credentials"),
    (
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
        "CredentialsRefused",
        SLOW,
        "valid AWS credentials",
    ),
    ("RegionDisabledException", "STS is not activated in this region", "RegionDisabled", PERSON, "Enable the region"),
    (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
        "NotFound",
        SOON,
        "retries automatically",
    ),
    ("SerializationException", "Could not parse request body", "RequestNotUnderstood", FATAL, "endpoint URL"),
    ("ServiceException", "An error occurred.", "AWSUnavailable", SOON, "retries automatically"),
    ("InternalServerErrorException", "", "AWSUnavailable", SOON, "retries automatically"),
    ("503", "", "AWSUnavailable", SOON, "retries automatically"),
    ("SomethingNewException", "Nobody knows", "RefusedByAWS", SLOW, "retries automatically"),
]


@pytest.mark.parametrize(("code", "message", "reason", "disposition", "remedy"), ANSWERS)
def test_answers_of_aws(code: str, message: str, reason: str, disposition: Disposition, remedy: str) -> None:
    failure = understand(refused(code, message))
    assert (failure.reason, failure.disposition) == (reason, disposition)
    assert failure.sentence.rstrip(".") == (message or code).rstrip(".")
    assert failure.throttled is (reason == "Throttled")
    text = message_of_failure(failure, SUBJECT)
    quoted = f'"{sentence_of(message)}"' if message else f"the code {code}"
    assert f"AWS answered CreateEventSourceMapping with {quoted}" in text
    assert remedy in text
    assert "{" not in text
    assert ".." not in text
    assert text.endswith(".")
    assert "eu-west-1 (account 123456789012)" in text
    assert answer_and_remedy(failure) == text.partition(". ")[2].rpartition(" The operator retries")[0]


def test_each_row_of_the_table_can_be_met() -> None:
    met = {row_of(refused(code, message)) for code, message, *_ in ANSWERS}
    assert [row for row in TABLE if row not in met] == []


def test_a_person_is_waited_for_where_no_attempt_can_succeed_without_one() -> None:
    """Retries that are minutes or hours apart are right only for states that no other change ends."""
    assert {row.reason for row in TABLE if row.disposition in (PERSON, FATAL) and not stalls(failure_of(row))} == set()


@pytest.mark.parametrize(
    "reason", ["AWSResourceNotFound", "EventSourceNotFound", "FunctionNotFound", "ClockSkewed", "OperationInProgress"]
)
def test_what_can_end_without_an_edit_stalls_nothing(reason: str) -> None:
    assert not any(stalls(failure_of(row)) for row in TABLE if row.reason == reason)


@pytest.mark.parametrize(
    "reason", ["AccessDenied", "KMSKeyRefused", "QuotaExceeded", "RoleNotAssumable", "RefusedByAWS"]
)
def test_what_only_a_person_can_end_stalls(reason: str) -> None:
    assert all(stalls(failure_of(row)) for row in TABLE if row.reason == reason)


def test_an_error_that_the_operator_does_not_know_stalls_nothing() -> None:
    failure = understand(refused("TeapotException", "I am one."))
    assert (failure.reason, failure.disposition, stalls(failure)) == ("RefusedByAWS", SLOW, False)


def failure_of(row: ErrorRule) -> Failure:
    """An error that a rule of the table matches."""
    return Failure(row.reason, row.disposition, case=row.case)


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("ListTags", "lambda:ListTags"),
        ("GetEventSourceMapping", "lambda:GetEventSourceMapping"),
        ("GetResources", "tag:GetResources"),
    ],
)
def test_the_action_that_is_to_be_allowed(operation: str, action: str) -> None:
    error = refused("AccessDeniedException", "Access denied", operation=operation)
    assert f"Allow the operator's IAM identity the action {action}." in message_of_failure(understand(error))


USER = "User: arn:aws:sts::123456789012:assumed-role/operator/session is not authorized to perform"
ESM = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:*"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
SCP = "arn:aws:organizations::987654321098:policy/o-qv5af4abcd/service_control_policy/p-2kgnabcd"
#: What AWS answers to CreateEventSourceMapping, and the remedy. The forms are those of the IAM User Guide,
#: "Troubleshoot access denied error messages", and of public threads.
DENIALS = [
    (
        f"{USER}: lambda:TagResource on resource: {ESM} because no identity-based policy allows the "
        "lambda:TagResource action",
        "Allow the operator's IAM identity the action lambda:TagResource.",
    ),
    (
        "User is not authorized to perform kms:Encrypt",
        "Allow kms:Encrypt to the identity that AWS names, in the key policy and in its IAM policies.",
    ),
    (
        f"{USER}: kms:GenerateDataKey on resource: {KEY} because no identity-based policy allows the "
        "kms:GenerateDataKey action",
        "Allow kms:GenerateDataKey to the identity that AWS names",
    ),
    (f"{USER}: lambda:TagResource on resource: {ESM}", "the operator's IAM identity the action lambda:TagResource."),
    (
        f"{USER}: kms:Encrypt on resource: {KEY} because no resource-based policy allows the kms:Encrypt action",
        "Allow kms:Encrypt in the policy of the resource that AWS names (for a KMS key: the key policy; "
        "for a role: its trust policy).",
    ),
    (
        f"{USER}: kms:Decrypt on resource: {KEY} with an explicit deny in a resource-based policy",
        "Remove or narrow the Deny statement for kms:Decrypt in the policy of the resource that AWS names (for a KMS "
        "key: the key policy; for a role: its trust policy). An Allow statement does not override it.",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} with an explicit deny in an identity-based policy: "
        "arn:aws:iam::123456789012:policy/no-tags",
        "Remove or narrow the Deny statement for lambda:TagResource in the IAM policies of the identity that AWS "
        "names.",
    ),
    (
        f"{USER}: lambda:CreateEventSourceMapping on resource: * with an explicit deny in a service control policy: "
        f"{SCP}",
        "Remove or narrow the Deny statement for lambda:CreateEventSourceMapping in the service control policies of "
        "the account (AWS Organizations).",
    ),
    (
        f"{USER}: lambda:CreateEventSourceMapping on resource: * because no service control policy allows the "
        "lambda:CreateEventSourceMapping action",
        "Allow lambda:CreateEventSourceMapping in the service control policies of the account (AWS Organizations).",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} with an explicit deny in a resource control policy",
        "in the resource control policies of the account (AWS Organizations).",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} because no permissions boundary allows the "
        "lambda:TagResource action",
        "Allow lambda:TagResource in the permissions boundary of the identity that AWS names.",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} with an explicit deny in a permissions boundary",
        "Remove or narrow the Deny statement for lambda:TagResource in the permissions boundary",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} because no session policy allows the lambda:TagResource action",
        "Allow lambda:TagResource in the session policy of the identity that AWS names.",
    ),
    (
        f"{USER}: lambda:TagResource on resource: {ESM} because no VPC endpoint policy allows the lambda:TagResource "
        "action",
        "Allow lambda:TagResource in the policy of the VPC endpoint that the operator connects through.",
    ),
    ("Access denied", "Allow the operator's IAM identity the action lambda:CreateEventSourceMapping."),
]


@pytest.mark.parametrize(("message", "remedy"), DENIALS)
def test_access_denied_names_the_action_and_the_policy_that_aws_names(message: str, remedy: str) -> None:
    failure = understand(refused("AccessDeniedException", message, status=403))
    assert (failure.reason, failure.disposition) == ("AccessDenied", SLOW)
    text = message_of_failure(failure)
    assert remedy in text
    assert f'AWS answered CreateEventSourceMapping with "{message}' in text


@pytest.mark.parametrize(
    ("operation", "message", "action"),
    [
        ("CreateEventSourceMapping", f"{USER}: sts:AssumeRole on resource: arn:y", "sts:AssumeRole on the role"),
        (
            "AssumeRole",
            f"{USER}: sts:AssumeRole on resource: arn:y with an explicit deny in a service control policy",
            "Remove or narrow the Deny statement for sts:AssumeRole in the service control policies",
        ),
        (
            "AssumeRole",
            f"{USER}: sts:AssumeRole on resource: arn:y with an explicit deny in the role trust policy",
            "Remove or narrow the Deny statement for sts:AssumeRole in the trust policy of the role.",
        ),
    ],
)
def test_a_role_that_cannot_be_assumed_names_the_policy_that_denies_it(
    operation: str, message: str, action: str
) -> None:
    failure = understand(refused("AccessDenied", message, operation=operation, status=403))
    assert failure.reason == "RoleNotAssumable"
    assert action in message_of_failure(failure)


@pytest.mark.parametrize(
    ("code", "message", "action"),
    [
        ("KMSAccessDeniedException", f"{USER}: kms:Decrypt on resource: {KEY}", "kms:Decrypt"),
        (
            INVALID,
            "Lambda was unable to configure access because the KMS key is invalid for CreateGrant. KMS Exception: "
            "AccessDeniedException KMS Message: User is not authorized to perform kms:CreateGrant",
            "kms:CreateGrant",
        ),
    ],
)
def test_a_refusal_of_kms_names_the_action_of_kms(code: str, message: str, action: str) -> None:
    failure = understand(refused(code, message))
    assert (failure.reason, failure.disposition) == ("KMSKeyRefused", SLOW)
    assert f"Allow {action} to the identity that AWS names, in the key policy" in message_of_failure(failure)


@pytest.mark.parametrize("message", ["", "  ", None])
def test_a_refusal_without_a_sentence_gets_one(message: str | None) -> None:
    error = refused("AccessDeniedException", status=403)
    error.response["Error"]["Message"] = message  # pyright: ignore[reportGeneralTypeIssues, reportTypedDictNotRequiredAccess]
    assert (
        "AWS answered CreateEventSourceMapping with the code AccessDeniedException (HTTP status 403) and no "
        "explanation. Allow the operator's IAM identity the action lambda:CreateEventSourceMapping."
    ) in message_of_failure(understand(error))
    assert understand(refused("", status=418)).answer == (
        "AWS answered CreateEventSourceMapping with no error code (HTTP status 418) and no explanation."
    )
    del error.response["Error"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    assert "no error code (HTTP status 403)" in understand(error).answer


def test_a_failure_with_an_unknown_code() -> None:
    assert understand(refused("Strange", status=502)).reason == "AWSUnavailable"


@pytest.mark.parametrize(
    ("error", "reason", "disposition"),
    [
        (NoCredentialsError(), "NoCredentials", SLOW),
        (CredentialRetrievalError(provider="irsa", error_msg="no token file"), "NoCredentials", SLOW),
        (ProfileNotFound(profile="shop"), "NoCredentials", SLOW),
        (NoRegionError(), "NoRegion", PERSON),
        (InvalidRegionError(region_name="no region"), "NoRegion", PERSON),
        (EndpointConnectionError(endpoint_url="http://x"), "AWSUnreachable", SOON),
        (ReadTimeoutError(endpoint_url="http://x"), "AWSUnreachable", SOON),
        (UnreadableAnswerError(operation="ListEventSourceMappings"), "AWSUnreachable", SOON),
    ],
)
def test_no_answer_at_all(error: Exception, reason: str, disposition: Disposition) -> None:
    failure = understand(error)
    assert (failure.reason, failure.disposition) == (reason, disposition)
    quoted = sentence_of(str(error)).replace('"', "'")
    assert f'The AWS SDK reported "{quoted}"' in message_of_failure(failure)
    assert message_of_failure(failure).endswith(".")


def test_a_bug_is_not_an_error_of_aws() -> None:
    with pytest.raises(KeyError):
        understand(KeyError("x"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("1.5", 1.5), ("soon", 0.0), (None, 0.0), ("-1", 0.0), ("120", 20.0), ("86400", LONGEST_RETRY_AFTER)],
)
def test_how_long_aws_asks_to_wait(header: str | None, seconds: float) -> None:
    assert understand(refused("TooManyRequestsException", retry_after=header)).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "uuid"),
    [
        (
            refused(
                "ResourceConflictException",
                'An event source mapping with SQS arn (" arn:aws:sqs:eu-west-1:1:x ") and function (" orders ") '
                f"already exists. Please update or delete the existing mapping with UUID {UUID}",
            ),
            UUID,
        ),
        (
            refused(
                "ResourceConflictException",
                'The event source arn (" arn:aws:kafka:eu-west-1:1:cluster/x/99999999-2222-3333-4444-555555555555-1 '
                f'") ... already exists. Please update or delete the existing mapping with UUID {UUID}',
            ),
            UUID,
        ),
        (refused("ResourceConflictException", "An update is in progress for resource: x"), ""),
        (refused(INVALID, f"Something about {UUID}"), ""),
    ],
)
def test_the_mapping_that_is_in_the_way(error: ClientError, uuid: str) -> None:
    assert conflicting_uuid(error) == uuid


def test_gone() -> None:
    assert is_gone(refused("ResourceNotFoundException", "The resource you requested does not exist."))
    assert not is_gone(refused("ResourceNotFoundException", "Function not found: arn"))
    assert not is_gone(refused("ServiceException"))


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (refused("ServiceException", status=500), True),
        (refused("503", status=503), True),
        (ReadTimeoutError(endpoint_url="http://x"), True),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), True),
        (UnreadableAnswerError(operation="CreateEventSourceMapping"), True),
        (NotSentError(reason="There was no connection."), False),
        (EndpointConnectionError(endpoint_url="http://x"), False),
        (ConnectTimeoutError(endpoint_url="http://x"), False),
        (refused("TooManyRequestsException", status=429), False),
        (refused(INVALID), False),
        (NoCredentialsError(), False),
    ],
)
def test_whether_aws_may_have_done_it_all_the_same(error: Exception, doubtful: bool) -> None:
    assert is_doubtful(error) is doubtful


def raised(number: int) -> Exception:
    """An exception with a traceback."""
    with pytest.raises(ZeroDivisionError) as found:
        raise ZeroDivisionError(number)
    return found.value


def test_the_traceback_of_a_bug_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    reasons = [understand_any(raised(number)).reason for number in range(20)]
    assert reasons == ["OperatorError"] * 20
    assert [record.getMessage() for record in caplog.records] == ["The operator did not understand an answer of AWS."]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:S3CRET@aws.example.com:8443/a?token=S3CRET#S3CRET", "https://aws.example.com:8443"),
        ("http://user:S3@CRET@[fd00::1]:4566/", "http://[fd00::1]:4566"),
        ("http://aws.example.com?token=a@S3CRET", "http://aws.example.com"),
        ("https://lambda.eu-west-1.amazonaws.com/2015-03-31/x", "https://lambda.eu-west-1.amazonaws.com"),
    ],
)
def test_an_endpoint_is_shown_without_credentials(url: str, shown: str) -> None:
    errors = (
        EndpointConnectionError(endpoint_url=url),
        ReadTimeoutError(endpoint_url=url),
        NotSentError(reason=str(ConnectTimeoutError(endpoint_url=url))),
        InvalidEndpointError(reason=f"Invalid endpoint: {url}"),
    )
    for error in errors:
        answer = understand(error).answer
        assert shown in answer
        assert "S3CRET" not in answer
        assert "CRET" not in answer
