"""The errors of AWS: HTTP status, form of the body, and message.

Each refusal of the server is an AwsError. This module has all messages with their origin: *recorded* on AWS, *reported*
in public threads, *documented* in the botocore model, or *assumed*.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Code:
    """The form of one error code: its HTTP status, and whether its body has `message` or `Message`."""

    status: int
    message_key: str = "message"
    type: str | None = "User"


CODES: dict[str, Code] = {
    "InvalidParameterValueException": Code(400),
    "ResourceConflictException": Code(409),
    "ResourceInUseException": Code(400, "Message"),
    "ResourceNotFoundException": Code(404, "Message"),
    "ServiceException": Code(500, "Message", "Service"),
    "TooManyRequestsException": Code(429),
    # Errors that no Lambda operation declares. They have only a message, as recorded for ValidationException.
    "ValidationException": Code(400, type=None),
    "SerializationException": Code(400, "Message", None),
    "ThrottlingException": Code(400, type=None),
    "ExpiredTokenException": Code(403, type=None),
    "UnrecognizedClientException": Code(403, type=None),
    "AccessDeniedException": Code(403, "Message", None),
    # The tagging API.
    "InvalidParameterException": Code(400, "Message", None),
    "PaginationTokenExpiredException": Code(400, "Message", None),
    "ThrottledException": Code(400, "Message", None),
}
OTHER = Code(400, type=None)


class AwsError(Exception):
    """An error answer."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.kind = CODES.get(code, OTHER)
        self.status = status or self.kind.status
        self.headers = headers or {}
        self.reason = reason

    def json(self) -> bytes:
        body = {self.kind.message_key: self.message}
        if self.kind.type:
            body = {"Type": self.kind.type, **body}
        if self.reason:
            body["Reason"] = self.reason
        return json.dumps(body).encode()

    def tagging_json(self) -> bytes:
        """The body in the JSON 1.1 protocol, which has the code in the body."""
        return json.dumps({"__type": self.code, self.kind.message_key: self.message}).encode()

    def xml(self) -> bytes:
        """The body in the query protocol (STS, IAM)."""
        sender = "Receiver" if self.status >= 500 else "Sender"
        return (
            "<ErrorResponse><Error>"
            f"<Type>{sender}</Type><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            "</Error></ErrorResponse>"
        ).encode()


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def mapping_not_found() -> AwsError:
    """Recorded."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.")


def tagged_mapping_not_found(arn: str) -> AwsError:
    """Recorded."""
    return AwsError("ResourceNotFoundException", f"Event source mapping not found: {arn}")


def tags_not_supported() -> AwsError:
    """Reported for Create with Tags where mappings cannot have tags."""
    return invalid_parameter("Tags not supported in request.")


def not_taggable(arn: str) -> AwsError:
    """Reported for ListTags where mappings cannot have tags; assumed for TagResource and UntagResource."""
    return invalid_parameter(f"Unsupported resource type for tagging or invalid arn: {arn}")


def access_denied(account: str, action: str, resource: str) -> AwsError:
    """As reported in public threads."""
    return AwsError(
        "AccessDeniedException",
        f"User: arn:aws:sts::{account}:assumed-role/operator/session is not authorized to perform: {action} "
        f"on resource: {resource} because no identity-based policy allows the {action} action",
    )


def in_use(verb: str) -> AwsError:
    """Reported."""
    return AwsError("ResourceInUseException", f"Cannot {verb} the event source mapping because it is in use.")


def throttled(retry_after: str | None) -> AwsError:
    """Code and reason documented, sentence reported."""
    return AwsError(
        "TooManyRequestsException",
        "Rate exceeded",
        headers={"Retry-After": retry_after} if retry_after else {},
        reason="CallerRateLimitExceeded",
    )


def tagging_throttled() -> AwsError:
    """Code documented, sentence reported."""
    return AwsError("ThrottledException", "Rate exceeded")
