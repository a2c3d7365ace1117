"""The examples in gitops/ are what Argo CD, Flux and kustomize take, and have the effect that they describe."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bed import KIND, Bed
from tests.chart.helm import Helm, the
from tests.controlplane import ControlPlane
from tests.gitops.verdicts import GITOPS, HEALTH_CHECK, flux_problems
from tests.operator_process import ROOT

FLUX = tuple(sorted((GITOPS / "flux").glob("*.yaml")))
APPLICATIONS = tuple(sorted((GITOPS / "argocd").glob("application-*.yaml")))
MANIFESTS = GITOPS / "manifests"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def flux_documents() -> list[dict[str, Any]]:
    """All of Flux's own kinds."""
    found = [one for path in FLUX for one in documents(path)]
    return [one for one in found if ".toolkit.fluxcd.io/" in one["apiVersion"]]


def test_the_config_map_holds_the_health_check_word_for_word() -> None:
    (patch,) = documents(GITOPS / "argocd" / "argocd-cm.yaml")
    assert patch["metadata"] == {"name": "argocd-cm", "namespace": "argocd"}
    group, kind = "lambda.esm-operator.io", "EventSourceMapping"
    assert patch["data"] == {f"resource.customizations.health.{group}_{kind}": HEALTH_CHECK.read_text()}


def test_flux_takes_its_examples() -> None:
    found = flux_documents()
    assert {one["kind"] for one in found} == {"GitRepository", "HelmRelease", "Kustomization"}
    assert flux_problems(found) == [""] * len(found)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"wiat": True}, 'unknown field "spec.wiat"'),
        ({"wait": "yes"}, "cannot unmarshal string"),
        ({"interval": "soon"}, "invalid duration"),
    ],
)
def test_flux_would_not_take_a_slip(change: dict[str, Any], complaint: str) -> None:
    (one, *_) = (one for one in flux_documents() if one["kind"] == "Kustomization")
    (problem,) = flux_problems([{**one, "spec": {**one["spec"], **change}}])
    assert complaint in problem


def test_flux_applies_in_order_and_waits() -> None:
    kustomizations = {
        one["metadata"]["name"]: one["spec"] for one in flux_documents() if one["kind"] == "Kustomization"
    }
    order = [[one["name"] for one in spec.get("dependsOn", ())] for spec in kustomizations.values()]
    assert list(zip(kustomizations, order, strict=True)) == [
        ("esm-operator", []),
        ("provider-configs", ["esm-operator"]),
        ("mappings", ["provider-configs"]),
    ]
    assert all(spec["wait"] and spec["prune"] for spec in kustomizations.values())
    folders = {Path(spec["path"]).name for name, spec in kustomizations.items() if name != "esm-operator"}
    assert folders == {path.name for path in MANIFESTS.iterdir()}


def test_the_chart_that_is_named_is_there_and_takes_the_values(tmp_path: Path) -> None:
    (release,) = (one for one in flux_documents() if one["kind"] == "HelmRelease")
    chart = release["spec"]["chart"]["spec"]["chart"]
    (operator,) = (one for path in APPLICATIONS for one in documents(path) if "helm" in one["spec"]["source"])
    assert (ROOT / chart / "Chart.yaml").is_file()
    assert operator["spec"]["source"]["path"] == chart
    known = yaml.safe_load((ROOT / chart / "values.yaml").read_text())
    assert release["spec"]["values"] == operator["spec"]["source"]["helm"]["valuesObject"]
    assert release["spec"]["values"].keys() <= known.keys()
    objects = Helm(tmp_path).template(release["spec"]["values"])
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("registry.example.com/esm-operator:")
    assert "--cluster-name=production" in container["args"]


def test_argo_cd_applies_server_side_and_ignores_no_difference() -> None:
    for path in APPLICATIONS:
        for one in documents(path):
            assert (one["apiVersion"], one["kind"]) == ("argoproj.io/v1alpha1", "Application")
            assert "ServerSideApply=true" in one["spec"]["syncPolicy"]["syncOptions"]
            assert "ignoreDifferences" not in one["spec"]


def test_the_manifests_pass_the_offline_check() -> None:
    paths = [str(path) for path in sorted(MANIFESTS.rglob("*.yaml")) if path.name != "kustomization.yaml"]
    assert len(paths) >= 3
    done = subprocess.run(
        [sys.executable, "-m", "esm_operator", "validate", *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifests_become_ready(bed: Bed) -> None:
    bed.operator("--sweep-interval=1")
    for folder in ("provider-configs", "mappings"):
        bed.kubectl("apply", "--server-side", f"--kustomize={MANIFESTS / folder}")
    bed.kubectl("wait", "--for=condition=Ready", KIND, "--all", "--timeout=200s")
    tags = [one["Tags"].get("managed-by") for one in bed.mappings()]
    assert tags == ["gitops", "gitops"]


def test_the_crds_are_a_kustomization(control_plane: ControlPlane) -> None:
    found = control_plane.kubectl("kustomize", ROOT).stdout
    names = {one["metadata"]["name"] for one in yaml.safe_load_all(found)}
    assert names == {f"{kind}.lambda.esm-operator.io" for kind in ("eventsourcemappings", "providerconfigs")}
    applied = json.loads(
        control_plane.kubectl(
            "apply",
            "--server-side",
            "--dry-run=server",
            "--kustomize",
            ROOT,
            "--force-conflicts",
            "-o",
            "json",
        ).stdout
    )
    assert applied
