"""What a resource desires, beyond its spec: tags from elsewhere, and what can't be carried out."""

import re
from typing import Any

import pytest

from esm_operator.api.annotations import INTENT
from esm_operator.api.resource import FINALIZER, Intent, parse
from esm_operator.planning.desired import MappingRecord, desired_of
from esm_operator.planning.inputs import Desired
from esm_operator.planning.ownership import OWNER_TAGS
from esm_operator.planning.target import ResolvedTarget, Target
from esm_operator.status.rendering import message_of
from tests import refusals

UUID = "11111111-2222-3333-4444-555555555555"
DEFAULTS = {f"default-{number}": "value" for number in range(6)}


def desired(default_tags: dict[str, str], deleting: bool = False, owner_tags: bool = True, **edit: Any) -> Desired:
    """A resource of an SQS queue with an edited spec, where there are default tags."""
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    resource = parse(
        {
            "metadata": {"namespace": "shop", "name": "orders", "uid": "uid-1", "resourceVersion": "1", **going},
            "spec": refusals.spec("sqs", edit),
        }
    )
    target = ResolvedTarget(Target("eu-west-1", owner_tags=owner_tags), default_tags, "shop")
    return desired_of(resource, MappingRecord.of(resource), target, "123456789012", "test")


def told(desired: Desired) -> str:
    return " ".join(map(message_of, desired.problems))


def test_tags_are_the_default_ones_the_specs_and_the_owners() -> None:
    tags = desired({"team": "platform", "stage": "test"}, tags={"team": "shop"}).tags
    assert {key: value for key, value in tags.items() if not key.startswith("esm-operator.io/")} == {
        "team": "shop",
        "stage": "test",
    }
    assert len(tags) == 6


def test_as_many_tags_as_aws_takes_are_no_problem() -> None:
    full = desired(DEFAULTS, tags=refusals.tags(40))
    assert len(full.tags) == 50
    assert full.problems == ()
    overridden = desired(DEFAULTS, tags=refusals.tags(40) | {"default-0": "mine"})
    assert len(overridden.tags) == 50
    assert overridden.problems == ()


def test_too_many_tags_are_counted_with_default_tags_and_a_remedy() -> None:
    problem = told(desired(DEFAULTS, tags=refusals.tags(42) | {"default-0": "mine"}))
    assert "52 tags, 2 more than AWS accepts (50)" in problem
    assert re.search(r"Remove 2 from spec\.tags or from the default tags \(.*ProviderConfig, --default-tags", problem)
    assert problem.endswith("Default tags: default-1, default-2, default-3, default-4, default-5.")


def test_too_many_tags_come_after_what_is_wrong_elsewhere() -> None:
    filters = {"filters": [{"pattern": "{"}]}
    problem = told(desired(DEFAULTS, tags=refusals.tags(42), filterCriteria=filters))
    assert re.search(r"not valid JSON.*Correct the pattern\. The mapping would have 52 tags", problem)


def test_an_ignored_field_of_a_newer_crd_is_a_problem_but_not_of_a_deletion() -> None:
    problem = told(desired({}, ignoreChanges=["enabled", "batchMode", "tags.team"]))
    assert "does not know the entry batchMode of ignoreChanges. Upgrade the operator, or remove the entry." in problem
    assert desired({}, ignoreChanges=["enabled", "tags", "tags.team"]).problems == ()
    assert desired({}, deleting=True, ignoreChanges=["batchMode"]).problems == ()


def test_without_owner_tags_only_the_owner_is_desired_of_tags() -> None:
    """They stand for what the resource records; AWS is sent none."""
    wanted = desired({}, owner_tags=False)
    assert sorted(wanted.tags) == [f"esm-operator.io/{part}" for part in ("cluster", "name", "namespace", "uid")]
    assert wanted.problems == ()


@pytest.mark.parametrize(
    ("default_tags", "edit", "field"),
    [
        (
            {},
            {"tags": {"team": "shop"}},
            "The operator cannot set spec.tags, because the ownership of the ProviderConfig shop is",
        ),
        ({"team": "shop"}, {}, "The operator cannot set the default tags team"),
        (
            {},
            {"adoption": {"policy": "IfExists", "uuid": UUID, "takeOverFrom": "a/b/c"}},
            "The operator cannot use spec.adoption.takeOverFrom",
        ),
    ],
)
def test_what_needs_tags_is_a_problem_without_owner_tags(
    default_tags: dict[str, str], edit: dict[str, Any], field: str
) -> None:
    problem = told(desired(default_tags, owner_tags=False, **edit))
    assert problem.startswith(field)
    assert "ResourceOnly" in problem
    assert "Remove" in problem
    assert desired(default_tags, **edit).problems == ()
    assert desired(default_tags, owner_tags=False, managementPolicy="Observe", **edit).problems == ()
    assert desired(default_tags, owner_tags=False, deleting=True, **edit).problems == ()


@pytest.mark.parametrize(
    ("status", "owns"),
    [
        ({}, False),
        ({"uuid": UUID}, False),
        ({"uuid": UUID, "applied": {"fields": ["enabled"], "tags": ["team"]}}, False),
        ({"applied": {"tags": sorted(OWNER_TAGS)}}, False),
        ({"uuid": UUID, "applied": {"tags": sorted(OWNER_TAGS)}}, True),
    ],
)
def test_a_note_owns_a_mapping_that_was_made_or_adopted(status: dict[str, Any], owns: bool) -> None:
    body = {"metadata": {"namespace": "a", "name": "b", "uid": "c", "resourceVersion": "1"}, "status": status}
    assert MappingRecord.of(parse(body)).owns is owns


def test_too_many_tags_matter_only_where_tags_are_set() -> None:
    assert desired(DEFAULTS, tags=refusals.tags(42), managementPolicy="Observe").problems == ()
    assert desired(DEFAULTS, deleting=True, tags=refusals.tags(42)).problems == ()


INTENT_OF_IT = Intent("shop/orders", "123456789012", "eu-west-1", "orders", "arn", (), (), (), {}).render()


@pytest.mark.parametrize(
    ("metadata", "prepared"),
    [
        ({}, False),
        ({"finalizers": [FINALIZER]}, False),
        ({"annotations": {INTENT: INTENT_OF_IT}}, False),
        ({"annotations": {INTENT: INTENT_OF_IT}, "finalizers": ["example.com/other"]}, False),
        ({"annotations": {INTENT: "no JSON"}, "finalizers": [FINALIZER]}, False),
        ({"annotations": {INTENT: INTENT_OF_IT}, "finalizers": [FINALIZER]}, True),
    ],
)
def test_a_resource_is_prepared_once_it_has_both_finalizer_and_intent(metadata: dict[str, Any], prepared: bool) -> None:
    meta = {"namespace": "shop", "name": "orders", "uid": "uid-1", "resourceVersion": "1", **metadata}
    resource = parse({"metadata": meta, "spec": refusals.spec("sqs", {})})
    target = ResolvedTarget(Target("eu-west-1"), {})
    assert desired_of(resource, MappingRecord.of(resource), target, "123456789012", "test").prepared is prepared
