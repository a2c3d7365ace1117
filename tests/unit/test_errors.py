"""Errors of AWS: what follows from each, and what a person is told."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

from esm_operator.aws.errors import TABLE, Disposition, conflicting_uuid, is_doubtful, is_gone, understand

UUID = "11111111-2222-3333-4444-555555555555"
SOON, SLOW, PERSON = Disposition.SOON, Disposition.SLOW, Disposition.PERSON
INVALID = "InvalidParameterValueException"


def refused(code: str, message: str = "", *, retry_after: str | None = None, status: int = 400) -> ClientError:
    headers = {"retry-after": retry_after} if retry_after is not None else {}
    metadata = {"HTTPHeaders": headers, "HTTPStatusCode": status}
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(response, "CreateEventSourceMapping")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("code", "message", "reason", "disposition"),
    [
        ("TooManyRequestsException", "Rate exceeded", "Throttled", SOON),
        ("ThrottlingException", "Rate exceeded", "Throttled", SOON),
        ("ResourceInUseException", "The mapping is in use.", "OperationInProgress", SOON),
        ("ResourceConflictException", "An update is in progress for resource: x", "OperationInProgress", SOON),
        (
            INVALID,
            "The function defined for the task cannot be assumed by Lambda.",
            "RoleLacksPermission",
            SLOW,
        ),
        (
            INVALID,
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
            "RoleLacksPermission",
            SLOW,
        ),
        (
            INVALID,
            "Cannot access stream x. Please ensure the role can perform the GetRecords Actions on your stream in IAM.",
            "RoleLacksPermission",
            SLOW,
        ),
        (INVALID, "Function does not exist", "FunctionNotFound", SLOW),
        (
            INVALID,
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS "
            "Error Message: The specified queue does not exist.",
            "EventSourceNotFound",
            SLOW,
        ),
        (INVALID, "Stream not found: arn", "EventSourceNotFound", SLOW),
        (INVALID, "Unrecognized event source.", "RefusedByAWS", PERSON),
        ("ValidationException", "1 validation error detected", "RefusedByAWS", PERSON),
        ("AccessDeniedException", "User x is not authorized to perform y", "AccessDenied", SLOW),
        ("ExpiredTokenException", "The security token is expired", "CredentialsRefused", SLOW),
        ("UnrecognizedClientException", "The security token is invalid.", "CredentialsRefused", SLOW),
        ("InvalidClientTokenId", "The security token is invalid.", "CredentialsRefused", SLOW),
        ("ResourceNotFoundException", "The resource you requested does not exist.", "NotFound", SOON),
        ("ServiceException", "An error occurred.", "AWSUnavailable", SOON),
        ("503", "", "AWSUnavailable", SOON),
        ("SomethingNewException", "Nobody knows", "RefusedByAWS", SLOW),
    ],
)
def test_answers_of_aws(code: str, message: str, reason: str, disposition: Disposition) -> None:
    failure = understand(refused(code, message))
    assert (failure.reason, failure.disposition) == (reason, disposition)
    assert failure.throttled is (reason == "Throttled")
    assert failure.message.startswith(f"AWS says: {message or code}")
    assert ".." not in failure.message
    assert failure.message.endswith(".")


def test_each_row_of_the_table_can_be_met() -> None:
    reasons = {row.reason for row in TABLE}
    assert len(reasons) == len(TABLE)


@pytest.mark.parametrize(
    ("error", "reason", "disposition"),
    [
        (NoCredentialsError(), "NoCredentials", SLOW),
        (NoRegionError(), "NoRegion", PERSON),
        (EndpointConnectionError(endpoint_url="http://x"), "AWSUnreachable", SOON),
        (ReadTimeoutError(endpoint_url="http://x"), "AWSUnreachable", SOON),
    ],
)
def test_no_answer_at_all(error: Exception, reason: str, disposition: Disposition) -> None:
    failure = understand(error)
    assert (failure.reason, failure.disposition) == (reason, disposition)


def test_a_bug_is_not_an_error_of_aws() -> None:
    with pytest.raises(KeyError):
        understand(KeyError("x"))


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("1.5", 1.5), ("soon", 0.0), (None, 0.0), ("-1", 0.0)])
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
    assert is_gone(refused("ResourceNotFoundException"))
    assert not is_gone(refused("ServiceException"))


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (refused("ServiceException", status=500), True),
        (refused("503", status=503), True),
        (ReadTimeoutError(endpoint_url="http://x"), True),
        (EndpointConnectionError(endpoint_url="http://x"), False),
        (refused("TooManyRequestsException", status=429), False),
        (refused(INVALID), False),
        (NoCredentialsError(), False),
    ],
)
def test_whether_aws_may_have_done_it_all_the_same(error: Exception, doubtful: bool) -> None:
    assert is_doubtful(error) is doubtful
