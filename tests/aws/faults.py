"""Faults that tests inject.

A fault waits for calls of an operation, or only for those whose members have certain values. It acts on some of these
calls: it returns an error, loses the answer, or delays it. Tests inject faults through the control API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from .arns import parse_function
from .calls import Call
from .clock import Clock
from .errors import AwsError

ANY_OPERATION = "*"


class Kind(StrEnum):
    """The effect of a fault."""

    CLOSE = "close"  # closes the connection before the call has an effect
    ANSWER_LOST = "answer-lost"  # carries out the call, and closes the connection without an answer
    DELAY = "delay"  # waits for `seconds`, and then carries out the call
    DELAY_ANSWER = "delay-answer"  # carries out the call immediately, and answers `seconds` later
    MISSING_PAGE = (
        "missing-page"  # returns a page of List or GetResources without its items, and with the marker of the next page
    )
    ERROR = "error"  # returns `code` and `message`, and optionally `status`
    SERVICE_EXCEPTION = "service-exception"
    THROTTLE = "throttle"
    THROTTLING_EXCEPTION = "throttling-exception"
    EXPIRED_TOKEN = "expired-token"
    UNRECOGNIZED_CLIENT = "unrecognized-client"
    ACCESS_DENIED = "access-denied"
    CONFLICT = "conflict"  # "another operation is in progress", without a UUID
    IN_USE = "in-use"
    ROLE_NOT_ASSUMABLE = "role-not-assumable"
    ROLE_LACKS_PERMISSION = "role-lacks-permission"
    ROLE_CANNOT_READ_STREAM = "role-cannot-read-stream"


# Messages as reported in public threads.
PRESETS: dict[Kind, tuple[str, str]] = {
    Kind.SERVICE_EXCEPTION: (
        "ServiceException",
        "An error occurred and the request cannot be processed.",
    ),
    Kind.THROTTLE: ("TooManyRequestsException", "Rate exceeded"),
    Kind.THROTTLING_EXCEPTION: ("ThrottlingException", "Rate exceeded"),
    Kind.EXPIRED_TOKEN: ("ExpiredTokenException", "The security token included in the request is expired"),
    Kind.UNRECOGNIZED_CLIENT: (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    Kind.ACCESS_DENIED: (
        "AccessDeniedException",
        "User: arn:aws:sts::{account}:assumed-role/operator/session is not authorized to perform: {action} "
        "on resource: {resource} because no identity-based policy allows the {action} action",
    ),
    Kind.CONFLICT: (
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: {resource}",
    ),
    Kind.IN_USE: (
        "ResourceInUseException",
        "Cannot update the event source mapping because it is in use.",
    ),
    Kind.ROLE_NOT_ASSUMABLE: (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    Kind.ROLE_LACKS_PERMISSION: (
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ),
    Kind.ROLE_CANNOT_READ_STREAM: (
        "InvalidParameterValueException",
        "Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM.",
    ),
}


@dataclass(slots=True)
class Fault:
    """`match`: members of the request and their values, and also `account` and `region`. `after`: so many
    matching calls pass first; `times`: so many are hit (None: all); `for_seconds`: until so long from now.
    `action`: of an access denied error, the IAM action that AWS names, where it is not the operation's."""

    kind: Kind
    operation: str = ANY_OPERATION
    match: dict[str, str] = field(default_factory=dict[str, str])
    after: int = 0
    times: int | None = None
    for_seconds: float | None = None
    seconds: float = 0.0
    code: str | None = None
    message: str | None = None
    status: int | None = None
    retry_after: str | None = None
    action: str | None = None
    hits: int = 0
    until: float | None = None

    def error(self, call: Call) -> AwsError | None:
        """The error that the fault returns. None: it returns no error."""
        code, sentence = PRESETS.get(self.kind, ("ServiceException", "Injected."))
        if self.kind is not Kind.ERROR and self.kind not in PRESETS:
            return None
        message = self.message
        if message is None:
            message = sentence.format(
                account=call.account,
                action=self.action or f"{call.service}:{call.operation}",
                resource=call.members.get("Resource") or call.members.get("UUID") or "*",
                source=call.members.get("EventSourceArn", ""),
            )
        headers = {"Retry-After": self.retry_after} if self.retry_after else None
        return AwsError(self.code or code, message, status=self.status, headers=headers)


class Faults:
    """All active faults, the oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults: dict[int, Fault] = {}
        self._ids = count(1)

    def add(self, fault: Fault) -> int:
        number = next(self._ids)
        if fault.for_seconds is not None:
            fault.until = self._clock() + fault.for_seconds
        self._faults[number] = fault
        return number

    def remove(self, number: int) -> bool:
        return self._faults.pop(number, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def described(self) -> list[dict[str, Any]]:
        return [{"id": number, **asdict(fault)} for number, fault in self._faults.items()]

    def hit(self, call: Call) -> Fault | None:
        """The fault that acts on this call, if any. Counts one use of the fault."""
        now = self._clock()
        for number, fault in list(self._faults.items()):
            if fault.until is not None and now >= fault.until:
                del self._faults[number]
            elif fault.operation in (ANY_OPERATION, call.operation) and _matches(fault.match, call):
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        del self._faults[number]
                return fault
        return None


def _matches(match: Mapping[str, str], call: Call) -> bool:
    return all(_value_matches(name, wanted, call) for name, wanted in match.items())


def _value_matches(name: str, wanted: str, call: Call) -> bool:
    if name == "account":
        return call.account == wanted
    if name == "region":
        return call.region == wanted
    value = call.members.get(name)
    if value is None:
        return False
    if name == "FunctionName":
        return _function_name(str(value), call) in (wanted, _function_name(wanted, call))
    return str(value) == wanted


def _function_name(text: str, call: Call) -> str:
    try:
        return parse_function(text, call.account, call.region).name
    except ValueError:
        return text
