"""A resource is renamed or moved in one apply, as GitOps tools do: its mapping keeps its UUID."""

import json
from typing import Any

from tests.bed import WRITES, Bed
from tests.e2e.manifests import stream
from tests.waiting import eventually

LABEL = {"app.kubernetes.io/part-of": "shop"}
ORDERS = stream()["spec"]
#: A filter that the API server accepts and AWS refuses.
BROKEN = {"filters": [{"pattern": "{"}]}


def orders(name: str, *, former: str = "", **spec: Any) -> dict[str, Any]:
    """A resource of the application for the stream of orders, which takes over from a former one."""
    adoption = {"adoption": {"policy": "IfExists", "takeOverFrom": former}} if former else {}
    manifest = stream(name, **{**ORDERS, **adoption, **spec})
    return {**manifest, "metadata": {**manifest["metadata"], "labels": LABEL}}


def apply_all(bed: Bed, *manifests: dict[str, Any]) -> str:
    """Apply all manifests of the application, and delete its resources that have none."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    options = ("--prune", "--selector=app.kubernetes.io/part-of=shop", "--wait=false")
    kind = "--prune-allowlist=lambda.esm-operator.io/v1/EventSourceMapping"
    return bed.kubectl("apply", "--filename=-", *options, kind, input=text)


def test_a_rename_in_one_apply_keeps_the_mapping(bed: Bed) -> None:
    bed.operator()
    apply_all(bed, orders("old"))
    uuid = bed.wait_ready("old")["status"]["uuid"]
    before = bed.calls()
    output = apply_all(bed, orders("new", former=f"{bed.namespace}/old"))
    assert "pruned" in output
    bed.wait_gone("old")
    assert bed.wait_ready("new")["status"]["uuid"] == uuid
    assert [one["UUID"] for one in bed.mappings()] == [uuid]
    made = {name: count - before.get(name, 0) for name, count in bed.calls().items() if name in WRITES}
    assert {name for name, count in made.items() if count} == {"TagResource"}
    eventually(lambda: "HandedOver" in bed.events("old") and "Adopted" in bed.events("new"), "Events on both sides")


def test_an_old_resource_waits_for_a_new_one_that_is_invalid(bed: Bed) -> None:
    bed.operator()
    bed.apply(orders("old"))
    uuid = bed.wait_ready("old")["status"]["uuid"]
    bed.apply(orders("new", former=f"{bed.namespace}/old", filterCriteria=BROKEN))
    bed.wait_condition("new", "Stalled", "True", "InvalidSpec")
    bed.delete("old")
    bed.wait_condition("old", "Ready", "False", "HandingOver")
    bed.patch("new", {"filterCriteria": None})
    bed.wait_gone("old")
    assert bed.wait_ready("new")["status"]["uuid"] == uuid


def test_the_mapping_is_deleted_when_the_new_resource_is_deleted_too(bed: Bed) -> None:
    bed.operator()
    bed.apply(orders("old"))
    bed.wait_ready("old")
    bed.apply(orders("new", former=f"{bed.namespace}/old", filterCriteria=BROKEN))
    bed.wait_condition("new", "Stalled", "True", "InvalidSpec")
    bed.delete("old")
    bed.wait_condition("old", "Ready", "False", "HandingOver")
    bed.delete("new")
    bed.wait_gone("new")
    bed.wait_gone("old")
    assert not bed.mappings()


def test_a_rename_in_a_namespace_with_the_name_of_the_cluster_keeps_the_mapping(bed: Bed) -> None:
    """As in the namespace ``default`` with the default ``--cluster-name``. The edit needs the UUID of the mapping."""
    bed.operator(f"--cluster-name={bed.namespace}")
    apply_all(bed, orders("old"))
    uuid = bed.wait_ready("old")["status"]["uuid"]
    apply_all(bed, orders("new", former=f"{bed.namespace}/old", functionName="returns"))
    bed.wait_gone("old")
    assert bed.wait_ready("new")["status"]["uuid"] == uuid
    assert [one["UUID"] for one in bed.mappings()] == [uuid]
    eventually(lambda: "HandedOver" in bed.events("old") and "Adopted" in bed.events("new"), "Events on both sides")
