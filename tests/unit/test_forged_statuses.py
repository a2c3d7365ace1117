"""Users who may patch statuses can write all that the CRD accepts. The operator can plan with each such status."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from esm_operator.api.fields import BY_PATH, observed_values
from esm_operator.api.ignore_changes import ENTRIES, TAG
from esm_operator.api.resource import FINALIZER, parse
from esm_operator.api.spec import MappingSpec
from esm_operator.planning import plan
from esm_operator.planning.allowed import AllowLists
from esm_operator.planning.desired import MappingRecord, desired_of
from esm_operator.planning.inputs import Observation, ObservedMapping
from esm_operator.planning.left_to_others import left_values
from esm_operator.planning.ownership import OWNER_TAGS, Owner
from esm_operator.planning.target import ResolvedTarget, Target
from tests.every_field import SOURCES
from tools import crd_definitions

UUID = "11111111-1111-1111-1111-111111111111"
#: Texts that mean something somewhere in a status.
_MEANINGFUL = [
    "",
    UUID,
    "orders",
    "functionRef",
    "topicRef",
    "sourceAccessConfigurations[0].uriRef",
    "arn:aws:sqs:eu-west-1:123456789012:orders",
    "2026-01-01T00:00:00Z",
    "Ready",
    "Synced",
    "True",
    "Enabled",
    "v1",
    "ConfigMap",
    "names",
    "function",
    *OWNER_TAGS,
]
_KEYS = [*BY_PATH, *(f"{TAG}{key}" for key in ("team", "", *OWNER_TAGS)), "sourceAccessConfigurations[VIRTUAL_HOST]"]
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["", "filters", "pattern", "type", "uri", "accessConfigs"]) | st.text(max_size=3),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=4,
)
_TEXTS = st.one_of(
    st.sampled_from(_MEANINGFUL),
    st.text(max_size=10),
    _JSON.map(json.dumps),
    st.sampled_from(["[" * 400 + "]" * 400, '{"a":' * 90 + "1" + "}" * 90, "NaN", "1e999", "9" * 5000]),
)
_INTEGERS = st.one_of(st.sampled_from([-1, 0, 1, 2]), st.integers(-(2**63), 2**63 - 1))


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a part of the CRD accepts."""
    match schema["type"]:
        case "object":
            if "additionalProperties" in schema:
                keys = st.one_of(st.sampled_from(_KEYS), st.text(max_size=5))
                return st.dictionaries(keys, fitting(schema["additionalProperties"]), max_size=4)
            parts = {name: fitting(part) for name, part in schema.get("properties", {}).items()}
            required = set(cast("list[str]", schema.get("required", [])))
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in required},
                optional={name: part for name, part in parts.items() if name not in required},
            )
        case "array":
            return st.lists(fitting(schema["items"]), max_size=3)
        case "string":
            return st.sampled_from(schema["enum"]) if "enum" in schema else _TEXTS
        case "integer":
            return _INTEGERS
        case "boolean":
            return st.booleans()
        case other:
            raise ValueError(f"The CRD has a type that this test does not know: {other}")


def _status_schema() -> Mapping[str, Any]:
    version = crd_definitions.event_source_mappings()["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"]["status"]


#: Specs of all sources, and one with references. All fields and tags that can be ignored are ignored.
_REFERENCES = {
    "functionRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "names", "key": "function"},
    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders",
}
SPECS: Mapping[str, Mapping[str, Any]] = {**SOURCES, "references": _REFERENCES}
_EVERYTHING = {"ignoreChanges": [*ENTRIES, "tags"]}
LISTS = AllowLists(functions=("*",), event_sources=("*",), destinations=("arn:aws:sqs:*",))


def plan_all(spec: Mapping[str, Any], status: Mapping[str, Any], *, deleting: bool) -> None:
    """Plan with a status, for a mapping that exists and for one that does not."""
    meta: dict[str, Any] = {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "1", "generation": 1}
    meta |= {"finalizers": [FINALIZER], **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})}
    resource = parse({"metadata": meta, "spec": spec, "status": status})
    target = ResolvedTarget(Target("eu-west-1"), {"team": "shop"}, "shop", LISTS)
    record = MappingRecord.of(resource)
    desired = desired_of(resource, record, target, "123456789012", "blue")
    assert desired.creation.tags.keys() >= {"team", *OWNER_TAGS}
    assert resource.status.render() is not None
    assert resource.metric_labels.status
    asked = MappingSpec.parse(spec).parameters
    answer = {"FunctionName": "orders", **asked, "UUID": record.uuid or UUID, "State": "Enabled"}
    tags = Owner("blue", "shop", "orders", "u").tags()
    found = ObservedMapping(answer["UUID"], "Enabled", observed_values(answer), tags, answer=answer)
    left_values(desired, found, record.applied.ignored)
    plan.plan(desired, Observation(swept=True, gone=True))
    plan.plan(desired, Observation(swept=True, mapping=found, candidates=(found,)))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # a status has many parts
@given(st.sampled_from(sorted(SPECS)), st.booleans(), st.booleans(), st.deferred(lambda: fitting(_status_schema())))
def test_no_status_keeps_a_resource_from_being_planned(
    of: str, ignoring: bool, deleting: bool, status: Mapping[str, Any]
) -> None:
    plan_all({**SPECS[of], **(_EVERYTHING if ignoring else {})}, status, deleting=deleting)


@pytest.mark.parametrize("of", sorted(SPECS))
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(_KEYS), _JSON.map(json.dumps), min_size=1, max_size=5), st.booleans())
@example({"filterCriteria": "1"}, True)
@example({"sourceAccessConfigurations": "[null]", "functionResponseTypes": '[1,"a"]'}, False)
def test_no_record_of_ignored_values_keeps_a_resource_from_being_planned(
    of: str, ignored: Mapping[str, str], deleting: bool
) -> None:
    status = {"uuid": UUID, "applied": {"tags": sorted(OWNER_TAGS), "ignored": dict(ignored)}}
    plan_all({**SPECS[of], **_EVERYTHING}, status, deleting=deleting)
