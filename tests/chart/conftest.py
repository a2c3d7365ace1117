"""A control plane for the chart's tests, and Helm for it."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.chart.helm import Helm
from tests.controlplane import ControlPlane

MONITORING = Path(__file__).with_name("monitoring.yaml")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture
def fresh_plane() -> Generator[ControlPlane]:
    """A control plane that knows nothing of the operator."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def helm_for(tmp_path: Path) -> Callable[[ControlPlane], Helm]:
    """Helm for a cluster."""
    return lambda plane: Helm(tmp_path / "helm", plane.kubeconfig)


def make_namespace(plane: ControlPlane, name: str, labels: dict[str, str] | None = None) -> None:
    """A namespace with the ServiceAccount that a controller would make in it."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}
    plane.kubectl("apply", "--filename=-", input=json.dumps(namespace))
    plane.kubectl("create", "serviceaccount", "default", f"--namespace={name}", check=False)
