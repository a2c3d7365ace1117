"""Requests to AWS are valid by botocore's model, and an Update has only members that differ."""

from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from esm_operator.api.fields import BY_PATH, FIELDS, at
from esm_operator.api.sources import SourceType
from esm_operator.api.spec import MappingSpec
from esm_operator.aws import requests
from esm_operator.planning.actions import Update
from tests.e2e.manifests import TEN_KINDS

UUID = "11111111-1111-1111-1111-111111111111"
_LAMBDA = botocore.session.get_session().get_service_model("lambda")
OWN = {
    "region": "eu-west-1",
    "providerConfigRef": {"name": "shop"},
    "deletionPolicy": "Retain",
    "managementPolicy": "Full",
    "replacePolicy": "Never",
    "adoption": {"policy": "Never"},
    "tags": {"team": "shop"},
}


def problems(operation: str, parameters: Mapping[str, Any]) -> str:
    shape = _LAMBDA.operation_model(operation).input_shape
    assert shape is not None
    return str(ParamValidator().validate(parameters, shape).generate_report())


@pytest.mark.parametrize("kind", TEN_KINDS)
def test_a_create_has_all_members_of_the_spec(kind: str) -> None:
    spec = {"functionName": "orders", **TEN_KINDS[kind]}
    parameters = requests.create(MappingSpec.parse({**spec, **OWN}).parameters, {"team": "shop"})
    assert problems("CreateEventSourceMapping", parameters) == ""
    assert parameters == {**requests.create(MappingSpec.parse(spec).parameters, {}), "Tags": {"team": "shop"}}
    assert parameters["FunctionName"] == "orders"


@pytest.mark.parametrize("kind", TEN_KINDS)
def test_an_update_can_change_all_mutable_fields(kind: str) -> None:
    spec = MappingSpec.parse({"functionName": "orders", **TEN_KINDS[kind], **OWN})
    assert spec.source is not None
    change = {path: value for path, value in spec.values.items() if not BY_PATH[path].immutable}
    parameters = requests.update(spec.parameters, spec.source, Update(UUID, change, frozenset(), {}))
    assert problems("UpdateEventSourceMapping", parameters) == ""
    assert parameters.keys() == {"UUID", *(BY_PATH[path].top for path in change)}


def update(
    kind: str,
    *changed: str,
    reset: frozenset[str] = frozenset(),
    without: str = "",
    queue_mode: bool = False,
    **spec: Any,
) -> dict[str, Any]:
    """The members of an Update without the UUID."""
    whole: dict[str, Any] = {"functionName": "orders", **TEN_KINDS[kind], **spec}
    whole.pop(without, None)
    asked = MappingSpec.parse(whole)
    assert asked.source is not None
    what = Update(UUID, {path: asked.values[path] for path in changed}, reset, {})
    parameters = requests.update(asked.parameters, asked.source, what, queue_mode=queue_mode)
    assert parameters.pop("UUID") == UUID
    return parameters


def test_an_update_has_only_members_that_differ() -> None:
    assert update("sqs", "batchSize", batchSize=5, enabled=False) == {"BatchSize": 5}
    assert update("dynamodb", "enabled", enabled=False) == {"Enabled": False}


def test_a_structure_is_sent_whole_if_a_part_of_it_changes() -> None:
    pollers = {"minimumPollers": 1, "maximumPollers": 3}
    assert update("self-managed-kafka", "provisionedPollerConfig.maximumPollers", provisionedPollerConfig=pollers) == {
        "ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 3}
    }


def test_an_update_of_documentdb_sends_the_full_document_setting_alone() -> None:
    full_document = "documentDBEventSourceConfig.fullDocument"
    assert update("documentdb", full_document) == {"DocumentDBEventSourceConfig": {"FullDocument": "UpdateLookup"}}
    for config in ({"databaseName": "orders"}, {"databaseName": "orders", "collectionName": "orders"}):
        assert update("documentdb", reset=frozenset({full_document}), documentDBEventSourceConfig=config) == {
            "DocumentDBEventSourceConfig": {"FullDocument": "Default"}
        }


#: Kinds of sources with each immutable field in a structure that Update has.
NESTED: Mapping[str, Mapping[str, Any]] = {
    "msk": {
        "amazonManagedKafkaEventSourceConfig": {"consumerGroupID": "orders", "schemaRegistryConfig": {"a": "b"}},
        "provisionedPollerConfig": {"minimumPollers": 1},
    },
    "self-managed-kafka": {
        "selfManagedKafkaEventSourceConfig": {
            "consumerGroupID": "orders",
            "consumptionMode": "Stream",
            "schemaRegistryConfig": {"a": "b"},
        },
    },
    "documentdb": {},
}


@pytest.mark.parametrize("kind", TEN_KINDS)
@pytest.mark.parametrize("is_reset", [False, True])
def test_no_update_sends_an_immutable_member(kind: str, is_reset: bool) -> None:
    spec = MappingSpec.parse({"functionName": "orders", **TEN_KINDS[kind], **NESTED.get(kind, {})})
    source = spec.source
    assert source is not None
    for row in FIELDS:
        if row.immutable or source not in row.sources or (is_reset and row.required):
            continue
        value = spec.values.get(row.path)
        if value is None and not is_reset:
            continue
        what = (
            Update(UUID, {}, frozenset({row.path}), {})
            if is_reset
            else Update(UUID, {row.path: value}, frozenset(), {})
        )
        sent = requests.update(spec.parameters, source, what)
        assert [other.path for other in FIELDS if other.immutable and at(sent, other.member) is not None] == [], row


def test_an_update_leaves_out_the_virtual_host_because_aws_refuses_it() -> None:
    sent = update("rabbitmq", "sourceAccessConfigurations")["SourceAccessConfigurations"]
    assert [entry["Type"] for entry in sent] == ["BASIC_AUTH"]


#: Resets: path of the field, kind of source, value that is sent.
RESETS: list[tuple[str, str, dict[str, Any]]] = [
    ("filterCriteria", "sqs", {"FilterCriteria": {}}),
    ("scalingConfig.maximumConcurrency", "sqs", {"ScalingConfig": {}}),
    ("functionResponseTypes", "kinesis", {"FunctionResponseTypes": []}),
    ("kmsKeyARN", "sqs", {"KMSKeyArn": ""}),
    ("metricsConfig.metrics", "sqs", {"MetricsConfig": {"Metrics": []}}),
    ("destinationConfig.onFailure.destination", "kinesis", {"DestinationConfig": {"OnFailure": {"Destination": ""}}}),
    ("sourceAccessConfigurations", "msk", {"SourceAccessConfigurations": []}),
    ("bisectBatchOnFunctionError", "kinesis", {"BisectBatchOnFunctionError": False}),
    ("enabled", "kinesis", {"Enabled": True}),
    ("maximumRetryAttempts", "kinesis", {"MaximumRetryAttempts": -1}),
    ("maximumRecordAgeInSeconds", "kinesis", {"MaximumRecordAgeInSeconds": -1}),
    ("batchSize", "sqs", {"BatchSize": 10}),
    ("batchSize", "kinesis", {"BatchSize": 100}),
    ("maximumBatchingWindowInSeconds", "sqs", {"MaximumBatchingWindowInSeconds": 0}),
    ("parallelizationFactor", "kinesis", {"ParallelizationFactor": 1}),
    ("tumblingWindowInSeconds", "kinesis", {"TumblingWindowInSeconds": 0}),
    ("loggingConfig.systemLogLevel", "msk", {"LoggingConfig": {}}),
]


@pytest.mark.parametrize(("path", "kind", "expected"), RESETS, ids=[f"{path} of {kind}" for path, kind, _ in RESETS])
def test_a_removed_field_is_reset(path: str, kind: str, expected: dict[str, Any]) -> None:
    assert update(kind, reset=frozenset({path}), without=path.split(".")[0]) == expected


def test_a_removed_structure_of_pollers_is_reset() -> None:
    both = frozenset({"provisionedPollerConfig.minimumPollers", "provisionedPollerConfig.maximumPollers"})
    assert update("self-managed-kafka", reset=both, without="provisionedPollerConfig") == {
        "ProvisionedPollerConfig": {}
    }


def test_retries_are_reset_to_zero_in_queue_mode() -> None:
    reset = frozenset({"maximumRetryAttempts"})
    assert update("self-managed-kafka", reset=reset, queue_mode=True) == {"MaximumRetryAttempts": 0}


def test_a_destination_is_removed_in_the_form_that_aws_accepts() -> None:
    asks = "The Destination field is required for an OnFailure configuration"
    removed = update("kinesis", "batchSize", reset=frozenset({"destinationConfig.onFailure.destination"}), batchSize=5)
    assert requests.in_other_form(removed, asks) == {"BatchSize": 5, "DestinationConfig": {}}
    assert problems("UpdateEventSourceMapping", {"UUID": UUID, "DestinationConfig": {}}) == ""
    assert requests.in_other_form(removed, "It can't be.") is None
    assert requests.in_other_form({**removed, "DestinationConfig": {}}, asks) is None
    assert requests.in_other_form({"BatchSize": 5}, asks) is None


@pytest.mark.parametrize("row", [row for row in FIELDS if not row.immutable], ids=lambda row: row.path)
def test_each_reset_is_valid_by_botocores_model(row: Any) -> None:
    for source in sorted(row.sources - row.unresettable - row.required, key=SourceType):
        parameters = requests.update({}, source, Update(UUID, {}, frozenset({row.path}), {}))
        assert problems("UpdateEventSourceMapping", parameters) == ""
