"""``status.observed``: the fields of a mapping in AWS, as a spec would have them, and of limited size."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from esm_operator.api import fields, models
from esm_operator.api.fields import FIELDS
from esm_operator.api.observed_fields import LONGEST_FIELD, MOST_ENTRIES, observed_fields
from esm_operator.api.recorded_status import MappingReport
from esm_operator.api.spec import MappingSpec
from tests.specs import BASES, HERE, SECRET, spec
from tools import crd_definitions

FUNCTION = f"arn:aws:lambda:{HERE}:function:orders"
KEY = f"arn:aws:kms:{HERE}:key/orders"
OWN = f"arn:aws:lambda:{HERE}:event-source-mapping:1"


def answer(base: str, **members: Any) -> dict[str, Any]:
    """An answer of AWS about the mapping of a spec."""
    parameters = MappingSpec.parse(BASES[base]).parameters
    own = {"UUID": "1", "State": "Enabled", "FunctionArn": FUNCTION, "EventSourceMappingArn": OWN}
    return {**own, **parameters, **members}


def shown(mapping: Mapping[str, Any], wanted: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    parsed = MappingSpec.parse(wanted if wanted is not None else spec("sqs", {}))
    return observed_fields(mapping, fields.observed_values(mapping), parsed)


@pytest.mark.parametrize("base", BASES)
def test_a_mapping_with_the_values_of_its_spec_shows_the_spec(base: str) -> None:
    wanted = spec(base, {"enabled": True})
    assert shown(answer(base), wanted) == wanted


@pytest.mark.parametrize(
    ("path", "wanted", "members"),
    [
        ("functionName", "123456789012:function:orders:live", {"FunctionArn": f"{FUNCTION}:live"}),
        ("functionName", FUNCTION, {"FunctionArn": FUNCTION}),
        (
            "filterCriteria",
            {"filters": [{"pattern": '{ "b": [1],\n"a": [2] }'}, {"pattern": '{"a": [3]}'}]},
            {"FilterCriteria": {"Filters": [{"Pattern": '{"a":[3]}'}, {"Pattern": '{"a":[2],"b":[1]}'}]}},
        ),
        (
            "metricsConfig.metrics",
            ["KafkaMetrics", "EventCount"],
            {"MetricsConfig": {"Metrics": ["EventCount", "KafkaMetrics"]}},
        ),
        ("functionResponseTypes", ["ReportBatchItemFailures"], {"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
        (
            "startingPositionTimestamp",
            "2026-01-31T13:00:00+01:00",
            {"StartingPositionTimestamp": datetime(2026, 1, 31, 12, tzinfo=UTC)},
        ),
        (
            "sourceAccessConfigurations",
            [{"type": "VPC_SUBNET", "uri": "subnet-2"}, {"type": "BASIC_AUTH", "uri": SECRET}],
            {
                "SourceAccessConfigurations": [
                    {"Type": "BASIC_AUTH", "URI": SECRET},
                    {"Type": "VPC_SUBNET", "URI": "subnet:subnet-2"},
                ]
            },
        ),
    ],
    ids=lambda one: one if isinstance(one, str) and len(one) < 40 else "",
)
def test_a_value_that_means_the_same_is_spelled_as_in_the_spec(
    path: str, wanted: Any, members: Mapping[str, Any]
) -> None:
    asked = spec("self-managed", {path: wanted})
    assert fields.at(shown(answer("self-managed", **members), asked), path.split(".")) == wanted


@pytest.mark.parametrize(
    ("base", "members", "expected"),
    [
        (
            "sqs",
            {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0},
            {"batchSize": 10, "maximumBatchingWindowInSeconds": 0},
        ),
        ("sqs", {"State": "Disabled"}, {"enabled": False}),
        ("sqs", {"State": "Updating"}, {"enabled": None}),
        ("sqs", {"FunctionArn": f"{FUNCTION}:live"}, {"functionName": "orders:live"}),
        (
            "sqs",
            {"FunctionArn": "arn:aws:lambda:eu-west-1:999999999999:function:orders"},
            {"functionName": "arn:aws:lambda:eu-west-1:999999999999:function:orders"},
        ),
        ("kinesis", {"BisectBatchOnFunctionError": False}, {"bisectBatchOnFunctionError": False}),
        ("kinesis", {"DestinationConfig": {"OnFailure": {}}}, {"destinationConfig": None}),
        ("kinesis", {"MaximumRetryAttempts": -1}, {"maximumRetryAttempts": -1}),
        (
            "kinesis",
            {"StartingPositionTimestamp": datetime(2026, 1, 31, 12, tzinfo=UTC)},
            {"startingPositionTimestamp": "2026-01-31T12:00:00Z"},
        ),
        ("msk", {"MaximumBatchingWindowInSeconds": 0}, {"maximumBatchingWindowInSeconds": None}),
        (
            "msk",
            {"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "1b2c"}, "StartingPosition": "TRIM_HORIZON"},
            {"amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "1b2c"}, "startingPosition": "TRIM_HORIZON"},
        ),
        (
            "self-managed",
            {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:1", "a:1"]}}},
            {"selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1", "b:1"]}}},
        ),
        (
            "sqs",
            {"KMSKeyArn": KEY, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}},
            {"filterCriteria": None, "kmsKeyARN": KEY},
        ),
        (
            "sqs",
            {"FilterCriteria": {"Filters": [{"Pattern": '{ "a": [1] }'}]}},
            {"filterCriteria": {"filters": [{"pattern": '{"a":[1]}'}]}},
        ),
        ("sqs", {"LoggingConfig": {"SystemLogLevel": "VERBOSE"}}, {"loggingConfig": {"systemLogLevel": "VERBOSE"}}),
    ],
)
def test_a_value_of_aws_has_the_structure_of_a_spec(
    base: str, members: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    found = shown(answer(base, **members), {"functionName": "another"})
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("member", ["SourceAccessConfigurations", "FilterCriteria"])
def test_the_order_of_a_list_in_an_answer_does_not_matter(member: str) -> None:
    items: list[Any] = [{"Type": "BASIC_AUTH", "URI": f"{SECRET}{number}"} for number in range(3)]
    if member == "FilterCriteria":
        items = [{"Pattern": f'{{"a": [{number}]}}'} for number in range(3)]
    answers = [{"Filters": one} if member == "FilterCriteria" else one for one in (items, items[::-1])]
    assert shown(answer("mq", **{member: answers[0]})) == shown(answer("mq", **{member: answers[1]}))


def test_what_is_shown_can_be_copied_to_a_spec() -> None:
    model = TypeAdapter(models.EventSourceMappingSpec)
    for base in BASES:
        model.validate_python(dict(shown(answer(base, BatchSize=10), {"functionName": "another"})))


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in texts(part)]


@pytest.mark.parametrize(
    ("lengths", "shares"),
    [([4_000, 50], [4_000, 50]), ([4_096], [4_096]), ([3_000, 3_000], [2_048, 2_048]), ([100] * 40, [100] * 30)],
)
def test_long_filters_are_cut_together(lengths: list[int], shares: list[int]) -> None:
    patterns = [f'{{"a{number:02}":["{"x" * (length - 12)}"]}}' for number, length in enumerate(lengths)]
    found = shown(answer("sqs", FilterCriteria={"Filters": [{"Pattern": one} for one in patterns]}))
    assert [len(one) for one in texts(found["filterCriteria"])] == pytest.approx(shares, abs=40)


@pytest.mark.parametrize("letter", ["x", "\x1b", "\U0001f600", "\ud800", '"'])
def test_the_status_can_be_written_whatever_an_endpoint_answers(letter: str) -> None:
    text, many = letter * 10_000, 100
    members: dict[str, Any] = {
        "FilterCriteria": {"Filters": [{"Pattern": text}] * many},
        "SourceAccessConfigurations": [{"Type": text, "URI": text}] * many,
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [text] * many}},
        "AmazonManagedKafkaEventSourceConfig": {
            "ConsumerGroupId": text,
            "SchemaRegistryConfig": {"SchemaRegistryURI": text, "AccessConfigs": [{"Type": text, "URI": text}] * many},
        },
        "FunctionArn": text,
        "BatchSize": 2**53,
        **{member: [text] * many for member in ("Topics", "Queues", "FunctionResponseTypes")},
        **{row.top: text for row in FIELDS if row.path in ("startingPosition", "eventSourceARN", "kmsKeyARN")},
    }
    found = shown(answer("mq", **members))
    assert all(one.isprintable() and len(one) <= LONGEST_FIELD for one in texts(found))
    assert len(found["topics"]) == MOST_ENTRIES
    assert len(json.dumps(found, ensure_ascii=False).encode()) < 400_000, "etcd accepts objects of 1.5 MB"


# The schema


def schema() -> dict[str, Any]:
    version = crd_definitions.event_source_mappings()["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["observed"]


def nodes(place: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [*place.get("properties", {}).values(), *([place["items"]] if "items" in place else [])]
    return [place, *(node for part in parts for node in nodes(part))]


def test_the_api_server_accepts_any_value_of_aws() -> None:
    for node in nodes(schema()):
        assert node.keys() <= {"type", "description", "properties", "items", "x-kubernetes-list-type"}
        assert node.get("x-kubernetes-list-type", "atomic") == "atomic"


def test_the_schema_has_all_fields_of_aws() -> None:
    assert set(schema()["properties"]) == {row.path.split(".")[0] for row in FIELDS}


def test_a_description_is_one_sentence() -> None:
    for node in nodes(schema())[1:]:
        if "description" in node:
            assert node["description"].endswith(".")
            assert len(node["description"]) < 160, node["description"]
            assert not node["description"].startswith("If "), node["description"]


# The comparison with the stored status


@pytest.mark.parametrize(
    ("observed", "recorded", "left"),
    [
        ({"batchSize": 5}, None, None),
        ({"batchSize": 5}, {"batchSize": 4}, {"batchSize": 5}),
        ({"batchSize": 5, "enabled": True}, {"batchSize": 4}, {"batchSize": 5}),
        (
            {"scalingConfig": {"maximumConcurrency": 5, "new": 1}},
            {"scalingConfig": {"maximumConcurrency": 4}},
            {"scalingConfig": {"maximumConcurrency": 5}},
        ),
        (None, {"batchSize": 4}, None),
        ({"batchSize": 5}, {"batchSize": 4, "topics": ["a"]}, {"batchSize": 5}),
    ],
)
def test_fields_that_a_status_does_not_record_are_no_reason_for_a_write(
    observed: Any, recorded: Any, left: Any
) -> None:
    report = MappingReport(state="Enabled", observed=observed)
    assert report.without_unrecorded(MappingReport(observed=recorded)) == MappingReport(state="Enabled", observed=left)


@given(st.sampled_from(list(BASES)), st.sampled_from(list(BASES)))
@settings(max_examples=64)
def test_a_stored_status_is_read_as_it_was_written(base: str, other: str) -> None:
    report = MappingReport(observed=shown(answer(base), spec(other, {})))
    assert MappingReport.parse(json.loads(json.dumps(report.render()))) == report
