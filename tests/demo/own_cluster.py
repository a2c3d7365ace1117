"""A control plane on this machine, for the time of the demo."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import role
from tests.bed import install
from tests.controlplane import ControlPlane
from tests.demo.cluster import Cluster, Kubectl
from tests.demo.terminal import explain


@dataclass(frozen=True)
class OwnCluster(Cluster):
    plane: ControlPlane | None = None

    def check(self) -> None:
        if self.plane is not None:
            self.plane.check()


@contextmanager
def own_cluster() -> Generator[Cluster]:
    """Started, with the CRDs and the role in it; gone at the end with all that was in it."""
    explain("A Kubernetes control plane of its own is started on this machine: etcd and kube-apiserver.")
    with ControlPlane() as plane:
        kubectl = Kubectl(plane.kubectl_path, str(plane.kubeconfig))
        install(plane)
        yield OwnCluster(
            name="the control plane",
            kubectl=kubectl,
            operator_kubeconfig=plane.kubeconfig_for(role.NAME, role.NAME),
            plane=plane,
        )
