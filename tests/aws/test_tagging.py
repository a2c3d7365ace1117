"""Tags in Lambda and in the tagging API, which is updated later and has no resources that never had tags."""

from __future__ import annotations

from typing import Any

import pytest

from . import AwsServer
from .examples import example, refused
from .sources import Source
from .tagging import TagIndex


@pytest.fixture
def tagging(aws: AwsServer) -> Any:
    return aws.client("resourcegroupstaggingapi")


def found(tagging: Any, **asked: Any) -> dict[str, dict[str, str]]:
    pages = tagging.get_paginator("get_resources").paginate(**asked)
    return {
        item["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        for page in pages
        for item in page["ResourceTagMappingList"]
    }


def make(lambda_: Any, name: str, tags: dict[str, str]) -> str:
    made = lambda_.create_event_source_mapping(**example(Source.SQS, FunctionName=name, Tags=tags))
    return made["EventSourceMappingArn"]


def test_the_tags_of_a_create_are_stored(lambda_: Any) -> None:
    arn = make(lambda_, "a", {"x": "1", "esm-operator.io/name": "orders"})
    assert lambda_.list_tags(Resource=arn)["Tags"] == {"x": "1", "esm-operator.io/name": "orders"}


def test_tags_of_a_create_become_visible_after_the_mapping(aws: AwsServer, lambda_: Any, tagging: Any) -> None:
    aws.control.set(tag_delay=3600)
    arn = make(lambda_, "a", {"x": "1"})
    lambda_.tag_resource(Resource=arn, Tags={"y": "2"})
    assert lambda_.list_tags(Resource=arn)["Tags"] == {}
    assert found(tagging) == {}
    aws.control.set(tag_delay=0)
    later = make(lambda_, "b", {"x": "1"})
    assert lambda_.list_tags(Resource=later)["Tags"] == {"x": "1"}


def test_without_support_for_tags_requests_with_tags_are_refused(aws: AwsServer, lambda_: Any, tagging: Any) -> None:
    aws.control.set(tags_supported=False)
    refusal = refused(lambda_.create_event_source_mapping, **example(Source.SQS, Tags={"x": "1"}))
    assert (refusal.code, refusal.status) == ("InvalidParameterValueException", 400)
    assert refusal.message == "Tags not supported in request."
    assert aws.control.mappings() == []
    arn = lambda_.create_event_source_mapping(**example(Source.SQS))["EventSourceMappingArn"]
    for operation, members in (
        (lambda_.list_tags, {}),
        (lambda_.tag_resource, {"Tags": {"x": "1"}}),
        (lambda_.untag_resource, {"TagKeys": ["x"]}),
    ):
        refusal = refused(operation, Resource=arn, **members)
        assert (refusal.code, refusal.status) == ("InvalidParameterValueException", 400)
        assert refusal.message == f"Unsupported resource type for tagging or invalid arn: {arn}"
    assert found(tagging) == {}


def test_tag_and_untag_answer_with_status_204(lambda_: Any) -> None:
    arn = make(lambda_, "a", {})
    tagged = lambda_.tag_resource(Resource=arn, Tags={"a b": "c"})
    untagged = lambda_.untag_resource(Resource=arn, TagKeys=["a b"])
    assert [each["ResponseMetadata"]["HTTPStatusCode"] for each in (tagged, untagged)] == [204, 204]
    assert lambda_.list_tags(Resource=arn)["Tags"] == {}


def test_no_more_than_50_tags(lambda_: Any) -> None:
    arn = make(lambda_, "a", {f"k{n}": "" for n in range(50)})
    lambda_.tag_resource(Resource=arn, Tags={"k1": "again"})
    assert refused(lambda_.tag_resource, Resource=arn, Tags={"k50": ""}).status == 400


@pytest.mark.parametrize("key", ["a#b", "x" * 129])
def test_tag_keys_are_checked(lambda_: Any, key: str) -> None:
    arn = make(lambda_, "a", {})
    assert refused(lambda_.tag_resource, Resource=arn, Tags={key: "v"}).code == "ValidationException"


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "aWs:"])
def test_the_prefix_of_aws_is_reserved_in_any_case(lambda_: Any, key: str) -> None:
    arn = make(lambda_, "a", {})
    assert refused(lambda_.tag_resource, Resource=arn, Tags={key: "v"}).code == "InvalidParameterValueException"
    lambda_.tag_resource(Resource=arn, Tags={key.replace(":", "/"): key})


def test_tags_of_another_region_are_not_found(aws: AwsServer, lambda_: Any) -> None:
    arn = make(lambda_, "a", {"x": "1"})
    assert refused(aws.client("lambda", region="eu-west-1").list_tags, Resource=arn).status == 404


def test_get_resources_can_filter_by_tags(lambda_: Any, tagging: Any) -> None:
    one = make(lambda_, "one", {"cluster": "c1", "name": "one"})
    two = make(lambda_, "two", {"cluster": "c2"})
    make(lambda_, "none", {})
    assert set(found(tagging)) == {one, two}
    assert set(found(tagging, TagFilters=[{"Key": "cluster"}])) == {one, two}
    assert found(tagging, TagFilters=[{"Key": "cluster", "Values": ["c1", "c3"]}]) == {
        one: {"cluster": "c1", "name": "one"}
    }
    assert set(found(tagging, TagFilters=[{"Key": "cluster"}, {"Key": "name"}])) == {one}
    assert set(found(tagging, ResourceTypeFilters=["lambda:event-source-mapping"])) == {one, two}
    assert set(found(tagging, ResourceTypeFilters=["lambda"])) == {one, two}
    assert set(found(tagging, ResourceTypeFilters=["sqs"])) == set()
    assert set(found(tagging, ResourceARNList=[two])) == {two}


def test_a_resource_stays_in_the_tagging_api_after_its_last_tag(lambda_: Any, tagging: Any) -> None:
    arn = make(lambda_, "a", {"x": "1"})
    lambda_.untag_resource(Resource=arn, TagKeys=["x"])
    assert found(tagging) == {arn: {}}
    assert found(tagging, TagFilters=[{"Key": "x"}]) == {}


def test_get_resources_answers_in_pages(aws: AwsServer, tagging: Any) -> None:
    for n in range(120):
        aws.control.make_mapping(**example(Source.SQS, FunctionName=f"f{n}", Tags={"n": str(n)}))
    assert len(found(tagging, TagFilters=[{"Key": "n"}], PaginationConfig={"PageSize": 100})) == 120
    first = tagging.get_resources(ResourcesPerPage=100)
    assert len(first["ResourceTagMappingList"]) == 100
    last = tagging.get_resources(ResourcesPerPage=100, PaginationToken=first["PaginationToken"])
    assert (len(last["ResourceTagMappingList"]), last["PaginationToken"]) == (20, "")
    assert refused(tagging.get_resources, ResourcesPerPage=101).code == "InvalidParameterException"


def test_accounts_and_regions_are_independent(aws: AwsServer, lambda_: Any) -> None:
    make(lambda_, "a", {"x": "1"})
    for region, account in (("eu-west-1", "testing"), ("us-east-1", "222222222222")):
        assert found(aws.client("resourcegroupstaggingapi", region, account)) == {}


def test_the_tagging_api_shows_changes_later(aws: AwsServer, lambda_: Any, tagging: Any) -> None:
    aws.control.set(tagging_lag=3600)
    arn = make(lambda_, "a", {"x": "1"})
    assert lambda_.list_tags(Resource=arn)["Tags"] == {"x": "1"}
    assert found(tagging) == {}


def test_each_change_becomes_visible_after_the_lag() -> None:
    now = 0.0
    index = TagIndex(lambda: now)
    seen: list[dict[str, dict[str, str]]] = []
    index.note("arn", {"a": "1"}, 10)
    now = 5
    index.note("arn", {"a": "2"}, 10)
    now = 6
    index.note("arn", None, 10)
    for later in (9, 10, 15, 16, 17):
        now = later
        seen.append(dict(index.visible()))
    assert seen == [{}, {"arn": {"a": "1"}}, {"arn": {"a": "2"}}, {}, {}]


def test_a_deleted_mapping_is_not_in_the_tagging_api(lambda_: Any, tagging: Any) -> None:
    arn = make(lambda_, "a", {"x": "1"})
    lambda_.delete_event_source_mapping(UUID=arn.rpartition(":")[2])
    assert refused(lambda_.list_tags, Resource=arn).status == 404
    assert found(tagging) == {}


def test_moto_answers_for_tags_of_functions(aws: AwsServer, lambda_: Any) -> None:
    refusal = refused(lambda_.list_tags, Resource="arn:aws:lambda:us-east-1:123456789012:function:none")
    assert refusal.status == 404
    assert "Event source mapping" not in refusal.message
