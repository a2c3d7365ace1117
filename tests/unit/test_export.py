"""Manifests of mappings that exist: names, what is left out, and that the YAML has the same meaning."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.api import manifests as documents
from esm_operator.api.names import to_aws, to_kubernetes
from esm_operator.commands.export_manifest import (
    Manifest,
    MappingsToExport,
    Style,
    manifests,
    name_of,
    spec_of,
    unknown_members,
)
from tests.specs import BASES, HERE, spec

UUID = "1e3e4567-0000-4000-8000-000000000001"
OTHER = "2e3e4567-0000-4000-8000-000000000002"
ARN = f"arn:aws:lambda:{HERE}:event-source-mapping:"
OWNED = {"cluster": "old", "namespace": "shop", "name": "orders", "uid": "1"}


def answer(uuid: str = UUID, function: str = "orders", **members: Any) -> dict[str, Any]:
    """A mapping as AWS answers it."""
    return {
        "UUID": uuid,
        "EventSourceMappingArn": ARN + uuid,
        "FunctionArn": f"arn:aws:lambda:{HERE}:function:{function}",
        "EventSourceArn": BASES["sqs"]["eventSourceARN"],
        "State": "Enabled",
        **members,
    }


def said(mapping: Mapping[str, Any], tags: Mapping[str, str] | None = None, **style: Any) -> dict[str, Any]:
    return spec_of(MappingsToExport(mapping, tags or {}), Style(**style))


@pytest.mark.parametrize(
    ("function", "members", "name"),
    [
        ("process-orders", {}, "process-orders-orders"),
        ("orders", {}, "orders"),
        ("Orders_V2:live", {}, "orders-v2-live-orders"),
        ("orders:$LATEST", {"EventSourceArn": f"arn:aws:sqs:{HERE}:Bills.fifo"}, "orders-bills-fifo"),
        ("f", {"EventSourceArn": f"arn:aws:kinesis:{HERE}:stream/s/consumer/c:1"}, "f-s-c"),
        ("f", {"EventSourceArn": f"arn:aws:dynamodb:{HERE}:table/T/stream/2026-01-01T00:00:00.000"}, "f-t"),
        ("f", {"EventSourceArn": f"arn:aws:kafka:{HERE}:cluster/c/1-2", "Topics": ["a.b"]}, "f-c-a-b"),
        ("f", {"EventSourceArn": f"arn:aws:mq:{HERE}:broker:b:b-1", "Queues": ["q"]}, "f-b-q"),
        (
            "f",
            {
                "EventSourceArn": f"arn:aws:rds:{HERE}:cluster:c",
                "DocumentDBEventSourceConfig": {"DatabaseName": "d", "CollectionName": "x"},
            },
            "f-c-d-x",
        ),
        ("f", {"EventSourceArn": None, "SelfManagedEventSource": {"Endpoints": {}}, "Topics": ["t"]}, "f-t"),
        ("f", {"EventSourceArn": f"arn:aws:new:{HERE}:thing"}, "f"),
    ],
)
def test_a_name_is_of_the_function_and_the_source(function: str, members: dict[str, Any], name: str) -> None:
    assert name_of(answer(function=function, **members)) == name


def test_equal_and_long_names_get_the_uuid() -> None:
    long = "x" * 250
    found = [
        MappingsToExport(answer(), {}),
        MappingsToExport(answer(OTHER), {}),
        MappingsToExport(answer(function="bills"), {}),
    ]
    made = manifests([*found[:2], MappingsToExport(answer("3" * 8 + OTHER[8:], function="bills"), {})], Style())
    assert [one.body["metadata"]["name"] for one in made] == ["bills-orders", "orders-1e3e4567", "orders-2e3e4567"]
    (one,) = manifests([MappingsToExport(answer(function=long), {})], Style())
    assert one.body["metadata"]["name"] == f"{'x' * 200}-1e3e4567"


def test_a_function_of_the_same_account_is_given_by_name() -> None:
    assert said(answer(function="orders:live"))["functionName"] == "orders:live"
    assert said(answer(function="orders:$LATEST"))["functionName"] == "orders"
    elsewhere = "arn:aws:lambda:eu-west-1:999999999999:function:orders"
    assert said({**answer(), "FunctionArn": elsewhere})["functionName"] == elsewhere


def test_values_that_equal_a_default_are_printed_unless_they_are_not_wanted() -> None:
    stream = answer(
        EventSourceArn=BASES["kinesis"]["eventSourceARN"],
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC),
        BatchSize=100,
        MaximumRetryAttempts=-1,
        ParallelizationFactor=2,
        BisectBatchOnFunctionError=False,
        DestinationConfig={"OnFailure": {}},
        FunctionResponseTypes=[],
        FilterCriteria=None,
        KMSKeyArn="",
        LastModified=datetime(2026, 1, 31, tzinfo=UTC),
    )
    expected = {
        "functionName": "orders",
        "eventSourceARN": BASES["kinesis"]["eventSourceARN"],
        "enabled": True,
        "startingPosition": "AT_TIMESTAMP",
        "startingPositionTimestamp": "2026-01-31T12:00:00Z",
        "parallelizationFactor": 2,
        "adoption": {"policy": "Required", "uuid": UUID},
    }
    defaults: dict[str, Any] = {
        "batchSize": 100,
        "maximumRetryAttempts": -1,
        "bisectBatchOnFunctionError": False,
        "functionResponseTypes": [],
    }
    assert said(stream) == expected | defaults
    assert said(stream, omit_defaults=True) == expected
    (made,) = manifests([MappingsToExport(stream, {})], Style(omit_defaults=True))
    assert made.left_out == (
        "batchSize, maximumRetryAttempts, bisectBatchOnFunctionError, functionResponseTypes: left out, because the "
        "value is AWS's default. The operator does not correct them.",
    )
    assert f"# {made.left_out[0]}\n" in made.render()


def test_defaults_are_those_of_the_source() -> None:
    def lean(mapping: Mapping[str, Any]) -> dict[str, Any]:
        return said(mapping, omit_defaults=True)

    assert "batchSize" not in lean(answer(BatchSize=10))
    assert lean(answer(BatchSize=100))["batchSize"] == 100
    kafka: dict[str, Any] = {
        "EventSourceArn": None,
        "SelfManagedEventSource": {"Endpoints": {}},
        "MaximumRetryAttempts": 0,
    }
    assert lean(answer(**kafka))["maximumRetryAttempts"] == 0
    queue: dict[str, Any] = {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}}
    assert "maximumRetryAttempts" not in lean(answer(**kafka, **queue))


def left_out(mapping: Mapping[str, Any], tags: Mapping[str, str] | None = None, **style: Any) -> tuple[str, ...]:
    """What the manifest of a mapping says about fields and tags that it does not have."""
    (made,) = manifests([MappingsToExport(mapping, tags or {})], Style(**style))
    return made.left_out


def test_a_default_that_cannot_be_set_is_left_out() -> None:
    broker: dict[str, Any] = {"EventSourceArn": BASES["mq"]["eventSourceARN"], "Queues": ["q"]}
    window = "maximumBatchingWindowInSeconds"
    assert window not in said(answer(**broker, MaximumBatchingWindowInSeconds=0))
    assert left_out(answer(**broker, MaximumBatchingWindowInSeconds=0)) == (
        f"{window}: left out, because AWS answers 0 for a default that cannot be set. The operator does not correct "
        "it.",
    )
    assert said(answer(**broker, MaximumBatchingWindowInSeconds=3))[window] == 3


def test_a_manifest_says_what_it_leaves_out() -> None:
    assert left_out(answer(BatchSize=10)) == ()
    assert left_out(answer(State="Updating")) == (
        "enabled: left out, because the state Updating does not show the value. The operator does not correct it.",
    )
    tags = {"team": "shop", "aws:cloudformation:stack-name": "s", "crossplane-name": "n"}
    assert left_out(answer(), tags, without_tags=("crossplane-*",)) == (
        "tags: left out are aws:cloudformation:stack-name, crossplane-name. The operator does not change them.",
    )


@pytest.mark.parametrize(
    ("state", "enabled"),
    [("Enabled", True), ("Enabling", True), ("Disabled", False), ("Disabling", False), ("Updating", None)],
)
def test_enabled_follows_the_state(state: str, enabled: bool | None) -> None:
    assert said(answer(State=state)).get("enabled") == enabled


def test_pollers_are_printed_whole_for_a_schema_registry_needs_them() -> None:
    pollers = {"MinimumPollers": 1, "MaximumPollers": 200}
    kafka = answer(EventSourceArn=BASES["msk"]["eventSourceARN"], Topics=["t"], ProvisionedPollerConfig=pollers)
    assert said(kafka)["provisionedPollerConfig"] == {"minimumPollers": 1, "maximumPollers": 200}


def test_only_a_source_without_an_arn_needs_its_region() -> None:
    assert "region" not in said(answer())
    assert said(answer(EventSourceArn=None, SelfManagedEventSource={"Endpoints": {}}))["region"] == "eu-west-1"


def test_tags_of_aws_of_ours_and_those_that_are_not_wanted_are_left_out() -> None:
    tags = {"team": "shop", "aws:cloudformation:stack-name": "s", "esm-operator.io/x": "", "crossplane-name": "n"}
    assert said(answer(), tags)["tags"] == {"team": "shop", "crossplane-name": "n"}
    assert said(answer(), tags, without_tags=("crossplane-*",))["tags"] == {"team": "shop"}
    assert "tags" not in said(answer(), tags, without_tags=("*",))


def test_one_that_is_owned_keeps_its_name_and_is_taken_over() -> None:
    tags = {f"esm-operator.io/{part}": text for part, text in OWNED.items()}
    (one,) = manifests([MappingsToExport(answer(), tags)], Style())
    assert one.body["metadata"] == {"name": "orders", "namespace": "shop"}
    assert one.body["spec"]["adoption"] == {"policy": "Required", "uuid": UUID, "takeOverFrom": "old/shop/orders"}
    assert "owned by old/shop/orders" in one.remark


def test_what_else_is_asked_for_stands_in_each() -> None:
    style = Style(namespace="shop", provider_config="blue", management_policy="Observe", deletion_policy="Retain")
    (one,) = manifests([MappingsToExport(answer(), {"aws:cloudformation:stack-name": "s"})], style)
    assert one.body["metadata"]["namespace"] == "shop"
    assert one.body["spec"]["providerConfigRef"] == {"name": "blue"}
    assert (one.body["spec"]["managementPolicy"], one.body["spec"]["deletionPolicy"]) == ("Observe", "Retain")
    assert one.remark == f"{ARN}{UUID}, Enabled, in the CloudFormation stack s"


def test_unknown_members_are_reported() -> None:
    assert unknown_members(answer(LastModified=0, ResponseMetadata={})) == frozenset()
    assert unknown_members(answer(Novelty=1)) == {"Novelty"}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=30), max_size=5))
def test_any_text_is_read_back_as_it_is(tags: dict[str, str]) -> None:
    body = {"spec": {"tags": tags, "functionName": next(iter(tags), "f")}}
    (document,) = documents.documents(Manifest("a remark", body).render())
    assert document.value == body


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "0x1f", "12:30", "1_000", "yes", "null", "~", "2026-01-31", ".5", "-1", "y", "Y", "n", "N"]
)
def test_what_looks_like_something_else_is_quoted(text: str) -> None:
    rendered = Manifest("", {"a": text}).render()
    assert f"'{text}'" in rendered


def test_a_uuid_is_not_quoted() -> None:
    assert f"uuid: {UUID}\n" in Manifest("", {"uuid": UUID}).render()


@pytest.mark.parametrize("base", BASES)
def test_names_go_both_ways(base: str) -> None:
    wanted = spec(base, {"destinationConfig.onFailure.destination": "d", "kmsKeyARN": "k"})
    assert to_kubernetes(to_aws(wanted)) == wanted
