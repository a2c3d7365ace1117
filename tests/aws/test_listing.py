"""List: pages, filters, and the members that its items leave out."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer, FaultKind
from .examples import FUNCTION_ARN, HERE, QUEUE, example, refused
from .sources import Source


def make_many(aws: AwsServer, number: int) -> list[str]:
    return [
        aws.control.make_mapping(**example(Source.SQS, EventSourceArn=f"{QUEUE}-{n}"))["UUID"] for n in range(number)
    ]


def sweep(lambda_: Any, **asked: Any) -> list[list[str]]:
    """UUIDs, page by page."""
    pages = lambda_.get_paginator("list_event_source_mappings").paginate(**asked)
    return [[item["UUID"] for item in page["EventSourceMappings"]] for page in pages]


def test_a_page_has_at_most_100_items(aws: AwsServer, lambda_: Any) -> None:
    made = make_many(aws, 205)
    pages = sweep(lambda_, PaginationConfig={"PageSize": 1000})
    assert [len(page) for page in pages] == [100, 100, 5]
    assert [uuid for page in pages for uuid in page] == made


def test_a_request_can_set_a_smaller_page_size(aws: AwsServer, lambda_: Any) -> None:
    made = make_many(aws, 5)
    assert sweep(lambda_, PaginationConfig={"PageSize": 2}) == [made[:2], made[2:4], made[4:]]
    assert sweep(lambda_, PaginationConfig={"PageSize": 5}) == [made]


def test_creations_and_deletions_do_not_shift_later_pages(aws: AwsServer, lambda_: Any) -> None:
    made = make_many(aws, 4)
    first = lambda_.list_event_source_mappings(MaxItems=2)
    aws.control.delete_mapping(made[0])
    aws.control.delete_mapping(made[1])
    (new,) = make_many(aws, 1)
    second = lambda_.list_event_source_mappings(Marker=first["NextMarker"])
    assert [item["UUID"] for item in second["EventSourceMappings"]] == [*made[2:], new]


def test_a_list_can_be_filtered_by_function_and_source(aws: AwsServer, lambda_: Any) -> None:
    make = aws.control.make_mapping
    plain = make(**example(Source.SQS))["UUID"]
    alias = make(**example(Source.SQS, FunctionName="handler:live"))["UUID"]
    other = make(**example(Source.SQS, FunctionName="other"))["UUID"]
    kafka = make(**example(Source.SELF_MANAGED_KAFKA))["UUID"]
    for name in ("handler", "handler:$LATEST", FUNCTION_ARN, "123456789012:function:handler"):
        assert sweep(lambda_, FunctionName=name) == [[plain, kafka]]
    assert sweep(lambda_, FunctionName="handler:live") == [[alias]]
    assert sweep(lambda_, EventSourceArn=QUEUE) == [[plain, alias, other]]
    assert sweep(lambda_, EventSourceArn=QUEUE, FunctionName="other") == [[other]]
    assert sweep(lambda_, EventSourceArn=f"{QUEUE}-none") == [[]]


@pytest.mark.parametrize("encrypted", [True, False])
def test_encrypted_filter_criteria_are_not_listed(lambda_: Any, encrypted: bool) -> None:
    criteria = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}
    key = {"KMSKeyArn": f"arn:aws:kms:{HERE}:key/1"} if encrypted else {}
    made = lambda_.create_event_source_mapping(**example(Source.SQS, FilterCriteria=criteria, **key))
    (item,) = lambda_.list_event_source_mappings()["EventSourceMappings"]
    assert item.get("FilterCriteria") == (None if encrypted else criteria)
    assert lambda_.get_event_source_mapping(UUID=made["UUID"])["FilterCriteria"] == criteria


def test_items_equal_the_answer_of_get_and_have_no_tags(lambda_: Any) -> None:
    made = lambda_.create_event_source_mapping(**example(Source.KINESIS, Tags={"a": "b"}))
    (item,) = lambda_.list_event_source_mappings()["EventSourceMappings"]
    got = lambda_.get_event_source_mapping(UUID=made["UUID"])
    assert item == {name: value for name, value in got.items() if name != "ResponseMetadata"}
    assert "Tags" not in item


def test_an_invalid_marker_is_refused(lambda_: Any) -> None:
    assert refused(lambda_.list_event_source_mappings, Marker="x").status == 400


def test_a_fault_can_empty_a_page_in_the_middle_of_a_list(aws: AwsServer, lambda_: Any) -> None:
    make_many(aws, 250)
    aws.control.fault(FaultKind.MISSING_PAGE, "ListEventSourceMappings", after=1, times=1)
    assert [len(page) for page in sweep(lambda_)] == [100, 0, 50]
    assert [len(page) for page in sweep(lambda_)] == [100, 100, 50]
