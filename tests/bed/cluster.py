"""Installs what the operator needs in a control plane: the CRDs, a namespace and the operator's role."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests import role
from tests.bed.names import CONFIGS, KIND
from tests.controlplane import ControlPlane
from tests.controlplane.client import KubernetesClient, path
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


def crds() -> list[dict[str, Any]]:
    """The CRDs of the checkout."""
    return [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "crds").glob("lambda.*.yaml"))]


def install(plane: ControlPlane) -> None:
    """Install the CRDs and the operator's role, and wait until the API server serves the kinds. It can run again."""
    plane.client.install(*crds(), *role.objects())
    wait_until_served(plane.client)


def wait_until_served(client: KubernetesClient) -> None:
    """Wait until the API server serves both kinds."""
    for crd, kind in ((KIND, "EventSourceMapping"), (CONFIGS, "ProviderConfig")):
        where = path("CustomResourceDefinition", crd)
        eventually(lambda where=where: _is_established(client.get(where)), f"{crd} is established", every=0.05)
        eventually(lambda kind=kind: client.get(path(kind)), f"{kind} is served", every=0.05)


def create_namespace(client: KubernetesClient, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Create a namespace. It has no ServiceAccount, because the control plane has no controller that creates one."""
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}})


def _is_established(crd: Mapping[str, Any] | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)
