"""The decision about each reference: the value of the object, the recorded one, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from esm_operator.api.references import Cause, Missing, Reference
from esm_operator.api.resource import Resource, is_edit, is_same_work, parse
from esm_operator.planning.desired import MappingRecord, desired_of
from esm_operator.planning.references import finding, resolve
from esm_operator.planning.target import ResolvedTarget, Target
from esm_operator.status.rendering import message_of, stalls
from tests.specs import HERE

QUEUE = {"apiVersion": "sqs.services.k8s.aws/v1alpha1", "kind": "Queue", "name": "orders"}
FUNCTION = {"apiVersion": "lambda.services.k8s.aws/v1alpha1", "kind": "Function", "name": "orders"}
ARN, OTHER_ARN = f"arn:aws:sqs:{HERE}:orders", f"arn:aws:sqs:{HERE}:orders-2"
NAME = f"arn:aws:lambda:{HERE}:function:orders"
RECORDED = {"field": "eventSourceRef", **QUEUE, "value": ARN}
LOADING = Missing(Cause.LOADING)
#: The CRD refuses references to these kinds.
UNREADABLE_KINDS = [("v1", "Secret"), ("lambda.esm-operator.io/v1", "EventSourceMapping")]
GONE = Missing(Cause.OBJECT_NOT_FOUND)


@dataclass
class Objects:
    """What the cluster has, by the name of the reference field."""

    found: Mapping[str, str | Missing]

    def find(self, reference: Reference, namespace: str) -> str | Missing:
        assert namespace == "shop"
        return self.found[reference.path]


def resource(
    *recorded: dict[str, str], spec: dict[str, Any] | None = None, generation: int = 1, **meta: Any
) -> Resource:
    return parse(
        {
            "metadata": {
                "namespace": "shop",
                "name": "orders",
                "uid": "1",
                "resourceVersion": "1",
                "generation": generation,
                **meta,
            },
            "spec": spec or {"functionName": "orders", "eventSourceRef": QUEUE},
            "status": {"observedGeneration": 1, "references": list(recorded)},
        }
    )


def resolved(one: Resource, **found: str | Missing) -> Resource:
    return resolve(one, Objects(found))


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("recorded", [True, False])
def test_without_a_value_the_recorded_one_stays(cause: Cause, recorded: bool) -> None:
    one = resolved(resource(*[RECORDED] if recorded else []), eventSourceRef=Missing(cause))
    assert one.spec.raw.get("eventSourceARN") == (ARN if recorded else None)
    problem = one.outdated if recorded else one.unresolved
    assert problem is not None
    assert problem.missing.cause is cause
    assert problem.kept == (ARN if recorded else "")
    assert problem.passes == (cause is Cause.LOADING)
    assert (one.unresolved if recorded else one.outdated) is None
    assert one.status_is_current


def test_the_value_of_the_object_wins() -> None:
    one = resolved(resource(RECORDED), eventSourceRef=OTHER_ARN)
    assert one.spec.raw["eventSourceARN"] == OTHER_ARN
    assert (one.unresolved, one.outdated) == (None, None)
    assert not one.status_is_current, "another value is an edit"


def test_a_restart_finds_all_as_it_was() -> None:
    before = resolved(resource(RECORDED), eventSourceRef=ARN)
    after = resolved(resource(RECORDED), eventSourceRef=LOADING)
    assert before.status_is_current
    assert after.status_is_current
    assert (before.packed_spec, before.requested_target) == (after.packed_spec, after.requested_target)
    assert before.requested_target.region == "eu-west-1"


def test_a_status_of_an_earlier_generation_is_not_current() -> None:
    assert not resolved(resource(RECORDED, generation=2), eventSourceRef=ARN).status_is_current


def test_a_new_value_is_an_edit_and_other_work_and_the_same_value_is_not() -> None:
    one, same, other = (resolved(resource(RECORDED), eventSourceRef=value) for value in (ARN, ARN, OTHER_ARN))
    assert is_same_work(one, same)
    assert not is_edit(one, same)
    assert not is_same_work(one, other)
    assert is_edit(one, other)


def test_a_resource_that_was_resolved_is_resolved_again() -> None:
    once = resolved(resource(RECORDED), eventSourceRef=ARN)
    assert resolved(once, eventSourceRef=OTHER_ARN) == resolved(resource(RECORDED), eventSourceRef=OTHER_ARN)
    fresh = resolved(resource(), eventSourceRef=ARN)
    assert resolved(fresh, eventSourceRef=GONE).unresolved is not None, "nothing was recorded"
    assert "eventSourceARN" not in resolved(fresh, eventSourceRef=GONE).spec.raw


@pytest.mark.parametrize(
    "edit",
    [
        {"name": "orders-2"},
        {"namespace": "other"},
        {"kind": "Topic"},
        {"fieldPath": "spec.arn"},
        {"key": "arn"},
        {"apiVersion": "sqs.aws.upbound.io/v1beta1"},
    ],
)
def test_a_recorded_value_of_another_reference_does_not_count(edit: dict[str, str]) -> None:
    spec = {"functionName": "orders", "eventSourceRef": QUEUE | edit}
    assert resolved(resource(RECORDED, spec=spec), eventSourceRef=LOADING).unresolved is not None


def test_another_version_of_the_api_is_the_same_object() -> None:
    spec = {"functionName": "orders", "eventSourceRef": QUEUE | {"apiVersion": "sqs.services.k8s.aws/v1"}}
    one = resolved(resource(RECORDED, spec=spec), eventSourceRef=GONE)
    assert one.spec.raw["eventSourceARN"] == ARN


def test_an_entry_of_a_list_keeps_its_value_when_the_list_is_sorted_anew() -> None:
    secret = {"apiVersion": "secretsmanager.services.k8s.aws/v1alpha1", "kind": "Secret", "name": "orders"}
    recorded = {"field": "sourceAccessConfigurations[4].uriRef", **secret, "value": "arn:aws:secretsmanager:x"}
    spec = {"functionName": "orders", "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uriRef": secret}]}
    one = resolve(resource(recorded, spec=spec), Objects({"sourceAccessConfigurations[0].uriRef": LOADING}))
    assert one.spec.raw["sourceAccessConfigurations"][0]["uri"] == "arn:aws:secretsmanager:x"


def test_a_problem_that_passes_is_reported_before_others() -> None:
    spec = {"functionRef": FUNCTION, "eventSourceRef": QUEUE}
    one = resolved(resource(spec=spec), functionRef=GONE, eventSourceRef=LOADING)
    assert one.unresolved is not None
    assert one.unresolved.passes
    one = resolved(resource(spec=spec), functionRef=GONE, eventSourceRef=ARN)
    assert one.unresolved is not None
    assert one.unresolved.reference.path == "functionRef"


def test_a_deletion_needs_no_value() -> None:
    deleting: dict[str, Any] = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert resolved(resource(**deleting), eventSourceRef=GONE).unresolved is None
    one = resolved(resource(RECORDED, **deleting), eventSourceRef=GONE)
    assert (one.unresolved, one.spec.raw["eventSourceARN"]) == (None, ARN)


def test_a_deletion_without_a_value_uses_the_region_of_the_intent() -> None:
    intent = (
        '{"account":"123456789012","fields":[],"function":"orders","immutable":{},"owner":"shop/orders",'
        '"region":"eu-central-1","servers":[],"source":"arn","tags":[]}'
    )
    meta: dict[str, Any] = {
        "annotations": {"lambda.esm-operator.io/intent": intent},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    assert resolved(resource(**meta), eventSourceRef=GONE).requested_target.region == "eu-central-1"


def test_a_forged_value_that_is_too_long_is_ignored() -> None:
    recorded = {**RECORDED, "value": "x" * 5_000}
    assert resolved(resource(recorded), eventSourceRef=LOADING).unresolved is not None


def test_a_resource_without_references_is_unchanged() -> None:
    one = resource(spec={"functionName": "orders", "eventSourceARN": ARN})
    assert resolve(one, Objects({})) is one
    assert one.references == ()


def test_the_metrics_count_the_source_type() -> None:
    one = resource()
    assert one.metric_labels.source == "sqs"
    assert resolved(one, eventSourceRef=f"arn:aws:kinesis:{HERE}:stream/x").metric_labels.source == "kinesis"


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("recorded", [True, False])
def test_each_problem_has_a_message_with_the_field_and_the_value_that_stays(cause: Cause, recorded: bool) -> None:
    one = resolved(resource(*[RECORDED] if recorded else []), eventSourceRef=Missing(cause, "an object"))
    problem = one.outdated if recorded else one.unresolved
    assert problem is not None
    found = finding(problem, "shop")
    text = message_of(found)
    assert "spec.eventSourceRef" in text
    assert (f'keeps the last value, which is "{ARN}"' in text) == recorded
    assert ("changes nothing in AWS without the value" in text) != recorded
    final = (Cause.UNMANAGED_NAMESPACE, Cause.TOO_MANY_KINDS, Cause.NEVER_READ, Cause.WRONG_TYPE, Cause.OUTPUTS)
    assert stalls(found) == (cause in final)


@pytest.mark.parametrize(("api_version", "kind"), UNREADABLE_KINDS)
def test_a_stored_reference_to_a_kind_that_is_never_read_is_invalid(api_version: str, kind: str) -> None:
    """An older CRD may have accepted it. No lookup knows the object."""
    refused = {"apiVersion": api_version, "kind": kind, "name": "orders", "fieldPath": "data.arn"}
    one = resolve(resource(spec={"functionName": "orders", "eventSourceRef": refused}), Objects({}))
    assert one.unresolved is not None
    found = finding(one.unresolved, "shop")
    text = message_of(found)
    assert found.reason == "InvalidSpec"
    assert (
        f"spec.eventSourceRef refers to {kind} ({api_version}), but the operator never reads Secrets of Kubernetes"
        in text
    )
    assert "or set spec.eventSourceARN instead of spec.eventSourceRef" in text
    assert "CustomResourceDefinition" not in text


def test_the_message_without_consent_names_the_annotation_to_add() -> None:
    spec = {"functionName": "orders", "eventSourceRef": QUEUE | {"namespace": "platform"}}
    one = resolved(resource(spec=spec), eventSourceRef=Missing(Cause.NO_CONSENT))
    assert one.unresolved is not None
    text = message_of(finding(one.unresolved, "shop"))
    assert text.startswith(
        'The Queue "orders" in the namespace "platform" does not exist, or does not allow references from the '
        'namespace "shop".'
    )
    assert (
        'lambda.esm-operator.io/allow-references-from of the Queue "orders" in the namespace "platform" to "shop"'
        in text
    )


def test_the_message_about_an_unmanaged_namespace_names_the_list_of_namespaces() -> None:
    spec = {"functionName": "orders", "eventSourceRef": QUEUE | {"namespace": "platform"}}
    one = resolved(resource(spec=spec), eventSourceRef=Missing(Cause.UNMANAGED_NAMESPACE))
    assert one.unresolved is not None
    text = message_of(finding(one.unresolved, "shop"))
    assert 'refers to the Queue "orders" in the namespace "platform". The operator does not manage this name' in text
    assert 'Refer to an object in the namespace "shop", or add the namespace' in text
    assert "setting --namespaces, value namespaces of the chart" in text
    assert "references." not in text
    assert "permission" not in text


@pytest.mark.parametrize(
    ("reference", "setting"),
    [
        (QUEUE, "references.ack.enabled"),
        (QUEUE | {"apiVersion": "sqs.aws.upbound.io/v1beta1"}, "references.crossplane.enabled"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "name": "orders", "key": "arn"}, "references.configMaps.enabled"),
        (
            {"apiVersion": "example.com/v1", "kind": "Q", "name": "q", "fieldPath": "status.arn"},
            "references.additionalRules",
        ),
    ],
)
def test_the_message_without_the_right_names_the_value_of_the_chart(reference: dict[str, str], setting: str) -> None:
    spec = {"functionName": "orders", "eventSourceRef": reference}
    one = resolved(resource(spec=spec), eventSourceRef=Missing(Cause.FORBIDDEN))
    assert one.unresolved is not None
    assert setting in message_of(finding(one.unresolved, "shop"))


TARGET = ResolvedTarget(Target("eu-west-1"), {})


def problems(one: Resource) -> str:
    found = desired_of(one, MappingRecord.of(one), TARGET, "123456789012", "test").problems
    return " ".join(map(message_of, found))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ARN, ""),
        (f"arn:aws:sns:{HERE}:orders", "eventSourceARN is the ARN of a service that Lambda cannot read from."),
        ("orders", "eventSourceARN must be an ARN such as"),
        (f"arn:aws:kinesis:{HERE}:stream/orders", "Amazon Kinesis needs startingPosition."),
    ],
)
def test_the_rules_that_need_the_values_are_checked_when_the_values_are_known(value: str, words: str) -> None:
    text = problems(resolved(resource(), eventSourceRef=value))
    assert words in text
    assert (f'The values of references are spec.eventSourceRef "{value}".' in text) == bool(words)


def test_the_values_of_a_mapping_in_sync_are_not_checked_again() -> None:
    """The check takes milliseconds, and a restarted operator reads ten thousand resources."""
    one = resolved(resource({**RECORDED, "value": "orders"}), eventSourceRef="orders")
    assert problems(one)
    in_sync = replace(one, conditions={"Ready": "True", "Synced": "True"})
    assert problems(in_sync) == ""
    assert problems(replace(in_sync, status_is_current=False)), "an edit is checked"


@pytest.mark.parametrize("synced", ["False", "Unknown", ""])
def test_values_are_checked_until_the_mapping_has_them(synced: str) -> None:
    """A status records the values also if another problem hides that they are invalid, such as a failed connection."""
    one = resolved(resource({**RECORDED, "value": "orders"}), eventSourceRef="orders")
    sent = replace(one, uuid="1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9", conditions={"Ready": "False", "Synced": synced})
    assert sent.status_is_current
    assert problems(sent)
