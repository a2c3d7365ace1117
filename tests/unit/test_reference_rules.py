"""The rules about references follow the table of kinds."""

from __future__ import annotations

from typing import Any

import pytest

from esm_operator.api import offline
from esm_operator.api.reference_kinds import KINDS, SOURCE, VALUE_PATHS, ReferenceKind
from esm_operator.api.reference_rules import kinds_of, reference_rules
from esm_operator.api.references import references_of

RULES = tuple(reference_rules())
NEEDS_FIELD_PATH = {
    field: next(rule for rule in RULES if rule.words.startswith(f"{field.replace('[]', '')} needs fieldPath"))
    for field in VALUE_PATHS
}


def with_reference(field: str, reference: dict[str, str]) -> dict[str, Any]:
    """A spec with one reference."""
    *around, last = field.split(".")
    part: Any = {last: reference}
    for name in reversed(around):
        part = {name[:-2]: [{"type": "BASIC_AUTH", **part}]} if name.endswith("[]") else {name: part}
    return part


def reference_to(row: ReferenceKind, version: str = "v1beta2") -> dict[str, str]:
    group = f"{row.group}/{version}" if row.group else "v1"
    return {"apiVersion": group, "kind": row.kind, "name": "orders", **({"key": "a"} if row.needs_key else {})}


@pytest.mark.parametrize("row", KINDS, ids=lambda row: f"{row.group}/{row.kind}")
def test_a_kind_needs_a_field_path_only_in_fields_that_do_not_take_it(row: ReferenceKind) -> None:
    for field, rule in NEEDS_FIELD_PATH.items():
        spec = with_reference(field, reference_to(row))
        assert [one.field for one in references_of(spec)] == [field]
        assert bool(offline.broken([rule], spec)) == (field not in row.fields), field
        assert offline.broken([rule], with_reference(field, {**reference_to(row), "fieldPath": "status.a"})) == []


@pytest.mark.parametrize("group", ["xsqs.services.k8s.aws", "sqs.services.k8s.aws.example.com", "sqs-services.k8s.aws"])
def test_a_group_with_a_similar_name_is_another_group(group: str) -> None:
    reference = {"apiVersion": f"{group}/v1alpha1", "kind": "Queue", "name": "orders"}
    assert offline.broken([NEEDS_FIELD_PATH[SOURCE]], with_reference(SOURCE, reference))


@pytest.mark.parametrize(
    "row", [row for row in KINDS if SOURCE in row.fields], ids=lambda row: f"{row.group}/{row.kind}"
)
def test_the_kind_of_a_source_decides_which_fields_it_takes(row: ReferenceKind) -> None:
    about_sources = [rule for rule in RULES if "{kind} in eventSourceRef" in rule.words]
    spec = {SOURCE: reference_to(row), "scalingConfig": {"maximumConcurrency": 2}}
    refused = any("does not take scalingConfig" in rule.words for rule in offline.broken(about_sources, spec))
    assert refused == (row.source is not None and str(row.source) != "sqs")
    other = {SOURCE: {**reference_to(row), "fieldPath": "status.a"}, "scalingConfig": {"maximumConcurrency": 2}}
    assert offline.broken(about_sources, other) == [], "with a fieldPath, the value can be of any source"


def test_a_message_lists_the_kinds_of_a_field() -> None:
    assert kinds_of("kmsKeyRef") == "Key of ACK, Key of Crossplane and ConfigMap"
