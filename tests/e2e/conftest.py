"""One control plane and one AWS server for all scenarios; a namespace and an operator for each."""

import uuid
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import role
from tests.aws import AwsServer, Settings
from tests.controlplane import ControlPlane
from tests.e2e.bed import Bed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def control_plane() -> Generator[ControlPlane]:
    """A control plane with the CRDs and the operator's role."""
    with ControlPlane() as plane:
        plane.kubectl("apply", "--kustomize", ROOT / "crds")
        plane.kubectl("apply", "--filename=-", input=role.manifest())
        for kind in ("eventsourcemappings", "providerconfigs"):
            plane.kubectl("wait", "--for=condition=Established", f"crd/{kind}.lambda.esm-operator.io")
        yield plane


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: ControlPlane) -> Path:
    """The kubeconfig of the operator's ServiceAccount."""
    return control_plane.kubeconfig_for("esm-operator", "esm-operator")


@pytest.fixture(scope="session")
def aws_server() -> Generator[AwsServer]:
    """An AWS whose transitions take a moment, without a quota unless a test sets one."""
    with AwsServer(Settings(pace=0.3, quota=0, tagging_quota=0)) as server:
        yield server


@pytest.fixture
def bed(
    control_plane: ControlPlane, aws_server: AwsServer, operator_kubeconfig: Path, tmp_path: Path
) -> Generator[Bed]:
    """A scenario's own namespace, with AWS empty. The operator's log is shown if the test fails."""
    aws_server.control.reset()
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", namespace)
    log = tmp_path / "operator.log"
    log.touch()
    exits = ExitStack()
    bed = Bed(
        plane=control_plane,
        aws=aws_server,
        kubeconfig=operator_kubeconfig,
        namespace=namespace,
        log=log,
        exits=exits,
    )
    try:
        yield bed
    finally:
        exits.close()
        print(log.read_text(errors="replace")[-20_000:])
        bed.clear()
