"""Exceptions of the AWS client, and the look-up of what an error of AWS means in :mod:`~.error_table`."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, SSLError

from esm_operator.api.foreign_text import ANSWER, MESSAGE, VALUE, cut, shown
from esm_operator.api.reasons import RefusalReason
from esm_operator.aws.error_table import EXCEPTIONS, OTHER, TABLE, UNAVAILABLE, ErrorRule
from esm_operator.fence import NotLeadingError
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.status.denials import denial_of
from esm_operator.status.failure import Disposition, Failure, sentence_of

logger = logging.getLogger(__name__)

_bugs = FailureLog(logger, "The operator understands all answers of AWS again")

#: Reasons for which AWS refuses a request or does not answer it.
REASONS: frozenset[RefusalReason] = frozenset((*[row.reason for row in TABLE], *[row[1] for row in EXCEPTIONS]))
#: Reasons of refusals that can be about one member of an Update alone. A denied action is not among them, because AWS
#: denies it for any Update of the mapping.
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
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: A URL: scheme, user and password, host, port, the rest.
_URL = re.compile(r"(https?://)(?:[^\s/?#\"']*@)?(\[[^\s\]]*\]|[^\s/?#\"':]*)(:[0-9]+)?[^\s\"']*")
_SERVICES = {"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "GetCallerIdentity": "sts", "GetResources": "tag"}


class UnreadableAnswerError(BotoCoreError):
    """An answer that can't be read, or lacks what AWS always answers, as from a proxy."""

    fmt = "The answer to {operation} is not one of AWS, or lacks what AWS always answers."


class TooLargeAnswerError(UnreadableAnswerError):
    """An answer that AWS would not send. Only its beginning was read."""

    fmt = "The answer to {operation} was refused, because it has more than {most}. AWS sends less."


class TooLongListError(UnreadableAnswerError):
    """More mappings, or mappings and tags with more memory, than the operator keeps. The list may have no end."""

    fmt = (
        "The list of event source mappings was refused, because it has more than {most} mappings, has no end, or takes "
        "too much memory with the tags.{remedy}"
    )


class RepeatedIdentityError(TooLongListError):
    """More mappings of one identity than AWS can have."""

    fmt = (
        "The list of event source mappings was refused, because more than {most} mappings have the function and the "
        "source of {uuid}. AWS allows one."
    )


class NotSentError(BotoCoreError):
    """No byte of the request was sent, so AWS has not carried it out."""

    fmt = "{reason}"


class InvalidEndpointError(BotoCoreError):
    """An invalid endpoint URL from a setting or the environment. botocore raises a plain ValueError."""

    fmt = "{reason}"


def readable(error: Exception, operation: str) -> Exception:
    """Return the exception to raise in place of the one that a call of an AWS operation raised.

    botocore's parsers raise any exception at an answer that is not AWS's, such as a proxy's page, and quote all of it.
    It may hold anything, so nothing of it is repeated.
    """
    known = isinstance(error, ClientError | BotoCoreError | NotLeadingError)
    return error if known else UnreadableAnswerError(operation=operation)


def bare(error: Exception) -> Exception:
    """An error of boto3 without the answer and the exceptions that it refers to, which can have megabytes.

    Any other exception is returned unchanged.
    """
    if isinstance(error, ClientError):
        metadata = {
            "HTTPStatusCode": _status(error),
            "HTTPHeaders": {"retry-after": cut(str(_headers(error).get("retry-after", "")), VALUE)},
        }
        answer: Any = {
            "Error": {"Code": code_of(error), "Message": text_of(error)},
            "ResponseMetadata": metadata,
        }
        return type(error)(answer, error.operation_name)
    if isinstance(error, BotoCoreError):
        made = type(error).__new__(type(error))
        made.args = (cut(str(error), MESSAGE),)
        return made
    return error


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return shown(str(error.response.get("Error", {}).get("Code", "")), VALUE)


def text_of(error: ClientError) -> str:
    """AWS's own sentence, or its beginning; empty: AWS gave none. Patterns would take long to search a longer text."""
    return cut(str(error.response.get("Error", {}).get("Message") or "").strip(), MESSAGE)


def is_doubtful(error: Exception) -> bool:
    """Whether AWS may have carried out the request: no answer, half of one, or a failure inside of AWS."""
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, HTTPClientError | IncompleteReadError | SSLError | UnreadableAnswerError)


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Whether the same request may succeed soon."""
    return understand(error).reason in ("Throttled", "AWSUnavailable", "AWSUnreachable")


def conflicting_uuid(error: Exception) -> str:
    """The UUID that ends the message of a 409 for a mapping that exists (recorded), or empty."""
    if not isinstance(error, ClientError) or code_of(error) != "ResourceConflictException":
        return ""
    return (_UUID.findall(text_of(error)) or [""])[-1]


def is_missing(error: ClientError | BotoCoreError) -> bool:
    """Whether the operator cannot use an operation: IAM does not allow it, or the endpoint does not have it."""
    not_implemented = isinstance(error, ClientError) and _status(error) == 501
    return not_implemented or understand(error).reason in ("AccessDenied", "RequestNotUnderstood")


def may_be_missing(error: ClientError | BotoCoreError) -> bool:
    """Whether an error that lasts means that the endpoint lacks an operation, or that no network leads to it."""
    failure = understand(error)
    return failure.reason in ("AWSUnavailable", "AWSUnreachable") or failure.case == "UnknownCode"


def is_gone(error: ClientError) -> bool:
    """Whether AWS has no such mapping."""
    return code_of(error) == "ResourceNotFoundException" and row_of(error).reason == "NotFound"


def is_busy(error: ClientError) -> bool:
    """Whether AWS is at work on the mapping, which can't be changed meanwhile."""
    return code_of(error) == "ResourceInUseException"


def row_of(error: ClientError) -> ErrorRule:
    """The first row of the table that matches an error of AWS."""
    return _row_of(code_of(error), text_of(error), _status(error))


def _row_of(code: str, text: str, status: int) -> ErrorRule:
    for row in TABLE:
        if re.search(row.code, code) and re.search(row.pattern, text):
            return row
    return UNAVAILABLE if status >= 500 else OTHER


def understand(error: Exception) -> Failure:
    """The meaning of an exception of boto3. Any other exception is a bug and is raised again."""
    if isinstance(error, ClientError):
        code, text, status = code_of(error), text_of(error), _status(error)
        row, denial, sentence = _row_of(code, text, status), denial_of(text), sentence_of(text or code)
        action = denial.action or f"{_SERVICES.get(error.operation_name, 'lambda')}:{error.operation_name}"
        return Failure(
            row.reason,
            row.disposition,
            answer=_quote(error.operation_name, sentence if text else "", code, status),
            case=row.case,
            sentence=sentence,
            remedy=denial.remedy,
            values={"action": action, "code": code},
            throttled=row.reason == "Throttled",
            retry_after=backoff.retry_after(str(_headers(error).get("retry-after", ""))),
        )
    for classes, reason, disposition in EXCEPTIONS:
        if isinstance(error, classes):
            text = sentence_of(_origins(str(error))).replace('"', "'")
            return Failure(reason, disposition, answer=f'The AWS SDK reported "{text}"')
    raise error


def understand_any(error: Exception) -> Failure:
    """The meaning of any exception, for a task that has to continue. A bug is logged with its traceback.

    The failures of one line of the code are logged once a minute, because an endpoint can cause them again and again.
    """
    if isinstance(error, ClientError | BotoCoreError):
        return understand(error)
    _bugs.failed_unexpectedly("The operator did not understand an answer of AWS.", error)
    return Failure("OperatorError", Disposition.SLOW, values={"error": cut(f"{type(error).__name__}: {error}", ANSWER)})


def _origins(text: str) -> str:
    """The text with only scheme, host and port of each URL, because the URL of an endpoint can have a password."""
    return _URL.sub(r"\1\2\3", text)


def _quote(operation: str, sentence: str, code: str, status: int) -> str:
    """AWS's own sentence in quotes, else the error code and the HTTP status."""
    if sentence:
        return f'AWS answered {operation} with "{sentence}"'
    named = f"the code {code}" if code else "no error code"
    return f"AWS answered {operation} with {named} (HTTP status {status}) and no explanation."


def _headers(error: ClientError) -> Mapping[str, str]:
    return error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
