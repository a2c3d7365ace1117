"""A control plane for the tests of the chart, and Helm."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import role
from tests.bed import CONFIGS, KIND
from tests.chart.helm import NAMESPACE, RELEASE, Helm
from tests.controlplane import ControlPlane
from tests.controlplane.client import KubernetesClient, path
from tests.waiting import eventually

MONITORING = Path(__file__).with_name("monitoring.yaml")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def chart_plane() -> Generator[ControlPlane]:
    """A control plane for all releases, one after the other."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def fresh_plane(chart_plane: ControlPlane, helm_for: Callable[[ControlPlane], Helm]) -> Generator[ControlPlane]:
    """A control plane without anything of the operator."""
    yield chart_plane
    helm_for(chart_plane)("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait=hookOnly")
    remove_all(chart_plane.client)


@pytest.fixture
def helm_for(tmp_path: Path) -> Callable[[ControlPlane], Helm]:
    """Helm for a cluster."""
    return lambda plane: Helm(tmp_path / "helm", plane.kubeconfig)


def make_namespace(plane: ControlPlane, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Create a namespace with the ServiceAccount that a controller would create. It can run again."""
    meta: dict[str, Any] = {"name": name, "labels": dict(labels or {})}
    plane.client.install({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, role.account("default", name))


def remove_all(client: KubernetesClient) -> None:
    """Remove everything that an uninstall leaves: the CRDs with all resources, and objects of the test."""
    for kind in ("EventSourceMapping", "ProviderConfig"):
        for one in client.items(path(kind)):
            where = path(kind, one["metadata"]["name"], one["metadata"].get("namespace", ""))
            client.merge(where, {"metadata": {"finalizers": None}})
    for crd in (KIND, CONFIGS):
        where = path("CustomResourceDefinition", crd)
        client.delete(where)
        eventually(lambda where=where: client.get(where) is None, f"{crd} is gone")
    for kind in ("Lease", "Pod", "Secret"):
        client.delete(f"{path(kind, namespace=NAMESPACE)}?gracePeriodSeconds=0")
