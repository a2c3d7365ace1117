"""References of a spec: which there are, the effective spec with their values, and the values in objects."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api.object_fields import WrongTypeError, value_in
from esm_operator.api.reference_kinds import KINDS, SERVERS, VALUE_PATHS, kind_of
from esm_operator.api.references import (
    LONGEST_VALUE,
    Reference,
    ResolvedReference,
    references_of,
    references_with_values,
    resolved,
    with_values,
    without_references,
)
from esm_operator.api.spec import MappingSpec
from tests.specs import HERE, SECRET

QUEUE = {"apiVersion": "sqs.services.k8s.aws/v1alpha1", "kind": "Queue", "name": "orders"}
FUNCTION = {"apiVersion": "lambda.services.k8s.aws/v1alpha1", "kind": "Function", "name": "orders"}
KEY = {"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": "Key", "name": "orders"}
KAFKA = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "shop", "namespace": "kafka", "key": "tls"}
TOPIC = {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "name": "orders", "namespace": "kafka"}
CREDENTIALS = {"apiVersion": "secretsmanager.aws.upbound.io/v1beta1", "kind": "Secret", "name": "orders"}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "name": "orders", "key": "subnet"}

#: Specs with references, the values of their references, and the same specs written by hand.
PAIRS: Mapping[str, tuple[dict[str, Any], dict[str, str], dict[str, Any]]] = {
    "sqs": (
        {"functionRef": FUNCTION, "eventSourceRef": QUEUE, "kmsKeyRef": KEY, "batchSize": 5},
        {
            "functionRef": f"arn:aws:lambda:{HERE}:function:orders",
            "eventSourceRef": f"arn:aws:sqs:{HERE}:orders",
            "kmsKeyRef": f"arn:aws:kms:{HERE}:key/1",
        },
        {
            "functionName": f"arn:aws:lambda:{HERE}:function:orders",
            "eventSourceARN": f"arn:aws:sqs:{HERE}:orders",
            "kmsKeyARN": f"arn:aws:kms:{HERE}:key/1",
            "batchSize": 5,
        },
    ),
    "kafka": (
        {
            "functionName": "orders",
            "selfManagedEventSource": {"bootstrapServersRef": KAFKA},
            "topicRef": TOPIC,
            "sourceAccessConfigurations": [
                {"type": "VPC_SUBNET", "uri": "subnet-1"},
                {"type": "BASIC_AUTH", "uriRef": CREDENTIALS},
                {"type": "VPC_SUBNET", "uriRef": SETTINGS},
            ],
            "destinationConfig": {"onFailure": {"destinationRef": QUEUE}},
        },
        {
            "selfManagedEventSource.bootstrapServersRef": "b-1.example.com:9092, b-2.example.com:9092",
            "topicRef": "orders",
            "sourceAccessConfigurations[1].uriRef": SECRET,
            "sourceAccessConfigurations[2].uriRef": "subnet-2",
            "destinationConfig.onFailure.destinationRef": f"arn:aws:sqs:{HERE}:failed",
        },
        {
            "functionName": "orders",
            "selfManagedEventSource": {
                "endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b-1.example.com:9092", "b-2.example.com:9092"]}
            },
            "topics": ["orders"],
            "sourceAccessConfigurations": [
                {"type": "VPC_SUBNET", "uri": "subnet-1"},
                {"type": "BASIC_AUTH", "uri": SECRET},
                {"type": "VPC_SUBNET", "uri": "subnet-2"},
            ],
            "destinationConfig": {"onFailure": {"destination": f"arn:aws:sqs:{HERE}:failed"}},
        },
    ),
    "no references": ({"functionName": "orders"}, {}, {"functionName": "orders"}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_effective_spec_is_the_spec_with_the_values_written_by_hand(name: str) -> None:
    spec, values, by_hand = PAIRS[name]
    before = deepcopy(spec)
    effective = with_values(spec, values)
    assert spec == before, "the spec itself is not changed"
    assert without_references(effective) == by_hand
    assert references_of(effective) == references_of(spec)
    one, other = MappingSpec.parse(effective), MappingSpec.parse(by_hand)
    for part in ("function_name", "source", "region", "parameters", "values", "emptied", "identity", "source_name"):
        assert getattr(one, part) == getattr(other, part), part


@pytest.mark.parametrize("name", PAIRS)
def test_the_values_can_be_read_back_from_the_effective_spec(name: str) -> None:
    spec, values, _ = PAIRS[name]
    found = {one.reference.path: one.value for one in resolved(references_with_values(with_values(spec, values)))}
    assert found == {path: value.replace(", ", ",") for path, value in values.items()}


@pytest.mark.parametrize("name", PAIRS)
def test_an_effective_spec_follows_the_values_when_they_change_or_are_gone(name: str) -> None:
    spec, values, _ = PAIRS[name]
    other = {path: f"{value}-2" for path, value in values.items()}
    assert with_values(with_values(spec, values), other) == with_values(spec, other)
    assert resolved(references_with_values(with_values(with_values(spec, values), {}))) == ()


def test_each_reference_has_the_path_of_its_value() -> None:
    spec, values, _ = PAIRS["kafka"]
    assert {one.path: one.value_path for one in references_of(with_values(spec, values))} == {
        "selfManagedEventSource.bootstrapServersRef": "selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS",
        "topicRef": "topics",
        "destinationConfig.onFailure.destinationRef": "destinationConfig.onFailure.destination",
        "sourceAccessConfigurations[1].uriRef": "sourceAccessConfigurations[1].uri",
        "sourceAccessConfigurations[2].uriRef": "sourceAccessConfigurations[2].uri",
    }


def test_a_reference_without_a_namespace_and_with_a_field_path() -> None:
    spec = {"functionRef": {"apiVersion": "example.com/v1", "kind": "App", "name": "orders", "fieldPath": "status.fn"}}
    (found,) = references_of(spec)
    assert found == Reference("functionRef", "example.com/v1", "App", "orders", "", "status.fn", "")


def test_an_entry_of_the_status_is_read_as_it_was_written() -> None:
    spec, values, _ = PAIRS["kafka"]
    for one in resolved(references_with_values(with_values(spec, values))):
        assert ResolvedReference.parse(one.render()) == one


def test_the_source_type_is_known_from_the_kind_before_the_value_is() -> None:
    assert str(MappingSpec.parse({"eventSourceRef": QUEUE}).source) == "sqs"
    assert MappingSpec.parse({"eventSourceRef": QUEUE | {"fieldPath": "status.other"}}).source is None
    assert MappingSpec.parse({"eventSourceRef": SETTINGS}).source is None


ARN = f"arn:aws:sqs:{HERE}:orders"
LISTENERS = {
    "status": {
        "listeners": [{"name": "plain", "bootstrapServers": "a:1"}, {"name": "tls", "bootstrapServers": "b:1,c:1"}]
    }
}


def reference(path: str, **members: str) -> Reference:
    field = {**QUEUE, **members}
    return Reference(
        path, field["apiVersion"], field["kind"], field["name"], "", field.get("fieldPath", ""), field.get("key", "")
    )


def other(path: str, field_path: str) -> Reference:
    return reference(path, apiVersion="example.com/v1", kind="App", fieldPath=field_path)


@pytest.mark.parametrize(
    ("one", "body", "value"),
    [
        (reference("eventSourceRef"), {"status": {"ackResourceMetadata": {"arn": ARN}}}, ARN),
        (reference("eventSourceRef"), {"status": {"ackResourceMetadata": {}}}, None),
        (reference("eventSourceRef"), {"status": {"ackResourceMetadata": {"arn": " "}}}, None),
        (reference("eventSourceRef"), {}, None),
        (reference("eventSourceRef", fieldPath="spec.arn"), {"spec": {"arn": ARN}}, ARN),
        (
            reference(
                "eventSourceRef",
                **SETTINGS,
            ),
            {"data": {"subnet": f"{ARN}\n"}},
            ARN,
        ),
        (reference("topicRef", **SETTINGS | {"key": "a.b/c"}), {"data": {"a.b/c": "orders"}}, "orders"),
        (reference("topicRef", **SETTINGS), {"data": None}, None),
        (reference("selfManagedEventSource.bootstrapServersRef", **KAFKA), LISTENERS, "b:1,c:1"),
        (reference("selfManagedEventSource.bootstrapServersRef", **KAFKA | {"key": "none"}), LISTENERS, None),
        (reference("selfManagedEventSource.bootstrapServersRef", **KAFKA | {"key": "x=]"}), LISTENERS, None),
        (reference("topicRef", **TOPIC), {"status": {"topicName": "orders"}}, "orders"),
        (
            reference("destinationConfig.onFailure.destinationRef", **TOPIC),
            {"status": {"topicName": "failed"}},
            "kafka://failed",
        ),
        (other("topicRef", "spec.number"), {"spec": {"number": 7}}, "7"),
        (
            other("selfManagedEventSource.bootstrapServersRef", "spec.servers"),
            {"spec": {"servers": ["a:1", "b:1"]}},
            "a:1,b:1",
        ),
        (other("topicRef", "spec.list[name=a].value"), {"spec": {"list": [{"name": "a", "value": "b"}]}}, "b"),
        (other("topicRef", "spec.list[name=a].value"), {"spec": {"list": {"name": "a"}}}, None),
        (other("topicRef", "spec..list"), {"spec": {"list": "a"}}, None),
        (other("topicRef", ""), {"spec": "a"}, None),
    ],
)
def test_the_value_of_an_object(one: Reference, body: dict[str, Any], value: str | None) -> None:
    assert value_in(one, body) == value


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"a": "b"}, "an object"),
        (["a"], "a list"),
        (True, "a boolean"),
        (1.5, "a number with a fraction"),
        ("x" * (LONGEST_VALUE + 1), "a string of 4,097 characters, which is more than 4,096"),
    ],
)
def test_a_field_that_is_not_a_text_is_an_error_with_a_sentence(value: object, what: str) -> None:
    with pytest.raises(WrongTypeError, match=f"^{what}$"):
        value_in(other("topicRef", "spec.value"), {"spec": {"value": value}})


class UnsplitText(str):
    """A text that must not be split."""

    def split(self, *_: object, **__: object) -> list[str]:
        raise AssertionError("this takes a tenth of a second for a million characters")

    def __str__(self) -> str:
        return self


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (UnsplitText("a:1," * 2_000), "a string of 8,000 characters, which is more than 4,096"),
        (["a:1"] * 5_000, "a list of 5,000 items, which is more than 4,096"),
        (["a:1", "x" * 5_000], "a string of 5,000 characters, which is more than 4,096"),
    ],
)
def test_servers_that_are_too_long_are_not_split(value: object, what: str) -> None:
    with pytest.raises(WrongTypeError, match=f"^{what}$"):
        value_in(other(SERVERS, "spec.value"), {"spec": {"value": value}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "data", "arn", "listeners", "name", "key"]) | st.text(max_size=4), inner
        )
    ),
    max_leaves=12,
)
REFERENCES = st.builds(
    Reference,
    st.sampled_from([field.replace("[]", "[1]") for field in VALUE_PATHS]),
    st.sampled_from(["v1", "sqs.services.k8s.aws/v1alpha1", "kafka.strimzi.io/v1", "example.com/v1"]),
    st.sampled_from(["ConfigMap", "Queue", "Kafka", "App"]),
    st.just("orders"),
    st.just(""),
    st.just("") | st.sampled_from(["status.listeners[name=a].arn", "data", "a..b", "[x=y]"]) | st.text(max_size=12),
    st.text(max_size=4),
)


@given(REFERENCES, st.dictionaries(st.sampled_from(["status", "data", "spec"]), JSON))
def test_no_body_of_an_object_is_too_odd(one: Reference, body: dict[str, Any]) -> None:
    try:
        value = value_in(one, body)
    except WrongTypeError:
        return
    assert value is None or (value and len(value) <= LONGEST_VALUE + len("kafka://"))


@pytest.mark.parametrize("row", KINDS, ids=lambda row: f"{row.group}/{row.kind}")
def test_a_row_is_found_by_any_version_of_its_kind(row: Any) -> None:
    prefix = f"{row.group}/" if row.group else ""
    assert kind_of(f"{prefix}v1", row.kind) is row
    assert set(row.fields) <= set(VALUE_PATHS)
