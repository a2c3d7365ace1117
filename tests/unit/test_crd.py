"""The CRDs have all members of AWS's API, and show the facts of the tables."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import botocore.session
import pytest
import yaml
from botocore.model import ListShape, MapShape, Shape, StructureShape

from esm_operator.api import fields, limits, names, rules
from esm_operator.api.expressions import present
from tools import crd_definitions
from tools.transition_rules import TRANSITION_RULES

MODEL = botocore.session.get_session().get_service_model("lambda")

#: In the shape, but "Not supported in CreateEventSourceMapping or UpdateEventSourceMapping".
UNSUPPORTED = ("DestinationConfig", "OnSuccess")


def keys(shape: MapShape) -> list[str]:
    """The keys that a map can have; none, if they are free."""
    return getattr(shape.key, "enum", [])


def members(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all leaves of a shape; the leaves of a list's items have the path of the list."""
    if path[:2] == UNSUPPORTED:
        return
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from members(member, (*path, name))
    elif isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
        yield from members(shape.member, path)
    elif isinstance(shape, MapShape) and keys(shape):
        for name in keys(shape):
            yield from members(shape.value, (*path, name))
    else:
        yield path


def operation(name: str) -> Shape:
    shape = MODEL.operation_model(name).input_shape
    assert shape is not None
    return shape


@cache
def schema(part: str) -> dict[str, Any]:
    version = crd_definitions.event_source_mappings()["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"][part]


def at(place: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    """The schema of a field; the items of a list are not a step of the path."""
    if not path:
        return place
    part = place.get("items", place).get("properties", {}).get(path[0])
    return None if part is None else at(part, path[1:])


def nodes(place: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, place
    for name, part in place.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in place:
            yield from nodes(place[keyword], f"{path}[]")


@pytest.mark.parametrize("name", ["CreateEventSourceMapping", "UpdateEventSourceMapping"])
def test_each_member_of_a_request_has_a_field(name: str) -> None:
    lacking = [
        path
        for path in members(operation(name))
        if path != ("UUID",) and at(schema("spec"), tuple(map(names.kubernetes_name, path))) is None
    ]
    assert lacking == []


def test_each_member_of_an_answer_is_compared_or_in_the_status() -> None:
    compared = [row.member for row in fields.FIELDS]
    unknown = [
        path
        for path in members(MODEL.shape_for("EventSourceMappingConfiguration"))
        if path[0] not in fields.STATUS_MEMBERS and not any(path[: len(row)] == row for row in compared)
    ]
    assert unknown == []


def test_each_status_member_is_an_answer_of_aws_and_a_field_of_the_status() -> None:
    answer = cast(StructureShape, MODEL.shape_for("EventSourceMappingConfiguration"))
    assert set(fields.STATUS_MEMBERS) <= set(answer.members)
    assert set(fields.STATUS_MEMBERS.values()) <= set(schema("status")["properties"])


def test_each_row_of_the_table_is_a_field_of_the_spec() -> None:
    assert [row.path for row in fields.FIELDS if at(schema("spec"), tuple(row.path.split("."))) is None] == []


def test_immutable_is_what_update_does_not_take() -> None:
    taken = set(members(operation("UpdateEventSourceMapping")))
    # In the shape, but refused: the first two by their documentation, the others by AWS (public report).
    nested = {"ConsumerGroupId", "ConsumptionMode", "DatabaseName", "CollectionName"}
    for row in fields.FIELDS:
        updated = any(path[: len(row.member)] == row.member for path in taken)
        assert row.immutable == (not updated or row.member[-1] in nested), row.path


@pytest.mark.parametrize("part", ["spec", "status"])
def test_the_schema_is_structural_and_described(part: str) -> None:
    for path, node in nodes(schema(part)):
        assert "type" in node, path
        assert not {"$ref", "anyOf", "allOf", "oneOf", "title"} & set(node), path
        if not path.endswith("[]"):
            assert node.get("description"), path


def test_nothing_in_the_spec_has_a_default() -> None:
    assert [path for path, node in nodes(schema("spec")) if "default" in node] == []


def test_the_default_status_shows_that_the_operator_has_not_seen_the_resource() -> None:
    status = schema("status")
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["default"] == -1


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        (
            "batchSize",
            ["one invocation", "From 1 to 10,000.", "10 (Amazon SQS), 100 (Amazon Kinesis,", "For all source types."],
        ),
        ("scalingConfig.maximumConcurrency", ["At least 2.", "Only for Amazon SQS."]),
        ("topics", ["Only for Amazon MSK and self-managed Apache Kafka.", "Required.", "Immutable, unless"]),
        ("startingPosition", ["Required for Amazon Kinesis and DynamoDB Streams."]),
        ("metricsConfig.metrics", ["Values: EventCount, ErrorCount and KafkaMetrics."]),
        ("sourceAccessConfigurations.type", ["VIRTUAL_HOST: the name of a RabbitMQ virtual host (Amazon MQ);"]),
    ],
)
def test_a_description_has_the_facts_of_the_tables(path: str, facts: list[str]) -> None:
    node = at(schema("spec"), tuple(path.split(".")))
    assert node is not None
    for fact in facts:
        assert fact in node["description"]


@pytest.mark.parametrize("row", limits.WORDS, ids=lambda row: row.path)
def test_a_schema_lists_the_words_of_a_field(row: limits.Words) -> None:
    assert _value(schema("spec"), row.path)["enum"] == list(row.words)


@pytest.mark.parametrize("row", limits.PROVIDER_CONFIG_WORDS, ids=lambda row: row.path)
def test_a_schema_lists_the_words_of_a_field_of_a_provider_config(row: limits.Words) -> None:
    assert _value(crd_definitions.provider_config_spec(), row.path)["enum"] == list(row.words)


@pytest.mark.parametrize(
    ("path", "bounds"),
    [
        ("batchSize", (1, 10_000)),
        ("maximumRecordAgeInSeconds", (-1, 604_800)),
        ("scalingConfig.maximumConcurrency", (2, None)),
        ("provisionedPollerConfig.maximumPollers", (1, 10_000)),
    ],
)
def test_a_schema_has_the_bounds_of_all_source_types_together(path: str, bounds: tuple[int, int | None]) -> None:
    node = _value(schema("spec"), path)
    assert (node["minimum"], node.get("maximum")) == bounds


def test_the_bounds_of_a_schema_refuse_no_value_that_a_rule_accepts() -> None:
    for row in limits.RANGES:
        node = _value(schema("spec"), row.path)
        accepted = {row.low, row.low if row.high is None else row.high, row.besides or row.low}
        assert all(node["minimum"] <= value <= node.get("maximum", value) for value in accepted), row.path


def _value(place: dict[str, Any], path: str) -> dict[str, Any]:
    """The schema of a value; ``list[]`` are the items of a list."""
    node = at(place, tuple(path.replace("[]", "").split(".")))
    assert node is not None
    return node["items"] if path.endswith("[]") else node


def test_the_field_of_a_rule_exists() -> None:
    for rule in rules.MAPPING_RULES + TRANSITION_RULES:
        assert at(schema("spec"), tuple(rule.field.split("."))) is not None, rule.words


def test_the_spec_has_one_rule_about_the_value_of_each_field() -> None:
    """The API server evaluates each of them at every write, also of metadata and of the status."""
    about = Counter(rule["fieldPath"] for rule in validations("") if rule["rule"].startswith(_guard(rule)))
    assert about.total() > 25
    assert [path for path, count in about.items() if count > 1] == []


def _guard(rule: Mapping[str, str]) -> str:
    """The beginning of an expression that is true if the field is absent."""
    return f"!({present(rule['fieldPath'].removeprefix('.'))}) || "


def validations(path: str) -> list[dict[str, str]]:
    node = at(schema("spec"), tuple(path.split("."))) if path else schema("spec")
    assert node is not None
    return node.get("x-kubernetes-validations", [])


@pytest.mark.parametrize(
    ("path", "field", "expression"),
    [
        ("queues", "", "size(self) <= 1 && size(self) >= 1"),
        ("documentDBEventSourceConfig.collectionName", "", "!self.startsWith('system.')"),
        ("adoption", ".policy", "!(has(self.takeOverFrom)) || (has(self.policy) && self.policy != 'Never')"),
    ],
)
def test_a_rule_that_needs_only_a_part_of_the_spec_is_in_the_schema_of_that_part(
    path: str, field: str, expression: str
) -> None:
    assert (field, expression) in {(rule.get("fieldPath", ""), rule["rule"]) for rule in validations(path)}


def test_a_rule_about_a_change_is_no_part_of_another_rule() -> None:
    """The API server evaluates rules with oldSelf at updates only, and their violations are never mere warnings."""
    of_changes = {rule.expression for rule in TRANSITION_RULES}
    assert {rule["rule"] for rule in validations("") if "oldSelf" in rule["rule"]} == of_changes


def test_no_rule_occurs_twice() -> None:
    for table in (rules.MAPPING_RULES + TRANSITION_RULES, rules.PROVIDER_CONFIG_RULES):
        expressions = [rule.expression for rule in table]
        assert len(expressions) == len(set(expressions))


def test_kubectl_apply_can_hold_a_crd_in_its_annotation() -> None:
    """The annotation holds the CRD as JSON. All annotations of an object have at most 262,144 bytes."""
    for text in crd_definitions.files().values():
        assert len(json.dumps(yaml.safe_load(text), separators=(",", ":"))) < 200_000
