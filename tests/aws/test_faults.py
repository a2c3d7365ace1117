"""Faults: their effects, the calls that they act on, and their number."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from . import AwsServer, Control, ControlError, FaultKind
from .calls import Call
from .examples import QUEUE, example, raw, refused
from .faults import PRESETS, Fault, Faults
from .sources import Source

CREATE = "CreateEventSourceMapping"
GET = "GetEventSourceMapping"

STATUSES = {
    FaultKind.SERVICE_EXCEPTION: 500,
    FaultKind.THROTTLE: 429,
    FaultKind.THROTTLING_EXCEPTION: 400,
    FaultKind.EXPIRED_TOKEN: 403,
    FaultKind.UNRECOGNIZED_CLIENT: 403,
    FaultKind.ACCESS_DENIED: 403,
    FaultKind.CONFLICT: 409,
    FaultKind.IN_USE: 400,
    FaultKind.ROLE_NOT_ASSUMABLE: 400,
    FaultKind.ROLE_LACKS_PERMISSION: 400,
    FaultKind.ROLE_CANNOT_READ_STREAM: 400,
}


@pytest.mark.parametrize("kind", PRESETS)
def test_each_kind_of_fault_answers_with_its_error(lambda_: Any, control: Control, kind: FaultKind) -> None:
    control.fault(kind, CREATE, times=1)
    refusal = refused(lambda_.create_event_source_mapping, **example(Source.SQS))
    assert (refusal.code, refusal.status) == (PRESETS[kind][0], STATUSES[kind])
    assert "{" not in refusal.message
    assert control.mappings() == []
    lambda_.create_event_source_mapping(**example(Source.SQS))


def test_an_access_denied_error_names_the_action(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ACCESS_DENIED)
    message = refused(lambda_.list_event_source_mappings).message
    assert "is not authorized to perform: lambda:ListEventSourceMappings on resource: *" in message


def test_an_access_denied_error_can_name_another_action(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ACCESS_DENIED, CREATE, action="lambda:TagResource")
    message = refused(lambda_.create_event_source_mapping, **example(Source.SQS)).message
    assert "is not authorized to perform: lambda:TagResource on resource: *" in message


def test_an_error_can_have_no_message(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ERROR, code="AccessDeniedException", message="", status=403)
    refusal = refused(lambda_.list_event_source_mappings)
    assert (refusal.code, refusal.message, refusal.status) == ("AccessDeniedException", "", 403)


def test_a_fault_can_answer_with_any_error(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ERROR, code="OddException", message="{odd}", status=418, retry_after="9")
    refusal = refused(lambda_.list_event_source_mappings)
    assert (refusal.code, refusal.message, refusal.status) == ("OddException", "{odd}", 418)
    assert refusal.headers["retry-after"] == "9"


def test_a_lost_answer_follows_a_call_that_took_effect(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ANSWER_LOST, CREATE, times=1)
    with pytest.raises(ConnectionClosedError):
        lambda_.create_event_source_mapping(**example(Source.SQS))
    (made,) = control.mappings()
    assert refused(lambda_.create_event_source_mapping, **example(Source.SQS)).message.endswith(made["UUID"])


def test_a_connection_that_is_closed_earlier_leaves_no_effect(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.CLOSE, CREATE, times=1)
    with pytest.raises(ConnectionClosedError):
        lambda_.create_event_source_mapping(**example(Source.SQS))
    assert control.mappings() == []


@pytest.mark.parametrize(("kind", "happens"), [(FaultKind.DELAY, False), (FaultKind.DELAY_ANSWER, True)])
def test_a_delay_acts_before_or_after_the_call_takes_effect(aws: AwsServer, kind: FaultKind, happens: bool) -> None:
    impatient: Any = aws.client("lambda", config=Config(read_timeout=0.2))
    aws.control.fault(kind, CREATE, seconds=3600)
    with pytest.raises(ReadTimeoutError):
        impatient.create_event_source_mapping(**example(Source.SQS))
    assert len(aws.control.mappings()) == happens


def test_a_delay_does_not_block_other_calls(aws: AwsServer, lambda_: Any) -> None:
    aws.control.fault(FaultKind.DELAY, GET, seconds=3600)
    impatient: Any = aws.client("lambda", config=Config(read_timeout=0.1))
    with pytest.raises(ReadTimeoutError):
        impatient.get_event_source_mapping(UUID="0" * 36)
    assert lambda_.list_event_source_mappings()["EventSourceMappings"] == []


def test_a_fault_acts_after_some_calls_and_a_number_of_times(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.THROTTLE, "ListEventSourceMappings", after=2, times=2)
    outcomes: list[bool] = []
    for _ in range(6):
        try:
            lambda_.list_event_source_mappings()
            outcomes.append(True)
        except lambda_.exceptions.TooManyRequestsException:
            outcomes.append(False)
    assert outcomes == [True, True, False, False, True, True]
    assert control.faults() == []


def test_a_fault_for_a_function_matches_all_spellings_of_its_name(lambda_: Any, control: Control) -> None:
    mine = lambda_.create_event_source_mapping(**example(Source.SQS, FunctionName="mine"))["UUID"]
    other = lambda_.create_event_source_mapping(**example(Source.SQS, FunctionName="other"))["UUID"]
    control.fault(FaultKind.ROLE_LACKS_PERMISSION, match={"FunctionName": "mine"})
    arn = "arn:aws:lambda:us-east-1:123456789012:function:mine:live"
    refused(lambda_.create_event_source_mapping, **example(Source.SQS, FunctionName=arn))
    refused(lambda_.get_event_source_mapping, UUID=mine)
    lambda_.get_event_source_mapping(UUID=other)


def test_a_fault_can_match_a_source_an_account_and_a_region(aws: AwsServer, lambda_: Any) -> None:
    aws.control.fault(
        FaultKind.CONFLICT,
        match={"EventSourceArn": QUEUE, "account": "123456789012", "region": "us-east-1"},
    )
    assert refused(lambda_.create_event_source_mapping, **example(Source.SQS)).status == 409
    lambda_.create_event_source_mapping(**example(Source.KINESIS))
    aws.client("lambda", account="222222222222").create_event_source_mapping(**example(Source.SQS))


def test_a_fault_acts_until_it_is_removed(lambda_: Any, control: Control) -> None:
    first = control.fault(FaultKind.THROTTLE, GET)
    control.fault(FaultKind.SERVICE_EXCEPTION, "ListEventSourceMappings")
    control.remove_fault(first)
    assert refused(lambda_.get_event_source_mapping, UUID="0" * 36).status == 404
    assert refused(lambda_.list_event_source_mappings).status == 500
    assert [fault["hits"] for fault in control.faults()] == [1]
    control.clear_faults()
    lambda_.list_event_source_mappings()


def test_a_fault_can_end_after_some_seconds() -> None:
    now = 10.0
    faults = Faults(lambda: now)
    faults.add(Fault(FaultKind.THROTTLE, for_seconds=5))
    call = Call("lambda", GET, "1", "r", {})
    now = 14.9
    assert faults.hit(call) is not None
    now = 15.0
    assert faults.hit(call) is None


def test_a_fault_can_act_on_calls_to_sts(aws: AwsServer) -> None:
    sts: Any = aws.client("sts")
    aws.control.fault(FaultKind.ERROR, "AssumeRole", code="AccessDenied", message="No & no.", status=403)
    asked = {"RoleArn": "arn:aws:iam::222222222222:role/operator", "RoleSessionName": "test"}
    refusal = refused(sts.assume_role, **asked)
    assert (refusal.code, refusal.message, refusal.status) == ("AccessDenied", "No & no.", 403)
    aws.control.clear_faults()
    assert sts.assume_role(**asked)["Credentials"]["AccessKeyId"]


def test_the_request_log_shows_the_outcome(lambda_: Any, control: Control) -> None:
    control.fault(FaultKind.ANSWER_LOST, CREATE, times=1)
    with pytest.raises(ConnectionClosedError):
        lambda_.create_event_source_mapping(**example(Source.SQS))
    refused(lambda_.create_event_source_mapping, **example(Source.SQS))
    lost, conflict = control.requests(last=2)
    assert (lost["operation"], lost["outcome"]) == (CREATE, "answer lost")
    assert (conflict["outcome"], conflict["status"]) == ("ResourceConflictException", 409)
    assert conflict["members"]["FunctionName"] == "handler"
    assert control.counts().errors[CREATE] == {"answer lost": 1, "ResourceConflictException": 1}


@pytest.mark.parametrize("body", ['{"kind": "none"}', "{}", '{"kind": "close", "surplus": 1}', "{"])
def test_an_invalid_fault_is_refused(aws: AwsServer, body: str) -> None:
    assert raw(aws, "POST", "/_control/faults", body)[0] == 400
    assert aws.control.faults() == []


def test_a_refusal_of_the_control_api_is_an_error(control: Control) -> None:
    with pytest.raises(ControlError, match="surplus"):
        control.set(surplus=1)
