"""Applied manifests never differ from the objects, because neither defaults nor the operator change the spec.

So Argo CD, `kubectl diff` and Flux's drift detection find no differences, and users need not ignore any.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from esm_operator.api.manifests import documents
from esm_operator.cluster.operator_names import MANAGER
from tests.bed import KIND, Bed
from tests.e2e.manifests import mapping, provider_config
from tests.every_field import SOURCES, pairs_of
from tests.operator_process import ROOT
from tests.specs import BASES, spec
from tests.waiting import eventually

#: All fields that the operator may set, in addition to the status.
ITS_FIELDS = {
    "f:annotations": {"f:lambda.esm-operator.io/intent"},
    "f:finalizers": {'v:"lambda.esm-operator.io/mapping"'},
}
#: Flags of `kubectl apply` and `kubectl diff`, as the tools use them.
WAYS = {
    "Argo CD, server-side": ("--server-side", "--field-manager=argocd-controller"),
    "Flux": ("--server-side", "--force-conflicts", "--field-manager=kustomize-controller"),
    "client-side": (),
}


def examples() -> list[dict[str, Any]]:
    """The ten examples and the manifests of the GitOps examples, as Kubernetes reads them."""
    paths = [*sorted((ROOT / "examples").glob("*.yaml")), *sorted((ROOT / "gitops" / "manifests").rglob("*.yaml"))]
    found = [one.value for path in paths for one in documents(path.read_text())]
    return [one for one in found if one["apiVersion"].startswith("lambda.esm-operator.io/")]


def every_field(source: str) -> Iterator[dict[str, Any]]:
    """For a source, one resource with only the required fields, and one for each other field."""
    yield mapping("bare", **{**_base(source), "functionName": "bare"})
    pairs = {pair.path: pair for pair in pairs_of(source)}
    for number, pair in enumerate(pairs.values()):
        name = f"{source}-{number}"
        of: dict[str, Any] = {**_base(source), "functionName": name}
        for path, value in {**pair.beside, pair.path: pair.values[0].spec}.items():
            *parents, last = path.split(".")
            place = of
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value.replace("{name}", name) if isinstance(value, str) else value
        yield mapping(name, **of)


def _base(source: str) -> dict[str, Any]:
    return _copy({**spec(source if source in BASES else "self-managed", {}), **SOURCES[source]})


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def write(folder: Path, manifests: list[dict[str, Any]]) -> Path:
    path = folder / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    return path


def apply(bed: Bed, way: str, path: Path) -> None:
    bed.kubectl("apply", *WAYS[way], f"--filename={path}")


def assert_no_diff(bed: Bed, way: str, path: Path, manifests: list[dict[str, Any]]) -> None:
    """Check that `kubectl diff` finds nothing, and that each spec is as it was written."""
    try:
        said = bed.kubectl("diff", *WAYS[way], f"--filename={path}")
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"kubectl diff: {error.stdout}") from error
    assert said == ""
    standing = {one["metadata"]["name"]: one for one in bed.all()}
    for one in manifests:
        if one["kind"] == "EventSourceMapping":
            assert standing[one["metadata"]["name"]]["spec"] == one["spec"]


def managers(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of each field manager without the status. The name of the operator's manager is without its lease."""
    entries = [one for one in found["metadata"]["managedFields"] if "subresource" not in one]
    return {_without_lease(one["manager"]): one["fieldsV1"] for one in entries}


def _without_lease(manager: str) -> str:
    return MANAGER if manager.startswith(MANAGER) else manager


@pytest.mark.parametrize("source", SOURCES)
def test_every_field_stays_as_it_was_written(bed: Bed, tmp_path: Path, source: str) -> None:
    _apply_and_look(bed, tmp_path, "Argo CD, server-side", [*every_field(source)])


@pytest.mark.parametrize("way", WAYS)
def test_the_examples_stay_as_they_were_written(bed: Bed, tmp_path: Path, way: str) -> None:
    _apply_and_look(bed, tmp_path, way, examples())


def _apply_and_look(bed: Bed, tmp_path: Path, way: str, manifests: list[dict[str, Any]]) -> None:
    """Check that there are no differences with and without the operator, and that a second apply changes nothing."""
    bed.control.set(pace=0.05)
    path = write(tmp_path, manifests)
    apply(bed, way, path)
    assert_no_diff(bed, way, path, manifests)

    bed.operator("--sweep-interval=1", "--requests-per-second=1000", "--kubernetes-requests-per-second=1000")
    for one in bed.all():
        bed.wait_ready(one["metadata"]["name"])
    bed.wait_swept(2)
    assert_no_diff(bed, way, path, manifests)
    before = bed.versions()
    apply(bed, way, path)
    assert bed.versions() == before
    for one in bed.all():
        assert one["metadata"]["generation"] == 1, one["metadata"]["name"]
        assert_operator_owns_little(one)


def assert_operator_owns_little(found: dict[str, Any]) -> None:
    """Check that only the applying manager has fields of the spec."""
    by_name = managers(found)
    its = by_name.pop(MANAGER)
    assert its.keys() == {"f:metadata"}
    for member, fields in its["f:metadata"].items():
        assert set(fields) - {"."} <= ITS_FIELDS[member], found["metadata"]["name"]
    assert len(by_name) == 1
    assert "f:status" not in next(iter(by_name.values()))
    entries = [one for one in found["metadata"]["managedFields"] if one.get("subresource") == "status"]
    assert {_without_lease(one["manager"]) for one in entries} == {MANAGER}


def test_a_failing_resource_makes_no_diff(bed: Bed, tmp_path: Path) -> None:
    manifests = [mapping("orders", **BASES["sqs"], providerConfigRef={"name": "missing"})]
    path = write(tmp_path, manifests)
    way = "Argo CD, server-side"
    apply(bed, way, path)
    bed.operator("--sweep-interval=1")
    bed.wait_condition("orders", "Reconciling", "True", "ProviderConfigNotFound")
    assert_no_diff(bed, way, path, manifests)
    bed.kubectl(
        "annotate", KIND, "orders", "lambda.esm-operator.io/paused=true", "lambda.esm-operator.io/reconcile-at=now"
    )
    assert_no_diff(bed, way, path, manifests)
    apply(bed, way, path)
    annotations = (bed.get("orders") or {})["metadata"]["annotations"]
    assert annotations["lambda.esm-operator.io/paused"] == "true", "what people set by hand stays"


def test_a_provider_config_in_use_makes_no_diff(bed: Bed, tmp_path: Path) -> None:
    manifests = [
        provider_config("shop", region="eu-west-1", defaultTags={"team": "shop"}),
        mapping("orders", **BASES["sqs"], providerConfigRef={"name": "shop"}),
    ]
    path = write(tmp_path, manifests)
    way = "Argo CD, server-side"
    apply(bed, way, path)
    bed.operator()
    bed.wait_ready("orders")
    assert_no_diff(bed, way, path, manifests)
    config = json.loads(bed.kubectl("get", "providerconfig", "shop", "--output=json", "--show-managed-fields"))
    assert config["spec"] == manifests[0]["spec"]
    assert managers(config)[MANAGER]["f:metadata"].keys() == {"f:finalizers"}


@pytest.mark.parametrize("policy", ["background", "foreground"])
def test_pruning_waits_for_aws_whatever_the_propagation(bed: Bed, policy: str) -> None:
    """Argo CD deletes with foreground propagation. The operator leaves the finalizer of that propagation alone."""
    bed.operator("--sweep-interval=1")
    bed.apply(mapping("orders", **BASES["sqs"]))
    bed.wait_ready("orders")
    bed.control.set(hold=True)
    bed.kubectl("delete", KIND, "orders", f"--cascade={policy}", "--wait=false")
    bed.wait_condition("orders", "Ready", "False", "Deleting")
    assert "lambda.esm-operator.io/mapping" in (bed.get("orders") or {})["metadata"]["finalizers"]
    bed.control.set(hold=False)
    left = ["foregroundDeletion"] if policy == "foreground" else None
    eventually(lambda: _finalizers(bed) == left, what=f"only {left} is left")
    assert bed.mappings() == []


def _finalizers(bed: Bed) -> list[str] | None:
    found = bed.get("orders")
    return found["metadata"]["finalizers"] if found else None
