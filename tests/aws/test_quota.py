"""The quotas: one bucket for Lambda's control plane in each account and region, and one for the tagging API."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, Settings
from .examples import example, refused
from .quota import Quota
from .sources import Source

# So slow that a bucket does not refill during a test. Its burst is one request.
ONE_REQUEST = 0.0001


def test_a_bucket_allows_a_burst_of_one_second_and_then_the_rate() -> None:
    now = 0.0
    quota = Quota(lambda: now, rate=15)
    assert [quota.take("a", "r") for _ in range(16)] == [True] * 15 + [False]
    now = 0.1  # one and a half tokens
    assert [quota.take("a", "r") for _ in range(2)] == [True, False]
    now = 0.134  # the rest of the last interval counts
    assert quota.take("a", "r")
    now = 100.0
    assert [quota.take("a", "r") for _ in range(16)] == [True] * 15 + [False]


def test_each_account_and_region_has_its_own_bucket() -> None:
    quota = Quota(lambda: 0.0, rate=1)
    assert [quota.take(*target) for target in (("a", "r"), ("a", "s"), ("b", "r"), ("a", "r"))] == [
        True,
        True,
        True,
        False,
    ]


def test_a_quota_of_zero_limits_nothing() -> None:
    quota = Quota(lambda: 0.0, rate=0)
    assert all(quota.take("a", "r") for _ in range(1000))


def test_calls_over_the_quota_are_throttled(aws: AwsServer, lambda_: Any) -> None:
    aws.control.set(quota=ONE_REQUEST)
    lambda_.list_event_source_mappings()
    refusal = refused(lambda_.list_event_source_mappings)
    assert (refusal.code, refusal.status) == ("TooManyRequestsException", 429)
    assert "retry-after" not in refusal.headers
    aws.control.set(retry_after="3")
    refusal = refused(lambda_.create_event_source_mapping, **example(Source.SQS))
    assert refusal.headers["retry-after"] == "3"
    assert aws.control.counts().throttled == 2
    assert aws.control.mappings() == []
    aws.client("lambda", region="eu-west-1").list_event_source_mappings()


def test_a_throttled_answer_has_the_members_of_the_model(aws: AwsServer, lambda_: Any) -> None:
    aws.control.set(quota=ONE_REQUEST, retry_after="1")
    lambda_.list_event_source_mappings()
    with pytest.raises(lambda_.exceptions.TooManyRequestsException) as caught:
        lambda_.list_event_source_mappings()
    assert caught.value.response["Reason"] == "CallerRateLimitExceeded"
    assert caught.value.response["retryAfterSeconds"] == "1"


def test_all_lambda_calls_except_three_operations_share_the_quota(aws: AwsServer, lambda_: Any) -> None:
    aws.control.set(quota=ONE_REQUEST)
    for _ in range(2):
        assert refused(lambda_.get_function, FunctionName="none").status == 404
        assert refused(lambda_.get_policy, FunctionName="none").status == 404
    assert lambda_.list_functions()["Functions"] == []
    assert refused(lambda_.list_functions).status == 429
    assert refused(lambda_.list_event_source_mappings).status == 429


def test_the_tagging_api_has_its_own_quota(aws: AwsServer, lambda_: Any) -> None:
    aws.control.set(quota=ONE_REQUEST, tagging_quota=ONE_REQUEST)
    tagging: Any = aws.client("resourcegroupstaggingapi")
    lambda_.list_event_source_mappings()
    tagging.get_resources()
    assert refused(tagging.get_resources).code == "ThrottledException"


def test_calls_and_errors_are_counted(aws: AwsServer, lambda_: Any) -> None:
    uuid = lambda_.create_event_source_mapping(**example(Source.SQS))["UUID"]
    refused(lambda_.create_event_source_mapping, **example(Source.SQS))
    lambda_.get_event_source_mapping(UUID=uuid)
    refused(lambda_.get_function, FunctionName="none")
    counts = aws.control.counts()
    assert counts.calls["CreateEventSourceMapping"] == 2
    assert counts.errors["CreateEventSourceMapping"] == {"ResourceConflictException": 1}
    assert counts.busiest_second["123456789012/us-east-1"] <= 3
    aws.control.reset_counts()
    assert aws.control.counts().calls == {}


def test_the_busiest_second_counts_only_calls_under_the_quota(aws: AwsServer, lambda_: Any) -> None:
    refused(lambda_.get_function, FunctionName="none")
    assert aws.control.counts().busiest_second == {}


def test_at_the_terminal_the_quota_is_that_of_aws() -> None:
    assert Settings().quota == 15
